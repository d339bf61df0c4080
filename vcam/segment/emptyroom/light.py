"""How the room of now differs from the plate, the picture of it empty: light, noise, and whether it is the same room.

All is measured where surely nobody is. Planes are those of a map's part of the frame: luma at the map's size, and at
half of it whatever else is measured, where chroma is and sums are cheap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from vcam.frames import Planes
from vcam.types import F32, U8, Size

SURE = 0.05
"""The probability of a person up to which a pixel is surely the room, if it is so all around."""
GUARD = 9
"""How far around, in pixels of the map."""
LEAST = 0.02
"""The share of the map that must surely be the room, or nothing can be told of the light."""

STIFF = 50.0
"""Added to variance and covariance of a fit, in squared levels: a plain wall tells an offset, and no gain."""
GAINS = (0.5, 2.0)
"""The least and the greatest gain of a plane."""
OUTLIERS = 3, 4
"""A fit is made again without what differs by more than so many medians and so many levels: furniture was moved."""

WINDOW = 9
"""Side of the window whose mean is taken from luma; what is left is texture, which light hardly changes."""
DOUBT, BELIEF = 0.5, 0.8
"""Correlations of the texture up to which it is another room, and from which on it is this one."""
GRAIN = 9.0
"""The power of texture that noise alone may make, in squared levels."""
SLOWLY = 0.2
"""How much of the way the belief in the room goes in a frame; disbelief is immediate."""

CELL = 8
"""Half-size pixels of a cell, within which light and noise are taken to be the same."""
FAINT = 0.01
"""Weight of the whole room in the mean of a cell, as a share of a cell's pixels: where nothing of it can be seen."""
LOUDEST = 900.0
"""The most that a squared difference counts as noise."""
FLOORS = (1.2, 0.7, 0.7)
"""The least noise of Y, Cb and Cr, in levels: of rounding and of what a camera's coding leaves."""
SLIPPED = 0.15**2
"""Noise of an edge for its squared gradient: the camera has moved by so many pixels, squared."""


