"""``python -m benchmarks DOMAIN``: a table on stderr and one JSON document on stdout."""

import sys
from importlib import import_module

DOMAINS = {
    "gallery": "gallery_domain",
    "int8": "int8",
    "object": "object_domain",
    "open-set": "open_set",
    "person": "person_domain",
    "rerank": "rerank_domain",
    "robustness": "robustness",
    "synthetic": "synthetic_domain",
    "train": "training_domain",
    "yardsticks": "yardsticks",
}
"""Word -> the file that measures it, by its ``main``."""


def main() -> int:
    """Runs the benchmarks of a domain; the exit code."""
    if len(sys.argv) < 2 or sys.argv[1] not in DOMAINS:
        sys.stderr.write(f"usage: python -m benchmarks {{{','.join(DOMAINS)}}} [options]\n")
        return 2
    module = import_module(f"benchmarks.{DOMAINS[sys.argv[1]]}")
    return int(module.main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
