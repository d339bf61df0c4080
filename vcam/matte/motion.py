"""The motion between two small pictures, at every size, and as numbers that can be relied upon.

OpenCV's dense inverse search chooses its scales by the width alone where a picture is small, and then reads outside of
a picture that is wide and low, or crashes. So they are chosen here, by both sides.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.types import F32, U8

_PATCH = 8
"""Side of the patches that are searched for: no picture of any scale may be smaller."""

_FINEST = 2
"""How often a picture is halved for the finest search, where it is large enough; OpenCV's for this preset."""

LEAST = 16
"""Lines or columns below which a picture is too small for motion to be looked for."""


def finest_scale(height: int, width: int) -> int | None:
    """How often a picture is halved for the finest search; None if there is no scale that it can be searched at.

    That of OpenCV 4.10 and later, `DISOpticalFlowImpl::calc`, except that it is never coarser than the coarsest that
    both sides allow. That one is OpenCV's: a motion of a quarter of the longer side, at eight pixels or more.
    """
    if min(height, width) < LEAST:
        return None
    by_longest = int(math.log2(max(height, width) / (4 * _PATCH)) + 0.5)
    coarsest = min(by_longest, int(math.log2(min(height, width) // _PATCH)))
    if coarsest >= _FINEST:
        return _FINEST
    # what OpenCV does by itself where its own choice does not fit, with an eye on the width alone
    by_width = int(math.log2(max(2 * width // (5 * _PATCH), 1)))
    return min(coarsest, max(by_width - 2, 0))


class MotionSearch:
    """Where the pixels of one picture were in another; for pictures of one size."""

    def __init__(self, height: int, width: int) -> None:
        """Raises `ValueError` for a size without a `finest_scale`."""
        scale = finest_scale(height, width)
        if scale is None:
            raise ValueError(f"no motion is looked for in {width}x{height}")
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(scale)
        self._shape = (height, width)

    def find(self, now: U8, before: U8) -> F32:
        """float32 (height, width, 2), a fresh array: what leads from each pixel of now to where it was before.

        Columns and rows; finite, and never longer than the longer side. Both uint8 (height, width). Raises `ValueError`
        for pictures of another size.
        """
        if now.shape != self._shape or before.shape != self._shape:
            raise ValueError(f"pictures of {now.shape} and {before.shape} instead of {self._shape}")
        return bounded(self._search.calc(now, before, None), float(max(self._shape)))  # type: ignore[call-overload]


def bounded(motion: F32, most: float) -> F32:
    """Make a motion finite in place, and no longer than `most` to each side; where it is no number there is none."""
    cv2.patchNaNs(motion, 0.0)
    return np.clip(motion, -most, most, out=motion)
