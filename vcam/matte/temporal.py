"""A temporal filter that follows what moves, and damps what only flickers."""

from __future__ import annotations

import cv2
import numpy as np

from vcam import native
from vcam.frames import Box
from vcam.images import between_maps
from vcam.matte.motion import MotionSearch, finest_scale
from vcam.scaling import Reducer
from vcam.types import F32, U8

STILL = 0.15
MOVING = 0.85
"""Differences of probability: below STILL is the network's own flicker, above MOVING what no motion explains.

Chosen on synthetic clips with known mattes (docs/quality.md): higher ones damp more and begin to lag."""

SAME, OTHER = 6, 18
"""Levels of luma that a pixel differs by from where its motion says it comes from.

Up to SAME it is the camera's noise; from OTHER on the motion was wrong, as beside a small hand before a wall, and
nothing of before is kept."""

CUT = 20.0
"""Mean difference of the luma, in levels, from which two pictures are of different scenes.

Somebody who leans over quickly changes it by up to 13 (`vcam.datasets.synthetic`, fast), another room by 28 or more."""

NOBODY = 0.0033
"""Probability up to which the compiled loop leaves a part of the map out, where nobody was close by before.

What the matte takes for nobody is a hundredth (`vcam.matte.soft.soft_step`); a third of that is surely nothing."""


def gain_floor(strength: float) -> float:
    """How much of what is new is taken where nothing moves, for a strength of 0 (all) to 1."""
    return 1.0 - 0.9 * strength


