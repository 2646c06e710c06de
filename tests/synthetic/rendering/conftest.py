"""What the tests that draw share."""

import pytest

from everyid.errors import DependencyError
from synthetic.rendering.renderer import Renderer


@pytest.fixture(scope="module")
def renderer():
    """One renderer for all tests, as starting one takes long."""
    try:
        with Renderer() as started:
            yield started
    except DependencyError as error:
        pytest.skip(f"{error}; {error.hint}")
