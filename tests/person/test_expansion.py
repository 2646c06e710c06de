"""Query expansion against the slow twin, and where there is little to expand with."""

import numpy as np
import pytest

from everyid.errors import ConfigError, ShapeError
from person import expansion
from person.expansion import expand
from tests.person.rows import unit
from tests.reference.expansion import expanded


@pytest.mark.parametrize(
    ("queries", "rows", "count"), [(0, 5, 2), (1, 1, 1), (9, 40, 5), (4, 3, 9)]
)
def test_equals_the_twin(monkeypatch, queries, rows, count):
    monkeypatch.setattr(expansion, "_PART", 4)
    query, gallery = unit(queries, seed=1), unit(rows, seed=2)
    found = expand(query, gallery, count=count)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expanded(query, gallery, count), atol=1e-6)


def test_a_query_is_not_expanded_by_itself():
    rows = unit(12)
    own = np.arange(12)
    np.testing.assert_allclose(
        expand(rows, rows, count=3, exclude=own), expanded(rows, rows, 3, own), atol=1e-6
    )


def test_a_mean_of_nothing_leaves_the_query():
    query = unit(1)
    assert (expand(query, -query, count=1) == query).all()


def test_what_cannot_be_expanded():
    with pytest.raises(ConfigError, match="expected 1 gallery row or more, got 0"):
        expand(unit(2), unit(2), count=0)
    with pytest.raises(ShapeError, match="gallery: expected more than 0 rows, got 0"):
        expand(unit(2), unit(0), count=1)
