"""What people wear in the streets of temperate cities, and how common it is.

The weights are chosen so that a crowd looks as crowds do: much black, grey, navy and denim, some
white and beige, few strong colours. A table's weights need not sum to anything.
"""

from typing import Literal

from synthetic.people.appearance import (
    AgeGroup,
    GarmentKind,
    Neckline,
    Pattern,
    ShoesKind,
)

__all__ = [
    "BAG_COLOURS",
    "CAMOUFLAGE",
    "CHILD_COLOURS",
    "DENIM_COLOURS",
    "HEADWEAR_COLOURS",
    "LEATHER_COLOURS",
    "LENGTHS",
    "LOWER_COLOURS",
    "NECKLINES",
    "OUTERS",
    "OUTER_COLOURS",
    "PATTERNS",
    "QUIET_SECOND_COLOURS",
    "SECOND_COLOURS",
    "SHINES",
    "SHIRT_COLOURS",
    "SHOE_COLOURS",
    "SKIRT_COLOURS",
    "STYLES",
    "SUIT_COLOURS",
    "TIGHTS_COLOURS",
    "UPPERS",
    "UPPER_COLOURS",
    "WEATHERS",
    "Style",
    "Weather",
]

Weather = Literal["cold", "mild", "warm"]
Style = Literal["casual", "sporty", "smart", "suit"]

WEATHERS: dict[Weather, float] = {"cold": 0.36, "mild": 0.36, "warm": 0.28}
STYLES: dict[AgeGroup, dict[Style, float]] = {
    "child": {"casual": 0.8, "sporty": 0.2},
    "teenager": {"casual": 0.75, "sporty": 0.22, "smart": 0.03},
    "adult": {"casual": 0.62, "sporty": 0.12, "smart": 0.17, "suit": 0.09},
    "senior": {"casual": 0.56, "sporty": 0.03, "smart": 0.35, "suit": 0.06},
}

# Weights of colours, in hundredths.
UPPER_COLOURS: dict[str, float] = {
    "black": 25,
    "white": 19,
    "grey": 15,
    "navy": 10,
    "blue": 9,
    "beige": 5,
    "green": 4,
    "red": 4,
    "brown": 3,
    "pink": 2,
    "purple": 1.5,
    "yellow": 1.5,
    "orange": 1,
}
CHILD_COLOURS: dict[str, float] = {
    "black": 9,
    "white": 13,
    "grey": 13,
    "navy": 13,
    "blue": 13,
    "beige": 4,
    "green": 7,
    "red": 9,
    "brown": 1,
    "pink": 8,
    "purple": 4,
    "yellow": 4,
    "orange": 2,
}
OUTER_COLOURS: dict[str, float] = {
    "black": 37,
    "navy": 17,
    "grey": 14,
    "beige": 8,
    "green": 7,
    "brown": 6,
    "blue": 4,
    "red": 3,
    "white": 2,
    "pink": 1,
    "yellow": 0.5,
    "purple": 0.5,
}
LOWER_COLOURS: dict[str, float] = {
    "black": 43,
    "navy": 15,
    "grey": 18,
    "beige": 10,
    "brown": 5,
    "green": 4,
    "white": 3,
    "blue": 1.5,
    "red": 0.5,
}
SKIRT_COLOURS: dict[str, float] = {
    "black": 34,
    "navy": 12,
    "grey": 8,
    "beige": 9,
    "brown": 5,
    "green": 6,
    "white": 7,
    "blue": 7,
    "red": 6,
    "pink": 4,
    "purple": 1,
    "yellow": 1,
}
SUIT_COLOURS: dict[str, float] = {"black": 36, "navy": 34, "grey": 24, "beige": 4, "brown": 2}
DENIM_COLOURS: dict[str, float] = {"blue": 46, "navy": 29, "black": 18, "grey": 7}
LEATHER_COLOURS: dict[str, float] = {"black": 70, "brown": 28, "beige": 2}
TIGHTS_COLOURS: dict[str, float] = {"black": 84, "grey": 7, "navy": 6, "red": 1, "brown": 2}
SHIRT_COLOURS: dict[str, float] = {"white": 66, "blue": 24, "pink": 4, "black": 6}
SHOE_COLOURS: dict[ShoesKind, dict[str, float]] = {
    "sneakers": {"white": 40, "black": 30, "grey": 12, "navy": 5, "beige": 4, "red": 3, "blue": 6},
    "shoes": {"black": 64, "brown": 27, "beige": 5, "red": 2, "navy": 2},
    "boots": {"black": 66, "brown": 25, "beige": 9},
}
BAG_COLOURS: dict[str, float] = {
    "black": 46,
    "navy": 9,
    "grey": 12,
    "brown": 12,
    "beige": 7,
    "red": 4,
    "green": 4,
    "blue": 3,
    "pink": 2,
    "yellow": 1,
}
HEADWEAR_COLOURS: dict[str, float] = {
    "black": 42,
    "grey": 16,
    "navy": 15,
    "beige": 8,
    "white": 6,
    "red": 5,
    "green": 4,
    "yellow": 2,
    "blue": 2,
}

