"""The compiled loops: what every frame goes through, in one pass over the memory instead of OpenCV's several.

Each gives the same, within one level, as the passes of OpenCV in the module that has its formula. If there was no
compiler to build them, vcam takes those passes, and a frame costs about two milliseconds of CPU more. `VCAM_NATIVE=0`
leaves the loops out, when installing as when running.

Constants come from the module that has the formula, with each call; what the loops themselves set, this one reads in
their library.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.frames import Planes
from vcam.native.build import LIBRARY, fingerprint
from vcam.native.harmony import HarmonyLoops
from vcam.native.key import KeyLoops
from vcam.native.planes import BYTES, PlaneTable, address_of, i420_of, numbers_of, plane_of
from vcam.native.rim import RimLoops
from vcam.native.room import RoomLoops
from vcam.types import F32, U8

MAX_RADIUS = 8
"""Half a side of the widest window that `Kernels.model` takes; from 91 on its sums would overflow."""


class Kernels:
    """The loops of one library. Planes are uint8 with dense rows, which may lie any distance apart.

    All raise `ValueError` for an array of another shape or type than they say, before anything is written, and may be
    called from any thread. The GIL is released meanwhile.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises `AttributeError` if it is another library."""
        pointer, integer, number, count = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float, ctypes.c_ssize_t
        plane = ctypes.POINTER(PlaneTable)
        terms: dict[str, list[Any]] = {
            "scale": [pointer, pointer, integer, pointer, pointer],
            "reduce": [pointer, pointer, integer, integer, pointer],
            "blend": [*[plane] * 4, number, integer],
            "enlarge": [*[plane] * 3, pointer],
            "magnify": [*[plane] * 2, integer, pointer],
            "model": [*[plane] * 4, pointer, integer, number, number, integer, number, integer, pointer],
            "apply": [pointer, integer, integer, *[plane] * 4, pointer],
            "steady": [*[plane] * 4, number, integer, integer, pointer],
            "follow": [*[pointer] * 4, *[plane] * 2, *[number] * 3, integer, integer, number, pointer],
            "lut": [*[plane] * 3, pointer, pointer, *[integer] * 6, pointer],
            "shade": [plane] * 3,
            "lighten": [*[plane] * 2, number, integer, integer],
        }
        for name, types in terms.items():
            function = getattr(library, f"vcam_{name}")
            function.argtypes, function.restype = types, None
        sides = {
            "reduce": 1,
            "enlarge": 1,
            "magnify": 2,
            "model": 3,
            "apply": 1,
            "steady": 2,
            "follow": 2,
            "lut": 1,
            "room": 2,
        }
        for name, known in sides.items():
            function = getattr(library, f"vcam_{name}_scratch")
            function.argtypes, function.restype = [integer] * known, count
        self._library, self._line = library, library.vcam_line()
        self._own = threading.local()
        self.room = RoomLoops(library, self._scratch)
        """Those of room memory."""
        self.rim = RimLoops(library, self._scratch)
        """Those of the person's edge."""
        self.screen = KeyLoops(library)
        """That of the coloured screen."""
        self.harmony = HarmonyLoops(library, self._scratch)
        """That of a person in another light."""
        self.magnified: tuple[int, ...] = tuple(takewhile(bool, map(library.vcam_magnified, itertools.count())))
        """How many times `magnify` can enlarge a plane."""
        library.vcam_max_gain.restype = number
        self.max_gain: float = library.vcam_max_gain()
        """How many times lighter `lighten` can make one."""

    def scale(self, picture: U8, planes: F32, factors: F32, offsets: F32) -> None:
        """Write factor * sample + offset of each channel of a picture (h, w, 3) into `planes` (3, h, w).

        Both dense; factors and offsets: float32 (3,).
        """
        height, width, _ = picture.shape
        if not (picture.flags.c_contiguous and picture.dtype == np.uint8 and picture.shape[2] == 3):
            raise ValueError(f"no picture: {picture.dtype} {picture.shape}")
        to = numbers_of(planes, (3, height, width))
        terms = numbers_of(factors, (3,)), numbers_of(offsets, (3,))
        self._library.vcam_scale(address_of(picture), to, height * width, *terms)

    def reducer(
        self, sizes: Sequence[tuple[int, ...]], ladders: Sequence[Sequence[U8]]
    ) -> Callable[[Sequence[U8]], None]:
        """What writes planes of these sizes, (h, w), into the steps of a ladder for each, one made of the other.

        Each step but the last is half as high as the one before, or half as wide, or both; the last is of any size, and
        bilinear. Steps are checked here, once, and planes with each call, which one thread at a time may make.
        """
        table: list[PlaneTable] = []
        for (height, width), steps in zip(sizes, ladders, strict=True):
            table.append(PlaneTable(None, 0, width, height))
            for number, step in enumerate(steps, 1):
                low, narrow = step.shape
                halves = (height, width) in ((2 * low, 2 * narrow), (2 * low, narrow), (low, 2 * narrow))
                if min(height, width, low, narrow) < 1 or (number < len(steps) and not halves):
                    raise ValueError(f"no step from {(height, width)} to {step.shape}")
                height, width = low, narrow
                table.append(plane_of(step, height, width))
        held = [tuple(steps) for steps in ladders]
        if not held or not all(held):
            raise ValueError("no steps")
        entries, counts = (PlaneTable * len(table))(*table), (ctypes.c_int32 * len(held))(*map(len, held))
        sources = [index for index, entry in enumerate(entries) if not entry.at]
        widest = max(entry.width for entry in entries)
        wanted = self._library.vcam_reduce_scratch(widest)

        def reduce(planes: Sequence[U8]) -> None:
            found = [plane_of(plane, *size) for plane, size in zip(planes, sizes, strict=True)]
            for index, source in zip(sources, found, strict=True):
                entries[index] = source
            self._library.vcam_reduce(entries, counts, len(held), widest, self._scratch(wanted))

        return reduce

    def blend(self, mask: U8, sample: U8, behind: U8, out: U8, *, scale: float = 1.0, lift: int = 0) -> None:
        """out = m * (scale * sample + lift) + (1 - m) * behind, m = mask / 255; `out` may be `sample` or `behind`.

        All (h, w). scale: 0 to 1, with which a full-range sample is limited.
        """
        height, width = mask.shape
        planes = [plane_of(plane, height, width) for plane in (mask, sample, behind, out)]
        self._library.vcam_blend(*planes, scale, lift)

    def enlarge(self, matte: U8, full: U8, half: U8) -> None:
        """Write the matte (h, w) into `full` (2h, 2w), bilinear, and the means of its fours into `half` (h, w)."""
        height, width = matte.shape
        source, target = plane_of(matte, height, width), plane_of(full, 2 * height, 2 * width)
        means = plane_of(half, height, width)
        scratch = self._scratch(self._library.vcam_enlarge_scratch(width))
        self._library.vcam_enlarge(source, target, means, scratch)

    def magnify(self, small: U8, full: U8, factor: int) -> None:
        """Write a plane (h, w), bilinear, into `full` (factor * h, factor * w); factor: of `magnified`."""
        height, width = small.shape
        if factor not in self.magnified:
            raise ValueError(f"nothing is enlarged {factor} times")
        source, target = plane_of(small, height, width), plane_of(full, factor * height, factor * width)
        scratch = self._scratch(self._library.vcam_magnify_scratch(width, factor))
        self._library.vcam_magnify(source, target, factor, scratch)

    def model(
        self,
        matte: U8,
        guide: Planes,
        maps: F32,
        radius: int,
        *,
        epsilon: float,
        flat: float,
        blind: int,
        contrast: float,
        sure: int,
    ) -> None:
        """The guided filter's linear model of a matte by the three planes of a guide, all (h, w).

        maps: float32 (4, h, w), overwritten: the slopes by each plane and the offset, in levels, with the contrast in
        them. radius: 1 to `MAX_RADIUS`; epsilon, flat: in squared levels; these and the rest: see `vcam.matte.guided`.
        """
        height, width = matte.shape
        if not 1 <= radius <= MAX_RADIUS:
            raise ValueError(f"no radius: {radius}")
        planes = [plane_of(plane, height, width) for plane in (matte, *guide)]
        to = numbers_of(maps, (4, height, width))
        scratch = self._scratch(self._library.vcam_model_scratch(width, height, radius))
        self._library.vcam_model(*planes, to, radius, epsilon, flat, blind, contrast, sure, scratch)

    def apply(self, maps: F32, planes: Planes, target: U8) -> None:
        """Write what the model gives for planes of I420, (2h, 2w) and twice (h, w), into `target` (2h, 2w).

        maps: as `model` writes them, of any size from (4, 2, 2).
        """
        (height, width), (_, rows, columns) = planes[1].shape, maps.shape
        if rows < 2 or columns < 2:
            raise ValueError(f"maps are too small: {maps.shape}")
        source, to = numbers_of(maps, (4, rows, columns)), plane_of(target, 2 * height, 2 * width)
        scratch = self._scratch(self._library.vcam_apply_scratch(width))
        self._library.vcam_apply(source, columns, rows, *i420_of(planes), to, scratch)

    def steady(self, matte: U8, kept: U8, maps: tuple[U8, U8], *, least: float, moved: tuple[int, int]) -> None:
        """Move `kept` towards the matte, both (h, w), where the map stands still, and the matte to the same.

        maps: now and before, of any size from (2, 2); least: the gain, 0 to 1; moved: see `vcam.matte.average`.
        """
        (height, width), (rows, columns) = matte.shape, maps[0].shape
        if rows < 2 or columns < 2:
            raise ValueError(f"maps are too small: {maps[0].shape}")
        large = [plane_of(plane, height, width) for plane in (matte, kept)]
        small = [plane_of(plane, rows, columns) for plane in maps]
        scratch = self._scratch(self._library.vcam_steady_scratch(columns, width))
        self._library.vcam_steady(*large, *small, least, *moved, scratch)

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
        nobody: float,
    ) -> None:
        """The temporal filter's average of a map (2h, 2w), given the one of before and the motion since.

        Maps and flow dense; flow: float32 (h, w, 2), to where each pixel was, in its own pixels; pictures: the luma of
        now and of before, (h, w), from 2 by 2; the rest: see `vcam.matte.temporal`.
        """
        height, width = flow.shape[:2]
        if height < 2 or width < 2:
            raise ValueError(f"the pictures are too small: {(height, width)}")
        lumas = [plane_of(luma, height, width) for luma in pictures]
        maps = [numbers_of(numbers, (2 * height, 2 * width)) for numbers in (probability, mean, result)]
        moved = numbers_of(flow, (height, width, 2))
        scratch = self._scratch(self._library.vcam_follow_scratch(width, height))
        self._library.vcam_follow(*maps, moved, *lumas, floor, slope, still, *doubt, nobody, scratch)

    def lut(
        self,
        planes: Planes,
        curves: U8,
        rest: npt.NDArray[np.uint32],
        *,
        bits: int,
        none: int,
        luma: tuple[int, int],
        chroma: tuple[int, int],
    ) -> None:
        """Change planes of I420, (2h, 2w) and twice (h, w), by a curve for each and by what curves leave over.

        curves: uint8 (3, 256); rest: uint32 (2^(3 * bits),), whose bytes are `none` where nothing is left over; both
        dense, see `vcam.compose.filters.cube`. luma, chroma: the least and the greatest sample of each.
        """
        size = (1 << 3 * bits,) if 1 <= bits <= 8 else ()
        fits = curves.shape == (3, 256) and curves.dtype == BYTES and rest.shape == size and rest.itemsize == 4
        if not (fits and curves.flags.c_contiguous and rest.flags.c_contiguous):
            raise ValueError(f"no tables: {curves.dtype} {curves.shape}, {rest.dtype} {rest.shape}")
        tables = address_of(curves), address_of(rest)
        scratch = self._scratch(self._library.vcam_lut_scratch(planes[1].shape[1]))
        self._library.vcam_lut(*i420_of(planes), *tables, bits, none, *luma, *chroma, scratch)

    def shade(self, gain: U8, lift: U8, sample: U8) -> None:
        """sample = gain / 255 * sample + lift, all (h, w)."""
        height, width = sample.shape
        self._library.vcam_shade(*[plane_of(plane, height, width) for plane in (gain, lift, sample)])

    def lighten(self, gain: U8, luma: U8, *, most: float, black: int, white: int) -> None:
        """luma = most * gain / 255 * (luma - black) + black, both (h, w), from black to white.

        most: from 1 to `max_gain`.
        """
        height, width = luma.shape
        if not 1 <= most <= self.max_gain:
            raise ValueError(f"no gain: {most}")
        self._library.vcam_lighten(plane_of(gain, height, width), plane_of(luma, height, width), most, black, white)

    def _scratch(self, numbers: int) -> int:
        """The address of memory for so many numbers of four bytes; the thread's own until its next call.

        It begins where a line of the cache does, on which a tenth of the time of `model` hangs.
        """
        scratch: F32 | None = getattr(self._own, "scratch", None)
        if scratch is None or scratch.size < numbers + self._line // 4:
            scratch = self._own.scratch = np.zeros(numbers + self._line // 4, np.float32)
            self._own.address = address_of(scratch) + -address_of(scratch) % self._line
        address: int = self._own.address
        return address


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
