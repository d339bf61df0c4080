"""What the compiled loop of room memory takes: its terms, and the plate. See `vcam.segment.emptyroom`."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.types import F32, U8

NUMBERS = (
    "sure", "least", "stiff", "gain_low", "gain_high", "medians", "levels", "doubt", "belief", "grain", "slowly",
    "faint", "loudest", "floor_y", "floor_u", "floor_v", "slipped",
    "person", "luma", "chroma", "prior_luma", "prior_chroma", "prior_weight", "spread", "least_person", "half_at",
    "middle", "loudest_sum", "against", "against_texture", "for_one", "same_texture", "textured", "alike_low",
    "alike_high", "shade_low", "shade_high", "clip_low", "clip_high", "black", "close", "hold", "most",
)  # fmt: skip
"""In the order of `Terms` in room.c."""


class RoomTerms(ctypes.Structure):
    """The constants of light and evidence, by the names in room.c."""

    _fields_ = (
        *((name, ctypes.c_float) for name in NUMBERS),
        ("guard", ctypes.c_int32),
        ("reach", ctypes.c_int32),
    )


DRIFT, NOISE_LUMA, NOISE, PERSON, LIT, RESIDUAL, FOUND = 0, 3, 4, 5, 6, 7, 8
"""Places of the planes that the loop finds: three of drift, and one each."""
GAIN, OFFSET, AGREEMENT, BELIEVED, GATE, SHARE, TOLD = 0, 3, 6, 7, 8, 9, 10
"""Places of the numbers that it tells: three of gain and of offset, and one each."""


class RoomTable(ctypes.Structure):
    """A plate as the loop takes it; it keeps the arrays alive."""

    _fields_ = (
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("y", "half", "u", "v", "known")),
        *((name, ctypes.c_void_p) for name in ("texture", "power", "slope_y", "slope_u", "slope_v")),
    )

    def __init__(self, full: tuple[U8, F32, F32, F32], half: tuple[U8, U8, U8, U8], slopes: tuple[F32, F32]) -> None:
        """full: luma, texture, its mean power and slopes of luma, (height, width), both even.

        half: luma, Cb, Cr and `known` at half of it; slopes: of Cb and Cr. All dense. Raises `ValueError` for others.
        """
        height, width = full[0].shape
        if height % 2 or width % 2 or min(height, width) < 4:
            raise ValueError(f"no map: {full[0].shape}")
        shape, small = (height, width), (height // 2, width // 2)
        named: dict[str, tuple[npt.NDArray[Any], tuple[int, int], type]] = {
            "y": (full[0], shape, np.uint8), "texture": (full[1], shape, np.float32),
            "power": (full[2], shape, np.float32), "slope_y": (full[3], shape, np.float32),
            "half": (half[0], small, np.uint8), "u": (half[1], small, np.uint8), "v": (half[2], small, np.uint8),
            "known": (half[3], small, np.uint8), "slope_u": (slopes[0], small, np.float32),
            "slope_v": (slopes[1], small, np.float32),
        }  # fmt: skip
        for name, (array, wanted, kind) in named.items():
            if array.shape != wanted or array.dtype != kind or not array.flags.c_contiguous:
                raise ValueError(f"{name} of {array.dtype} {array.shape} instead of {wanted}")
        addresses = {name: array.__array_interface__["data"][0] for name, (array, _, _) in named.items()}
        super().__init__(width=width, height=height, **addresses)
        self.arrays = [array for array, _, _ in named.values()]