# Weights of patterns, in hundredths, with fabrics that belong to a kind of garment among them.
PATTERNS: dict[GarmentKind, dict[Pattern, float]] = {
    "tank top": {"plain": 74, "striped": 10, "printed": 12, "logo": 4},
    "t-shirt": {"plain": 52, "logo": 22, "striped": 14, "printed": 10, "camouflage": 2},
    "shirt": {"plain": 55, "checked": 22, "striped": 15, "printed": 8},
    "sweater": {"plain": 46, "knit": 26, "striped": 9, "logo": 15, "zigzag": 4},
    "jacket": {"plain": 38, "quilted": 26, "leather": 16, "denim": 16, "camouflage": 2, "logo": 2},
    "hooded jacket": {"plain": 62, "quilted": 24, "logo": 11, "camouflage": 3},
    "coat": {"plain": 68, "quilted": 20, "checked": 9, "zigzag": 3},
    "blazer": {"plain": 86, "checked": 14},
    "trousers": {"plain": 95, "checked": 4, "camouflage": 1},
    "jeans": {"denim": 1},
    "leggings": {"plain": 92, "printed": 8},
    "shorts": {"plain": 68, "denim": 20, "checked": 6, "printed": 3, "camouflage": 3},
    "skirt": {"plain": 68, "printed": 13, "checked": 11, "denim": 6, "striped": 2},
    "dress": {"plain": 55, "printed": 32, "striped": 9, "checked": 4},
}
SECOND_COLOURS: dict[str, float] = {
    "white": 34,
    "black": 24,
    "grey": 12,
    "navy": 8,
    "red": 5,
    "blue": 6,
    "beige": 5,
    "green": 2,
    "yellow": 2,
    "pink": 2,
}
QUIET_SECOND_COLOURS: dict[str, float] = {
    "grey": 45,
    "black": 25,
    "navy": 14,
    "beige": 10,
    "brown": 6,
}
CAMOUFLAGE = {
    ("green", "brown", "black"): 4.0,
    ("grey", "black", "white"): 1.5,
    ("beige", "brown", "green"): 2.0,
}
SHINES: dict[Pattern, float] = {"leather": 0.55, "quilted": 0.3}
UPPERS: dict[Weather, dict[GarmentKind, float]] = {
    "cold": {"sweater": 64, "shirt": 22, "t-shirt": 14},
    "mild": {"sweater": 38, "shirt": 24, "t-shirt": 38},
    "warm": {"t-shirt": 72, "shirt": 18, "tank top": 10},
}
OUTERS: dict[Weather, dict[GarmentKind | None, float]] = {
    "cold": {"coat": 38, "jacket": 34, "hooded jacket": 28},
    "mild": {None: 48, "jacket": 27, "hooded jacket": 21, "coat": 4},
    "warm": {None: 100},
}
NECKLINES: dict[GarmentKind, dict[Neckline, float]] = {
    "tank top": {"round": 0.7, "v": 0.3},
    "t-shirt": {"round": 0.78, "v": 0.14, "collar": 0.08},
    "shirt": {"collar": 1},
    "sweater": {"round": 0.66, "v": 0.16, "high": 0.18},
    "jacket": {"high": 0.6, "collar": 0.4},
    "hooded jacket": {"high": 1},
    "coat": {"collar": 0.65, "high": 0.35},
    "blazer": {"collar": 1},
}
LENGTHS: dict[GarmentKind, tuple[float, float]] = {
    "tank top": (0.08, 0.16),
    "t-shirt": (0.10, 0.20),
    "shirt": (0.12, 0.20),
    "sweater": (0.09, 0.19),
    "jacket": (0.11, 0.19),
    "hooded jacket": (0.13, 0.24),
    "coat": (0.38, 0.72),
    "blazer": (0.20, 0.25),
    "trousers": (0.97, 1.0),
    "jeans": (0.96, 1.0),
    "leggings": (0.93, 0.98),
}
