"""Putting a person's clothes on, from the skin outwards."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Appearance, Fabric, Garment
from synthetic.people.bags import HANGERS, make_bag
from synthetic.people.collars import make_collar, make_hood, make_lapels
from synthetic.people.drape import Drape, Tail, make_tail
from synthetic.people.fabrics import paint_emblem, paint_fabric
from synthetic.people.faces import paint_face, paint_hair, paint_skin
from synthetic.people.garments import OUTERS, lower_cut, opening_m, stacked, upper_cut
from synthetic.people.hair import hair_edge, make_hair
from synthetic.people.headwear import headwear_edge, make_headwear
from synthetic.people.piece import Piece, Textures
from synthetic.people.scalp import look_at_head
from synthetic.people.sewing import HIDDEN_M, Cut, Layers, sew
from synthetic.people.shoes import make_shoes, shoes_cut
from synthetic.people.skin import make_skin
from synthetic.people.wearer import Wearer, arm_share

__all__ = ["Dressed", "dress"]

FloatArray = NDArray[np.float32]

_TAIL_TOP = 0.115
"""From here down skirts and coats hang free, or from where a short jacket ends."""
_LONGEST_CUT = 0.17
"""An outer garment that is longer has a free part."""
_CLOSED = (*OUTERS, "shirt")
_TUCKED = 0.12
_TROUSERS_WAIST, _SKIRT_WAIST = 0.015, -0.02
_LEAST_HEM = 0.07
_SEEN_FROM_BELOW = 0.1
"""How far above the hem of a coat or skirt legs are still there, in lengths."""
_LEGS_TUCKED_IN = 0.3


@dataclass(frozen=True, slots=True)
class Dressed:
    """All parts of a dressed person.

    Args:
        pieces: Parts that the bones move.
        bags: Parts that hang from the bones.
        drapes: Parts that hang, each with its own form.
        textures: uint8 (L, 256, 256, 3).
    """

    pieces: list[Piece]
    bags: list[Piece]
    drapes: list[tuple[Piece, Drape]]
    textures: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Worn:
    """One garment in its place among the others."""

    garment: Garment
    cut: Cut
    layers: Layers
    tail: Tail | None


def dress(wearer: Wearer, appearance: Appearance) -> Dressed:
    """All that is seen of a person.

    Args:
        wearer: The body.
        appearance: What is on it.
    """
    textures = Textures()
    skin = textures.add(paint_skin(appearance.skin))
    face = textures.add(paint_face(appearance))
    tights = None if appearance.legwear is None else textures.add_colour(appearance.legwear)
    worn, shoes, shoes_over = _put_on(wearer, appearance, textures)
    covers = [_cover(wearer, item) for item in worn]
    pieces: list[Piece] = []
    drapes = []
    outermost = np.zeros(len(wearer.positions), np.float32)
    for number, item in enumerate(worn):
        above = covers[number + 1 :]
        if shoes_over and item.cut.trousers:
            above = [*above, shoes.cover()]
        pieces.append(sew(wearer, item.cut, above, item.layers))
        pieces += _neck_parts(
            wearer, item, hidden=number < len(worn) - 1 and worn[-1].garment is appearance.outer
        )
        if item.tail is not None:
            drapes.append(make_tail(wearer, item.cut, outermost, item.tail, item.layers))
        outermost = np.where(
            item.cut.cover() > -0.02, np.maximum(outermost, item.cut.offset), outermost
        )
    pieces.append(_shoes(wearer, appearance, textures, worn, shoes, over=shoes_over))
    cloth = wearer.positions + wearer.flow * outermost[:, None]
    head, hidden = _head_parts(wearer, appearance, textures, cloth)
    pieces += head
    pieces.append(
        make_skin(wearer, [*covers, shoes.cover(), *hidden], skin=skin, face=face, tights=tights)
    )
    pieces = [_widened(piece) for piece in pieces]
    bags = []
    for thing in appearance.carried:
        layer = textures.add(paint_fabric(thing.fabric))
        bags.append(make_bag(wearer, thing, cloth, layer=layer))
    return Dressed(
        pieces, bags, [(_widened(piece), drape) for piece, drape in drapes], textures.stack()
    )


def _widened(piece: Piece) -> Piece:
    """The piece with columns for what things hang from."""
    return Piece(piece.mesh, np.pad(piece.weights, ((0, 0), (0, len(HANGERS)))))


def _layers(textures: Textures, fabric: Fabric) -> Layers:
    front = textures.add(paint_fabric(fabric))
    back = front if fabric.back is None else textures.add(paint_fabric(fabric.back))
    emblem = textures.add(paint_emblem(fabric)) if fabric.pattern == "logo" else None
    return Layers(front, back, emblem)


def _put_on(
    wearer: Wearer, appearance: Appearance, textures: Textures
) -> tuple[list[_Worn], Cut, bool]:
    """The garments from the skin outwards, the shoes, and whether these go over the trousers."""
    lower, upper, outer = appearance.lower, appearance.upper, appearance.outer
    skirt = lower.kind in ("skirt", "dress")
    boots = appearance.shoes.kind == "boots"
    shoes_over = not skirt and boots and (lower.fit < _LEGS_TUCKED_IN or lower.kind == "leggings")
    tucked = skirt or (upper.kind == "shirt" and (outer is not None and outer.kind == "blazer"))
    top = _TAIL_TOP
    if outer is not None and outer.length <= _LONGEST_CUT:
        top = max(top, outer.length)
    hem = top if skirt else lower.length
    legs = lower_cut(wearer, lower, waist=_SKIRT_WAIST if skirt else _TROUSERS_WAIST, hem=hem)
    shoes = shoes_cut(wearer, appearance.shoes.kind, legs if shoes_over else None)
    if not shoes_over and not skirt:
        legs = stacked(legs, [shoes])
    trunk = upper_cut(wearer, upper, hem=_TUCKED if tucked else max(upper.length, _LEAST_HEM))
    if tucked:
        pairs = [(upper, trunk), (lower, stacked(legs, [trunk]))]
    else:
        pairs = [(lower, legs), (upper, stacked(trunk, [legs]))]
    if outer is not None:
        hem = _TAIL_TOP if outer.length > _LONGEST_CUT else outer.length
        coat = upper_cut(wearer, outer, hem=hem)
        pairs.append((outer, stacked(coat, [cut for _, cut in pairs])))
    fabrics: dict[Fabric, Layers] = {}
    worn = []
    for garment, cut in pairs:
        if garment.fabric not in fabrics:
            fabrics[garment.fabric] = _layers(textures, garment.fabric)
        layers = fabrics[garment.fabric]
        if garment.kind in _CLOSED and not garment.open:
            ground = garment.fabric.colours[0]
            closure = textures.add_colour(ground, shade=0.55 if max(ground.srgb) > 0.25 else 1.8)
            layers = replace(layers, closure=closure)
        worn.append(_Worn(garment, cut, layers, _tail(wearer, garment, top)))
    return worn, shoes, shoes_over


def _tail(wearer: Wearer, garment: Garment, top: float) -> Tail | None:
    """How the free part of a garment hangs, if it has one."""
    if garment.kind in ("skirt", "dress"):
        return Tail(top - 0.012, garment.length, flare=0.02 + 0.30 * garment.fit**2)
    if garment.kind in OUTERS and garment.length > _LONGEST_CUT:
        gap = opening_m(wearer, _TAIL_TOP) if garment.open else 0.0
        return Tail(_TAIL_TOP - 0.012, garment.length, flare=0.05 + 0.08 * garment.fit, gap_m=gap)
    return None


def _cover(wearer: Wearer, item: _Worn) -> FloatArray:
    """Metres inside a garment's edges, those of a closed free part among them."""
    cover = item.cut.cover()
    if item.tail is None or item.tail.gap_m:
        return cover
    above, below = wearer.drop - item.tail.top, item.tail.hem - _SEEN_FROM_BELOW - wearer.drop
    inside = np.minimum(above, below) * wearer.leg_m + HIDDEN_M * wearer.scale
    return np.maximum(cover, np.where(arm_share() < 0.1, inside, -1)).astype(np.float32)


