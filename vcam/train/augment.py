"""Pictures changed by chance as cameras, rooms and people change them; mattes follow wherever pixels move.

Everything works on uint8 arrays at the network's size and draws from the generator that it is given, so one seed gives
one picture. Pictures are BGR (height, width, 3), mattes (height, width).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vcam.types import F32, U8

Chance = np.random.Generator
Matrix = npt.NDArray[np.float64]
"""(2, 3): where a point (x, y, 1) goes."""

NARROWEST, WIDEST = 3 / 4, 16 / 9
"""Shapes of the frames that cameras give; vcam stretches each of them to the network's."""
_USUAL = (16 / 9, 16 / 9, 4 / 3)

_TURN = math.radians(7)
"""Standard deviation of how far pictures are turned."""


def frame_aspect(chance: Chance, shape: tuple[int, int]) -> float:
    """Width by height of a frame, as cameras have it: two of three usual, the others anything between.

    shape: height and width of the network's picture. One that is wide is shown wide frames alone.
    """
    if chance.random() < 2 / 3:
        return float(chance.choice(_USUAL))
    narrowest = max(NARROWEST, 9 / 16 * shape[1] / shape[0])
    return math.exp(chance.uniform(math.log(narrowest), math.log(max(WIDEST, narrowest))))


def turn(chance: Chance) -> float:
    """An angle in radians, mostly small."""
    return float(np.clip(chance.normal(0, _TURN), -3 * _TURN, 3 * _TURN))


def placed(
    source: tuple[float, float], target: tuple[float, float], scale: tuple[float, float], angle: float, mirrored: bool
) -> Matrix:
    """The affine map that brings one point (x, y) to another: mirrored, turned, then scaled by (x, y)."""
    cos, sin = math.cos(angle), math.sin(angle)
    side = -1.0 if mirrored else 1.0
    linear = np.array([[scale[0] * cos * side, -scale[0] * sin], [scale[1] * sin * side, scale[1] * cos]])
    return np.column_stack((linear, np.array(target) - linear @ np.array(source)))


def cropped(
    chance: Chance, size: tuple[int, int], shape: tuple[int, int], box: tuple[int, int, int, int] | None = None,
    own: float = 0.0,
) -> Matrix:  # fmt: skip
    """A part of a picture of `size` (width, height) on `shape` (height, width): zoomed, shifted, turned, flipped.

    It has the aspect of a camera's frame, or by a likelihood of `own` that of the picture itself, and is stretched, as
    vcam stretches frames and pictures. It lies within the picture, but
    for corners that a turn brings in. box: of the people, x0, y0, x1, y1; mostly their heads are in it.
    """
    width, height = size
    if own and chance.random() < own:
        aspect = min(max(width / height, 1 / 2), 2)
    else:
        # a strip of a portrait would be all forehead
        aspect = min(frame_aspect(chance, shape), max(1.5 * width / height, 3 / 4 * shape[1] / shape[0]))
    across = min(width, aspect * height) * chance.uniform(0.6, 1) ** 0.5
    down = across / aspect
    left, top = chance.uniform(0, 1) * (width - across), chance.uniform(0, 1) * (height - down)
    if box is not None and chance.random() < 0.8:
        top = min(top, max(0.0, box[1] - chance.uniform(0, 0.25) * down))
        left = float(np.clip((box[0] + box[2] - across) / 2 + chance.normal(0, 0.15) * across, 0, width - across))
    centre, scale = (left + across / 2, top + down / 2), (shape[1] / across, shape[0] / down)
    return placed(centre, (shape[1] / 2, shape[0] / 2), scale, turn(chance), chance.random() < 0.5)


