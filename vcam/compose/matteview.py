"""A composer that shows the matte itself, for `vcam mask` and for looking at what the network sees."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.colour import BLACK, to_limited
from vcam.frames import Alpha, Frame
from vcam.types import U8, Size


class MatteView:
    """The matte as a grey picture: black where there is no person, white where there is nothing else."""

    def __init__(self, size: Size) -> None:
        self._picture = Frame.allocate(*size)

    needs_alpha = True

    def compose(self, frame: Frame, alpha: Alpha | None, now: float) -> Frame:
        del now
        if alpha is None or alpha.seq != frame.seq or frame.size != self._picture.size:
            raise ValueError("this matte was made from another frame")
        picture = self._picture
        picture.y.fill(BLACK)
        x0, y0, x1, y1 = alpha.box
        if not alpha.box.empty:
            # as every composited frame
            scale, offset = to_limited(True, chroma=False)
            cv2.convertScaleAbs(alpha.full[y0:y1, x0:x1], dst=picture.y[y0:y1, x0:x1], alpha=scale, beta=offset)
        picture.timestamp, picture.seq = frame.timestamp, frame.seq
        return picture

    def without_person(self, frame: Frame, now: float) -> Frame:
        del now
        self._picture.y.fill(BLACK)
        self._picture.timestamp, self._picture.seq = frame.timestamp, frame.seq
        return self._picture

    def close(self) -> None:
        """Nothing to free."""


def matte_picture(alpha: Alpha) -> U8:
    """The matte as uint8 (height, width), 0 background to 255 person, a fresh array."""
    picture = np.zeros_like(alpha.full)
    x0, y0, x1, y1 = alpha.box
    picture[y0:y1, x0:x1] = alpha.full[y0:y1, x0:x1]
    return picture