def _neck_parts(wearer: Wearer, item: _Worn, *, hidden: bool) -> list[Piece]:
    garment, layer = item.garment, item.layers.front
    parts = []
    if garment.neckline == "collar" and garment.kind not in ("skirt", "dress", "trousers"):
        if garment.kind == "blazer":
            parts.append(make_lapels(wearer, item.cut, layer=layer))
        elif garment.kind in (*OUTERS, "shirt", "t-shirt"):
            high = 0.036 if garment.kind in OUTERS else 0.028
            parts.append(make_collar(wearer, item.cut, layer=layer, high_m=high))
    if garment.hood and not hidden:
        parts.append(make_hood(wearer, item.cut, layer=layer))
    return parts


def _shoes(
    wearer: Wearer,
    appearance: Appearance,
    textures: Textures,
    worn: list[_Worn],
    cut: Cut,
    *,
    over: bool,
) -> Piece:
    legs = next((item.cut for item in worn if item.cut.trousers), None)
    return make_shoes(
        wearer,
        cut,
        appearance.shoes.kind,
        cover=None if over or legs is None else legs.cover(),
        upper=textures.add_colour(appearance.shoes.colour),
        sole=textures.add_colour(appearance.shoes.sole),
    )


def _head_parts(
    wearer: Wearer, appearance: Appearance, textures: Textures, cloth: FloatArray
) -> tuple[list[Piece], list[FloatArray]]:
    """Hair and headwear, and how far the skin lies under them, metres."""
    scalp = look_at_head(wearer)
    parts: list[Piece] = []
    hidden: list[FloatArray] = []
    under = None
    if appearance.headwear is not None:
        kind = appearance.headwear.kind
        under = headwear_edge(scalp, kind)
        layer = textures.add_colour(appearance.headwear.colour)
        parts += make_headwear(wearer, scalp, kind, layer=layer)
        hidden.append(under)
    if appearance.hair.style != "bald":
        layer = textures.add(paint_hair(appearance.hair))
        parts += make_hair(wearer, scalp, appearance.hair, under=under, cloth=cloth, layer=layer)
        hidden.append(hair_edge(scalp, appearance.hair))
    on_head = scalp.height > -0.1
    return parts, [np.where(on_head, edge + HIDDEN_M * wearer.scale - 0.026, -1) for edge in hidden]
