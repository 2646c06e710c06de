"""Clothes as worn in the streets of temperate cities: what goes with what, and how common it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from synthetic.people.appearance import (
    AgeGroup,
    Carried,
    CarriedKind,
    Colour,
    Fabric,
    Garment,
    GarmentKind,
    Headwear,
    HeadwearKind,
    Pattern,
    Sex,
    Shoes,
    ShoesKind,
)
from synthetic.people.chance import between, chance, pick
from synthetic.people.colours import draw_colour, perceived_distance
from synthetic.people.fashion import (
    BAG_COLOURS,
    CAMOUFLAGE,
    CHILD_COLOURS,
    DENIM_COLOURS,
    HEADWEAR_COLOURS,
    LEATHER_COLOURS,
    LENGTHS,
    LOWER_COLOURS,
    NECKLINES,
    OUTER_COLOURS,
    OUTERS,
    PATTERNS,
    QUIET_SECOND_COLOURS,
    SECOND_COLOURS,
    SHINES,
    SHIRT_COLOURS,
    SHOE_COLOURS,
    SKIRT_COLOURS,
    STYLES,
    SUIT_COLOURS,
    TIGHTS_COLOURS,
    UPPER_COLOURS,
    UPPERS,
    WEATHERS,
    Style,
    Weather,
)

__all__ = ["Outfit", "draw_carried", "draw_outfit"]

_MORE_COLOURS: dict[Pattern, int] = {
    "striped": 1,
    "checked": 1,
    "zigzag": 1,
    "logo": 1,
    "printed": 2,
}
"""How many colours a pattern shows beside its ground."""
_TRIES = 8  # beside some pairs of colours no third one stands out
_LOUD = frozenset({"checked", "printed", "camouflage", "striped"})
_VISIBLE = 0.2  # a difference that is still seen at ten metres


@dataclass(frozen=True, slots=True)
class Outfit:
    """The part of an appearance that changes from day to day.

    Args:
        upper: As in :class:`synthetic.people.appearance.Appearance`, like all that follows.
        outer: What is worn over it.
        lower: What is worn on the legs.
        legwear: Colour of tights.
        shoes: The shoes.
        headwear: What is on the head.
        carried: Bags.
    """

    upper: Garment
    outer: Garment | None
    lower: Garment
    legwear: Colour | None
    shoes: Shoes
    headwear: Headwear | None
    carried: tuple[Carried, ...]


def draw_outfit(generator: np.random.Generator, sex: Sex, age_group: AgeGroup) -> Outfit:
    """Clothes for one day's weather and one manner of dressing, that go together."""
    weather = pick(generator, WEATHERS)
    style = pick(generator, STYLES[age_group])
    outer: Garment | None
    if style == "suit":
        upper, outer, lower = _draw_suit(generator, weather, sex)
    else:
        lower = _draw_lower(generator, weather, style, sex)
        upper = _draw_upper(
            generator, weather, style, age_group, loud=lower.fabric.pattern in _LOUD
        )
        outer = _draw_outer(generator, weather, style, age_group)
        if lower.kind == "dress":
            upper = _top_of_dress(generator, lower, weather)
    return Outfit(
        upper=upper,
        outer=outer,
        lower=lower,
        legwear=_draw_legwear(generator, weather, lower),
        shoes=_draw_shoes(generator, weather, style, lower),
        headwear=_draw_headwear(generator, weather, style, age_group),
        carried=draw_carried(generator, sex, age_group, smart=style in ("suit", "smart")),
    )


def draw_carried(
    generator: np.random.Generator, sex: Sex, age_group: AgeGroup, *, smart: bool
) -> tuple[Carried, ...]:
    """The bags a person has along, none for about half.

    Args:
        generator: Where the choices come from.
        sex: Of the person.
        age_group: Of the person.
        smart: Whether the clothes are smart, to which a case or a handbag goes.
    """
    backpack = {"child": 0.34, "teenager": 0.45, "senior": 0.08}.get(age_group, 0.2)
    shares: dict[CarriedKind, float] = {
        "backpack": backpack * (0.35 if smart else 1.0),
        "handbag": 0.02 if age_group == "child" else 0.36 if sex == "female" else 0.09,
        "case": 0 if age_group == "child" else 0.26 if smart else 0.05,
    }
    carried: list[Carried] = []
    for kind, share in shares.items():
        if chance(generator, share if not carried else share * 0.25):
            carried.append(_draw_bag(generator, kind, carried))
    return tuple(carried)