class TemporalFilter:
    """An exponential average along the motion of the picture, whose weight follows the change of each pixel.

    m <- m' + g (p - m'), where m' is the average of before, moved as the picture has moved since, and the gain g runs
    from 1 - strength where |p - m'| is below `STILL` to 1 above `MOVING`, and likewise with how badly the motion
    explains the picture. What moves takes its average along and does not lag; the network's flicker is averaged away.

    The gain is that of the first-order low-pass of Casiez et al., "1 Euro Filter", CHI 2012, with the difference itself
    as the speed; the motion is the dense inverse search of Kroeger et al., "Fast Optical Flow using Dense Inverse
    Search", ECCV 2016, at half the map's size. It is sought in the whole map: in the person's box alone it costs more,
    since on so small a picture the search uses a finer scale.

    On a cut to another scene nothing of the one before is kept.
    """

    def __init__(self, strength: float) -> None:
        """strength: 0 (off) to 1, see `gain_floor`."""
        self._floor = gain_floor(strength)
        self._slope = (1.0 - self._floor) / (MOVING - STILL)
        self._kernels = native.kernels()
        self._reducer = Reducer()
        self._mean: F32 | None = None
        self._warped: F32 = np.zeros((0, 0), np.float32)
        self._luma, self._before = np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8)
        self._motion: MotionSearch | None = None
        self._view: tuple[Box, Box] | None = None
        self.begins = True
        """Whether the last map was taken as it is: the first one, or that of another scene."""

    def update(self, probability: F32, luma: U8) -> F32:
        """The filtered map, float32 of the map's shape, 0..1; it belongs to the filter until the next call.

        luma: uint8 (any height, any width), the picture that the map was made from, reduced or not.
        """
        if self._floor == 1.0:
            return probability
        if self._mean is None or self._mean.shape != probability.shape:
            self._allocate(probability)
            self._mean, self._view = probability.copy(), None
            self._reducer.reduce(luma, self._luma)
            self.begins = True
            return self._mean
        self._luma, self._before = self._before, self._luma
        self._reducer.reduce(luma, self._luma)
        if self._view is not None:
            self._look_elsewhere(self._mean, probability, *self._view)
        self.begins = cv2.norm(self._luma, self._before, cv2.NORM_L1) > CUT * self._luma.size
        if self.begins:
            np.copyto(self._mean, probability)
            return self._mean
        flow = self._motion.find(self._luma, self._before) if self._motion else None
        if flow is not None and self._kernels is not None and _is_twice(probability, self._luma):
            self._mean = self._follow(self._kernels, np.ascontiguousarray(probability), self._mean, flow)
            return self._mean
        change, gain = self._change, self._gain
        moved = self._mean if flow is None else self._move(self._mean, flow)
        cv2.subtract(probability, moved, dst=change)
        cv2.absdiff(probability, moved, dst=gain)
        cv2.addWeighted(gain, self._slope, gain, 0, self._floor - STILL * self._slope, dst=gain)
        if flow is not None:
            cv2.max(gain, self._doubt(), dst=gain)
        np.clip(gain, self._floor, 1.0, out=gain)
        cv2.multiply(change, gain, dst=change)
        cv2.add(moved, change, dst=self._mean)
        return self._mean

    def _follow(self, kernels: native.Kernels, probability: F32, mean: F32, flow: F32) -> F32:
        """All of it at once; the average of before becomes the scratch of the next."""
        terms = {"floor": self._floor, "slope": self._slope, "still": STILL}
        pictures = (self._luma, self._before)
        result, self._warped = self._warped, mean
        kernels.follow(probability, mean, result, flow, pictures, **terms, doubt=(SAME, OTHER), nobody=NOBODY)
        return result

    def reset(self) -> None:
        """Forget the past: the next map is taken as it is."""
        self._mean, self._view = None, None

    def carry(self, before: Box, now: Box) -> None:
        """The next map shows another part of the same frames; what is known of what both show is kept."""
        self._view = (before if self._view is None else self._view[0], now)

    def _look_elsewhere(self, mean: F32, probability: F32, before: Box, now: Box) -> None:
        """Show average and picture of before as the new part has them; where they are missing, those of now."""
        self._view = None
        for old, new in ((mean, probability), (self._before, self._luma)):
            there = new.copy()
            move = between_maps(now, new.shape, before, old.shape)
            cv2.warpAffine(
                old, move, new.shape[::-1], dst=there, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_TRANSPARENT,
            )  # fmt: skip
            np.copyto(old, there)

    def _allocate(self, probability: F32) -> None:
        height, width = probability.shape
        self._change, self._gain, self._warped = (np.empty_like(probability) for _ in range(3))
        half = (max(height // 2, 1), max(width // 2, 1))
        self._luma, self._before, self._residual = (np.zeros(half, np.uint8) for _ in range(3))
        self._motion = None if finest_scale(*half) is None else MotionSearch(*half)
        self._place, self._from = _positions(probability.shape), _positions(probability.shape)
        self._half_place, self._half_from = _positions(half), _positions(half)
        doubt = np.clip((np.arange(256) - SAME) / (OTHER - SAME), 0, 1)
        self._doubts = (self._floor + (1 - self._floor) * doubt).astype(np.float32)

    def _move(self, mean: F32, flow: F32) -> F32:
        """The average, each pixel taken from where what is there now was before; the flow is overwritten."""
        cv2.add(flow, self._half_place, dst=self._half_from)
        # from pixels of half the size to those of the map
        flow *= 2.0
        cv2.resize(flow, mean.shape[::-1], dst=self._from, interpolation=cv2.INTER_LINEAR)
        cv2.add(self._from, self._place, dst=self._from)
        _take(mean, self._from, self._warped)
        return self._warped

    def _doubt(self) -> F32:
        """The least gain of each pixel, from how badly the picture of before, moved, explains this one."""
        residual = self._residual
        _take(self._before, self._half_from, residual)
        cv2.absdiff(self._luma, residual, dst=residual)
        cv2.blur(residual, (3, 3), dst=residual)
        doubt = cv2.LUT(residual, self._doubts)
        return cv2.resize(doubt, self._gain.shape[::-1], interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _is_twice(large: F32, small: U8) -> bool:
    return large.shape == (2 * small.shape[0], 2 * small.shape[1])


def _positions(shape: tuple[int, ...]) -> F32:
    """float32 (height, width, 2): column and row of each pixel."""
    return np.dstack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))).astype(np.float32)


def _take(picture: F32 | U8, positions: F32, target: F32 | U8) -> None:
    """Write the samples of `picture` at `positions`, which may lie between and outside of pixels, into `target`."""
    border = cv2.BORDER_REPLICATE
    cv2.remap(picture, positions, None, cv2.INTER_LINEAR, dst=target, borderMode=border)  # type: ignore[call-overload]
