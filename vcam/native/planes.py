"""From arrays to what the compiled loops take."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.frames import Planes
from vcam.types import F32, U8

BYTES = np.dtype(np.uint8)


class PlaneTable(ctypes.Structure):
    """A plane as the loops take it, see common.h; it does not keep the array."""

    _fields_ = (
        ("at", ctypes.c_void_p),
        ("stride", ctypes.c_ssize_t),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
    )


def address_of(array: npt.NDArray[Any]) -> int:
    """Of its first number."""
    # array.ctypes runs Python code that the caches have lost from one frame to the next: 0.03 ms
    address: int = array.__array_interface__["data"][0]
    return address


def plane_of(plane: U8, height: int, width: int) -> PlaneTable:
    """The one way from an array to what a loop takes. Raises `ValueError` if it has another size, type or order."""
    if plane.shape != (height, width) or plane.dtype != BYTES or (plane.strides[1] != 1 and width > 1):
        raise ValueError(f"a plane of {plane.dtype} {plane.shape} instead of {(height, width)}")
    return PlaneTable(address_of(plane), plane.strides[0], width, height)


def i420_of(planes: Planes) -> tuple[PlaneTable, PlaneTable, PlaneTable]:
    """The same for luma and for chroma of half its size, which says how large both are."""
    (y, u, v), (height, width) = planes, planes[1].shape
    return plane_of(y, 2 * height, 2 * width), plane_of(u, height, width), plane_of(v, height, width)


def bytes_of(array: U8, shape: tuple[int, ...]) -> int:
    """The address of a dense plane."""
    if array.shape != shape or array.dtype != BYTES or not array.flags.c_contiguous:
        raise ValueError(f"bytes of {array.dtype} {array.shape} instead of {shape}")
    return address_of(array)


def numbers_of(array: F32, shape: tuple[int, ...]) -> int:
    """The address."""
    if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError(f"numbers of {array.dtype} {array.shape} instead of {shape}")
    return address_of(array)
