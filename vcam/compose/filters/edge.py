"""The edge of the person: the old background's colour taken out, the new one's light let in."""

from __future__ import annotations

import cv2
import numpy as np

from vcam import native
from vcam.colour import BLACK, LOWEST, LUMA_SPAN, TOPS
from vcam.compose.filters.base import Kind, Number, Place, Scene, Values
from vcam.compose.filters.planes import LEVELS, LINES, REDUCED, Scratch, Shade, SmallPictures
from vcam.frames import Box, Frame
from vcam.types import F32, U8, Size

_REACH = 20.0
"""Lines of 720 within which the colours on either side of the edge are gathered."""
_SURE = 0.35
"""Alpha within this of 0 or 1 counts as background or person when their colours are gathered."""
_MOST = 40.0
"""Levels by which a colour may be moved away from the old background: a wrong matte must not make bright rims."""
_TRACE = 1e-3
"""What a pixel itself counts for."""


class Decontaminate:
    """Foreground estimation by blurring (Forte, "Approximate fast foreground colour estimation", ICIP 2021).

    A pixel I of the edge is a mixture a F + (1 - a) B of person and old background. With both estimated from what lies
    round the pixel, F0 and B0, the colour of the person alone is

        F = F0 + a (I - a F0 - (1 - a) B0)  =  a' I + (1 - a') (F0 + a (F0 - B0)),   a' = a

    of which only the last factor is small-scale. F0 and B0 are made at an eighth of the size from the camera's frame.
    """

    def __init__(self, values: Values) -> None:
        self._strength = values.number("strength")
        self._kernels = native.kernels()

    def prepare(self, size: Size) -> None:
        self._small = SmallPictures(size)
        width, height = self._small.size
        self._picture, self._inner, self._outer = (self._small.planes(3) for _ in range(3))
        self._matte, self._near, self._weight = self._small.planes(3)
        self._goal = [np.empty((height, width), np.uint8) for _ in range(3)]
        # 3 at the least: a small pixel on the edge has neither side in itself
        side = max(3, round(_REACH * size[1] / LINES / REDUCED))
        self._side = (side | 1, side | 1)
        self._take, self._keep = Scratch(size), Scratch(size)
        self._table = np.rint(255 - self._strength * (255 - LEVELS)).astype(np.uint8)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        assert scene is not None, "it acts on the person"
        self._estimate(scene)
        # the matte counts in its own box only
        alpha, box, half = scene.alpha, scene.alpha.box, scene.alpha.box.half()
        masks = (alpha.full[box.y0 : box.y1, box.x0 : box.x1], alpha.half[half.y0 : half.y1, half.x0 : half.x1])
        for index, (plane, goal) in enumerate(zip(picture.view(box).planes, self._goal, strict=True)):
            if index < 2:
                keep = self._kept(masks[index])
            self._mix(keep, plane, self._small.enlarge(goal, box, index > 0))

    def _kept(self, mask: U8) -> U8:
        """What stays of a sample; the rest of 255 is taken from the goal."""
        if self._strength == 1:
            return mask
        keep = self._keep.like(mask)
        cv2.LUT(mask, self._table, dst=keep)
        return keep

    def _mix(self, keep: U8, plane: U8, goal: U8) -> None:
        """Change the plane, and maybe the goal."""
        if self._kernels is not None:
            self._kernels.blend(keep, plane, goal, plane)
            return
        take = self._take.like(keep)
        cv2.bitwise_not(keep, dst=take)
        cv2.multiply(goal, take, dst=goal, scale=1 / 255)
        cv2.multiply(plane, keep, dst=plane, scale=1 / 255)
        cv2.add(plane, goal, dst=plane)

    def _estimate(self, scene: Scene) -> None:
        self._small.picture(scene.frame, self._picture)
        matte = self._small.matte(scene.alpha.half, scene.alpha.box, self._matte)
        # cut to 0..1 on the way
        np.multiply(matte, np.float32(1 / _SURE), out=self._near)
        np.add(self._near, np.float32(1 - 1 / _SURE), out=self._near)
        self._gather(np.maximum(self._near, 0, out=self._near), self._inner)
        np.multiply(matte, np.float32(-1 / _SURE), out=self._near)
        np.add(self._near, 1, out=self._near)
        self._gather(np.maximum(self._near, 0, out=self._near), self._outer)
        for inner, outer, top, goal in zip(self._inner, self._outer, TOPS, self._goal, strict=True):
            np.subtract(inner, outer, out=outer)
            np.clip(outer, -_MOST, _MOST, out=outer)
            np.multiply(outer, matte, out=outer)
            np.add(inner, outer, out=inner)
            np.clip(inner, LOWEST, top, out=inner)
            cv2.convertScaleAbs(inner, dst=goal)

    def _gather(self, weight: F32, out: F32) -> None:
        """The weighted mean round each pixel, the pixel itself where there is nothing of weight."""
        border, total = cv2.BORDER_REPLICATE, self._weight
        cv2.blur(weight, self._side, dst=total, borderType=border)
        np.add(total, np.float32(_TRACE), out=total)
        for plane, mean in zip(self._picture, out, strict=True):
            np.multiply(plane, weight, out=mean)
            cv2.blur(mean, self._side, dst=mean, borderType=border)
            cv2.scaleAdd(plane, _TRACE, mean, dst=mean)
            np.divide(mean, total, out=mean)


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
