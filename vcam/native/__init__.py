"""The compiled loops: what every frame goes through, in one pass over the memory instead of OpenCV's several.

They give the same as the rooms' own passes of OpenCV within one level, which whoever has no compiler gets instead, at
about two milliseconds a frame. `VCAM_NATIVE=0` leaves them out, when installing as when running.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import numpy as np

from vcam.frames import Planes
from vcam.native.build import LIBRARY, fingerprint
from vcam.types import F32, U8

MAX_RADIUS = 8
"""Of a window, half a side."""

MAGNIFIED = (2, 4, 8, 16)
"""How many times a plane can be enlarged."""


class Kernels:
    """The loops of one library. Planes are uint8 with dense rows, which may lie any distance apart.

    Sizes are not checked, and what does not fit is written elsewhere: callers pass views that they have cut themselves.
    For one thread at a time. The GIL is released meanwhile.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises `AttributeError` if it is another library."""
        pointer, integer, number, count = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float, ctypes.c_ssize_t
        plane = (pointer, count)
        self._blend, self._enlarge, self._magnify = library.vcam_blend, library.vcam_enlarge, library.vcam_magnify
        self._model, self._apply, self._follow = library.vcam_model, library.vcam_apply, library.vcam_follow
        self._blend.argtypes = [*plane * 4, *[integer] * 4]
        self._enlarge.argtypes = [*plane * 3, integer, integer, pointer]
        self._magnify.argtypes = [*plane * 2, *[integer] * 3, pointer]
        self._model.argtypes = [*plane * 4, pointer, pointer, *[integer] * 3, number, integer, number]
        self._apply.argtypes = [pointer, integer, integer, *plane * 4, integer, integer, pointer]
        self._follow.argtypes = [*[pointer] * 6, integer, integer, *[number] * 3, integer, integer, pointer]
        for function in (self._blend, self._enlarge, self._magnify, self._model, self._apply, self._follow):
            function.restype = None
        self._model_scratch, self._apply_scratch = library.vcam_model_scratch, library.vcam_apply_scratch
        self._follow_scratch = library.vcam_follow_scratch
        for function, sides in ((self._model_scratch, 3), (self._apply_scratch, 1), (self._follow_scratch, 2)):
            function.argtypes, function.restype = [integer] * sides, count
        self._room: F32 = np.zeros(0, np.float32)

    def blend(self, mask: U8, sample: U8, behind: U8, out: U8, *, scale: float = 1.0, lift: int = 0) -> None:
        """out = m * (scale * sample + lift) + (1 - m) * behind, m = mask / 255; `out` may be `behind`.

        All (h, w). scale: 0 to 1, with which a full-range sample is limited.
        """
        height, width = mask.shape
        factor = 0 if scale == 1.0 else round(scale * (1 << 14))
        self._blend(*_plane(mask), *_plane(sample), *_plane(behind), *_plane(out), width, height, factor, lift)

    def enlarge(self, matte: U8, full: U8, half: U8) -> None:
        """Write the matte (h, w) into `full` (2h, 2w), bilinear, and the means of its fours into `half` (h, w)."""
        height, width = matte.shape
        self._enlarge(*_plane(matte), *_plane(full), *_plane(half), width, height, self._scratch(width + 2))

    def magnify(self, small: U8, full: U8, factor: int) -> None:
        """Write a plane (h, w), bilinear, into `full` (factor * h, factor * w); factor: of `MAGNIFIED`."""
        height, width = small.shape
        room = self._scratch(factor * width)
        self._magnify(*_plane(small), *_plane(full), width, height, factor, room)

    def model(
        self, matte: U8, guide: Planes, maps: F32, radius: int, *, epsilon: float, blind: int, contrast: float
    ) -> None:
        """The guided filter's linear model of a matte by the three planes of a guide, all (h, w).

        maps: float32 (4, h, w), overwritten: the slopes by each plane and the offset, in levels, with the contrast in
        them. radius: 1 to `MAX_RADIUS`; epsilon: in squared levels; blind: see `vcam.matte.guided`.
        """
        height, width = matte.shape
        room = self._scratch(self._model_scratch(width, height, radius))
        y, u, v = (_plane(plane) for plane in guide)
        shape = width, height, radius
        self._model(*_plane(matte), *y, *u, *v, maps.ctypes.data, room, *shape, epsilon, blind, contrast)

    def apply(self, maps: F32, planes: Planes, target: U8) -> None:
        """Write what the model gives for planes of I420, (2h, 2w) and twice (h, w), into `target` (2h, 2w).

        maps: as `model` writes them, of any size from (4, 2, 2).
        """
        (height, width), (_, rows, columns) = planes[1].shape, maps.shape
        y, u, v = (_plane(plane) for plane in planes)
        room = self._scratch(self._apply_scratch(width))
        self._apply(maps.ctypes.data, columns, rows, *y, *u, *v, *_plane(target), width, height, room)

    def follow(
        self,
        probability: F32,
        mean: F32,
        result: F32,
        flow: F32,
        pictures: tuple[U8, U8],
        *,
        floor: float,
        slope: float,
        still: float,
        doubt: tuple[int, int],
    ) -> None:
        """The temporal filter's average of a map (2h, 2w), given the one of before and the motion since.

        All arrays dense; flow: float32 (h, w, 2), to where each pixel was, in its own pixels; pictures: the luma of now
        and of before, (h, w), from 2 by 2; the rest: see `vcam.matte.temporal`.
        """
        (luma, before), (height, width) = pictures, flow.shape[:2]
        maps = (array.ctypes.data for array in (probability, mean, result, flow, luma, before))
        room = self._scratch(self._follow_scratch(width, height))
        self._follow(*maps, width, height, floor, slope, still, *doubt, room)

    def _scratch(self, numbers: int) -> int:
        """The address of room for so many numbers of four bytes."""
        if self._room.size < numbers:
            self._room = np.zeros(numbers, np.float32)
        return self._room.ctypes.data


def load(path: Path) -> Kernels | None:
    """The loops of a library; None if there is none, or it was not built from the sources beside this file."""
    try:
        library = ctypes.CDLL(str(path))
        library.vcam_fingerprint.restype = ctypes.c_uint32
        return Kernels(library) if library.vcam_fingerprint() == fingerprint() else None
    except (OSError, AttributeError):
        return None


@cache
def _built() -> Kernels | None:
    return load(Path(__file__).with_name(LIBRARY))


def kernels() -> Kernels | None:
    """The compiled loops, or None if they were not built or `VCAM_NATIVE` is 0."""
    return None if os.environ.get("VCAM_NATIVE") == "0" else _built()


def _plane(plane: U8) -> tuple[int, int]:
    return plane.ctypes.data, plane.strides[0]
