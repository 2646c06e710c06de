"""The README's command reference, made from ``--help``; ``python -m tests.readme`` writes it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
COMMANDS = (
    "object detection",
    "object video",
    "object tracking",
    "object tests",
    "person everyid",
    "person embed",
    "person match",
    "person evaluate",
    "person models",
    "person train",
    "person recipes",
    "person adapt",
    "person gallery enroll",
    "person gallery identify",
    "person gallery list",
    "person gallery show",
    "person gallery merge",
    "person gallery forget",
    "person gallery calibrate",
    "person download_model",
    "person upload_model",
    "person dataset check",
    "person dataset stats",
    "person tests",
    "synthetic crops",
    "synthetic footage",
    "synthetic tests",
    "weights list",
    "weights fetch",
    "weights verify",
    "weights pack",
    "weights import",
    "tests",
)
START, END = "<!-- reference -->\n", "<!-- /reference -->\n"


def reference() -> str:
    """The reference as it should stand between the marks: the help of every command."""
    parts = []
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "run.py", *command.split(), "--help"],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        text = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
        parts.append(f"### {command}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def parts_of(text: str) -> tuple[str, str, str]:
    """The README before the reference, the reference, and after it."""
    before, _, rest = text.partition(START)
    inside, _, after = rest.partition(END)
    return before + START, inside, END + after


def main() -> None:
    """Writes the reference into the README."""
    before, _, after = parts_of(README.read_text(encoding="utf-8"))
    README.write_text(f"{before}\n{reference()}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
