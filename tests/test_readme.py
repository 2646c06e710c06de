"""The README says what the program does."""

import re
from pathlib import Path

from tests.readme import COMMANDS, README, ROOT, parts_of, reference


def test_the_command_reference_is_what_help_says() -> None:
    _, inside, _ = parts_of(README.read_text(encoding="utf-8"))
    assert inside.strip() == reference().strip(), "run: python -m tests.readme"


def test_every_command_is_in_the_reference() -> None:
    from typer.main import get_command

    from run import build_app

    def names(command: object, above: str) -> set[str]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return {above.strip()}
        return set().union(*(names(one, f"{above} {name}") for name, one in inner.items()))

    found = names(get_command(build_app()), "")
    assert found == set(COMMANDS)


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / Path(target)).exists(), f"{page.name} links to {target}"
