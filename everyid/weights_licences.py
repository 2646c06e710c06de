"""Under which licence weights stand, and the texts that have to go with them."""

import re
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from everyid.errors import InputError

__all__ = ["NOT_STATED", "licence_of", "licence_text"]

NOT_STATED = "not stated"

_LICENCE = re.compile(r"^license:[ \t]*([\w.+-]+)[ \t]*$", re.MULTILINE)
_LICENCE_NAME = re.compile(r'^license_name:[ \t]*"?([\w.+ -]+?)"?[ \t]*$', re.MULTILINE)


def licence_of(card: Path | None) -> str:
    """The licence that a card has in its front matter, or ``NOT_STATED``.

    Args:
        card: A page in Markdown, as model hubs have them; None: there is none.

    Raises:
        InputError: It cannot be read.
    """
    if card is None:
        return NOT_STATED
    try:
        return _stated(card.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise InputError(f"cannot read {card}: {error.strerror or error}") from error


def _stated(text: str) -> str:
    r"""The same of what is in a card.

    >>> _stated("---\nlicense: mit\n---\n# net"), _stated("# net")
    ('mit', 'not stated')
    """
    front = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = _LICENCE.search(front)
    if found is not None and found[1] == "other":
        found = _LICENCE_NAME.search(front)
    return NOT_STATED if found is None else found[1]


def licence_text(licence: str) -> Path | None:
    """The text that has to go with a copy of weights, where this machine has it; or None.

    AGPL-3.0, section 4, wants the licence itself beside each copy; ultralytics comes with it.

    Args:
        licence: An SPDX identifier, in any case.
    """
    if not licence.upper().startswith("AGPL-3.0"):
        return None
    try:
        listed = files("ultralytics") or []
    except PackageNotFoundError:
        return None
    texts = (Path(str(one.locate())) for one in listed if one.name == "LICENSE")
    return next((text for text in texts if text.is_file()), None)
