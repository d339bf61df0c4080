"""The matte that does nothing: the network's map scaled up, as the measure of what the real one gains."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.frames import Alpha, Box, Frame
from vcam.types import F32, U8


class PlainMatte:
    """Bilinear enlargement of the probability, frame by frame; see `vcam.matte.base.Matte`."""

    def update(self, probability: F32, frame: Frame) -> Alpha:
        small = np.rint(np.clip(probability, 0, 1) * 255).astype(np.uint8)
        full = _scaled(small, frame.size)
        half = _scaled(small, (frame.width // 2, frame.height // 2))
        return Alpha(full, half, small, Box(0, 0, *frame.size), frame.seq)

    def reset(self) -> None:
        """There is nothing to forget."""


def _scaled(small: U8, size: tuple[int, int]) -> U8:
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
