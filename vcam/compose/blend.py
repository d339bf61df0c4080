"""Blending: the person over the plate, plane by plane, in 8 bits.

With a the alpha of a pixel (0..1), y the person's sample and P the plate's, the result is

    a * (k*y + lift) + (1 - a) * P   =   P - a * (P - lift) + a * k * y

where k and lift bring a full-range sample into the limited range (see `vcam.colour`) and are 1 and 0 for a limited one.
The form on the right takes four passes of OpenCV: the range conversion rides in the scale of a multiplication, P - lift
is kept from frame to frame, and where a is 0 nothing is taken from P and nothing added, so the plate stays as it is to
the bit.

Each product is rounded once. Both are monotone in their sample, so legal samples never give an illegal one.

The compiled loop, where there is one, takes the form on the left in a single pass and rounds once.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam import native
from vcam.colour import BLACK, LUMA_SCALE, NEUTRAL
from vcam.compose.filters.base import InBlend
from vcam.frames import NOTHING, Alpha, Box, Frame
from vcam.types import U8, Size

LIFT = BLACK
CHROMA_SCALE = (NEUTRAL - LIFT) / NEUTRAL
"""Exact would be 224/255 with a lift of 128 * (1 - 224/255) = 15.56, which no 8-bit plane holds. With the lift at 16
this scale keeps grey exactly grey and is off by less than half a level at the ends of the range."""


class PlanarBlender:
    """Blends frames of one size into I420 planes; all scratch memory is its own and allocated once."""

    def __init__(self, size: Size) -> None:
        width, height = size
        self._kernels = native.kernels()
        self._whole = Box(0, 0, width, height)
        self.forget()
        if self._kernels is not None:
            return
        self._person = np.empty(width * height, np.uint8)
        self._taken = np.empty(width * height, np.uint8)
        self._lowered = Frame.allocate(width, height)
        # OpenCV takes a scalar for a column where the plane has just as many rows
        self._lift = np.full(width * height, LIFT, np.uint8)

    def forget(self) -> None:
        """Plates are numbered anew from here on: another background."""
        self._version: int | None = None
        self._valid = NOTHING

    def blend(
        self, frame: Frame, alpha: Alpha, plate: Frame, version: int, out: Frame, acting: InBlend | None = None
    ) -> None:
        """Write `frame` over `plate` by `alpha` into `out`, inside the alpha's box only.

        All have the same size; plate and result are limited range, the frame has the range it says. `version` is the
        plate's. `out` may be the plate itself. acting: what changes the person on the way.
        """
        box = alpha.box
        if box.empty:
            return
        half = box.half()
        luma = alpha.full[box.y0 : box.y1, box.x0 : box.x1]
        chroma = alpha.half[half.y0 : half.y1, half.x0 : half.x1]
        masks, source, behind, target = (luma, chroma, chroma), frame.view(box), plate.view(box), out.view(box)
        scales, lift = (1.0, 1.0, 1.0), 0
        if frame.full_range:
            scales, lift = (LUMA_SCALE, CHROMA_SCALE, CHROMA_SCALE), LIFT
        if acting is not None and acting.blend(frame, alpha, plate, out, scales=scales, lift=lift):
            return
        lowered = behind
        if lift and self._kernels is None:
            self._lower(plate, version, box)
            lowered = self._lowered.view(box)
        for mask, sample, below, low, result, scale in zip(
            masks, source.planes, behind.planes, lowered.planes, target.planes, scales, strict=True
        ):
            self._plane(mask, sample, below, low, result, scale, lift)
        if acting is not None:
            acting.finish(out, frame, alpha)

    def _plane(self, mask: U8, sample: U8, behind: U8, low: U8, result: U8, scale: float, lift: int) -> None:
        """low: `behind` less the lift; the compiled loop needs none."""
        if self._kernels is not None:
            self._kernels.blend(mask, sample, behind, result, scale=scale, lift=lift)
            return
        person = self._person[: mask.size].reshape(mask.shape)
        taken = self._taken[: mask.size].reshape(mask.shape)
        cv2.multiply(mask, low, dst=taken, scale=1 / 255)
        cv2.subtract(behind, taken, dst=taken)
        cv2.multiply(mask, sample, dst=person, scale=scale / 255)
        cv2.add(taken, person, dst=result)

    def _lower(self, plate: Frame, version: int, box: Box) -> None:
        """Have plate - 16 ready inside the box: of all the plate if it stays, of the box alone if it keeps changing."""
        same = version == self._version
        if same and box.union(self._valid) == self._valid:
            return
        self._version, self._valid = version, self._whole if same else box
        for behind, low in zip(plate.view(self._valid).planes, self._lowered.view(self._valid).planes, strict=True):
            cv2.subtract(behind, self._lift[: behind.size].reshape(behind.shape), dst=low)
