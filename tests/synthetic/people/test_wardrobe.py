from collections import Counter

import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.people.wardrobe import (
    MOST_PEOPLE,
    NEAR_TWIN_SHARE,
    change_clothes,
    draw_passer_by,
    draw_people,
    kept_apart,
)


@pytest.fixture(scope="module")
def people():
    return draw_people(3000, seed=7)


@pytest.fixture(scope="module")
def rows(people):
    return [person.labels() for person in people]


def test_no_two_people_share_all_labels(people):
    assert len({kept_apart(person) for person in people}) == len(people)


def test_a_longer_draw_begins_with_a_shorter_one(people):
    assert draw_people(150, seed=7) == people[:150]
    assert draw_people(0, seed=7) == []


def test_another_seed_gives_other_people(people):
    assert not set(draw_people(50, seed=8)) & set(people[:50])


@pytest.mark.parametrize("count", [-1, MOST_PEOPLE + 1])
def test_a_count_out_of_range_is_refused(count):
    with pytest.raises(ConfigError, match=f"expected 0 to {MOST_PEOPLE} people, came {count}"):
        draw_people(count, seed=0)


def test_near_twins_are_as_common_as_stated_and_come_in_pairs(people):
    originals = [person.twin_of for person in people if person.twin_of is not None]
    assert len(originals) / len(people) == pytest.approx(NEAR_TWIN_SHARE, abs=0.02)
    assert len(set(originals)) == len(originals)
    assert all(people[number].twin_of is None for number in originals)


def test_near_twins_differ_in_a_detail_or_two(people):
    differing = Counter()
    for number, person in enumerate(people):
        if person.twin_of is None:
            continue
        original = people[person.twin_of]
        assert person.twin_of < number
        assert person.upper == original.upper
        assert person.outer == original.outer
        assert person.lower == original.lower
        assert person.skin == original.skin
        assert abs(person.height_m - original.height_m) <= 0.031
        pairs = zip(kept_apart(person), kept_apart(original), strict=True)
        differing[sum(one != other for one, other in pairs)] += 1
    assert min(differing) >= 1
    assert differing[1] + differing[2] > 0.7 * differing.total()
    assert max(differing) <= 6


def test_a_crowd_wears_mostly_dark_and_muted_colours(rows):
    worn = Counter()
    for row in rows:
        top = "outer" if row["outer_kind"] else "upper"
        for place in (top, "lower"):
            denim = row[f"{place}_pattern"] == "denim"
            worn["denim" if denim else row[f"{place}_colour"]] += 1
    shares = {name: count / worn.total() for name, count in worn.items()}
    assert 0.64 < sum(shares[name] for name in ("black", "grey", "navy", "denim")) < 0.80
    assert 0.06 < shares["white"] + shares["beige"] < 0.18
    strong = ("red", "orange", "yellow", "pink", "purple")
    assert 0.02 < sum(shares[name] for name in strong) < 0.08


def test_ages_and_heights_go_together(people, rows):
    groups = Counter(row["age_group"] for row in rows)
    assert groups.keys() == {"child", "teenager", "adult", "senior"}
    assert groups["adult"] > 0.6 * len(rows)
    heights = {
        (row["age_group"], row["sex"]): [
            other["height_m"]
            for other in rows
            if (other["age_group"], other["sex"]) == (row["age_group"], row["sex"])
        ]
        for row in rows[:300]
    }
    assert 1.75 < np.mean(heights["adult", "male"]) < 1.81
    assert 1.61 < np.mean(heights["adult", "female"]) < 1.68
    assert max(heights["child", "male"]) < 1.72
    assert min(row["height_m"] for row in rows) > 1.0
    assert max(row["height_m"] for row in rows) < 2.0


def test_bodies_are_described_in_full(people):
    keys = {"gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness"}
    keys |= {"african", "asian", "caucasian"}
    for person in people:
        assert set(person.phenotype) == keys
        assert all(0 <= value <= 1 for value in person.phenotype.values())
        assert (person.phenotype["gender"] > 0.5) == (person.sex == "female")


def test_grey_hair_comes_with_age(rows):
    def share(group):
        shown = [row["hair_colour"] for row in rows if row["age_group"] == group]
        return sum(colour in ("grey", "white") for colour in shown) / len(shown)

    assert share("senior") > 0.4
    assert share("adult") < 0.2
    assert share("child") == 0


def test_what_is_not_worn_together(rows):
    for row in rows:
        if row["lower_kind"] == "shorts":
            assert row["outer_kind"] != "coat"
        if row["legwear_colour"]:
            assert row["lower_kind"] in ("skirt", "dress")
        if row["beard"]:
            assert row["sex"] == "male"
            assert row["age_group"] in ("adult", "senior")
    skirts = [row["sex"] for row in rows if row["lower_kind"] in ("skirt", "dress")]
    assert skirts.count("female") > 0.97 * len(skirts)
    assert 0.04 < len(skirts) / len(rows) < 0.2


def test_blazers_with_trousers_of_one_cloth_are_suits(people):
    suits = [p for p in people if p.outer and p.outer.fabric == p.lower.fabric]
    assert 0.03 < len(suits) / len(people) < 0.12
    assert all(suit.outer.kind == "blazer" and suit.upper.kind == "shirt" for suit in suits)


def test_every_kind_of_bag_is_carried(people):
    kinds = Counter(thing.kind for person in people for thing in person.carried)
    assert kinds.keys() == {"backpack", "handbag", "case"}
    for person in people:
        held = [thing.kind for thing in person.carried]
        assert len(set(held)) == len(held)
        sides = [thing.side for thing in person.carried]
        assert len(set(sides)) == len(sides)


def test_another_day_changes_clothes_but_not_the_person(people):
    generator = np.random.default_rng(3)
    changed = 0
    for person in people[:200]:
        later = change_clothes(person, generator)
        for name in ("phenotype", "height_m", "skin", "sex", "age_group", "build", "beard"):
            assert getattr(later, name) == getattr(person, name)
        assert later.hair.colour == person.hair.colour
        assert later.twin_of is None
        changed += later.upper != person.upper and later.lower != person.lower
    assert changed == 200


def test_a_passer_by_depends_on_the_generator_alone():
    first, second = (draw_passer_by(np.random.default_rng(4)) for _ in range(2))
    assert first == second
    assert first != draw_passer_by(np.random.default_rng(5))
