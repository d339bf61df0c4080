"""Filters of the matte: softer, steeper, or thinner."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.compose.filters.base import Kind, Number, Place, Values, ordered
from vcam.compose.filters.planes import LEVELS, LINES
from vcam.frames import Alpha, Box
from vcam.types import U8, Size


class SoftAlpha:
    """The matte convolved with a Gaussian: alpha' = G_sigma * alpha (Porter and Duff's "over" then blends by it).

    Convolved at half size and scaled up again: a Gaussian leaves nothing that half the samples could not hold.
    """

    def __init__(self, values: Values) -> None:
        self._sigma = values.number("sigma")

    def prepare(self, size: Size) -> None:
        self._size = size
        sigma = max(0.4, self._sigma * size[1] / LINES / 2)
        # two boxes are as good as a Gaussian where nobody can see the difference, and cost the same at any sigma
        side = round(math.sqrt(6 * sigma * sigma + 1)) if sigma > 2.5 else 0
        self._side = side | 1 if side else 0
        taps = 2 * math.ceil(2.5 * sigma) + 1
        self._kernel = cv2.getGaussianKernel(taps, sigma, cv2.CV_32F)
        reach = 2 * (self._side if side else taps // 2)
        self._reach = reach + reach % 2

    def change(self, alpha: Alpha) -> None:
        old, (width, height) = alpha.box, self._size
        box = Box(
            max(0, old.x0 - self._reach),
            max(0, old.y0 - self._reach),
            min(width, old.x1 + self._reach),
            min(height, old.y1 + self._reach),
        )
        inner, outer = old.half(), box.half()
        half = alpha.half
        half[outer.y0 : inner.y0, outer.x0 : outer.x1] = 0
        half[inner.y1 : outer.y1, outer.x0 : outer.x1] = 0
        half[inner.y0 : inner.y1, outer.x0 : inner.x0] = 0
        half[inner.y0 : inner.y1, inner.x1 : outer.x1] = 0
        part = half[outer.y0 : outer.y1, outer.x0 : outer.x1]
        border = cv2.BORDER_REPLICATE
        if self._side:
            for _ in range(2):
                cv2.blur(part, (self._side, self._side), dst=part, borderType=border)
        else:
            cv2.sepFilter2D(part, -1, self._kernel, self._kernel, dst=part, borderType=border)
        full = alpha.full[box.y0 : box.y1, box.x0 : box.x1]
        cv2.resize(part, full.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)
        alpha.box = box


class _Curve:
    """A curve on the matte, as a table with 0 -> 0."""

    def __init__(self, table: U8) -> None:
        self._table = table

    def prepare(self, size: Size) -> None:
        """Tables need no buffers."""

    def change(self, alpha: Alpha) -> None:
        box, half = alpha.box, alpha.box.half()
        for part in (
            alpha.full[box.y0 : box.y1, box.x0 : box.x1],
            alpha.half[half.y0 : half.y1, half.x0 : half.x1],
        ):
            cv2.LUT(part, self._table, dst=part)


def _smoothstep(values: Values) -> _Curve:
    """alpha' = 3 t^2 - 2 t^3, t = (alpha - low) / (high - low) cut to 0..1 (Perlin, "Hypertexture", 1989)."""
    low, high = values.number("low"), values.number("high")
    ordered("smoothstep", low, high)
    t = np.clip((LEVELS / 255 - low) / (high - low), 0, 1)
    return _Curve(np.rint(255 * t * t * (3 - 2 * t)).astype(np.uint8))


def _opacity(values: Values) -> _Curve:
    """alpha' = value * alpha."""
    return _Curve(np.rint(LEVELS * values.number("value")).astype(np.uint8))


KINDS = (
    Kind(
        "alpha", "Softer edge: the matte blurred by a Gaussian.", (Place.ALPHA,),
        (Number("sigma", "standard deviation of the blur", 3.0, 0.5, 40, "lines of 720"),), SoftAlpha,
    ),
    Kind(
        "smoothstep", "Steeper edge: nothing below low, all above high, a smooth ramp between.", (Place.ALPHA,),
        (
            Number("low", "alpha that becomes 0", 0.2, 0, 1),
            Number("high", "alpha that becomes 1", 0.8, 0, 1),
        ),
        _smoothstep,
    ),
    Kind(
        "opacity", "The person seen through, as a ghost.", (Place.ALPHA,),
        (Number("value", "0 invisible, 1 solid", 0.6, 0, 1),), _opacity,
    ),
)  # fmt: skip
