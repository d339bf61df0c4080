"""People set into other rooms: cut-outs, the rooms, and the two put together so that no seam gives a person away.

A cut-out has colours of its own all over: those at its rim are mixed with the old background, and a network would learn
that instead of people. So they are grown outwards from what is surely inside (`spread`). Where the picture's side cuts
through a shoulder, the body is rounded off (`_rounded`), since a cut in the middle of a room is nobody's outline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vcam.train.augment import Chance, blurred, frame_aspect, placed, turn, warped
from vcam.types import F32, U8

_SURE = 250
"""Of a matte's levels: from here on a pixel is all person."""
_RIM = 0.012
"""Of the picture's shorter side: so far into the matte its colours may still hold background. Hand-made masks are no
better than that."""
_GAP = 3
"""Transparent pixels around a cut-out."""


@dataclass(frozen=True, slots=True)
class CutOut:
    """The people of one picture by themselves.

    layer: uint8 (height, width, 4) BGRA; colours are the people's own, everywhere, not times alpha. box: of the
    people in it, x0, y0, x1, y1. below, above, left, right: whether that edge of the picture cuts through them.
    """

    layer: U8
    box: tuple[int, int, int, int]
    below: bool
    above: bool
    left: bool
    right: bool


def spread(picture: U8, sure: U8) -> U8:
    """The picture where `sure` (height, width) is 255, not 0; its colours grown outwards over the rest, ever smoother.

    From coarse to fine: what a coarse level knows fills what a finer one does not (pull-push, Gortler et al. 1996,
    The Lumigraph). Where nothing is sure, the picture itself.
    """
    if not sure.any():
        return picture.copy()
    # what grows is smooth, so half of the size is enough to begin with
    colour = _halved(cv2.bitwise_and(picture, picture, mask=sure)).astype(np.float32)
    weight = (_halved(sure) / 255).astype(np.float32)
    levels: list[tuple[F32, F32]] = [(colour, weight)]
    while min(levels[-1][1].shape) > 1 and len(levels) < 10:
        colour, weight = (_halved(each) for each in levels[-1])
        levels.append((colour, weight))
    known: F32 = (levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]).astype(np.float32)
    for colour, weight in reversed(levels[:-1]):
        coarse = cv2.resize(known, weight.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(colour.shape)
        # a pixel that is partly known is trusted for as much
        share = np.minimum(weight * 2, 1)[..., None]
        known = (colour / np.maximum(weight, 1e-6)[..., None] * share + coarse * (1 - share)).astype(np.float32)
    grown = cv2.resize(_as_bytes(known), sure.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    cv2.copyTo(picture, sure, grown)
    return grown


def _as_bytes(levels: F32) -> U8:
    return cv2.convertScaleAbs(np.maximum(levels, 0)).astype(np.uint8, copy=False)


def _halved(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    size = (max(1, values.shape[1] // 2), max(1, values.shape[0] // 2))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def cut_out(picture: U8, matte: U8) -> CutOut | None:
    """The people of a picture, BGR, by their matte; None if there is nobody."""
    height, width = matte.shape
    if np.count_nonzero(matte > 127) < 0.005 * matte.size:
        return None
    reach = max(1, round(_RIM * min(height, width)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    sure = cv2.erode(np.where(matte >= _SURE, np.uint8(255), np.uint8(0)), disc)
    if not sure.any():
        sure = np.where(matte >= _SURE, np.uint8(255), np.uint8(0))
    layer = np.dstack((spread(picture, sure.astype(np.uint8)), matte)).astype(np.uint8)
    below, above = (bool(np.any(each > 127)) for each in (matte[-2:], matte[:2]))
    layer, left = _rounded(layer)
    layer, right = _rounded(layer[:, ::-1])
    layer = cv2.copyMakeBorder(layer[:, ::-1], _GAP, _GAP, _GAP, _GAP, cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )
    for outside in (layer[:_GAP], layer[-_GAP:], layer[:, :_GAP], layer[:, -_GAP:]):
        outside[..., 3] = 0
    rows, columns = (np.flatnonzero((layer[..., 3] > 127).any(axis)) for axis in (1, 0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return CutOut(layer, box, below, above, left, right)


def _rounded(layer: U8) -> tuple[U8, bool]:
    """A cut-out, BGRA, with what its left side cuts off a shoulder added; whether that side still cuts it.

    From where it meets the side, the outline falls as a quarter of an ellipse: each column is the side's, shifted down.
    What is cut off higher up, hair or half of the body, is not made up.
    """
    height = layer.shape[0]
    side = layer[:, :2, 3].max(axis=1)
    gone = np.flatnonzero(side <= 127)
    top = int(gone[-1]) + 1 if gone.size else 0
    tall = height - top
    if not 0.05 * height <= tall <= 0.55 * height:
        return layer, bool(gone.size < height)
    reach = max(2, round(0.35 * tall))
    fall = np.rint(tall * (1 - np.sqrt(1 - (np.arange(1, reach + 1) / reach) ** 2))).astype(int)
    rows = np.arange(height)[:, None] - fall[None]
    added = layer[:, 0][np.maximum(rows, 0)]
    added[..., 3][rows < max(0, top - 2)] = 0
    return np.ascontiguousarray(np.concatenate((added[:, ::-1], layer), axis=1)), bool(np.any(side[:top] > 127))


def surroundings(picture: U8, matte: U8) -> U8:
    """A picture without its people, BGR: where they are, what is around them is mirrored inwards, or flows in."""
    reach = max(2, round(0.02 * min(matte.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = np.where(cv2.dilate(matte, disc) >= 8, np.uint8(255), np.uint8(0))
    # holes in the matte are mostly people, too
    outlines, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    free = np.full_like(matte, 255)
    cv2.drawContours(free, outlines, -1, 0, cv2.FILLED)
    if not free.any():
        return np.full_like(picture, 128)
    # of each pixel of a person, the nearest one that is none, and what lies as far behind that
    _, labels = cv2.distanceTransformWithLabels(255 - free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(free)
    numbers = labels[rows, columns]
    behind = []
    for places in (columns, rows):
        nearest = np.zeros(int(labels.max()) + 1, np.float32)
        nearest[numbers] = places
        behind.append(2 * nearest[labels])
    height, width = free.shape
    at_x = behind[0] - np.arange(width, dtype=np.float32)
    at_y = behind[1] - np.arange(height, dtype=np.float32)[:, None]
    mirrored, known = (
        cv2.remap(each, at_x, at_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) for each in (picture, free)
    )
    empty = spread(picture, free)
    cv2.copyTo(mirrored, known, empty)
    return empty


def made_up(chance: Chance, shape: tuple[int, int]) -> U8:
    """A room of nothing but chance, BGR (height, width, 3): a gradient, soft spots, and things with straight edges."""
    height, width = shape
    corners = chance.uniform(0, 255, (2, 2, 1)) + chance.normal(0, 30, (2, 2, 3))
    light = cv2.resize(corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    cells = int(chance.integers(3, 24))
    spots = chance.normal(0, chance.uniform(1, 16), (cells, cells, 3))
    spots = spots + chance.normal(0, chance.uniform(5, 45), (cells, cells, 1))
    light = light + cv2.resize(spots.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    picture: U8 = np.rint(light.clip(0, 255)).astype(np.uint8)
    for _ in range(int(chance.integers(0, 14))):
        colour = tuple(float(level) for level in (chance.uniform(0, 255) + chance.normal(0, 25, 3)).clip(0, 255))
        middle = chance.uniform(0, 1, 2) * (width, height)
        sides = np.exp(chance.uniform(-3, 0, 2)) * (width, height)
        outline = cv2.boxPoints((tuple(middle), tuple(sides), float(chance.choice((0, 0, chance.uniform(-90, 90))))))
        if chance.random() < 0.7:
            cv2.fillConvexPoly(picture, np.rint(outline).astype(np.int32), colour, cv2.LINE_AA)
        elif chance.random() < 0.5:
            cv2.ellipse(picture, (tuple(middle), tuple(sides), 0.0), colour, -1, cv2.LINE_AA)
        else:
            cv2.polylines(picture, [np.rint(outline).astype(np.int32)], True, colour, int(chance.integers(1, 6)))
    return picture


def room(chance: Chance, picture: U8, shape: tuple[int, int]) -> U8:
    """A part of a picture of a room, as a camera of another place and focus sees it: BGR of `shape` (height, width)."""
    height, width = picture.shape[:2]
    aspect = frame_aspect(chance, shape)
    across = min(width, aspect * height) * chance.uniform(0.4, 1) ** 0.5
    down = across / aspect
    centre = (across / 2 + chance.random() * (width - across), down / 2 + chance.random() * (height - down))
    scale = (shape[1] / across, shape[0] / down)
    matrix = placed(centre, (shape[1] / 2, shape[0] / 2), scale, turn(chance) / 2, chance.random() < 0.5)
    return warped(picture, matrix, shape)


def out_of_focus(picture: U8, chance: Chance) -> U8:
    """As a camera focused on somebody in front sees it, in half of all cases."""
    if chance.random() < 0.5:
        return picture
    return blurred(picture, chance.uniform(0.6, 2) ** 2)


def peopled(backdrop: U8, first: CutOut, others: list[CutOut], chance: Chance) -> tuple[U8, U8]:
    """A backdrop, BGR at the network's size, with people in it: the picture, and its matte, both fresh.

    The first stands before the others. All are lit in part as the room is, and its light falls round their edges.
    """
    shape = (backdrop.shape[0], backdrop.shape[1])
    aspect = frame_aspect(chance, shape)
    if first.left and first.right:
        # so near that both sides are cut, but not nearer still
        aspect = min(aspect, 1.2 * (first.box[2] - first.box[0]) / (first.box[3] - first.box[1]))
    others = [each for each in others if not (each.left and each.right)]
    picture, whole = backdrop, np.zeros(shape, np.uint8)
    likeness, wrap = chance.uniform(0, 0.7), chance.uniform(0, 0.5) * (chance.random() < 0.6)
    for number, person in enumerate([*others, first]):
        matrix = _standing(person, shape, aspect, chance, behind=number < len(others))
        moved_in = warped(person.layer, matrix, shape, cv2.BORDER_CONSTANT)
        colours, alpha = moved_in[..., :3], np.ascontiguousarray(moved_in[..., 3])
        alpha = _edge(alpha, chance)
        colours = matched(np.ascontiguousarray(colours), alpha, backdrop, likeness)
        picture = over(picture, colours, alpha, wrap)
        whole = _united(whole, alpha)
    return picture, whole


def _standing(
    person: CutOut, shape: tuple[int, int], aspect: float, chance: Chance, *, behind: bool
) -> np.ndarray:  # fmt: skip
    """Where a cut-out comes to stand: the affine map from its layer to the network's picture.

    Lengths are in heights of the frame, which is `aspect` wide. What the old picture's edges cut off stays outside.
    """
    x0, y0, x1, y1 = person.box
    # who is cut at a side is hardly turned, since that side goes out of the frame
    angle = turn(chance) * (0.3 if person.left or person.right else 1)
    tall, mirrored = y1 - y0, bool(chance.random() < 0.5)
    size = chance.uniform(0.3, 0.8) if behind else chance.uniform(0.45, 1.15)
    # not more than half wider than the frame
    size = min(size, 1.5 * aspect * tall / (x1 - x0))
    if person.left and person.right:
        size = max(size, (1.04 * aspect + abs(math.sin(angle))) * tall / (x1 - x0))
    # how far a turn lifts the lower corners, or lowers the upper ones
    lift = abs(math.sin(angle)) * (x1 - x0) / 2 / tall * size
    if person.above and person.below:
        size = max(size, 1.05 + 2 * lift)
    margin = (_GAP + 1) * size / tall
    left, right = (person.right, person.left) if mirrored else (person.left, person.right)
    half = size * (x1 - x0) / tall / 2 - margin - abs(math.sin(angle)) * size / 2
    if left != right:
        # beside the frame's own edge
        across = min(half, aspect / 2) if left else max(aspect - half, aspect / 2)
    elif left:
        across = aspect / 2
    else:
        across = aspect * (chance.uniform(0.05, 0.95) if behind else np.clip(chance.normal(0.5, 0.17), 0.1, 0.9))
    if person.above:
        lower = size - lift - margin - chance.uniform(0, 0.1)
        lower = max(lower, 1 + lift + margin) if person.below else lower
    elif person.below:
        # a head stays in the picture
        lower = 1 + lift + margin + chance.uniform(0, 0.35) * min(size, 0.8) + max(0, 0.9 * (size - 1))
    else:
        lower = chance.uniform(min(size, 0.7), 1.1)
    scale = size / tall * shape[0]
    return placed(
        ((x0 + x1) / 2, y1), (across / aspect * shape[1], lower * shape[0]),
        (scale * shape[1] / (aspect * shape[0]), scale), angle, mirrored,
    )  # fmt: skip


def _united(behind: U8, front: U8) -> U8:
    """What two alphas, one over the other, leave of the backdrop, taken from 1: a + b - a b."""
    return 255 - cv2.multiply(255 - behind, 255 - front, scale=1 / 255).astype(np.uint8, copy=False)


def _edge(alpha: U8, chance: Chance) -> U8:
    """A little softer in part: hand-made masks are harder than any camera's picture."""
    if chance.random() < 0.5:
        return alpha
    return blurred(alpha, chance.uniform(0.4, 1.2))


def matched(colours: U8, alpha: U8, backdrop: U8, share: float) -> U8:
    """Colours brought towards a room's light by `share`, 0..1: mean and spread of each channel, as far as is natural.

    Reinhard et al. 2001, Color Transfer between Images, in BGR and within bounds.
    """
    inside = np.where(alpha > 127, np.uint8(255), np.uint8(0))
    if share <= 0 or not inside.any():
        return colours
    (mean, spread_), (room_mean, room_spread) = cv2.meanStdDev(colours, mask=inside), cv2.meanStdDev(backdrop)
    gain = 1 + share * (np.clip(room_spread / np.maximum(spread_, 1), 0.7, 1.3) - 1)
    shift = share * np.clip(room_mean - mean, -35, 35)
    levels = np.arange(256)[None]
    table = np.rint(((levels - mean) * gain + mean + shift).clip(0, 255)).astype(np.uint8)
    return cv2.LUT(colours, np.ascontiguousarray(table.T)[None]).astype(np.uint8, copy=False)


def over(backdrop: U8, colours: U8, alpha: U8, wrap: float = 0.0) -> U8:
    """Colours over a backdrop by an alpha, fresh. wrap: 0..1, how much of the backdrop's light falls round the edge."""
    if wrap > 0:
        sigma = 0.012 * min(alpha.shape) + 0.5
        near = blurred(255 - alpha, sigma).astype(np.float32) * (wrap / 255)
        colours = cv2.blendLinear(blurred(backdrop, 2 * sigma), colours, near, 1 - near).astype(np.uint8, copy=False)
    share = alpha.astype(np.float32) / 255
    return cv2.blendLinear(colours, backdrop, share, 1 - share).astype(np.uint8, copy=False)
