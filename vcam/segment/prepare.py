"""From a camera's frame to the network's picture.

The planes are made small before they become RGB: halving with exact 2x2 means is the cheapest way that does not alias,
and the rest, less than a factor of two, is linear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from vcam.colour import to_limited
from vcam.frames import Frame, Planes
from vcam.models.cards import Channels
from vcam.scaling import halvings_apart, ladder_writer
from vcam.types import U8, Size


class Preparer:
    """Makes pictures of one size and channel order; its buffers are reused."""

    def __init__(self, size: Size, channels: Channels) -> None:
        """size: (width, height) of the network's picture, odd sides included; channels: RGB or BGR."""
        width, height = size
        # I420 has even sides only
        even = (width + width % 2, height + height % 2)
        luma = even[0] * even[1]
        self._packed: U8 = np.empty((even[1] * 3 // 2, even[0]), np.uint8)
        flat = self._packed.reshape(-1)
        half = (even[1] // 2, even[0] // 2)
        self._planes: Planes = (
            flat[:luma].reshape(even[1], even[0]),
            flat[luma : luma + luma // 4].reshape(half),
            flat[luma + luma // 4 :].reshape(half),
        )
        # the planes of frames of full range, before they are limited
        self._full: Planes = (np.empty(even[::-1], np.uint8), np.empty(half, np.uint8), np.empty(half, np.uint8))
        self._targets = self._planes
        self.pyramid: tuple[Frame, ...] = ()
        """The frame that was shrunk last, reduced, in its own range, from the largest step to the network's size."""
        self._even: U8 = np.empty((even[1], even[0], 3), np.uint8)
        self._picture: U8 = self._even if even == size else np.empty((height, width, 3), np.uint8)
        self._code = cv2.COLOR_YUV2RGB_I420 if channels == "RGB" else cv2.COLOR_YUV2BGR_I420
        # for frames of this size and range
        self._reduce: Callable[[Sequence[U8]], None]
        self._source: tuple[Size, bool] | None = None

    def prepare(self, frame: Frame) -> U8:
        """The frame as uint8 (height, width, 3), full range, stretched to the network's size.

        The frame may have any size and either range. The picture belongs to the preparer until the next call.
        """
        self.shrink(frame)
        return self.picture()

    def shrink(self, frame: Frame) -> Planes:
        """The planes in the frame's range at the network's size made even; the preparer's own until the next call."""
        if self._source != (frame.size, frame.full_range):
            self._fit(frame)
        self._reduce(frame.planes)
        if frame.full_range:
            self._limit_range()
        return self._targets

    @property
    def planes(self) -> Planes:
        """What `shrink` gave last."""
        return self._targets

    def _fit(self, frame: Frame) -> None:
        """Get buffers for frames of this size and range."""
        self._source = frame.size, frame.full_range
        self._targets = self._full if frame.full_range else self._planes
        ladders = [_ladder(s.shape, t.shape) for s, t in zip(frame.planes, self._planes, strict=True)]
        steps = [[*ladder, target] for ladder, target in zip(ladders, self._targets, strict=True)]
        self._reduce = ladder_writer([plane.shape for plane in frame.planes], steps)
        # where the sides of a chroma plane cannot be halved as often, its steps fit no luma
        shared = [(luma, u, v) for luma, u, v in zip(*ladders, strict=False) if _fitting(luma, u, v)]
        self.pyramid = tuple(Frame(*planes, full_range=frame.full_range) for planes in [*shared, self._targets])

    def picture(self) -> U8:
        """What `prepare` gives, of the frame that was shrunk last."""
        cv2.cvtColor(self._packed, self._code, dst=self._even)
        if self._picture is not self._even:
            height, width = self._picture.shape[:2]
            cv2.resize(self._even, (width, height), dst=self._picture, interpolation=cv2.INTER_LINEAR)
        return self._picture

    def _limit_range(self) -> None:
        """Full range to BT.601 limited, which is what OpenCV takes I420 to be."""
        for index, (full, limited) in enumerate(zip(self._full, self._planes, strict=True)):
            scale, offset = to_limited(True, index > 0)
            cv2.convertScaleAbs(full, dst=limited, alpha=scale, beta=offset)


def _fitting(luma: U8, u: U8, v: U8) -> bool:
    return all(luma.shape == (2 * plane.shape[0], 2 * plane.shape[1]) for plane in (u, v))


def _ladder(source: tuple[int, ...], target: tuple[int, ...]) -> list[U8]:
    """Buffers for the halvings of a plane of one shape on its way to another."""
    sizes = halvings_apart((source[1], source[0]), (target[1], target[0]))
    return [np.empty((height, width), np.uint8) for width, height in sizes]
