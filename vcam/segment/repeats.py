"""Whether a map is the one before, which an engine left where it was: then it is not that of this picture."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.types import F32, U8

STEP = 4
"""Of so many pixels of the map one is compared, in either direction; of the picture, half as many."""
UNSURE = 16
"""So many compared values must be between none and all: that these are alike to the last bit is no chance."""
LEVELS, SHARE = 24, 0.005
"""A picture is another one if so large a share of its samples differ by more than so many levels."""


class RepeatCheck:
    """Remembers samples of the last picture and of its map."""

    def __init__(self) -> None:
        self._picture: U8 | None = None
        self._map: F32 | None = None

    def forget(self) -> None:
        """The next map is compared with none."""
        self._picture = self._map = None

    def repeats(self, picture: U8, seen: F32) -> bool:
        """Whether the map, float32 (height, width), is that of the last picture to the bit, though the picture is not.

        picture: uint8 (height, width, channels). Both are remembered.
        """
        shown, found = picture[:: 2 * STEP, :: 2 * STEP, 1].copy(), seen[::STEP, ::STEP].copy()
        last, before = self._picture, self._map
        self._picture, self._map = shown, found
        if last is None or before is None or not np.array_equal(found, before):
            return False
        if np.count_nonzero((found > 0.01) & (found < 0.99)) < UNSURE:
            return False
        return bool(np.count_nonzero(cv2.absdiff(shown, last) > LEVELS) > SHARE * shown.size)
