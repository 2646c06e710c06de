"""What a person looks like: the body, the clothes, the hair and the things carried, with labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "AgeGroup",
    "Appearance",
    "Build",
    "Carried",
    "CarriedKind",
    "Colour",
    "Fabric",
    "Garment",
    "GarmentKind",
    "Hair",
    "HairStyle",
    "Headwear",
    "HeadwearKind",
    "Label",
    "Neckline",
    "Pattern",
    "Sex",
    "Shoes",
    "ShoesKind",
    "SkinTone",
]

Sex = Literal["female", "male"]
AgeGroup = Literal["child", "teenager", "adult", "senior"]
Build = Literal["slim", "medium", "heavy"]
SkinTone = Literal["light", "tan", "brown", "dark"]
HairStyle = Literal["bald", "short", "bob", "long", "ponytail", "bun"]
Pattern = Literal[
    "plain",
    "denim",
    "knit",
    "leather",
    "quilted",
    "striped",
    "checked",
    "zigzag",
    "printed",
    "camouflage",
    "logo",
]
GarmentKind = Literal[
    "tank top",
    "t-shirt",
    "shirt",
    "sweater",
    "jacket",
    "hooded jacket",
    "coat",
    "blazer",
    "trousers",
    "jeans",
    "leggings",
    "shorts",
    "skirt",
    "dress",
]
Neckline = Literal["round", "v", "collar", "high"]
ShoesKind = Literal["sneakers", "shoes", "boots"]
HeadwearKind = Literal["cap", "hat", "beanie"]
CarriedKind = Literal["backpack", "handbag", "case"]
Label = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Colour:
    """One colour with the word one would call it by.

    Args:
        name: A word of :data:`synthetic.people.colours.COLOUR_NAMES` for cloth and things; "blond"
            and "red" too for hair; the tone of skin for skin.
        srgb: Red, green and blue, sRGB, each 0-1.
    """

    name: str
    srgb: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Fabric:
    """What a garment or a thing is made of, as :mod:`synthetic.people.fabrics` paints it.

    Args:
        pattern: What is woven into it or printed on it. A "logo" fabric is plain but for one
            emblem on the chest.
        colours: The ground colour first, then those of the pattern, 1 to 3.
        scale: Size of the pattern, 1 is usual, about 0.5-2.
        angle_deg: Direction of stripes: 0 lie level, 90 stand upright.
        seed: What the random parts of the pattern are drawn from, 0 or more.
        shine: 0 dull to 1 glossy.
        back: What the back of the garment is made of where it differs.
    """

    pattern: Pattern
    colours: tuple[Colour, ...]
    scale: float = 1.0
    angle_deg: float = 0.0
    seed: int = 0
    shine: float = 0.0
    back: "Fabric | None" = None


@dataclass(frozen=True, slots=True)
class Garment:
    """One piece of clothing.

    Args:
        kind: What it is. A dress is an upper garment and a skirt of one fabric, and the skirt's
            kind is "dress".
        length: How far it reaches from the waist (0) to the ankles (1): hips 0.13, crotch 0.26,
            knees 0.6. Below 0 it ends above the waist.
        sleeve: How far the sleeve reaches from the shoulder (0: none) to the wrist (1); the elbow
            is at 0.5.
        fit: 0 tight to 1 loose.
        neckline: Form of the opening at the neck.
        open: Whether it is worn open at the front.
        hood: Whether a hood hangs on it.
        fabric: What it is made of.
    """

    kind: GarmentKind
    length: float
    sleeve: float
    fit: float
    neckline: Neckline
    open: bool
    hood: bool
    fabric: Fabric


@dataclass(frozen=True, slots=True)
class Hair:
    """The hair of the head.

    Args:
        style: How it is worn.
        colour: Its colour: black, brown, blond, red, grey or white.
        length: 0 short to 1 long within its style.
    """

    style: HairStyle
    colour: Colour
    length: float


@dataclass(frozen=True, slots=True)
class Shoes:
    """A pair of shoes.

    Args:
        kind: What they are.
        colour: Of the upper part.
        sole: Colour of the sole.
    """

    kind: ShoesKind
    colour: Colour
    sole: Colour


@dataclass(frozen=True, slots=True)
class Headwear:
    """Something worn on the head.

    Args:
        kind: What it is: a cap has a peak, a hat a brim all round, a beanie neither.
        colour: Its colour.
    """

    kind: HeadwearKind
    colour: Colour


@dataclass(frozen=True, slots=True)
class Carried:
    """Something worn on the back or carried at the side.

    Args:
        kind: What it is. A handbag hangs from the shoulder, a case from the hand.
        side: Where: a backpack is on "both".
        size: 0 small to 1 large of its kind.
        fabric: What it is made of.
    """

    kind: CarriedKind
    side: Literal["left", "right", "both"]
    size: float
    fabric: Fabric


@dataclass(frozen=True, slots=True)
class Appearance:
    """Everything about one person's looks that stays the same from picture to picture.

    Args:
        age_group: A child is about 6 to 12 years old, a teenager 13 to 17, a senior over 62.
        sex: Of the body.
        build: How slim or heavy the body is.
        height_m: Height of the body without shoes, metres.
        phenotype: What :meth:`synthetic.people.body.Body.rest` forms the body from, each 0-1.
        skin: Colour of the skin; its name is ``skin_tone``.
        skin_tone: How light or dark the skin is.
        hair: The hair.
        beard: Whether there is one.
        glasses: Whether they are worn.
        upper: What is worn on the upper body, under ``outer``.
        outer: What is worn over it, if anything.
        lower: What is worn on the legs.
        legwear: Colour of tights under a skirt or a dress; None: bare legs, or trousers.
        shoes: The shoes.
        headwear: What is on the head, if anything.
        carried: Bags, at most one of a kind.
        twin_of: Number of the person, counted from 0 in the same draw, whom this one differs from
            in one or two small things only; None: nobody.
    """

    age_group: AgeGroup
    sex: Sex
    build: Build
    height_m: float
    phenotype: Mapping[str, float] = field(hash=False)
    skin: Colour
    skin_tone: SkinTone
    hair: Hair
    beard: bool
    glasses: bool
    upper: Garment
    outer: Garment | None
    lower: Garment
    legwear: Colour | None
    shoes: Shoes
    headwear: Headwear | None
    carried: tuple[Carried, ...]
    twin_of: int | None = None

    def labels(self) -> dict[str, Label]:
        """One flat row of what a person who looks could say; None: there is no such thing.

        Colours are words, heights metres. Things worn under a closed outer garment are named too.
        """
        dress = self.lower.kind == "dress"
        return {
            "sex": self.sex,
            "age_group": self.age_group,
            "build": self.build,
            "height_m": round(self.height_m, 2),
            "skin_tone": self.skin_tone,
            "hair_style": self.hair.style,
            "hair_colour": None if self.hair.style == "bald" else self.hair.colour.name,
            "beard": self.beard,
            "glasses": self.glasses,
            "upper_kind": "dress" if dress else self.upper.kind,
            **_cloth("upper", self.upper),
            "upper_sleeve": _sleeve(self.upper),
            "outer_kind": self.outer.kind if self.outer else None,
            **_cloth("outer", self.outer),
            "outer_length": _length(self.outer) if self.outer else None,
            "outer_open": self.outer.open if self.outer else None,
            "lower_kind": self.lower.kind,
            **_cloth("lower", self.lower),
            "lower_length": _length(self.lower),
            "legwear_colour": self.legwear.name if self.legwear else None,
            "shoes_kind": self.shoes.kind,
            "shoes_colour": self.shoes.colour.name,
            "headwear_kind": self.headwear.kind if self.headwear else None,
            "headwear_colour": self.headwear.colour.name if self.headwear else None,
            **self._carried_labels(),
            "twin_of": self.twin_of,
        }

    def _carried_labels(self) -> dict[str, Label]:
        row: dict[str, Label] = {}
        for kind in ("backpack", "handbag", "case"):
            found = [thing for thing in self.carried if thing.kind == kind]
            row[kind] = bool(found)
            row[f"{kind}_colour"] = found[0].fabric.colours[0].name if found else None
        return row


def _cloth(place: str, garment: Garment | None) -> dict[str, Label]:
    """Colour and pattern, and those of the back where it differs."""
    fabric = garment.fabric if garment else None
    row: dict[str, Label] = {
        f"{place}_colour": fabric.colours[0].name if fabric else None,
        f"{place}_pattern": fabric.pattern if fabric else None,
        f"{place}_second_colour": (
            fabric.colours[1].name if fabric and len(fabric.colours) > 1 else None
        ),
    }
    if place == "upper":
        back = fabric.back if fabric else None
        row["upper_back_colour"] = back.colours[0].name if back else None
        row["upper_back_pattern"] = back.pattern if back else None
    return row


def _sleeve(garment: Garment) -> str:
    if garment.sleeve < 0.1:
        return "none"
    return "short" if garment.sleeve < 0.7 else "long"


def _length(garment: Garment) -> str:
    """Where it ends: at the hip, the thigh, the knee or the ankle."""
    for word, below in (("hip", 0.3), ("thigh", 0.5), ("knee", 0.75)):
        if garment.length < below:
            return word
    return "ankle"
