"""The room without the person, at a fraction of the frame's size.

A plain blur of the whole frame mixes the person into their surroundings: a halo in the colours of skin and shirt. Here
the person is left out by normalised convolution (Knutsson and Westin, 1993): with w = 1 on the room and 0 on the
person,

    plate = blur(w * sample) / blur(w)

and where nothing of the room is within the blur's reach, behind the person, what of it is nearest is spread inward.
`Behind` gives w * sample and w, `Fill` divides and spreads; what is done in between makes the background. All in
float32 at 1/4 to 1/16 of the frame's size.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from vcam.colour import NEUTRAL, to_limited
from vcam.frames import Alpha, Frame
from vcam.scaling import Odd, Reducer
from vcam.types import F32, U8, Size

LINES = 720
"""Strengths, block sizes and margins are in lines of a picture this high, so that they look the same at any size."""

_MARGIN = 14.0  # lines round the person that count as person: the matte is never exact
_ROOM, _PERSON = 16, 64  # alpha up to the first is room, from the second on person
_NEAR = 0.01  # share of room in a pixel at which what lies around it has about half the say
_FAR = 0.001  # the same between the coarsest level and plain dark grey
_TOP_LINES, _TOP_SIGMA = 12, 2.0  # height of the coarsest level, about, and the spread there
_GREY = (70, NEUTRAL, NEUTRAL)


def _room_weights() -> F32:
    levels = np.arange(256, dtype=np.float32)
    return np.clip((_PERSON - levels) / (_PERSON - _ROOM), 0, 1).astype(np.float32)


class Behind:
    """The frame at a fraction of its size, and what of it is room; buffers for one size of frame.

    factor: 4, 8 or 16. `samples` are float32 planes Y, Cb, Cr of the reduced size, multiplied by `weight`, float32
    0 (person) to 1 (room).
    """

    def __init__(self, size: Size, factor: int) -> None:
        self.size: Size = (-(-size[0] // factor), -(-size[1] // factor))
        width, height = self.size
        self._reducer, self._mask_reducer = Reducer(Odd.UP), Reducer(Odd.DOWN)
        self._small = np.empty((height, width), np.uint8)
        self.samples = [np.empty((height, width), np.float32) for _ in range(3)]
        self.weight = np.empty((height, width), np.float32)
        self._mask = np.empty((height, width), np.uint8)
        self._lut = _room_weights()
        self._grown = np.empty((0, 0), np.uint8)
        self._square = np.ones((1, 1), np.uint8)

    def update(self, frame: Frame, alpha: Alpha) -> None:
        """Reduce a frame, and cut the person of its alpha out."""
        self._weigh(alpha.small)
        for plane, sample in zip(frame.planes, self.samples, strict=True):
            self._reducer.reduce(plane, self._small)
            np.multiply(self._small, self.weight, out=sample)

    def _weigh(self, small: U8) -> None:
        if self._grown.shape != small.shape:
            reach = 2 * int(np.ceil(_MARGIN * small.shape[0] / LINES)) + 1
            self._square = np.ones((reach, reach), np.uint8)
            self._grown = np.empty(small.shape, np.uint8)
        cv2.dilate(small, self._square, dst=self._grown)
        self._mask_reducer.reduce(self._grown, self._mask)
        cv2.LUT(self._mask, self._lut, dst=self.weight)


class Fill:
    """From weighted sums to samples: sum / weight, and where the weight nears 0 what lies around.

    Around means as near as anything of the room is: the sums are halved again and again, and each level is completed
    from the coarser one (a push-pull pyramid after Gortler and others, 1996).
    """

    def __init__(self, size: Size) -> None:
        width, height = size
        levels = 1 + max(1, round(float(np.log2(height / _TOP_LINES))))
        shapes = [(height, width)]
        for _ in range(1, levels):
            shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
        self._levels = [_Level(shape) for shape in shapes]
        self._kernel = gaussian(_TOP_SIGMA * shapes[-1][0] / _TOP_LINES)
        self.planes = [np.empty((height, width), np.uint8) for _ in range(3)]

    def update(self, sums: list[F32], weight: F32, full_range: bool) -> list[U8]:
        """Y, Cb, Cr as limited-range uint8 planes (own buffers), from sums in the frame's range; overwrites those."""
        top = self._levels[-1]
        self._levels[0].weight = weight
        for finer, level in pairwise(self._levels):
            _halve(finer.weight, level.weight)
        for level in self._levels[:-1]:
            level.measure()
        self._spread(top.weight)
        np.add(top.weight, _FAR, out=top.weight)
        for index, (total, out, grey) in enumerate(zip(sums, self.planes, _GREY, strict=True)):
            self._levels[0].value = total
            for finer, level in pairwise(self._levels):
                _halve(finer.value, level.value)
            self._spread(top.value)
            np.add(top.value, _FAR * grey, out=top.value)
            np.divide(top.value, top.weight, out=top.value)
            for level, coarser in pairwise(reversed(self._levels)):
                coarser.complete(level.value)
            scale, offset = to_limited(full_range, index > 0)
            cv2.convertScaleAbs(self._levels[0].value, dst=out, alpha=scale, beta=offset)
        return self.planes

    def _spread(self, plane: F32) -> None:
        cv2.sepFilter2D(plane, -1, self._kernel, self._kernel, dst=plane, borderType=cv2.BORDER_REPLICATE)


class _Level:
    """One size of the pyramid: weights, a plane of sums that becomes one of samples, and what completes it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.weight, self.value, self._own, self._foreign, self._near = (np.empty(shape, np.float32) for _ in range(5))

    def measure(self) -> None:
        """From the weights: what a sum counts for, and what the coarser level does."""
        # foreign = lack / (weight + lack), own = 1 / (weight + lack), lack = NEAR * (1 - weight)
        np.multiply(self.weight, 1 - _NEAR, out=self._own)
        np.add(self._own, _NEAR, out=self._own)
        np.divide(1, self._own, out=self._own)
        np.subtract(1, self.weight, out=self._foreign)
        np.multiply(self._foreign, _NEAR, out=self._foreign)
        np.multiply(self._foreign, self._own, out=self._foreign)

    def complete(self, coarser: F32) -> None:
        """Turn sums into samples, with the coarser level's where there is little of its own."""
        cv2.resize(coarser, self._near.shape[::-1], dst=self._near, interpolation=cv2.INTER_LINEAR)
        np.multiply(self._near, self._foreign, out=self._near)
        np.multiply(self.value, self._own, out=self.value)
        np.add(self.value, self._near, out=self.value)


def _halve(plane: F32, dst: F32) -> None:
    cv2.resize(plane, dst.shape[::-1], dst=dst, interpolation=cv2.INTER_LINEAR)


def gaussian(sigma: float) -> F32:
    """A Gaussian kernel, float32 (taps, 1), sum 1, cut at three sigma."""
    taps = 2 * int(np.ceil(3 * sigma)) + 1
    return cv2.getGaussianKernel(taps, sigma, cv2.CV_32F).astype(np.float32, copy=False)
