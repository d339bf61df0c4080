"""More light where there was too little, without lifting the noise."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam import native
from vcam.colour import BLACK, EXPANDED, NEUTRAL, WHITE
from vcam.compose.filters.base import Kind, Number, Place, Scene, Values
from vcam.compose.filters.planes import Scratch, SmallPictures, plane_table
from vcam.frames import Box, Frame
from vcam.types import U8, Size

_TILES = (4, 4)
_NOISE = 6.0
"""Levels of noise (standard deviation) at which half of the lift is left."""
_TOP = 3.0
"""The largest gain; what is darker than a third of its goal stays dark."""
_FLOOR = 4.0
"""Added to the light on both sides of the quotient, so that black has no gain."""
_RATE = 0.1
"""Share of a new measurement of the noise in the running one."""
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_PATCH = 128


class LowLight:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994) of a small picture; the
    gain that it gives to each place, never below 1, is applied at full size.

    The gain is smooth, so detail and noise keep their contrast to what is round them. It is lowered with the noise
    that is measured (Immerkaer, "Fast noise variance estimation", CVIU 1996), to strength / (1 + (noise / 6)^2).
    """

    def __init__(self, values: Values) -> None:
        self._strength = values.number("strength")
        self._kernels = native.kernels()
        self._clahe = cv2.createCLAHE(values.number("clip"), _TILES)

    def prepare(self, size: Size) -> None:
        self._small = SmallPictures(size)
        width, height = self._small.size
        self._light, self._equal, self._gain = (np.empty((height, width), np.uint8) for _ in range(3))
        self._noise: float | None = None
        if self._kernels is None:
            self._black = Scratch(size)
            self._black.fill(BLACK)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        # all of the picture, whatever the box: equalisation of a box would change as the box does
        source = scene.frame if scene else picture
        small = self._small.luma(source)
        if source.full_range:
            np.copyto(self._light, small)
        else:
            cv2.LUT(small, EXPANDED, dst=self._light)
        gain = self._find_gain(self._strength / (1 + (self._measure(source.y) / _NOISE) ** 2))
        part = picture.view(box)
        self._lighten(self._small.enlarge(self._gain, box, False), part.y)
        if gain > 1.01:
            # colours fade if light alone is added
            table = plane_table(gain, NEUTRAL, NEUTRAL, True)
            for plane in (part.u, part.v):
                cv2.LUT(plane, table, dst=plane)

    def _lighten(self, gain: U8, luma: U8) -> None:
        """16 + g (Y - 16)"""
        if self._kernels is not None:
            self._kernels.lighten(gain, luma, most=_TOP, black=BLACK, white=WHITE)
            return
        # planes of a constant, since OpenCV is slow with scalars
        black = self._black.like(luma)
        cv2.subtract(luma, black, dst=luma)
        cv2.multiply(luma, gain, dst=luma, scale=_TOP / 255)
        cv2.add(luma, black, dst=luma)
        np.clip(luma, BLACK, WHITE, out=luma)

    def _find_gain(self, strength: float) -> float:
        """Fill the map; returns the mean gain. A gain is coded as g * 255 / TOP."""
        self._clahe.apply(self._light, dst=self._equal)
        light = self._light.astype(np.float32)
        lifted = light + strength * np.maximum(self._equal.astype(np.float32) - light, 0)
        gain = cv2.GaussianBlur((lifted + _FLOOR) / (light + _FLOOR), (0, 0), 2)
        gain = np.clip(gain, 1, _TOP)
        np.copyto(self._gain, np.rint(gain * (255 / _TOP)), casting="unsafe")
        return float(gain.mean())

    def _measure(self, luma: U8) -> float:
        """The noise's standard deviation in levels, followed slowly."""
        height, width = luma.shape
        x, y = max(0, (width - _PATCH) // 2), max(0, (height - _PATCH) // 2)
        patch = luma[y : y + _PATCH, x : x + _PATCH].astype(np.float32)
        response = np.abs(cv2.filter2D(patch, -1, _LAPLACIAN)[1:-1, 1:-1])
        # the median passes over edges, which a mean would take for noise; 0.6745 is that of a normal distribution
        sigma = float(np.median(response)) / (6 * 0.6745)
        self._noise = sigma if self._noise is None else self._noise + _RATE * (sigma - self._noise)
        return 0.0 if math.isnan(self._noise) else self._noise


KINDS = (
    Kind(
        "low-light", "Lifts what lies in the dark, less so where the camera's noise is strong.",
        (Place.PERSON, Place.PICTURE, Place.BACKGROUND),
        (
            Number("strength", "0 leaves it, 1 all that equalisation gives", 0.7, 0, 1),
            Number("clip", "limit of the contrast in a tile", 2.0, 1, 8),
        ),
        LowLight,
    ),
)  # fmt: skip
