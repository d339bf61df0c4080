"""Refinement by the picture: the matte's edge follows the edges of the colours, hair and headsets included.

The fast guided filter with a guide of colours (He, Sun and Tang, "Guided Image Filtering", TPAMI 2013, the filter for
colour guidance; He and Sun, "Fast Guided Filter", 2015): within a small window the matte is taken to be a linear
function of luma and chroma, q = a . I + b, with

    a = (cov(I) + eps E)^-1 cov(I, p)        b = mean(p) - a . mean(I)

The model is found at half the network's size, where its dozen means cost microseconds each; a and b are smooth, so they
may be scaled up and applied to a larger picture. A contrast round one half afterwards takes back the softness that the
linear model brings. Luma alone is cheaper and misses every edge between two colours that are equally bright.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vcam import native
from vcam.frames import Planes
from vcam.scaling import Reducer
from vcam.types import F32, U8, Size

EPSILON = 1e-3
"""Variance of a plane (0..1) below which a window counts as flat and keeps the mean of its matte.

A tenth of it follows weak edges a little better, and flickers more."""

CONTRAST = 1.6
"""Higher ones are crisper, and flicker more; where the matte passes one half is the same."""

BLIND = 6
"""How often its share that colours do not explain is squared until a window counts as blind: fewer times, more of the
network's own edge is kept, and flickers."""

SURE = 24
"""Levels from none or all: where a pixel and its neighbours at half the network's size come so near, the matte decides.

So far from an outline, a colour that is like the person's by chance is no reason to show it."""

FLAT = 1.0
"""The least variance, in squared levels, that a window's matte counts as having when colours are to explain it."""

RADIUS = 3
"""Half the window's side at half the network's size. Larger windows reach further into hair, and blur small people."""

REACH = 2 * RADIUS
"""Pixels of the network's map around a person that the refinement may still give them."""


_NEIGHBOURS = np.ones((3, 3), np.uint8)


