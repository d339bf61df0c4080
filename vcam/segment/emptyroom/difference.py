"""The person without a network: where a frame differs from the plate by more than noise, whatever the light.

With r the difference of frame and expected plate, of luma and twice of chroma, whose noise is a third as large,

    ry^2 + 9 (ru^2 + rv^2) > threshold^2 + NOISES^2 n

is a person, n the variance of the left side in the room (`vcam.segment.emptyroom.light`). The light is that of the
frame before, until a better one is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vcam.colour import BLACK, BLUE, BLUE_RANGE, CHROMA_SPAN, GREEN, LUMA_SPAN, NEUTRAL, RED, RED_RANGE
from vcam.frames import Planes
from vcam.segment.emptyroom.edge import Finding
from vcam.segment.emptyroom.evidence import WEIGHTS
from vcam.segment.emptyroom.layers import SAME, Lines
from vcam.segment.emptyroom.light import FLOORS, SLIPPED, STIFF, Plate
from vcam.types import F32, U8, Size

NOISES = 2.0
"""How many times the noise a difference must be, beside the threshold."""
SOFT = (5, 5)
"""The window over which differences are told: noise goes, and the edge moves by less than a pixel."""

GAINS = 0.6, 1.7
LIFT = 40.0
"""Bounds of how the light of the whole room may have changed from what it was learnt in."""
DARK, BRIGHT = 22, 228
"""Luma that tells nothing of the gain, for all of it, in both ranges, may be clipped."""
OUTLIER = 8.0
"""Levels from which on a sample does not follow the common light."""
FOLLOWS = 0.35
"""Share of the known picture that must follow it."""
FEW = 2
"""Rows and columns, of half the map's size, from one sample to the next."""
CLIPS = 5.0
"""Levels that the light must have changed by for what is bright or deep to be looked at for clipped colours."""
STEPS = 5
"""Fits, each without what did not follow the last."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How the plate is expected to look: frame = gain * plate + offset + drift, and by how much it may differ."""

    lines: Lines = SAME
    drift: tuple[F32, F32, F32] | None = None
    noise: F32 | None = None
    """The variance of the weighted difference, float32 (h, w) of half the map's size."""

    @classmethod
    def of(cls, finding: Finding) -> Expected:
        """What a frame has shown, for the next: valid as long as the finding, which shares its planes."""
        return cls((finding.gain, finding.offset), finding.drift, finding.noise)

    def is_like(self, other: Expected, levels: float) -> bool:
        """Whether the lines of both differ by less than so many levels, of any plane, anywhere."""
        (gains, offsets), (gains2, offsets2) = self.lines, other.lines
        ends = ((gain * x + offset, gain2 * x + offset2) for gain, offset, gain2, offset2 in
                zip(gains, offsets, gains2, offsets2, strict=True) for x in (16, 235))  # fmt: skip
        return all(abs(mine - theirs) < levels for mine, theirs in ends)


class Difference:
    """Compares the frames of one source with plates of one size; buffers for maps of it."""

    def __init__(self, size: Size, threshold: float) -> None:
        """size: (width, height) of the map, both even. threshold: levels, of weighted planes."""
        width, height = size
        self._size, self._least = size, np.float32(threshold * threshold)
        self._different = np.empty((height, width), np.uint8)
        self.rests: tuple[F32, F32, F32]
        """By what the last frame differs from the plate in its light, the drift not taken off: luma, and half of it."""
        self._plate: Plate | None = None
        self._room: Planes
        self._half: Planes
        self._steep: F32

    def find(self, planes: Planes, plate: Plate, expected: Expected, *, full_range: bool = False) -> U8:
        """Where a frame differs, uint8 (height, width) 0 or 255, the object's own; nowhere where nothing is known.

        planes: the frame's, at the map's size, in the range that is told.
        """
        self._use(plate)
        gains, offsets = expected.lines
        rests: list[npt.NDArray[np.float32]] = []
        for index, (plane, room) in enumerate(zip(planes, self._room, strict=True)):
            rest = cv2.GaussianBlur(plane, SOFT, 0) - (np.float32(gains[index]) * room + np.float32(offsets[index]))
            rests.append(np.asarray(rest, np.float32))
        y, u, v = rests
        if not expected.is_like(Expected(), CLIPS):
            half = [np.float32(g) * x + np.float32(o) for g, x, o in zip(gains, self._half, offsets, strict=True)]
            lost = clipped(half, full_range=full_range)
            more = cv2.resize(lost[0], self._size, interpolation=cv2.INTER_LINEAR), lost[1], lost[2]
            # a camera may clip colours, or luma and chroma
            y, u, v = (_nearer(rest, part) for rest, part in zip(rests, more, strict=True))
        self.rests = y, u, v
        if expected.drift is not None:
            y = y - cv2.resize(expected.drift[0], self._size, interpolation=cv2.INTER_LINEAR)
            u, v = u - expected.drift[1], v - expected.drift[2]
        noise = NOISE if expected.noise is None else expected.noise
        # what chroma says beyond its noise, which luma may add to or take from
        over = np.float32(WEIGHTS[1]) * (u * u + v * v) - np.float32(NOISES * NOISES) * noise
        over = np.where(plate.known != 0, over, np.float32(-1e9))
        total = np.asarray(cv2.resize(over, self._size, interpolation=cv2.INTER_LINEAR), np.float32)
        total += y * y
        total -= self._steep
        np.multiply(total > self._least, np.uint8(255), out=self._different)
        return self._different

    def _use(self, plate: Plate) -> None:
        if plate is self._plate:
            return
        y, u, v = (np.asarray(cv2.GaussianBlur(plane, SOFT, 0), np.uint8) for plane in (plate.y, plate.u, plate.v))
        self._plate, self._room = plate, (y, u, v)
        self._half = plate.half, u, v
        self._steep = np.float32(NOISES * NOISES * SLIPPED) * plate.slopes[0]


