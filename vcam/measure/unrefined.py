"""The matte that does nothing: the network's map scaled up, as the measure of what the real one gains."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.frames import Alpha, Frame, Map
from vcam.types import U8


class UnrefinedMatte:
    """Bilinear enlargement of the probability, frame by frame; see `vcam.matte.base.Matte`."""

    def update(self, seen: Map, frame: Frame) -> Alpha:
        small = np.rint(np.clip(seen.probability, 0, 1) * 255).astype(np.uint8)
        full, box = np.zeros_like(frame.y), seen.box
        full[box.y0 : box.y1, box.x0 : box.x1] = _scaled(small, box.size)
        half = _scaled(full, (frame.width // 2, frame.height // 2))
        return Alpha(full, half, _scaled(full, small.shape[::-1]), box, frame.seq)

    def reset(self) -> None:
        """There is nothing to forget."""


def _scaled(small: U8, size: tuple[int, int]) -> U8:
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