def warped(picture: U8, matrix: Matrix, shape: tuple[int, int], border: int = cv2.BORDER_REFLECT_101) -> U8:
    """A picture or matte moved into `shape` (height, width), without aliasing."""
    size = (shape[1], shape[0])
    shrunk = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if shrunk < 0.6:
        factor = 2.0 if shrunk > 0.3 else 4.0
        small = (max(1, round(picture.shape[1] / factor)), max(1, round(picture.shape[0] / factor)))
        ratio = (picture.shape[1] / small[0], picture.shape[0] / small[1])
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        # the middle of the first pixel lies at 0 in both
        grown = np.array([[ratio[0], 0, (ratio[0] - 1) / 2], [0, ratio[1], (ratio[1] - 1) / 2], [0, 0, 1]])
        matrix = matrix @ grown
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border).astype(np.uint8, copy=False)


def recoloured(picture: U8, chance: Chance) -> U8:
    """Other light, contrast, tone curve, colour temperature and saturation; a fresh array."""
    levels = np.arange(256) / 255
    gain, contrast = math.exp(chance.normal(-0.03, 0.14)), math.exp(chance.normal(0, 0.12))
    curve = (levels * gain) ** math.exp(chance.normal(0, 0.2))
    curve = (curve - 0.5) * contrast + 0.5 + chance.normal(0, 0.03)
    # shadows lifted and lights pressed, or the other way round
    # beyond 1 / (2 pi) it would fall somewhere
    curve = curve + np.clip(chance.normal(0, 0.06), -0.12, 0.12) * np.sin(2 * np.pi * np.clip(curve, 0, 1))
    warm, green = chance.normal(0, 0.07), chance.normal(0, 0.03)
    table = np.stack([curve * math.exp(side) for side in (-warm, green, warm)], axis=-1)
    shown = cv2.LUT(picture, _as_bytes(table)[None])
    if chance.random() < 0.6:
        shown = saturated(shown.astype(np.uint8, copy=False), min(1.5, math.exp(chance.normal(0, 0.25))))
    elif chance.random() < 0.06:
        shown = saturated(shown.astype(np.uint8, copy=False), 0)
    return shown.astype(np.uint8, copy=False)


def saturated(picture: U8, factor: float) -> U8:
    """Colours `factor` times as far from grey of the same luma (BT.601); 0 is grey."""
    luma = np.array([0.114, 0.587, 0.299], np.float32)
    mix = factor * np.eye(3, dtype=np.float32) + (1 - factor) * luma
    return cv2.transform(picture, mix).astype(np.uint8, copy=False)


def dimmed(picture: U8, chance: Chance) -> U8:
    """A dark room: less light, which the camera amplifies with its noise, and less colour."""
    # not darker than a camera can see in
    light = float(picture.mean())
    strength = max(chance.uniform(0.25, 0.8), min(1.0, 24 / max(1.0, light)))
    table = _as_bytes((np.arange(256) / 255) ** (1 + chance.uniform(0, 0.5) * min(1, light / 128)) * strength)
    dark = saturated(cv2.LUT(picture, table).astype(np.uint8, copy=False), chance.uniform(0.3, 0.9))
    return grainy(dark, chance, chance.uniform(4, 14))


def grainy(picture: U8, chance: Chance, strength: float) -> U8:
    """A camera's noise over it: of each colour by itself in part, fine or with the grain of two pixels.

    strength: standard deviation in levels.
    """
    height, width = picture.shape[:2]
    grain = _grain(bool(chance.random() < 0.5), 256 + max(height, width))
    top, left = int(chance.integers(256)), int(chance.integers(256))
    part = grain[top : top + height, left : left + width]
    return cv2.addWeighted(picture, 1, part, strength / _GRAIN, 0, dtype=cv2.CV_16S).clip(0, 255).astype(np.uint8)


_GRAIN = 32
"""Standard deviation of the noise that is kept ready."""


