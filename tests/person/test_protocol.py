"""Protocols: what they leave out, what they count, and what they cannot do without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import ConfigError, InputError
from person.crops import Crops
from person.protocol import PROTOCOLS, label, protocol
from tests.person.rows import crops

QUERY = crops("1 2 0000 -1 00-1 ? 2 1", "1 2 1 1 1 1 ? 2")
GALLERY = crops("2 0000 -1 1 3 ? 1 00-1 0000", "1 1 1 2 3 2 ? 1 2", side="g")
WITH_CAMERAS = sorted(name for name, rules in PROTOCOLS.items() if rules.uses_cameras)


def kept(crops, rows):
    """Identity and camera of the rows, as one text."""
    return " ".join(f"{crops.identities[row]}@{crops.cameras[row]}" for row in rows)


@pytest.mark.parametrize(
    ("name", "queries", "gallery", "nobody", "junk"),
    [
        ("market1501", "1@1 2@2 00-1@1 1@2", "2@1 0000@1 1@2 3@3 00-1@1 0000@2", "01 05", 1),
        ("mars", "1@1 2@2 1@2", "2@1 0000@1 1@2 3@3 0000@2", "01 04", 2),
        *(
            (
                name,
                "1@1 2@2 0000@1 -1@1 00-1@1 1@2",
                "2@1 0000@1 -1@1 1@2 3@3 00-1@1 0000@2",
                "",
                0,
            )
            for name in ("cross-camera", "msmt17", "cuhk03-new", "cuhk03-classic")
        ),
        (
            "no-camera",
            "1@1 2@2 0000@1 -1@1 00-1@1 2@None 1@2",
            "2@1 0000@1 -1@1 1@2 3@3 1@None 00-1@1 0000@2",
            "",
            0,
        ),
    ],
)
def test_what_each_protocol_keeps(name, queries, gallery, nobody, junk):
    rules = protocol(name)
    found = label(QUERY, GALLERY, rules)
    assert kept(QUERY, found.query_rows) == queries
    assert kept(GALLERY, found.gallery_rows) == gallery
    assert np.flatnonzero(found.gallery_ids < 0).tolist() == [int(row) for row in nobody.split()]
    assert found.junk == junk
    assert found.unlabelled == (4 if rules.uses_cameras else 2)
    assert (found.query_cameras is None, found.gallery_cameras is None) == (
        (False, False) if rules.uses_cameras else (True, True)
    )
    for array in (found.query_rows, found.gallery_rows, found.query_ids, found.gallery_ids):
        assert array.dtype == np.int64
    assert (found.query_ids >= 0).all()


def test_every_protocol_is_tried_above():
    named = {"market1501", "mars", "cross-camera", "msmt17", "cuhk03-new", "cuhk03-classic"}
    assert set(PROTOCOLS) == named | {"no-camera"}
    assert all(protocol(name).name == name for name in PROTOCOLS)


def test_what_sets_the_protocols_apart():
    assert {name for name, rules in PROTOCOLS.items() if rules.tracklets} == {"mars"}
    draws = {name: rules.single_shot_repeats for name, rules in PROTOCOLS.items()}
    assert {name: count for name, count in draws.items() if count} == {"cuhk03-classic": 100}
    assert {name for name in PROTOCOLS if name not in WITH_CAMERAS} == {"no-camera"}


words = st.sampled_from(["1", "01", "2", "anna", "Anna", "-1", "00-1", "0000", "0", None])
places = st.sampled_from(["1", "c1", "hall", None])


@st.composite
def some_crops(draw):
    who = draw(st.lists(words, min_size=1, max_size=12))
    where = draw(st.lists(places, min_size=len(who), max_size=len(who)))
    nothing = (None,) * len(who)
    paths = tuple(map(str, range(len(who))))
    return Crops(paths, tuple(who), tuple(where), *(nothing,) * 4)


@given(query=some_crops(), gallery=some_crops(), name=st.sampled_from(sorted(PROTOCOLS)))
def test_numbers_say_what_the_texts_said(query, gallery, name):
    rules = protocol(name)
    try:
        found = label(query, gallery, rules)
    except InputError:
        return
    for q, row in enumerate(found.query_rows):
        assert query.identities[row] not in rules.junk | rules.distractors | {None}
        for g, other in enumerate(found.gallery_rows):
            theirs = gallery.identities[other]
            same = query.identities[row] == theirs and theirs not in rules.distractors
            assert (found.query_ids[q] == found.gallery_ids[g]) == same
            if rules.uses_cameras:
                one_camera = query.cameras[row] == gallery.cameras[other]
                assert (found.query_cameras[q] == found.gallery_cameras[g]) == one_camera
    dropped = sum(who in rules.junk for who in gallery.identities)
    lost = sum(
        who is None or (rules.uses_cameras and where is None)
        for who, where in zip(gallery.identities, gallery.cameras, strict=True)
        if who not in rules.junk
    )
    assert found.junk == dropped
    assert len(found.gallery_rows) + dropped + lost == len(gallery)
    assert found.unlabelled >= lost


def test_a_set_that_is_its_own_gallery_counts_each_row_once():
    people = crops("1 1 0000 0000 -1 ? 2", "1 2 1 ? ? 1 ?")
    found = label(people, people, protocol("market1501"))
    assert kept(people, found.query_rows) == "1@1 1@2"
    assert kept(people, found.gallery_rows) == "1@1 1@2 0000@1"
    assert (found.junk, found.unlabelled) == (1, 3)
    apart = label(people, people.select(np.arange(7)), protocol("market1501"))
    assert (apart.junk, apart.unlabelled) == (1, 5)


@pytest.mark.parametrize("name", WITH_CAMERAS)
@pytest.mark.parametrize(
    ("query", "gallery", "sides"),
    [(None, None, "query and gallery"), ("1 2", None, "gallery"), (None, "1 2", "query")],
)
def test_cameras_that_are_missing(name, query, gallery, sides):
    left, right = crops("1 2", query), crops("1 2", gallery, side="g")
    expected = f"^the {name} protocol needs .* camera .*; none is known of the {sides} pictures$"
    with pytest.raises(InputError, match=expected) as caught:
        label(left, right, protocol(name))
    assert "--camera-pattern" in caught.value.hint
    assert "--protocol no-camera" in caught.value.hint
    assert len(label(left, right, protocol("no-camera")).query_rows) == 2


@pytest.mark.parametrize(
    ("query", "gallery", "name", "message"),
    [
        ("? ?", "1 2", "cross-camera", "no query picture has a known identity and camera"),
        ("1 2", "? ?", "cross-camera", "no gallery picture has a known identity and camera"),
        ("? ?", "1 2", "no-camera", "no query picture has a known identity"),
        (
            "-1 0000",
            "1 2",
            "market1501",
            "no query picture has a known identity and camera, junk and distractors aside",
        ),
        (
            "1 2",
            "-1 -1",
            "market1501",
            "no gallery picture has a known identity and camera, junk and distractors aside",
        ),
    ],
)
def test_nobody_is_left(query, gallery, name, message):
    with pytest.raises(InputError, match=f"^{message}$") as caught:
        label(crops(query, "1 2"), crops(gallery, "1 2"), protocol(name))
    assert "--id-pattern" in caught.value.hint
    assert ("--camera-pattern" in caught.value.hint) == (name != "no-camera")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("market", "market1501"),
        ("Market1501", "market1501"),
        ("MARS", "mars"),
        ("no_camera", "no-camera"),
        ("crosscamera", "cross-camera"),
        ("MSMT-17", "msmt17"),
        ("cuhk03-clasic", "cuhk03-classic"),
        ("veri-776", None),
        ("", None),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name, near):
    with pytest.raises(ConfigError, match=f"^no protocol is called {name!r}; known: ") as caught:
        protocol(name)
    assert all(known in str(caught.value) for known in PROTOCOLS)
    assert caught.value.hint == (None if near is None else f"did you mean {near!r}?")
