"""Layouts by name."""

import difflib

from everyid.errors import ConfigError
from synthetic.layouts.cuhk03 import CUHK03
from synthetic.layouts.folders import Folders
from synthetic.layouts.market1501 import Market1501
from synthetic.layouts.mars import MARS
from synthetic.layouts.msmt17 import MSMT17
from synthetic.layouts.plan import Layout

__all__ = ["LAYOUTS", "layout_named"]

_ALL: tuple[Layout, ...] = (Market1501(), MSMT17(), CUHK03(), MARS(), Folders())

LAYOUTS = {layout.name: layout for layout in _ALL}
"""Name -> layout."""


def layout_named(name: str) -> Layout:
    """The layout of that name.

    Raises:
        ConfigError: No such name; the message lists the known ones.
    """
    if name not in LAYOUTS:
        near = difflib.get_close_matches(name.lower(), LAYOUTS, n=1)
        raise ConfigError(
            f"no layout is called {name!r}; known: {', '.join(LAYOUTS)}",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    return LAYOUTS[name]
