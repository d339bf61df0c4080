"""The compiled loops of the person's edge. See `vcam.compose.filters.rim`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

from vcam.frames import Box, Planes
from vcam.native.planes import PlaneTable, bytes_of, i420_of, plane_of
from vcam.types import U8


class RimLoops:
    """Part of `vcam.native.Kernels`: arrays are checked as it says, and its scratch memory is used."""

    sides = (1, 2, 4)
    """How many pixels of chroma a cell can be wide and high."""

    def __init__(self, library: ctypes.CDLL, scratch: Callable[[int], int]) -> None:
        """Raises `AttributeError` if it is another library."""
        pointer, integer, number = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float
        plane = ctypes.POINTER(PlaneTable)
        library.vcam_rim_goal.argtypes = [
            pointer, plane, pointer, integer, pointer, pointer, number, number, integer, pointer, pointer,
        ]  # fmt: skip
        library.vcam_rim_apply.argtypes = [
            *[plane] * 4, pointer, integer, pointer, integer, pointer, number, number, *[integer] * 3,
        ]  # fmt: skip
        library.vcam_rim_goal.restype = library.vcam_rim_apply.restype = None
        library.vcam_rim_scratch.argtypes, library.vcam_rim_scratch.restype = [integer] * 2, ctypes.c_ssize_t
        self._library, self._scratch = library, scratch
        self.block: int = library.vcam_rim_block()
        """Cells of a row that are marked together."""

    def goal(
        self,
        planes: Planes,
        half: U8,
        box: Box,
        side: int,
        goals: Planes,
        marks: U8,
        *,
        most: float,
        trace: float,
        low: int,
        high: Sequence[int],
    ) -> None:
        """Write what the edge is to be moved towards, near where the matte is between 0 and 255.

        planes: of I420, (2h, 2w) and twice (h, w); half: the matte (h, w), which counts inside `box`, of chroma, alone.
        side: of a cell, of `sides`; goals: three planes (rows, columns) of cells, as many as hold the frame; elsewhere
        they stay as they are. marks: dense (rows, blocks), every byte written: 1 where a block holds any between.
        most, trace: see `vcam.compose.filters.rim`; low, high: the least sample, and the greatest of each plane.
        """
        tables, (height, width), (rows, columns) = i420_of(planes), half.shape, goals[0].shape
        if side not in self.sides or (rows, columns) != (-(-height // side), -(-width // side)):
            raise ValueError(f"no cells: {(rows, columns)} of {side} for {(height, width)}")
        if planes[1].shape != half.shape:
            raise ValueError(f"a matte of {half.shape} for {planes[1].shape}")
        to = [plane_of(goal, rows, columns) for goal in goals]
        marked = bytes_of(marks, (rows, -(-columns // self.block)))
        scratch = self._scratch(self._library.vcam_rim_scratch(columns, rows))
        self._library.vcam_rim_goal(
            (PlaneTable * 3)(*tables), plane_of(half, height, width), _bounds(box, height, width), side,
            (PlaneTable * 3)(*to), marked, most, trace, low, (ctypes.c_int32 * 3)(*high), scratch,
        )  # fmt: skip

    def apply(
        self,
        mask: U8,
        sample: U8,
        goal: U8,
        out: U8,
        box: Box,
        side: int,
        marks: U8,
        *,
        blended: bool,
        strength: float,
        low: int,
        high: int,
        behind: U8 | None = None,
        scale: float = 1.0,
        lift: int = 0,
    ) -> None:
        """out += strength * (1 - m) * (m if blended, else 1) * (goal - sample), m = mask / 255, from `low` to `high`.

        behind: if there is one, `out` is first what `Kernels.blend` makes of it, in the box, by scale and lift.

        strength: 0 to 1. Where the mask is 0 nothing is changed, nor outside of the box and of the marked blocks. All
        are (h, w) but the goal, (rows, columns) of cells, `side` pixels wide and high, bilinear between; marks: as
        `goal` writes them.
        """
        (height, width), (rows, columns) = mask.shape, goal.shape
        if side not in (*self.sides, 2 * self.sides[-1]) or (rows, columns) != (-(-height // side), -(-width // side)):
            raise ValueError(f"no cells: {goal.shape} of {side} for {mask.shape}")
        whole = [plane_of(plane, height, width) for plane in (mask, sample)]
        marked = bytes_of(marks, (rows, -(-columns // self.block)))
        # a pointer to it: it is read during the call alone
        below = None if behind is None else ctypes.pointer(plane_of(behind, height, width))
        self._library.vcam_rim_apply(
            *whole, plane_of(goal, rows, columns), plane_of(out, height, width), _bounds(box, height, width), side,
            marked, blended, below, strength, scale, lift, low, high,
        )  # fmt: skip


def _bounds(box: Box, height: int, width: int) -> ctypes.Array[ctypes.c_int32]:
    if not (0 <= box.x0 <= box.x1 <= width and 0 <= box.y0 <= box.y1 <= height):
        raise ValueError(f"{box} is outside of {(height, width)}")
    return (ctypes.c_int32 * 4)(*box)
