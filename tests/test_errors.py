"""The tree of errors: what a caller may catch with what."""

import re

import pytest

from everyid import errors
from everyid.errors import EveryIDError

CLASSES = [getattr(errors, name) for name in errors.__all__]


def drawn_tree():
    """(class, parent) for each line of the drawing at the top of the file."""
    pairs, above = [], []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^    ([│├└─ ]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            pairs.append((found[2], above[depth - 1] if depth else "Exception"))
    return pairs


def test_the_drawn_tree_is_the_real_one():
    assert sorted(drawn_tree()) == sorted((one.__name__, one.__base__.__name__) for one in CLASSES)


@pytest.mark.parametrize("error", CLASSES)
def test_the_root_catches_every_error(error):
    with pytest.raises(EveryIDError, match=r"^expected a file$") as caught:
        raise error("expected a file", hint="name a file")
    assert caught.value.hint == "name a file"
    assert str(caught.value) == "expected a file"


def test_the_hint_is_optional():
    assert EveryIDError("expected a file").hint is None