class GuidedFilter:
    """Refines mattes of boxes of any shape; its large buffers grow to the largest box seen and are reused."""

    def __init__(self) -> None:
        self._pools: dict[str, F32] = {}
        self._reducer = Reducer()
        self._kernels = native.kernels()

    def refine(
        self, matte: U8, planes: Planes, target: U8, radius: int = RADIUS, *, reduced: Planes | None = None
    ) -> None:
        """Write the refined matte of a box into `target`.

        matte: uint8 (h, w), 0..255, at the network's size; planes: uint8 (H, W) and twice (H/2, W/2), the same part of
        the picture at working size; target: uint8 (H, W), overwritten. Pixels outside of the box count as those on its
        border. reduced: the same planes at a size between, if somebody has them.
        """
        small: Size = (max(matte.shape[1] // 2, 1), max(matte.shape[0] // 2, 1))
        guide = [self._reduce(plane, small, str(index)) for index, plane in enumerate(reduced or planes)]
        matte = self._reduce(matte, small, "matte")
        if self._kernels is None or not _are_i420(planes) or min(small) < 2:
            self._apply(*_model(matte, guide, radius), planes, target)
            return
        maps = self._array("maps", (4 * small[1], small[0])).reshape(4, small[1], small[0])
        y, u, v = guide
        self._kernels.model(
            matte, (y, u, v), maps, radius,
            epsilon=EPSILON * 255 * 255, flat=FLAT, blind=BLIND, contrast=CONTRAST, sure=SURE,
        )  # fmt: skip
        self._kernels.apply(maps, planes, target)

    def _reduce(self, plane: U8, small: Size, name: str) -> U8:
        """A plane at the model's size: the plane itself if it has that, else a buffer of this name."""
        if plane.shape == small[::-1]:
            return plane
        reduced = self._bytes(f"reduced {name}", small[::-1])
        self._reducer.reduce(plane, reduced)
        return reduced

    def _apply(self, slopes: Sequence[F32], offset: F32, planes: Planes, target: U8) -> None:
        luma, *chroma = planes
        # the contrast rides in the small maps; the planes go in and the matte comes out as bytes
        total = self._scaled(offset * np.float32(CONTRAST) + np.float32(255 * (0.5 - 0.5 * CONTRAST)), chroma[0], "sum")
        for slope, plane in zip(slopes[1:], chroma, strict=True):
            part = self._scaled(slope * np.float32(CONTRAST), plane, "part")
            cv2.multiply(part, plane, dst=part, dtype=cv2.CV_32F)
            cv2.add(total, part, dst=total)
        offsets = self._scaled(total, luma, "offsets")
        slope = self._scaled(slopes[0] * np.float32(CONTRAST), luma, "slopes")
        cv2.multiply(slope, luma, dst=slope, dtype=cv2.CV_32F)
        # saturates at 0 and 255
        cv2.add(slope, offsets, dst=target, dtype=cv2.CV_8U)

    def _scaled(self, small: F32, like: U8, name: str) -> F32:
        target = self._array(name, like.shape)
        cv2.resize(small, like.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
        return target

    def _array(self, name: str, shape: tuple[int, ...]) -> F32:
        """A buffer of this shape; its content is undefined."""
        count = shape[0] * shape[1]
        pool = self._pools.get(name)
        if pool is None or pool.size < count:
            pool = self._pools[name] = np.zeros(count, np.float32)
        return pool[:count].reshape(shape)

    def _bytes(self, name: str, shape: tuple[int, ...]) -> U8:
        """The same for bytes: a buffer of floats holds four times as many."""
        count = shape[0] * shape[1]
        return self._array(name, (1, -(-count // 4))).reshape(-1).view(np.uint8)[:count].reshape(shape)


def _are_i420(planes: Planes) -> bool:
    y, u, v = planes
    return y.shape == (2 * u.shape[0], 2 * u.shape[1]) and u.shape == v.shape


def _model(p: U8, guide: Sequence[U8], radius: int) -> tuple[list[F32], F32]:
    """a and b for bytes: b in levels of the matte, a in its levels per level of each plane."""
    mean_p, means = _mean(p, radius), [_mean(plane, radius) for plane in guide]
    to_p = [_mean(_product(plane, p), radius) - mean * mean_p for plane, mean in zip(guide, means, strict=True)]
    slopes = _solve(_covariance(guide, means, radius), to_p)
    offset = mean_p.copy()
    explained = np.zeros_like(mean_p)
    for slope, mean, cov in zip(slopes, means, to_p, strict=True):
        offset -= slope * mean
        explained += slope * cov
    # the model of a pixel is the mean of those of all windows that hold it
    slopes, offset = [_mean(slope, radius) for slope in slopes], _mean(offset, radius)
    offset += _missing(p, guide, slopes, offset) * _blindness(p, mean_p, explained, radius)
    nobody, all_of_them = cv2.dilate(p, _NEIGHBOURS) <= SURE, cv2.erode(p, _NEIGHBOURS) >= 255 - SURE
    for slope in slopes:
        slope[nobody | all_of_them] = 0
    offset[nobody], offset[all_of_them] = 0, 255
    return slopes, offset


def _missing(p: U8, guide: Sequence[U8], slopes: Sequence[F32], offset: F32) -> F32:
    """What the model leaves out of the matte."""
    missing: F32 = p - offset
    for slope, plane in zip(slopes, guide, strict=True):
        missing -= slope * plane
    return missing


def _blindness(p: U8, mean_p: F32, explained: F32, radius: int) -> F32:
    """1 where colours tell nothing and the matte is to keep its own edge instead of being blurred, else 0."""
    variance = _mean(_product(p, p), radius) - mean_p * mean_p
    explained /= np.maximum(variance, np.float32(FLAT))
    blind = _mean(np.subtract(1, np.clip(explained, 0, 1), dtype=np.float32), radius)
    for _ in range(BLIND):
        blind *= blind
    return blind


def _covariance(guide: Sequence[U8], means: Sequence[F32], radius: int) -> list[F32]:
    """The upper half of cov(I) + eps E, row by row: yy, yu, yv, uu, uv, vv."""
    upper = []
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        entry = _mean(_product(guide[i], guide[j]), radius)
        entry -= means[i] * means[j]
        if i == j:
            entry += np.float32(EPSILON * 255 * 255)
        upper.append(entry)
    return upper


def _solve(upper: Sequence[F32], right: Sequence[F32]) -> list[F32]:
    """The symmetric three by three systems of all pixels, by cofactors."""
    yy, yu, yv, uu, uv, vv = upper
    y, u, v = right
    c_yy, c_yu, c_yv = uu * vv - uv * uv, yv * uv - yu * vv, yu * uv - yv * uu
    c_uu, c_uv, c_vv = yy * vv - yv * yv, yu * yv - yy * uv, yy * uu - yu * yu
    determinant = yy * c_yy
    determinant += yu * c_yu
    determinant += yv * c_yv
    # eps^3 is the least it can be, but for rounding
    np.maximum(determinant, np.float32((EPSILON * 255 * 255) ** 3), out=determinant)
    rows = ((c_yy, c_yu, c_yv), (c_yu, c_uu, c_uv), (c_yv, c_uv, c_vv))
    return [np.divide(a * y + b * u + c * v, determinant, dtype=np.float32) for a, b, c in rows]


def _mean(plane: U8 | F32, radius: int) -> F32:
    window = (2 * radius + 1, 2 * radius + 1)
    return cv2.boxFilter(plane, cv2.CV_32F, window, borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _product(a: U8, b: U8) -> F32:
    return cv2.multiply(a, b, dtype=cv2.CV_32F)  # type: ignore[return-value]
