"""Dressed people: whole, covered, as tall as said, and the same each time."""

import typing
from dataclasses import replace

import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.people.appearance import (
    Carried,
    Colour,
    Fabric,
    GarmentKind,
    Hair,
    HairStyle,
    Headwear,
    HeadwearKind,
    Neckline,
    Pattern,
    Shoes,
    ShoesKind,
)
from synthetic.people.figure import build_figure, pose_figure
from synthetic.people.pose import Pose, running
from synthetic.people.shoes import SOLES_M
from synthetic.people.wardrobe import draw_people
from tests.synthetic.people.figures import (
    BLUE,
    CLOTH,
    GAIT,
    POSES,
    SKIN_LAYERS,
    garment,
    layers_seen,
    person,
)

LOWERS = ("trousers", "jeans", "leggings", "shorts", "skirt", "dress")
OUTERS = ("jacket", "hooded jacket", "coat", "blazer")


def check(figure):
    """Nothing is missing or out of range, at rest and in a pose."""
    count = len(figure.positions)
    assert figure.faces.min() >= 0
    assert figure.faces.max() < count
    assert len(figure.faces) < 32_000
    layers = figure.uvs[:, 2]
    assert np.array_equal(layers, np.round(layers))
    assert layers.min() >= 0
    assert layers.max() < len(figure.textures)
    assert (np.ptp(layers[figure.faces], axis=1) == 0).all()
    assert np.isfinite(figure.uvs).all()
    assert np.allclose(figure.weights.sum(axis=1), 1, atol=1e-3)
    posed = pose_figure(figure, POSES[1])
    assert posed.positions.dtype == posed.normals.dtype == np.float32
    assert np.isfinite(posed.positions).all()
    used = np.unique(figure.faces)
    assert np.allclose(np.linalg.norm(posed.normals[used], axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("kind", typing.get_args(GarmentKind))
def test_every_kind_of_garment_is_made(body, kind):
    if kind in LOWERS:
        length = {"shorts": 0.45, "skirt": 0.55, "dress": 0.5}.get(kind, 0.97)
        looks = person(lower=garment(kind, length=length))
    elif kind in OUTERS:
        looks = person(
            outer=garment(kind, length=0.5 if kind == "coat" else 0.2, neckline="collar")
        )
    else:
        looks = person(upper=garment(kind, sleeve=0.0 if kind == "tank top" else 0.5))
    check(build_figure(body, looks))


@pytest.mark.parametrize("neckline", typing.get_args(Neckline))
@pytest.mark.parametrize("is_open", [False, True])
def test_every_neckline_open_and_closed(body, neckline, is_open):
    coat = garment("coat", length=0.5, neckline=neckline, open=is_open, hood=True)
    check(build_figure(body, person(outer=coat)))


@pytest.mark.parametrize("style", typing.get_args(HairStyle))
@pytest.mark.parametrize("kind", [None, *typing.get_args(HeadwearKind)])
def test_every_hair_under_every_headwear(body, style, kind):
    headwear = None if kind is None else Headwear(kind, BLUE)
    hair = Hair(style, Colour("red", (0.5, 0.2, 0.1)), 0.8)
    check(build_figure(body, person(hair=hair, headwear=headwear)))


@pytest.mark.parametrize("kind", typing.get_args(ShoesKind))
@pytest.mark.parametrize("lower", ["leggings", "trousers", "skirt"])
def test_every_shoe_under_every_lower(body, kind, lower):
    looks = person(
        lower=garment(lower, length=0.6 if lower == "skirt" else 0.97, fit=0.1),
        shoes=Shoes(kind, BLUE, BLUE),
        legwear=BLUE if lower == "skirt" else None,
    )
    check(build_figure(body, looks))


@pytest.mark.parametrize("pattern", typing.get_args(Pattern))
def test_every_fabric_with_another_back(body, pattern):
    fabric = Fabric(pattern, (BLUE, BLUE, BLUE), back=CLOTH)
    figure = build_figure(body, person(upper=garment("sweater", fabric=fabric)))
    check(figure)


def test_all_bags_at_once(body):
    carried = (
        Carried("backpack", "both", 1.0, CLOTH),
        Carried("handbag", "left", 0.0, CLOTH),
        Carried("case", "right", 1.0, CLOTH),
    )
    check(build_figure(body, person(carried=carried)))


def test_the_same_looks_give_the_same_figure(body):
    looks = draw_people(3, seed=4)[2]
    first, second = build_figure(body, looks), build_figure(body, looks)
    assert np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.uvs, second.uvs)
    assert np.array_equal(first.textures, second.textures)
    posed = [pose_figure(figure, POSES[2]).positions for figure in (first, second)]
    assert np.array_equal(*posed)


@pytest.mark.parametrize("number", range(6))
def test_people_drawn_by_chance_are_whole(body, number):
    check(build_figure(body, draw_people(6, seed=9)[number]))


@pytest.mark.parametrize("height_m", [1.2, 1.9])
def test_a_person_is_as_tall_as_said_and_grows_by_the_soles(body, height_m):
    looks = person(height_m=height_m, hair=Hair("bald", BLUE, 0.0))
    posed = pose_figure(build_figure(body, looks), Pose({}))
    soles = SOLES_M["sneakers"]
    assert height_m < posed.positions[:, 2].max() < height_m + soles + 0.01


@pytest.mark.parametrize("pose", POSES)
def test_the_lowest_point_is_on_the_ground(body, pose):
    posed = pose_figure(build_figure(body, person()), pose)
    assert abs(posed.positions[:, 2].min()) < 1e-5


def test_a_runner_leaves_the_ground(body):
    pose = running(0.4, gait=GAIT)
    posed = pose_figure(build_figure(body, person()), pose)
    assert np.isclose(posed.positions[:, 2].min(), pose.lift_m, atol=1e-5)


def test_a_pose_of_a_bone_that_is_not_there_is_refused(body):
    with pytest.raises(ConfigError, match="tail"):
        pose_figure(build_figure(body, person()), Pose({"tail": np.eye(3)}))


def test_no_skin_is_left_under_closed_cloth(body):
    figure = build_figure(body, person(outer=garment("jacket")))
    skin = np.isin(figure.uvs[:, 2], SKIN_LAYERS)
    names = ("spine02", "spine03", "spine04", "upperleg01.L", "lowerleg01.R", "upperarm02.L")
    columns = [body.bones.index(name) for name in names]
    assert figure.weights[skin][:, columns].max() < 0.9


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("fit", [0.0, 1.0])
def test_no_skin_shows_between_shirt_and_trousers(body, pose, fit):
    looks = person(upper=garment("t-shirt", length=0.1, fit=fit, sleeve=0.0))
    figure = build_figure(body, looks)
    posed = pose_figure(figure, pose)
    hem = np.abs(figure.positions[:, 2] - 1.0) < 0.05
    hem &= np.abs(figure.positions[:, 0]) < 0.25
    middle = posed.positions[hem].mean(axis=0)
    seen = layers_seen(figure, posed, middle[:2], middle[2] + np.linspace(-0.1, 0.1, 5))
    hands = sum(layer in SKIN_LAYERS for layer in seen)
    assert hands <= 12
    assert -1 not in seen


@pytest.mark.parametrize("pose", POSES[:4])
@pytest.mark.parametrize("kind", ["skirt", "coat"])
def test_legs_stay_inside_what_hangs_around_them(body, pose, kind):
    red = Fabric("plain", (Colour("red", (0.8, 0.1, 0.1)),))
    hanging = garment(kind, length=0.6, fit=0.3, fabric=red)
    looks = person(lower=hanging) if kind == "skirt" else person(outer=hanging)
    figure = build_figure(body, looks)
    posed = pose_figure(figure, pose)
    start, drape = figure.drapes[0]
    rings = posed.positions[start : start + drape.radii.size].reshape(*drape.radii.shape, 3)
    middle = rings[2:-2].mean(axis=1)
    own = set(figure.uvs[start:, 2].astype(int).tolist())
    for point in middle:
        seen = layers_seen(figure, posed, point[:2], [point[2]], directions=8)
        hands = sum(found in SKIN_LAYERS for found in seen)
        assert set(seen) <= own | set(SKIN_LAYERS)
        assert hands <= 3


def test_sleeves_end_where_the_garment_says(body):
    lengths = []
    for sleeve in (0.0, 0.4, 1.0):
        figure = build_figure(body, person(upper=garment("t-shirt", sleeve=sleeve)))
        cloth = figure.uvs[:, 2] == figure.uvs[0, 2]
        lengths.append(np.abs(figure.positions[~np.isin(figure.uvs[:, 2], SKIN_LAYERS), 0]).max())
        assert cloth.any()
    assert lengths[0] < lengths[1] < lengths[2]


def test_an_open_jacket_shows_the_shirt(body):
    looks = person(
        upper=garment("shirt", fabric=Fabric("plain", (Colour("white", (0.9, 0.9, 0.9)),))),
        outer=garment("jacket", open=True),
    )
    counts = []
    for is_open in (True, False):
        figure = build_figure(body, replace(looks, outer=garment("jacket", open=is_open)))
        posed = pose_figure(figure, Pose({}))
        seen = layers_seen(figure, posed, (0.0, 0.0), [1.1, 1.2], directions=4)
        counts.append(seen[2])  # from the front
    assert counts[0] != counts[1]


def test_a_case_hangs_upright_from_the_hand(body):
    looks = person(carried=(Carried("case", "left", 0.5, CLOTH),))
    figure = build_figure(body, looks)
    heights = []
    for pose in (Pose({}), POSES[2]):
        bag = pose_figure(figure, pose).positions[figure.standing :]
        heights.append(float(np.ptp(bag[:, 2])))
    assert np.isclose(*heights, atol=1e-3)