def _draw_bag(generator: np.random.Generator, kind: CarriedKind, others: list[Carried]) -> Carried:
    patterns: dict[Pattern, float] = {"plain": 72, "leather": 0 if kind == "backpack" else 40}
    if kind != "case":
        patterns |= {"printed": 5, "checked": 3}
    sides: dict[Literal["left", "right", "both"], float] = {"right": 0.55, "left": 0.45}
    if kind == "backpack":
        sides = {"both": 1}
    elif others and others[-1].side != "both":
        sides = {"left" if others[-1].side == "right" else "right": 1}
    return Carried(
        kind=kind,
        side=pick(generator, sides),
        size=_rounded(generator, 0, 1),
        fabric=_draw_fabric(generator, pick(generator, patterns), BAG_COLOURS),
    )


def _draw_suit(
    generator: np.random.Generator, weather: Weather, sex: Sex
) -> tuple[Garment, Garment, Garment]:
    """Shirt, blazer (or a coat over it all) and trousers or a skirt of the blazer's cloth."""
    patterns: dict[Pattern, float] = {"plain": 93, "checked": 7}
    cloth = _draw_fabric(generator, pick(generator, patterns), SUIT_COLOURS, quiet=True)
    shirt = Fabric("plain", (draw_colour(generator, pick(generator, SHIRT_COLOURS)),))
    upper = _garment(generator, "shirt", shirt, sleeve=1.0, fit=(0.3, 0.5))
    outer = _garment(generator, "blazer", cloth, sleeve=1.0, fit=(0.3, 0.5), open_share=0.5)
    if weather == "cold" and chance(generator, 0.5):
        coat = _draw_fabric(generator, "plain", SUIT_COLOURS)
        outer = _garment(generator, "coat", coat, sleeve=1.0, fit=(0.35, 0.6), open_share=0.4)
    if sex == "female" and chance(generator, 0.3):
        return (
            upper,
            outer,
            _garment(generator, "skirt", cloth, length=(0.48, 0.6), fit=(0.1, 0.35)),
        )
    return upper, outer, _garment(generator, "trousers", cloth, fit=(0.25, 0.55))


def _draw_lower(
    generator: np.random.Generator, weather: Weather, style: Style, sex: Sex
) -> Garment:
    kind = pick(generator, _lower_kinds(weather, style, sex))
    if kind in ("skirt", "dress"):
        long = chance(generator, 0.3)
        length = (0.72, 0.93) if long else (0.40, 0.62)
        pattern = pick(generator, PATTERNS[kind])
        fabric = _draw_fabric(generator, pattern, SKIRT_COLOURS)
        return _garment(generator, kind, fabric, length=length, fit=(0.15, 1.0))
    if style == "sporty" and kind == "trousers":
        patterns: dict[Pattern, float] = {"plain": 1}
        fit = (0.45, 0.85)
    else:
        patterns = PATTERNS[kind]
        fit = {"leggings": (0.0, 0.05), "shorts": (0.35, 0.9)}.get(kind, (0.12, 0.8))
    fabric = _draw_fabric(generator, pick(generator, patterns), LOWER_COLOURS, quiet=True)
    lengths = (0.42, 0.60) if sex == "male" else (0.33, 0.55)
    return _garment(generator, kind, fabric, fit=fit, length=lengths if kind == "shorts" else None)


def _lower_kinds(weather: Weather, style: Style, sex: Sex) -> dict[GarmentKind, float]:
    female = sex == "female"
    warm = weather == "warm"
    kinds: dict[GarmentKind, float] = {
        "jeans": 44,
        "trousers": 38,
        "leggings": (14 if not warm else 6) if female else 0,
        "shorts": (20 if female else 48) if warm else 0,
        "skirt": (22 if warm else 11) if female else 0.15,
        "dress": (20 if warm else 8) if female else 0,
    }
    if style == "sporty":
        return {
            "trousers": 56,
            "leggings": 44 if female else 8,
            "shorts": 60 if warm else 8 if weather == "mild" else 0,
        }
    if style == "smart":
        kinds |= {"jeans": 18, "trousers": 66, "shorts": 4 if warm else 0, "leggings": 0}
    return kinds


