"""Small islands and holes of the matte: a lamp taken for a head, a reflection in glasses taken for the room."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.types import U8

LEVEL = 127
"""What counts as person, 0..255. Lower, soft pits in hair and between fingers are taken for holes and filled."""

SKIRT = 5
"""Width of the line along an outline that is changed with it, so that no soft rim stays behind."""


class IslandFilter:
    """Removes islands and fills holes whose area is below a share of the picture.

    A raised hand is many times larger than the default share, and the space between arm and body too; both stay.
    """

    def __init__(self, percent: float) -> None:
        """percent: of the picture's area, 0 for none."""
        self._percent = percent
        self._binary = np.empty((0, 0), np.uint8)

    def apply(self, matte: U8) -> None:
        """Change a small matte, uint8 (height, width), in place."""
        if not self._percent:
            return
        if self._binary.shape != matte.shape:
            self._binary = np.empty_like(matte)
        smallest = matte.size * self._percent / 100
        cv2.threshold(matte, LEVEL, 255, cv2.THRESH_BINARY, dst=self._binary)
        outlines, hierarchy = cv2.findContours(self._binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        if len(outlines) < 2:
            # nothing to compare with: one person without a hole, or one small island that is all there is
            return
        for outline, (_, _, _, parent) in zip(outlines, hierarchy[0], strict=True):
            if cv2.contourArea(outline) >= smallest:
                continue
            value = 0 if parent < 0 else 255
            cv2.drawContours(matte, [outline], -1, value, cv2.FILLED)
            if value == 0:
                cv2.drawContours(matte, [outline], -1, 0, SKIRT)
