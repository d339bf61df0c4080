"""The edge of the person: the old background's colour taken out, the new one's light let in."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.colour import BLACK, LUMA_SPAN
from vcam.compose.filters.base import Kind, Number, Place, Scene, Values
from vcam.compose.filters.planes import LINES, REDUCED, Scratch, Shade, SmallPictures
from vcam.compose.filters.rim import Decontaminate
from vcam.frames import Box, Frame
from vcam.types import Size


class LightWrap:
    """Light of the background that spills round the person's edge: S' = (1 - w) S + w P.

    P is the background blurred, and w = strength * P_luma * blur(1 - alpha), so that light wraps and darkness does not;
    it fades towards the inside within `width` (Brinkmann, "The art and science of digital compositing", 2008).
    """

    def __init__(self, values: Values) -> None:
        self._strength, self._width = values.number("strength"), values.number("width")
        self._shade = Shade()

    def prepare(self, size: Size) -> None:
        self._small = SmallPictures(size)
        width, height = self._small.size
        self._picture, self._light = self._small.planes(3), self._small.planes(3)
        self._matte, self._bright = self._small.planes(2)
        self._keep = np.empty((height, width), np.uint8)
        self._add = [np.empty((height, width), np.uint8) for _ in range(3)]
        self._side = max(1, round(self._width * size[1] / LINES / REDUCED)) | 1
        self._spill = Scratch(size)
        self._version: tuple[int, int] | None = None

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        assert scene is not None, "it acts on the person"
        self._weigh(scene)
        part = picture.view(box)
        for index, (plane, spill) in enumerate(zip(part.planes, self._add, strict=True)):
            if index < 2:
                keep = self._small.enlarge(self._keep, box, index > 0, self._spill)
            self._shade.apply(keep, self._small.enlarge(spill, box, index > 0), plane)

    def _weigh(self, scene: Scene) -> None:
        side, border = (self._side, self._side), cv2.BORDER_REPLICATE
        if scene.version != self._version:
            for plane, light in zip(self._small.picture(scene.plate, self._picture), self._light, strict=True):
                cv2.blur(plane, side, dst=light, borderType=border)
                cv2.blur(light, side, dst=light, borderType=border)
            np.clip((self._light[0] - BLACK) / np.float32(LUMA_SPAN), 0, 1, out=self._bright)
            self._version = scene.version
        matte = self._small.matte(scene.alpha.half, scene.alpha.box, self._matte)
        np.subtract(1, matte, out=matte)
        cv2.blur(matte, side, dst=matte, borderType=border)
        np.multiply(matte, self._bright, out=matte)
        # in steps of a byte from here on, so that what is taken is what is added
        share = np.rint(matte * np.float32(255 * self._strength))
        np.subtract(255, share, out=self._keep, casting="unsafe")
        for index, (light, target) in enumerate(zip(self._light, self._add, strict=True)):
            product = light * share * np.float32(1 / 255)
            # rounded up for luma, so that it never falls below black
            np.copyto(target, np.rint(product) if index else np.ceil(product - 1e-3), casting="unsafe")


KINDS = (
    Kind(
        "decontaminate", "Takes the old background's colour out of the person's edge.", (Place.PERSON,),
        (Number("strength", "0 leaves it, 1 all of it", 1.0, 0, 1),), Decontaminate,
    ),
    Kind(
        "light-wrap", "Lets the light of the background spill round the person's edge.", (Place.PERSON,),
        (
            Number("strength", "0 none, 1 as bright as the background", 0.5, 0, 1),
            Number("width", "how far the light reaches in", 24.0, 8, 120, "lines of 720"),
        ),
        LightWrap,
    ),
)  # fmt: skip
