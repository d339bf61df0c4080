"""The compiled loop that gives a person another light. See `vcam.compose.filters.relight`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from vcam.frames import Planes
from vcam.native.planes import PlaneTable, bytes_of, i420_of, plane_of
from vcam.types import U8

_GAIN, _SHARE, _PARTS = 1 << 14, 1 << 15, 32
"""What the loop counts gains, shares and levels in."""


class HarmonyLoops:
    """Part of `vcam.native.Kernels`: arrays are checked as it says."""

    def __init__(self, library: ctypes.CDLL, scratch: Callable[[int], int]) -> None:
        """Raises `AttributeError` if it is another library."""
        pointer, integer, plane = ctypes.c_void_p, ctypes.c_int32, ctypes.POINTER(PlaneTable)
        library.vcam_relight.argtypes = [*[plane] * 7, pointer, pointer, *[integer] * 5, pointer, pointer]
        library.vcam_relight.restype = None
        library.vcam_relight_scratch.argtypes, library.vcam_relight_scratch.restype = [integer], ctypes.c_ssize_t
        self._library, self._scratch = library, scratch

    def relight(
        self,
        source: Planes,
        target: Planes,
        matte: U8,
        *,
        curve: U8,
        gain: float,
        shares: tuple[float, float],
        offsets: tuple[float, float],
        luma: tuple[int, int],
        chroma: tuple[int, int],
        copied: bool,
        behind: tuple[U8, Planes] | None = None,
    ) -> None:
        """Write curve[Y] and gain * (C - 128) + share * Y + offset of planes of I420 into `target`, which may be they.

        source, target: (2h, 2w) and twice (h, w); matte: (2h, 2w); curve: dense, uint8 (256,). gain: below 2; shares,
        offsets: of Cb and Cr, the shares within -1 to 1; luma: between which samples count in that term, the mean of
        four; chroma: the least and the greatest sample. copied: samples are copied where the matte is 0, else they may
        be changed as well. behind: the matte (h, w), and planes of the same sizes, which may be the target: what was
        made of the source is blended with them, as `Kernels.blend` does it.
        """
        height, width = source[1].shape
        if not (0 <= gain < 2 and all(abs(share) < 1 for share in shares)):
            raise ValueError(f"no terms: {gain}, {shares}")
        planes = *i420_of(source), plane_of(matte, 2 * height, 2 * width), *i420_of(target)
        if target[1].shape != source[1].shape:
            raise ValueError(f"planes of {target[1].shape} instead of {source[1].shape}")
        terms = np.rint(
            (gain * _GAIN, *_counted(shares, _SHARE), *_counted(offsets, _PARTS, 0.5))
        ).astype(np.int16)  # fmt: skip
        under = None
        if behind is not None:
            under = (PlaneTable * 4)(plane_of(behind[0], height, width), *i420_of(behind[1]))
            if behind[1][1].shape != source[1].shape:
                raise ValueError(f"planes of {behind[1][1].shape} instead of {source[1].shape}")
        self._library.vcam_relight(
            *planes, bytes_of(curve, (256,)), terms.__array_interface__["data"][0], *luma, *chroma, copied, under,
            self._scratch(self._library.vcam_relight_scratch(width)),
        )  # fmt: skip


def _counted(values: Sequence[float], parts: int, more: float = 0.0) -> list[float]:
    """The values in parts; more: of one whole, for rounding."""
    return [parts * (value + more) for value in values]
