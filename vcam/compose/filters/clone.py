"""The person lit as if the background's light went on into them: Poisson blending."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.colour import NEUTRAL
from vcam.compose.filters.base import Kind, Number, PictureFilter, Place, Scene, Values, Word
from vcam.compose.filters.planes import SmallPictures, copy_limited, legal
from vcam.frames import Box, Frame
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.types import F32, U8, Size

# Farbman, Fattal and Lischinski, "Convolution pyramids", SIGGRAPH Asia 2011, the kernels for boundary interpolation
_DOWN = np.array([0.1507, 0.6836, 1.0334, 0.6836, 0.1507], np.float32)
_UP = 0.0270
_SAME = np.array([0.0312, 0.7753, 0.0312], np.float32)
_SMALLEST = 3
_FOLLOW = 0.12
"""Seconds in which the correction follows the scene: the edge of a matte is never quite still."""
_PAUSE = 1.0


def interpolate(boundary: F32) -> F32:
    """Spread values smoothly from where they are known: float32 (h, w, 4) to (3, h, w).

    The last channel of `boundary` is 1 where the others are known, else 0, and the others are 0 there too. Approximates
    the membrane that is stretched over the known places, in time linear in the size. Zero if nothing is known.
    """
    levels = [boundary]
    while min(levels[-1].shape[:2]) > _SMALLEST:
        smooth = cv2.sepFilter2D(levels[-1], -1, _DOWN, _DOWN, borderType=cv2.BORDER_CONSTANT)
        levels.append(np.ascontiguousarray(smooth[::2, ::2]))
    result = _same(levels[-1])
    for level in reversed(levels[:-1]):
        spread = np.zeros_like(level)
        spread[::2, ::2] = result
        cv2.sepFilter2D(spread, -1, _DOWN, _DOWN * _UP, dst=spread, borderType=cv2.BORDER_CONSTANT)
        result = spread + _same(level)
    *values, weight = cv2.split(result)
    # the kernels are positive, so where there is no weight there is no value either
    np.add(weight, np.float32(1e-20), out=weight)
    return np.stack([np.divide(value, weight, out=value) for value in values])


def _same(level: F32) -> F32:
    return cv2.sepFilter2D(level, -1, _SAME, _SAME, borderType=cv2.BORDER_CONSTANT).astype(np.float32, copy=False)


class SeamlessClone:
    """Poisson blending (Perez, Gangnet and Blake, "Poisson image editing", 2003) as a smooth correction.

    The solution is the person plus a membrane that takes, along the matte's edge, the difference of background and
    person. It is solved at an eighth of the size and added at full size, so detail stays as it is. Where the picture's
    border cuts the person there is no edge, and nothing is taken from there.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def prepare(self, size: Size) -> None:
        self._small = SmallPictures(size)
        width, height = self._small.size
        self._person, self._plate = self._small.planes(3), self._small.planes(3)
        self._matte, self._ring = self._small.planes(2)
        self._boundary = np.empty((height, width, 4), np.float32)
        self._maps = [np.empty((height, width), np.uint8) for _ in range(3)]
        self._square = np.ones((3, 3), np.uint8)
        self._version: tuple[int, int] | None = None
        self._correction: F32 | None = None
        self._then = -math.inf

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        assert scene is not None, "it acts on the person"
        self._solve(picture, scene)
        for index, (plane, small) in enumerate(zip(picture.view(box).planes, self._maps, strict=True)):
            correction = self._small.enlarge(small, box, index > 0)
            cv2.addWeighted(plane, 1, correction, 1, -NEUTRAL, dst=plane)
        legal(picture, box)

    def _solve(self, picture: Frame, scene: Scene) -> None:
        small, ring = self._small, self._ring
        inside = (small.matte(scene.alpha.half, scene.alpha.box, self._matte) > 0.6).astype(np.uint8)
        # what lies beyond the picture counts as person, so the border is no edge
        core = cv2.erode(inside, self._square)
        np.copyto(ring, inside - core)
        person = small.picture(picture, self._person)
        if scene.version != self._version:
            small.picture(scene.plate, self._plate)
            self._version = scene.version
        np.subtract(self._plate, person, out=person)
        np.multiply(person, ring, out=person)
        cv2.merge([*person, ring], dst=self._boundary)
        correction = interpolate(self._boundary)
        gap = scene.now - self._then
        if self._correction is None or not 0 <= gap <= _PAUSE:
            self._correction = correction
        else:
            self._correction += np.float32(1 - math.exp(-gap / _FOLLOW)) * (correction - self._correction)
        self._then = scene.now
        for plane, target in zip(self._correction, self._maps, strict=True):
            level = np.clip(plane * np.float32(self._strength) + np.float32(NEUTRAL), 0, 255)
            cv2.convertScaleAbs(level, dst=target)


