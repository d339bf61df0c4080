"""Whether a frame shows what the last one shown to the network did, so that it need not be shown as well.

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
from numpy.typing import NDArray

from vcam.frames import Box
from vcam.types import F32, U8, Size

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


class BlockCheck:
    """Compares the planes of frames with those of one frame, block by block. One source; `forget` when it changes."""

    def __init__(self) -> None:
        self._reference: list[U8] = []
        self._noise: deque[tuple[float, ...]] = deque(maxlen=HISTORY)

    def forget(self) -> None:
        """What comes next has nothing to do with what went before."""
        self._reference = []
        self._noise.clear()

    def remember(self, planes: Sequence[U8]) -> None:
        """Compare with these planes, uint8 (height, width) each, from now on; they are copied."""
        if [plane.shape for plane in planes] != [plane.shape for plane in self._reference]:
            self._reference = [np.empty_like(plane) for plane in planes]
        for mine, plane in zip(self._reference, planes, strict=True):
            np.copyto(mine, plane)

    def _differences(self, planes: Sequence[U8]) -> list[F32]:
        """The mean absolute difference of each block of each plane, in levels."""
        pairs = zip(planes, self._reference, strict=True)
        return [_blocks(*pair, BLOCK // (1 + (at > 0))) for at, pair in enumerate(pairs)]

    def _learn(self, blocks: Sequence[F32]) -> None:
        """Take the differences of most blocks for noise."""
        self._noise.append(tuple(float(np.median(plane)) for plane in blocks))

    def _changed(self, blocks: Sequence[F32]) -> bool:
        """Whether a block differs by more than noise does."""
        noises = np.min(self._noise, axis=0)
        limits = [FLOOR + NOISE_FACTOR * min(noise, MOST_NOISE) for noise in noises]
        return any(float(plane.max()) > limit for plane, limit in zip(blocks, limits, strict=True))


class RestCheck(BlockCheck):
    """Compares frames with the last one that the network saw."""

    def __init__(self) -> None:
        super().__init__()
        self._calm = self._skipped = 0

    def forget(self) -> None:
        super().forget()
        self._calm = self._skipped = 0

    def remember(self, planes: Sequence[U8]) -> None:
        """The network has seen a frame with these planes."""
        super().remember(planes)
        self._skipped = 0

    def may_skip(self, planes: Sequence[U8]) -> bool:
        """Whether the network need not see a frame with these planes (luma, Cb, Cr), because nothing has changed."""
        if not self._reference:
            return False
        blocks = self._differences(planes)
        if not self._skipped:
            # only what lies one frame apart is noise; later there may be drift in it
            self._learn(blocks)
        if self._changed(blocks):
            self._calm = 0
            return False
        self._calm += 1
        if self._calm <= SETTLE or self._skipped >= MOST_SKIPPED:
            return False
        self._skipped += 1
        return True


class Surroundings(BlockCheck):
    """Compares what lies outside of a part of the frame with what the last look at the whole frame saw there."""

    def are_quiet(self, planes: Sequence[U8], inner: Box, size: Size) -> bool:
        """Whether nothing has changed outside of a part of a frame of `size`, of which these are the small planes.

        Blocks that the part reaches into do not count. What is noise is known from the same comparison: a change of
        everything is no noise, for it is above `MOST_NOISE`.
        """
        if not self._reference:
            return False
        outside = [plane[_outside(inner, size, plane.shape)] for plane in self._differences(planes)]
        if not all(plane.size for plane in outside):
            return True
        self._learn(outside)
        return not self._changed(outside)


def _outside(inner: Box, size: Size, blocks: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which blocks of a frame lie outside of a part of it: bool of the blocks' shape."""
    rows, columns = blocks
    width, height = size
    outside = np.ones(blocks, np.bool_)
    across = slice(inner.x0 * columns // width, -(-inner.x1 * columns // width))
    outside[inner.y0 * rows // height : -(-inner.y1 * rows // height), across] = False
    return outside


def _blocks(plane: U8, reference: U8, side: int) -> F32:
    """The mean absolute difference of each block, in levels; blocks at the edges may be a little smaller or larger."""
    difference = cv2.absdiff(plane, reference).astype(np.float32)
    rows, columns = difference.shape
    size = (max(1, columns // side), max(1, rows // side))
    return cv2.resize(difference, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
