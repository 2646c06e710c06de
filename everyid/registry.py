"""Kind and name -> where the thing is made, imported only when asked for.

Rooms do not import each other; a room that needs another's offer asks here::

    build = registry.find("detector", "yolox")
    detector = build(path, device=device)
"""

import difflib
from importlib import import_module
from typing import Any, Literal

from everyid.errors import ConfigError

__all__ = ["Kind", "find", "names"]

Kind = Literal["detector", "tracker", "encoder", "track_linker", "attribute_reader"]

_ENTRIES: dict[Kind, dict[str, str]] = {
    "detector": {
        "ultralytics": "object.detectors.yolo:build_yolo",
        "yolox": "object.detectors.yolox:build_yolox",
        "transformers": "object.detectors.detr:build_detr",
    },
    "tracker": {
        "bytetrack": "object.tracking:bytetrack",
        "ocsort": "object.tracking:ocsort",
        "botsort": "object.tracking:botsort",
    },
    "encoder": {
        "person": "person.encoder:build_encoder",
    },
    "track_linker": {},
    "attribute_reader": {},
}


def names(kind: Kind) -> list[str]:
    """The names known for a kind, sorted."""
    return sorted(_ENTRIES[kind])


def find(kind: Kind, name: str) -> Any:  # noqa: ANN401 - each kind's maker has its own signature
    """The maker registered under a name: a class or function, imported now.

    Raises:
        ConfigError: No such name; the message lists the known ones and the nearest.
    """
    entries = _ENTRIES[kind]
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=1)
        raise ConfigError(
            f"unknown {kind} {name!r}; known: {', '.join(sorted(entries)) or 'none yet'}",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    module, attribute = entries[name].split(":")
    return getattr(import_module(module), attribute)