NOISE = np.float32(WEIGHTS[0] * FLOORS[0] ** 2 + WEIGHTS[1] * (FLOORS[1] ** 2 + FLOORS[2] ** 2))
"""The variance of the weighted difference before any was seen."""


def _nearer(rest: npt.NDArray[np.float32], lost: npt.NDArray[Any]) -> F32:
    """What is left of a difference, some of which may have been lost."""
    other = rest + lost
    return np.where(np.abs(other) < np.abs(rest), other, rest).astype(np.float32, copy=False)


def clipped(planes: Sequence[F32], *, full_range: bool) -> tuple[F32, F32, F32]:
    """What samples lose by the bounds of their colours, 0 to 1: a lit wall is white, and no more than that."""
    luma, chroma, zero = (255, 255, 0) if full_range else (LUMA_SPAN, CHROMA_SPAN, BLACK)
    e, p, q = (planes[0] - zero) / luma, (planes[1] - NEUTRAL) / chroma, (planes[2] - NEUTRAL) / chroma
    red, blue = e + RED_RANGE * q, e + BLUE_RANGE * p
    green = (e - RED * red - BLUE * blue) / GREEN
    r, g, b = (np.clip(colour, 0, 1) for colour in (red, green, blue))
    rest = RED * r + GREEN * g + BLUE * b
    lost = (e - rest) * luma, (p - (b - rest) / BLUE_RANGE) * chroma, (q - (r - rest) / RED_RANGE) * chroma
    return lost[0].astype(np.float32), lost[1].astype(np.float32), lost[2].astype(np.float32)


def common_light(planes: Planes, plate: Plate) -> Lines | None:
    """Gain and offset that most of the known room follows, somebody there or not; None if there is no such light.

    The gain that most pixels have, then least squares without those that follow another law, as rule 2 of a room that a
    network has looked at, which would begin where nobody is.
    """
    half = cv2.resize(planes[0], plate.size, interpolation=cv2.INTER_AREA)
    pairs = ((plate.half, half, 16), (plate.u, planes[1], 128), (plate.v, planes[2], 128))
    # few are enough for six numbers
    now, was, known = half[::FEW, ::FEW], plate.half[::FEW, ::FEW], plate.known[::FEW, ::FEW]
    usable = (known != 0) & (was > DARK) & (was < BRIGHT) & (now > DARK) & (now < BRIGHT)
    number = np.count_nonzero(known)
    found: list[tuple[float, float]] = []
    near: npt.NDArray[np.bool_] | None = None
    for x, y, zero in pairs:
        xs, ys = (plane[::FEW, ::FEW][usable].astype(np.float32) for plane in (x, y))
        if xs.size < FOLLOWS * number:
            return None
        if near is None:
            gain = _mode((ys - zero) / (xs - zero))
            offset = zero - gain * zero
        else:
            # colours become stronger with the light
            gain, offset = found[0][0], zero - found[0][0] * zero
            offset += float(np.median((ys - gain * xs - offset)[near]))
        for _ in range(STEPS):
            follows = np.abs(ys - gain * xs - offset) < OUTLIER
            if np.count_nonzero(follows) < FOLLOWS * number:
                return None
            gain, offset = _line(xs[follows], ys[follows])
        near = follows if near is None else near
        found.append((gain, offset))
    (a, c), (d, e), (f, g) = found
    if not GAINS[0] <= a <= GAINS[1] or abs(c - 16 + 16 * a) > LIFT:
        return None
    return (a, d, f), (c, e, g)


def _line(x: F32, y: F32) -> tuple[float, float]:
    """Gain and offset by least squares, the gain near 1 where there is nothing to tell it by."""
    mean_x, mean_y = float(x.mean()), float(y.mean())
    shared, spread = float(((x - mean_x) * (y - mean_y)).mean()), float(x.var())
    gain = min(max((shared + STIFF) / (spread + STIFF), 0.5), 2.0)
    return gain, mean_y - gain * mean_x


def _mode(ratios: npt.NDArray[np.float32]) -> float:
    """The ratio that most samples have; a person, who may be half of them, has many."""
    counts, edges = np.histogram(np.log(np.maximum(ratios, 1e-3)), 64, (-1.0, 1.0))
    best = int(np.convolve(counts, (1, 1, 1), "same").argmax())
    return float(np.exp((edges[best] + edges[best + 1]) / 2))
