"""The compiled loop of the coloured screen. See `vcam.segment.chroma.key`."""

from __future__ import annotations

import ctypes

from vcam.native.planes import PlaneTable, numbers_of, plane_of
from vcam.types import F32, U8


class KeyLoops:
    """Part of `vcam.native.Kernels`: arrays are checked as it says."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises `AttributeError` if it is another library."""
        pointer, number, plane = ctypes.c_void_p, ctypes.c_float, ctypes.POINTER(PlaneTable)
        library.vcam_key.argtypes = [*[plane] * 2, *[pointer] * 3, number, number, *[plane] * 3]
        library.vcam_key.restype = None
        self._library = library

    def key(
        self,
        planes: tuple[U8, U8],
        terms: tuple[F32, F32],
        along: F32,
        matte: U8,
        cleaned: tuple[U8, U8],
        *,
        low: float,
        gain: float,
    ) -> None:
        """Write the matte, and the chroma without the screen's colour. All (h, w); terms: factors and offsets, float32.

        along: float32 (5,), see `vcam.segment.chroma.key`.
        """
        height, width = planes[0].shape
        tables = [plane_of(plane, height, width) for plane in (*planes, matte, *cleaned)]
        numbers = [numbers_of(plane, (height, width)) for plane in terms]
        self._library.vcam_key(*tables[:2], *numbers, numbers_of(along, (5,)), low, gain, *tables[2:])