@dataclass(slots=True)
class Plate:
    """The empty room as a map of one part of the frame shows it, and what depends on it alone.

    y: uint8 (height, width), even; u, v, known: uint8 at half of it, `known` 0 or 1. The arrays are its own.
    """

    y: U8
    u: U8
    v: U8
    known: U8
    half: U8 = field(init=False)
    """Luma at half the size."""
    texture: F32 = field(init=False)
    """Luma less the mean of its window, float32 (height, width)."""
    slopes: tuple[F32, F32, F32] = field(init=False)
    """Squared gradients of the planes, in squared levels, each of its plane's size."""

    def __post_init__(self) -> None:
        self.half = cv2.resize(self.y, self.size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        self.texture = high_pass(self.y)
        self.slopes = slope(self.y), slope(self.u), slope(self.v)

    @property
    def size(self) -> Size:
        """(width, height) of the half."""
        return self.u.shape[1], self.u.shape[0]


@dataclass(slots=True)
class Light:
    """What one frame shows of the room; float32 planes of half the map's size, in levels.

    Y of the frame is expected to be gain * Y of the plate + offset + drift, and the other planes likewise.
    """

    room: U8
    """1 where surely nobody is, else 0."""
    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    drift: tuple[F32, F32, F32]
    residual: tuple[F32, F32, F32]
    """Frame less expectation of the three planes, luma at half size."""
    noise: tuple[F32, F32, F32]
    """The variance of it in the room, without that of edges."""
    gate: float
    """How far this is believed to be the room of the plate, 0 to 1."""
    agreement: float
    """The correlation of the textures, -1 to 1."""


class LightMeter:
    """Compares the frames of one source with a plate, one after the other."""

    def __init__(self) -> None:
        self._believed: float | None = None
        self.agreement = 1.0
        """The correlation of the textures in the last frame; 1 if too little of the room was in view."""

    def reset(self) -> None:
        """What comes next has nothing to do with what was before."""
        self._believed, self.agreement = None, 1.0

    def measure(self, probability: F32, planes: Planes, plate: Plate) -> Light | None:
        """What a frame shows; None if too little of the room is in view, or it is another one.

        probability: float32 (height, width) 0..1, of even sides; planes: the frame's, at its size.
        """
        room = sure_room(probability, plate.known)
        if int(np.count_nonzero(room)) < LEAST * room.size:
            self.reset()
            return None
        half = cv2.resize(planes[0], plate.size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        gain, offset, residual, weight = _fit((half, planes[1], planes[2]), plate, room)
        self.agreement = agreement = correlation(
            high_pass(planes[0]), plate.texture, np.repeat(np.repeat(room, 2, 0), 2, 1)
        )
        belief = min(max((agreement - DOUBT) / (BELIEF - DOUBT), 0.0), 1.0)
        before = belief if self._believed is None else self._believed
        self._believed = before + SLOWLY * (belief - before)
        gate = min(belief, self._believed)
        if gate <= 0:
            return None
        drift = _drift(residual, weight, plate.size)
        rest = (residual[0] - drift[0], residual[1] - drift[1], residual[2] - drift[2])
        luma = full_residual(planes[0], plate, gain[0], offset[0], drift[0])
        noise = _noise(luma, rest, room, plate)
        return Light(room, gain, offset, drift, rest, noise, gate, agreement)


def sure_room(probability: F32, known: U8) -> U8:
    """Where the room is known and surely nobody is, uint8 of `known`'s size, 0 or 1."""
    p = probability
    highest = np.maximum(np.maximum(p[::2, ::2], p[::2, 1::2]), np.maximum(p[1::2, ::2], p[1::2, 1::2]))
    reach = 2 * ((GUARD + 1) // 2) + 1
    near = cv2.dilate((highest > SURE).view(np.uint8), np.ones((reach, reach), np.uint8))
    room: U8 = ((near == 0) & (known != 0)).view(np.uint8)
    return room


def high_pass(luma: U8) -> F32:
    """Luma less the mean of its window, float32; beyond the border it repeats."""
    mean = cv2.blur(luma.astype(np.float32), (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)
    return (luma - mean).astype(np.float32, copy=False)


def slope(plane: U8) -> F32:
    """The squared gradient by central differences, float32; none across the left and right border."""
    wide = cv2.copyMakeBorder(plane, 1, 1, 1, 1, cv2.BORDER_REPLICATE).astype(np.float32)
    across, down = (wide[1:-1, 2:] - wide[1:-1, :-2]) / 2, (wide[2:, 1:-1] - wide[:-2, 1:-1]) / 2
    squared = across * across + down * down
    squared[:, 0] = squared[:, -1] = 0
    return np.asarray(squared, np.float32)


def correlation(a: F32, b: F32, where: U8) -> float:
    """That of two textures where `where` is not 0, -1 to 1; near 1 where there is no more than noise to compare.

    1 where there is nothing.
    """
    part = where != 0
    if not part.any():
        return 1.0
    mine, theirs = a[part].astype(np.float64), b[part].astype(np.float64)
    grain = GRAIN * mine.size
    power = math.sqrt(float(mine @ mine) * float(theirs @ theirs))
    return float((mine @ theirs + grain) / (power + grain))


def full_residual(luma: U8, plate: Plate, gain: float, offset: float, drift: F32) -> F32:
    """Frame less expectation at the map's size, float32; the drift is that of each pixel's four."""
    fours = np.repeat(np.repeat(drift, 2, 0), 2, 1)
    return (luma - (np.float32(gain) * plate.y + np.float32(offset)) - fours).astype(np.float32, copy=False)


def cells(plane: F32, side: int) -> F32:
    """Sums over cells of side * side pixels, float32; the last of a row or column may hold fewer."""
    height, width = plane.shape
    padded = cv2.copyMakeBorder(plane, 0, -height % side, 0, -width % side, cv2.BORDER_CONSTANT, value=0)
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    return np.asarray(padded.reshape(rows, side, columns, side).sum((1, 3), dtype=np.float32))


def around(sums: F32) -> F32:
    """Each cell's sum with its eight neighbours'; beyond the border cells repeat."""
    return cv2.boxFilter(sums, -1, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE).astype(np.float32)


def spread(values: F32, side: int, size: Size) -> F32:
    """Values of cells as a plane of `size`, bilinear."""
    rows, columns = values.shape
    wide = cv2.resize(values, (columns * side, rows * side), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(wide[: size[1], : size[0]], np.float32)


def _fit(
    frame: Planes, plate: Plate, room: U8
) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[F32, F32, F32], U8]:
    """Gain, offset and residual of each plane, and where they were fitted: the room without what was moved."""
    room_planes, weight = (plate.half, plate.u, plate.v), room
    for again in (True, False):
        lines = [_line(x, y, weight) for x, y in zip(room_planes, frame, strict=True)]
        rests = [
            (y - (np.float32(gain) * x + np.float32(offset))).astype(np.float32)
            for (gain, offset), x, y in zip(lines, room_planes, frame, strict=True)
        ]
        if again:
            differs = np.minimum(np.abs(rests[0]) + np.abs(rests[1]) + np.abs(rests[2]), 255).astype(np.uint8)
            counts = np.cumsum(np.bincount(differs[room != 0], minlength=256))
            median = int(np.searchsorted(2 * counts, counts[-1]))
            weight = room & (differs < OUTLIERS[0] * median + OUTLIERS[1]).view(np.uint8)
    (a, c), (d, e), (f, g) = lines
    return (a, d, f), (c, e, g), (rests[0], rests[1], rests[2]), weight


def _line(x: U8, y: U8, weight: U8) -> tuple[float, float]:
    """Gain and offset by least squares."""
    part = weight != 0
    xs, ys = x[part].astype(np.float64), y[part].astype(np.float64)
    if not xs.size:
        return 1.0, 0.0
    spread_of = float(np.mean(xs * xs)) - float(np.mean(xs)) ** 2
    shared = float(np.mean(xs * ys)) - float(np.mean(xs)) * float(np.mean(ys))
    gain = min(max((shared + STIFF) / (spread_of + STIFF), GAINS[0]), GAINS[1])
    return gain, float(np.mean(ys)) - gain * float(np.mean(xs))


def _drift(residual: tuple[F32, F32, F32], weight: U8, size: Size) -> tuple[F32, F32, F32]:
    """What the light has done here and there, beyond the one gain and offset: the mean residual around."""
    there = weight.astype(np.float32)
    count = around(cells(there, CELL)) + np.float32(FAINT * 9 * CELL * CELL)
    y, u, v = (spread(around(cells(there * plane, CELL)) / count, CELL, size) for plane in residual)
    return y, u, v


def _noise(luma: F32, residual: tuple[F32, F32, F32], room: U8, plate: Plate) -> tuple[F32, F32, F32]:
    """Variances of the three planes around each pixel, less what edges have by the camera's having moved."""
    there, faint = room.astype(np.float32), np.float32(FAINT * 9 * CELL * CELL)
    excess = np.minimum(luma * luma, LOUDEST)
    fours, steps = (mean_of_four(plane) for plane in (excess, plate.slopes[0]))
    squares = [np.maximum(fours - SLIPPED * steps, 0)]
    squares += [
        np.maximum(np.minimum(plane * plane, LOUDEST) - SLIPPED * steep, 0)
        for plane, steep in zip(residual[1:], plate.slopes[1:], strict=True)
    ]
    number = float(there.sum())
    count = around(cells(there, CELL)) + faint
    found = []
    for square, least in zip(squares, FLOORS, strict=True):
        sums = cells((there * square).astype(np.float32), CELL)
        mean = np.float32(float(sums.sum()) / number)
        found.append(spread(np.maximum((around(sums) + faint * mean) / count, np.float32(least**2)), CELL, plate.size))
    return found[0], found[1], found[2]


def mean_of_four(plane: F32) -> F32:
    """A plane of even sides at half of its size, float32."""
    return ((plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]) / 4).astype(np.float32)
