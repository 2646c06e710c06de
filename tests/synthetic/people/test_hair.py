"""Hair of every style."""

import numpy as np
import pytest

from synthetic.people.appearance import Colour, Hair
from synthetic.people.hair import hair_edge, make_hair
from synthetic.people.scalp import look_at_head
from synthetic.people.wearer import measure

BROWN = Colour("brown", (0.3, 0.2, 0.1))


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def lowest(wearer, style, length):
    pieces = make_hair(
        wearer,
        look_at_head(wearer),
        Hair(style, BROWN, length),
        under=None,
        cloth=wearer.positions,
        layer=1,
    )
    return min(float(piece.mesh.positions[:, 2].min()) for piece in pieces)


def test_a_bald_head_has_no_hair(wearer):
    hair = Hair("bald", BROWN, 0.5)
    scalp = look_at_head(wearer)
    cloth = wearer.positions
    assert make_hair(wearer, scalp, hair, under=None, cloth=cloth, layer=1) == []


def test_long_hair_falls_further_than_a_bob_and_a_bob_than_short_hair(wearer):
    long, bob, short = (lowest(wearer, style, 0.5) for style in ("long", "bob", "short"))
    assert long < bob - 0.1 < short - 0.1


def test_longer_hair_reaches_further_down(wearer):
    for style in ("long", "bob", "ponytail"):
        assert lowest(wearer, style, 1.0) < lowest(wearer, style, 0.0) - 0.03


def test_the_face_stays_free(wearer):
    scalp = look_at_head(wearer)
    for style in ("short", "long"):
        edge = hair_edge(scalp, Hair(style, BROWN, 0.5))
        face = (scalp.azimuth < 30) & (np.abs(scalp.height) < 0.02)
        assert (edge[face] < 0).all()
