"""Refinement by the picture: the matte's edge follows the edges of the luma, hair and headsets included.

The fast guided filter (He and Sun, "Fast Guided Filter", 2015): within a small window the matte is taken to be a linear
function of the luma, q = a I + b, with

    a = cov(I, p) / (var(I) + eps)        b = mean(p) - a mean(I)

The means are taken at the network's size, where a box filter costs microseconds; a and b are smooth, so they may be
scaled up and applied to the luma of a larger picture. A contrast round one half afterwards takes back the softness that
the linear model brings.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.types import F32, U8, Size

EPSILON = 3e-3
"""Variance of the luma (0..1) below which a window counts as flat and keeps the mean of its matte.

A tenth of it follows weak edges a little better, and flickers a fifth more before a moving background."""

CONTRAST = 2.0
RADIUS = 4
"""Half the window's side at the network's size. Larger windows reach further into hair, and blur small people."""


class GuidedFilter:
    """Refines mattes of boxes of any shape; its buffers grow to the largest box seen and are reused."""

    def __init__(self) -> None:
        self._pools: dict[str, F32] = {}

    def refine(self, matte: U8, luma: U8, target: U8, radius: int = RADIUS) -> None:
        """Write the refined matte of a box into `target`.

        matte: uint8 (h, w), 0..255, at the network's size; luma: uint8 (H, W), the same part of the picture at working
        size; target: uint8 (H, W), overwritten. Pixels outside of the box count as those on its border.
        """
        small: Size = (matte.shape[1], matte.shape[0])
        slope, offset = self._model(matte, self._reduce(luma, small), radius)
        self._apply(slope, offset, luma, target)

    def _reduce(self, luma: U8, small: Size) -> U8:
        """The luma at the network's size: exact halves first, which are cheap, then less than a factor of two."""
        level = 0
        while luma.shape[0] >= 2 * small[1] and luma.shape[1] >= 2 * small[0]:
            half = (luma.shape[0] // 2, luma.shape[1] // 2)
            step = self._bytes(f"half {level}", half)
            cv2.resize(luma[: 2 * half[0], : 2 * half[1]], half[::-1], dst=step, interpolation=cv2.INTER_AREA)
            luma, level = step, level + 1
        reduced = self._bytes("reduced", (small[1], small[0]))
        cv2.resize(luma, small, dst=reduced, interpolation=cv2.INTER_LINEAR)
        return reduced

    def _model(self, p: U8, guide: U8, radius: int) -> tuple[F32, F32]:
        """a and b for bytes: b in levels of the matte, a in its levels per level of luma."""
        shape, window = p.shape, (2 * radius + 1, 2 * radius + 1)
        mean_p, mean_i, product = (self._array(name, shape) for name in ("mean p", "mean i", "product"))
        covariance, variance = self._array("covariance", shape), self._array("variance", shape)
        border, depth = cv2.BORDER_REPLICATE, cv2.CV_32F
        cv2.boxFilter(p, depth, window, dst=mean_p, borderType=border)
        cv2.boxFilter(guide, depth, window, dst=mean_i, borderType=border)
        cv2.sqrBoxFilter(guide, depth, window, dst=variance, borderType=border)
        cv2.multiply(guide, p, dst=product, dtype=depth)
        cv2.boxFilter(product, depth, window, dst=covariance, borderType=border)
        np.multiply(mean_i, mean_p, out=product)
        covariance -= product
        np.multiply(mean_i, mean_i, out=product)
        variance -= product
        variance += np.float32(EPSILON * 255 * 255)
        covariance /= variance
        np.multiply(covariance, mean_i, out=product)
        mean_p -= product
        # the model of a pixel is the mean of those of all windows that hold it
        cv2.boxFilter(covariance, depth, window, dst=variance, borderType=border)
        cv2.boxFilter(mean_p, depth, window, dst=product, borderType=border)
        return variance, product

    def _apply(self, slope: F32, offset: F32, luma: U8, target: U8) -> None:
        size: Size = (luma.shape[1], luma.shape[0])
        slopes, offsets = self._array("slopes", luma.shape), self._array("offsets", luma.shape)
        # the contrast rides in the small maps; the luma goes in and the matte comes out as bytes
        slope *= np.float32(CONTRAST)
        offset *= np.float32(CONTRAST)
        offset += np.float32(255 * (0.5 - 0.5 * CONTRAST))
        cv2.resize(slope, size, dst=slopes, interpolation=cv2.INTER_LINEAR)
        cv2.resize(offset, size, dst=offsets, interpolation=cv2.INTER_LINEAR)
        cv2.multiply(slopes, luma, dst=slopes, dtype=cv2.CV_32F)
        # saturates at 0 and 255
        cv2.add(slopes, offsets, dst=target, dtype=cv2.CV_8U)

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