def _draw_upper(
    generator: np.random.Generator,
    weather: Weather,
    style: Style,
    age_group: AgeGroup,
    *,
    loud: bool,
) -> Garment:
    """What is worn on the upper body, mostly plain over a loud skirt or trousers."""
    kinds = dict(UPPERS[weather])
    if style == "smart":
        kinds |= {"shirt": 60, "tank top": 0}
    elif style == "sporty":
        kinds |= {"shirt": 0, "tank top": 12 if weather == "warm" else 0}
    kind = pick(generator, kinds)
    colours = CHILD_COLOURS if age_group == "child" else UPPER_COLOURS
    patterns = PATTERNS[kind]
    if loud and chance(generator, 0.85):
        patterns = {"plain": 1}
    fabric = _draw_fabric(generator, pick(generator, patterns), colours)
    sleeve = {"tank top": 0.0, "t-shirt": between(generator, 0.28, 0.42)}.get(kind, 1.0)
    if kind == "shirt" and weather == "warm" and chance(generator, 0.6):
        sleeve = between(generator, 0.32, 0.45)
    tight = 0.05 if kind in ("tank top", "t-shirt") else 0.2
    garment = _garment(generator, kind, _turned(generator, fabric), sleeve=sleeve, fit=(tight, 0.8))
    return replace(garment, hood=chance(generator, _hoods(kind, style)))


def _hoods(kind: GarmentKind, style: Style) -> float:
    """How many garments of a kind have a hood."""
    if kind == "sweater":
        return {"casual": 0.28, "sporty": 0.5}.get(style, 0)
    return {"hooded jacket": 1.0, "coat": 0.25}.get(kind, 0)


def _draw_outer(
    generator: np.random.Generator, weather: Weather, style: Style, age_group: AgeGroup
) -> Garment | None:
    kinds = dict(OUTERS[weather])
    if style == "smart" and weather == "mild":
        kinds |= {"blazer": 38, "hooded jacket": 4}
    elif style == "sporty":
        kinds |= {"coat": 0}
    elif age_group in ("child", "teenager"):
        kinds |= {"coat": kinds.get("coat", 0) * 0.2}
    kind = pick(generator, kinds)
    if kind is None:
        return None
    colours = CHILD_COLOURS if age_group == "child" else OUTER_COLOURS
    quiet = kind in ("coat", "blazer")
    fabric = _draw_fabric(generator, pick(generator, PATTERNS[kind]), colours, quiet=quiet)
    open_share = 0.22 if weather == "cold" else 0.5
    garment = _garment(generator, kind, fabric, sleeve=1.0, fit=(0.35, 0.9), open_share=open_share)
    return replace(garment, hood=chance(generator, _hoods(kind, style)))


def _top_of_dress(generator: np.random.Generator, dress: Garment, weather: Weather) -> Garment:
    """The upper part of a dress: of the same cloth, with sleeves for the weather."""
    kinds: dict[GarmentKind, float] = {"sweater": 0.75, "t-shirt": 0.25}
    if weather == "warm":
        kinds = {"tank top": 0.5, "t-shirt": 0.5}
    kind = pick(generator, kinds)
    sleeve = {"tank top": 0.0, "t-shirt": 0.34}.get(kind, 1.0)
    return _garment(generator, kind, dress.fabric, sleeve=sleeve, fit=(0.1, 0.4))


def _draw_legwear(
    generator: np.random.Generator, weather: Weather, lower: Garment
) -> Colour | None:
    if lower.kind not in ("skirt", "dress"):
        return None
    if not chance(generator, {"cold": 0.92, "mild": 0.5, "warm": 0.05}[weather]):
        return None
    return draw_colour(generator, pick(generator, TIGHTS_COLOURS))


