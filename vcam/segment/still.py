"""Whether a frame shows what the last one shown to the network did, so that its map may be used once more.

A frame is compared with the very frame that the map was made from, not with the one before it, so that what moves too
slowly to be seen from frame to frame adds up until it is. Compared are the small planes that the network's picture is
made from, in blocks: a hand changes one block by much where the mean of the picture hardly moves, and noise, which
changes every pixel, changes each block's mean difference by the same known amount.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np

from vcam.types import F32, U8

BLOCK = 8
"""Side of a block in pixels of the network's luma; half of it in the chroma."""
FLOOR, NOISE_FACTOR = 1.0, 1.5
"""A block has changed when its mean absolute difference, in levels, is above FLOOR + NOISE_FACTOR * noise.

In films of a web camera the noise is 0.2 to 0.7 levels, a block without motion stays below noise + 1, and a hand that
moves gives 5 to 40. An edge of 60 levels is noticed once it has moved by a quarter of a pixel of the network's."""
MOST_NOISE = 1.5
"""Levels: more is not taken for noise, so a picture that is noisier than that is never still."""
HISTORY = 30
"""Comparisons that the noise is known from. The least of them counts, for motion can only add to it."""
SETTLE = 5
"""Frames in a row without a change before the first is skipped, for the matte's temporal filter to come to rest."""
MOST_SKIPPED = 15
"""Frames skipped in a row; the next is shown to the network whatever it shows."""


class StillCheck:
    """Compares frames with the last one that the network saw. One source; `forget` when it changes."""

    def __init__(self) -> None:
        self._reference: list[U8] = []
        self._noise: deque[tuple[float, ...]] = deque(maxlen=HISTORY)
        self.forget()

    def forget(self) -> None:
        """What comes next has nothing to do with what went before."""
        self._reference = []
        self._noise.clear()
        self._calm = self._skipped = 0

    def remember(self, planes: Sequence[U8]) -> None:
        """The network has seen a frame with these planes, uint8 (height, width) each; they are copied."""
        if [plane.shape for plane in planes] != [plane.shape for plane in self._reference]:
            self._reference = [np.empty_like(plane) for plane in planes]
        for mine, plane in zip(self._reference, planes, strict=True):
            np.copyto(mine, plane)
        self._skipped = 0

    def may_skip(self, planes: Sequence[U8]) -> bool:
        """Whether the network need not see a frame with these planes (luma, Cb, Cr), because nothing has changed."""
        if not self._reference:
            return False
        blocks = [
            _blocks(*pair, BLOCK // (1 + (at > 0))) for at, pair in enumerate(zip(planes, self._reference, strict=True))
        ]
        if not self._skipped:
            # only what lies one frame apart is noise; later there may be drift in it
            self._noise.append(tuple(float(np.median(plane)) for plane in blocks))
        noises = np.min(self._noise, axis=0)
        for plane, noise in zip(blocks, noises, strict=True):
            if float(plane.max()) > FLOOR + NOISE_FACTOR * min(noise, MOST_NOISE):
                self._calm = 0
                return False
        self._calm += 1
        if self._calm <= SETTLE or self._skipped >= MOST_SKIPPED:
            return False
        self._skipped += 1
        return True


def _blocks(plane: U8, reference: U8, side: int) -> F32:
    """The mean absolute difference of each block, in levels; blocks at the edges may be a little smaller or larger."""
    difference = cv2.absdiff(plane, reference).astype(np.float32)
    rows, columns = difference.shape
    size = (max(1, columns // side), max(1, rows // side))
    return cv2.resize(difference, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