class FullSeamlessClone:
    """Poisson blending by OpenCV's own solver, at full size and of gradients; takes a second for a large picture."""

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def prepare(self, size: Size) -> None:
        self._limited = Frame.allocate(*size)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        assert scene is not None, "it acts on the person"
        # the solver wants whole pictures, and the person's is defined in its box only
        self._limited.copy_from(scene.plate)
        copy_limited(picture, self._limited, box)
        person, plate = frame_to_bgr(self._limited), frame_to_bgr(scene.plate)
        mask = np.zeros(person.shape[:2], np.uint8)
        inner = scene.alpha.box
        part = slice(inner.y0, inner.y1), slice(inner.x0, inner.x1)
        mask[part] = np.where(scene.alpha.full[part] > 150, 255, 0)
        cloned = bgr_to_frame(clone(person, plate, mask))
        for plane, new in zip(picture.view(box).planes, cloned.view(box).planes, strict=True):
            cv2.addWeighted(plane, 1 - self._strength, new, self._strength, 0, dst=plane)
        legal(picture, box)


def clone(person: U8, plate: U8, mask: U8) -> U8:
    """cv2.seamlessClone at the same place, BGR (h, w, 3); a fresh array.

    Its solver shifts or refuses masks that touch the border, so the pictures are widened by repeating their rims: the
    plate's is moved by what the person differs there, as if the person went on beyond the border.
    """
    ring = 2
    x, y, width, height = cv2.boundingRect(mask)
    if min(width, height) < 3:
        return person.copy()
    wide = [cv2.copyMakeBorder(one, ring, ring, ring, ring, cv2.BORDER_REPLICATE) for one in (person, plate)]
    covered = cv2.copyMakeBorder(mask, ring, ring, ring, ring, cv2.BORDER_REPLICATE)
    # where the person is cut by the border there is no background to take a colour from
    rim = np.ones(covered.shape, bool)
    rim[ring:-ring, ring:-ring] = False
    wide[1][rim & (covered > 0)] = wide[0][rim & (covered > 0)]
    covered[0, :] = covered[-1, :] = 0
    covered[:, 0] = covered[:, -1] = 0
    x, y, width, height = cv2.boundingRect(covered)
    try:
        done = cv2.seamlessClone(wide[0], wide[1], covered, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    except cv2.error:
        return person.copy()
    return done[ring:-ring, ring:-ring].astype(np.uint8)


def _make(values: Values) -> PictureFilter:
    strength = values.number("strength")
    return FullSeamlessClone(strength) if values.text("quality") == "full" else SeamlessClone(strength)


KINDS = (
    Kind(
        "seamless-clone", "Lets the background's light and colour run on into the person (Poisson blending).",
        (Place.PERSON,),
        (
            Number("strength", "0 leaves the person, 1 all of it", 0.4, 0, 1),
            Word("quality", "full takes about a second a picture; apply uses it for pictures", "live",
                 ("live", "full")),
        ),
        _make,
    ),
)  # fmt: skip