def _draw_shoes(
    generator: np.random.Generator, weather: Weather, style: Style, lower: Garment
) -> Shoes:
    cold = weather == "cold"
    kinds: dict[ShoesKind, float] = {"sneakers": 62, "shoes": 18, "boots": 34 if cold else 6}
    if style == "suit":
        kinds = {"shoes": 1}
    elif style == "sporty" or lower.kind == "shorts":
        kinds = {"sneakers": 92, "shoes": 8 if style != "sporty" else 0}
    elif style == "smart" or lower.kind in ("skirt", "dress"):
        kinds |= {"sneakers": 26, "shoes": 46}
    kind = pick(generator, kinds)
    colour = draw_colour(generator, pick(generator, SHOE_COLOURS[kind]))
    sole = draw_colour(generator, "white" if kind == "sneakers" else "black")
    if kind == "sneakers" and chance(generator, 0.25):
        sole = colour
    return Shoes(kind, colour, sole)


def _draw_headwear(
    generator: np.random.Generator, weather: Weather, style: Style, age_group: AgeGroup
) -> Headwear | None:
    kinds: dict[HeadwearKind | None, float] = {None: 100, "cap": 11, "hat": 2}
    if weather == "cold":
        kinds |= {"beanie": 34, "cap": 6}
    if age_group == "senior":
        kinds |= {"hat": 12}
    if style == "suit":
        kinds = {None: 96, "hat": 4}
    kind = pick(generator, kinds)
    if kind is None:
        return None
    return Headwear(kind, draw_colour(generator, pick(generator, HEADWEAR_COLOURS)))


def _garment(
    generator: np.random.Generator,
    kind: GarmentKind,
    fabric: Fabric,
    *,
    fit: tuple[float, float],
    length: tuple[float, float] | None = None,
    sleeve: float = 0.0,
    open_share: float = 0.0,
) -> Garment:
    return Garment(
        kind=kind,
        length=_rounded(generator, *(length or LENGTHS[kind])),
        sleeve=round(sleeve, 3),
        fit=_rounded(generator, *fit),
        neckline=pick(generator, NECKLINES.get(kind, {"round": 1})),
        open=chance(generator, open_share),
        hood=False,
        fabric=fabric,
    )


def _draw_fabric(
    generator: np.random.Generator,
    pattern: Pattern,
    colours: Mapping[str, float],
    *,
    quiet: bool = False,
) -> Fabric:
    """Cloth whose ground colour comes from a table; a quiet one's other colours are muted."""
    if pattern == "denim":
        colours = DENIM_COLOURS
    elif pattern == "leather":
        colours = LEATHER_COLOURS
    if pattern == "camouflage":
        drawn = [draw_colour(generator, name) for name in pick(generator, CAMOUFLAGE)]
    else:
        drawn = [draw_colour(generator, pick(generator, colours))]
        for _ in range(_MORE_COLOURS.get(pattern, 0)):
            drawn.append(_draw_contrast(generator, drawn, quiet=quiet))
    level = pattern != "striped" or chance(generator, 0.75)
    return Fabric(
        pattern=pattern,
        colours=tuple(drawn),
        scale=_rounded(generator, 0.6, 1.7),
        angle_deg=0.0 if level else 90.0,
        seed=int(generator.integers(2**31)),
        shine=SHINES.get(pattern, 0.0),
    )


def _turned(generator: np.random.Generator, fabric: Fabric) -> Fabric:
    """The fabric of a top, at times with another back: prints often are on the front only."""
    if not chance(generator, 0.35 if fabric.pattern in ("printed", "logo") else 0.02):
        return fabric
    ground = fabric.colours[0]
    if chance(generator, 0.2) or fabric.pattern in ("plain", "logo"):
        ground = _draw_contrast(generator, [ground], quiet=False)
    back = Fabric("plain", (ground,), scale=fabric.scale, seed=fabric.seed)
    return replace(fabric, back=back)


def _draw_contrast(generator: np.random.Generator, others: list[Colour], *, quiet: bool) -> Colour:
    """A colour of another name that stands out from those there are."""
    colours = QUIET_SECOND_COLOURS if quiet else SECOND_COLOURS
    weights = {**colours, **dict.fromkeys((other.name for other in others), 0.0)}
    best, best_distance = others[0], 0.0
    for _ in range(_TRIES):
        colour = draw_colour(generator, pick(generator, weights))
        distance = min(perceived_distance(colour, other) for other in others)
        if distance > best_distance:
            best, best_distance = colour, distance
        if distance > _VISIBLE:
            break
    return best


def _rounded(generator: np.random.Generator, low: float, high: float) -> float:
    return round(between(generator, low, high), 3)