@cache
def _grain(coarse: bool, side: int) -> npt.NDArray[np.int16]:
    """Noise to cut from, since to draw it anew would take longer than all else; the same in every process."""
    source = np.random.default_rng(int(coarse))
    each = source.standard_normal((side, side, 3), np.float32)
    shared = source.standard_normal((side, side, 1), np.float32)
    noise = math.sqrt(0.5) * (each + shared)
    if coarse:
        half = np.ascontiguousarray(noise[: (side + 1) // 2, : (side + 1) // 2])
        noise = cv2.resize(half, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        noise /= noise.std()
    return (noise * _GRAIN).clip(-32768, 32767).astype(np.int16)


def moved(picture: U8, length: float, angle: float) -> U8:
    """Motion blur over a straight line of `length` pixels."""
    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    middle, (dx, dy) = side // 2, (math.cos(angle) * length / 2, math.sin(angle) * length / 2)
    ends = [(round((middle + sign * dx) * 16), round((middle + sign * dy) * 16)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    kernel[middle, middle] = max(kernel[middle, middle], 1e-3)
    kernel /= kernel.sum()
    return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)


def squeezed(picture: U8, quality: int) -> U8:
    """As JPEG of that quality leaves it."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    seen = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert seen is not None
    return seen.astype(np.uint8, copy=False)


def blurred(picture: U8, sigma: float) -> U8:
    """Blurred by a Gaussian; a wide one is taken of a smaller picture, which looks the same and costs a tenth."""
    factor = int(sigma / 1.5)
    if factor < 2:
        return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    height, width = picture.shape[:2]
    size = max(1, round(width / factor)), max(1, round(height / factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def unsharp(picture: U8, factor: float) -> U8:
    """As a camera of fewer pixels, 1 / factor on each side, would have seen it."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def shaken(picture: U8, matte: U8, chance: Chance) -> tuple[U8, U8]:
    """All that moves while the shutter is open; the matte is blurred alike."""
    length, angle = chance.uniform(2, 9), chance.uniform(0, np.pi)
    return moved(picture, length, angle), moved(matte, length, angle)


def filmed(picture: U8, chance: Chance) -> U8:
    """What light and camera make of a scene: each with its own likelihood; nothing moves, so the matte stays."""
    if chance.random() < 0.9:
        picture = recoloured(picture, chance)
    if chance.random() < 0.2:
        picture = unsharp(picture, chance.uniform(1.2, 2.2))
    if chance.random() < 0.12:
        picture = dimmed(picture, chance)
    elif chance.random() < 0.5:
        picture = grainy(picture, chance, chance.uniform(1, 7))
    if chance.random() < 0.3:
        picture = squeezed(picture, int(chance.integers(25, 90)))
    return picture


def before(matte: U8, chance: Chance) -> U8:
    """The mask of the frame before, as it may have been: nothing in a third, for the first frame of a film.

    Else the matte as it lay elsewhere (affine), bent (a grid of 4x4 points moved by chance and enlarged, which comes
    near a thin-plate spline), blurred by motion in part, and as coarse as networks answer.
    """
    if chance.random() < 1 / 3:
        return np.zeros_like(matte)
    height, width = matte.shape
    middle = np.array((width / 2, height / 2))
    target = middle + chance.normal(0, 0.02, 2) * (width, height)
    scale = math.exp(chance.normal(0, 0.03))
    affine = placed(
        (middle[0], middle[1]), (target[0], target[1]), (scale, scale), chance.normal(0, math.radians(2)), False
    )
    shifts = chance.normal(0, 0.012, (4, 4, 2)) * (width, height)
    bend = cv2.resize(shifts.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    there = cv2.invertAffineTransform(affine)
    x, y = _grid(width, height)
    at_x = (there[0, 0] * x + there[0, 1] * y + there[0, 2] + bend[..., 0]).astype(np.float32)
    at_y = (there[1, 0] * x + there[1, 1] * y + there[1, 2] + bend[..., 1]).astype(np.float32)
    prior: U8 = cv2.remap(matte, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
    if chance.random() < 0.3:
        prior = moved(prior, chance.uniform(2, 8), chance.uniform(0, np.pi))
    if chance.random() < 0.5:
        prior = unsharp(prior, chance.uniform(1.5, 4))
    return prior


@cache
def _grid(width: int, height: int) -> tuple[F32, F32]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def _as_bytes(values: npt.NDArray[Any]) -> U8:
    """0..1 as levels, what is beyond at the ends."""
    levels: U8 = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return levels
