"""The refined matte, averaged over time where the network's map stands still.

The refinement makes flicker of its own: what is behind the person moves through its windows, and changes their model
although the edge stays where it is. The filter by motion comes before it and cannot see that. This average takes 9
points off the flicker of somebody who sits still and 3 off that of somebody who moves slowly, at 0.01 frames of lag.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam import native
from vcam.frames import NOTHING, Box
from vcam.matte.temporal import gain_floor
from vcam.types import U8

CALM, MOVED = 6, 20
"""Levels that the filtered map changes by from one frame to the next, anywhere among a pixel's neighbours.

Up to CALM the edge stands still and the average is long; from MOVED on nothing of before is kept. An edge that moves by
a tenth of the map's pixels in a frame changes it by about 5."""


class StillAverage:
    """m <- m + g (q - m) for the refined matte q, rounded towards q, so that it arrives.

    The gain g runs from the temporal filter's least one at `CALM` to 1 at `MOVED`. No motion is followed here: what
    moves has changed the map.
    """

    def __init__(self, strength: float) -> None:
        """strength: as for `TemporalFilter`, but not 0."""
        self._least = gain_floor(strength)
        least = round(256 * self._least)
        moved = np.clip((np.arange(256) - CALM) / (MOVED - CALM), 0, 1)
        self._gains = (least + (256 - least) * moved + 0.5).astype(np.uint16)
        self._kernels = native.kernels()

    def allocate(self, small: tuple[int, ...], working: tuple[int, ...]) -> None:
        """Shapes of the map and of the refined matte of the same part of the frame; forgets the past."""
        self._seen, self._before = np.zeros(small, np.uint8), np.zeros(small, np.uint8)
        self._kept, self._box = np.zeros(working, np.uint8), NOTHING
        self._begins, self._applied = True, False

    def reset(self) -> None:
        """Forget the past: the next matte is taken as it is."""
        self._applied = False

    def look(self, seen: U8, begins: bool) -> None:
        """Take the filtered map of a frame, uint8; `begins`: it has nothing to do with the one before.

        If no matte was made of the one before, because nobody was there or it failed, this one begins as well. The map
        stays the caller's, but is not to be changed before `apply`.
        """
        self._seen, self._begins = seen, begins or not self._applied
        self._applied = False

    def apply(self, matte: U8, source: Box, box: Box) -> None:
        """Change the refined matte of a box in place; outside of it is nobody.

        source: the same box in the map that was looked at.
        """
        if box != self._box:
            # what lay outside of the box of before is 0 already
            self._kept[: box.y0], self._kept[box.y1 :] = 0, 0
            self._kept[:, : box.x0], self._kept[:, box.x1 :] = 0, 0
            self._box = box
        kept = self._kept[box.y0 : box.y1, box.x0 : box.x1]
        if self._begins:
            np.copyto(kept, matte)
        else:
            part = np.s_[source.y0 : source.y1, source.x0 : source.x1]
            self._average(matte, kept, (self._seen[part], self._before[part]))
        np.copyto(self._before, self._seen)
        self._applied = True

    def _average(self, matte: U8, kept: U8, maps: tuple[U8, U8]) -> None:
        if self._kernels is not None and min(maps[0].shape) >= 2:
            self._kernels.steady(matte, kept, maps, least=self._least, moved=(CALM, MOVED))
            return
        change = cv2.dilate(cv2.absdiff(*maps), np.ones((3, 3), np.uint8))
        gain = cv2.resize(cv2.LUT(change, self._gains), matte.shape[::-1], interpolation=cv2.INTER_LINEAR)
        step = (cv2.absdiff(matte, kept) * gain.astype(np.uint16, copy=False) + 255) // 256
        np.copyto(kept, np.where(matte > kept, kept + step, kept - step), casting="unsafe")
        np.copyto(matte, kept)
