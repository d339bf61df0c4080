"""The rim: the old room's colour in the person's edge, and what is shown in its place."""

from __future__ import annotations

import cv2
import numpy as np

from vcam import native
from vcam.colour import FULL, LOWEST, TOPS, to_limited
from vcam.compose.filters.base import Scene, Values
from vcam.compose.filters.planes import LEVELS, LINES
from vcam.frames import Alpha, Box, Frame, Planes
from vcam.scaling import enlarge
from vcam.types import F32, U8, Size

_CELL = 8.0
"""Lines of 720 that a cell is high, about: colours are gathered from the 25 cells round each one."""
_MOST = 40.0
"""Levels that person and old background may lie apart: a wrong matte must not make bright rims."""
_TRACE = 32.0
"""What a cell itself counts for, in levels of alpha."""
_AROUND = 3
"""Cells round the edge's that have a say: two that are gathered, and one that is spread to."""
_WINDOW = (5, 5)
_BLOCK = 16
"""Cells of a row that are marked together where there are no compiled loops."""


Scales = tuple[float, float, float]
"""By which a frame's luma, Cb and Cr come into the limited range."""


class Decontaminate:
    """Foreground estimation by blurring (Forte, "Approximate fast foreground colour estimation", ICIP 2021).

    A pixel I of the edge is a mixture a F + (1 - a) B of person and old background. With both estimated from what lies
    round the pixel, F0 the mean weighted by a^2 and B0 the one weighted by (1 - a)^2, the colour of the person alone is

        F = F0 + a (I - a F0 - (1 - a) B0)  =  I + (1 - a) (G - I),   G = F0 + a (F0 - B0)

    of which G, the goal, is small-scale: it is made of cells, some lines high, and only where a matte is neither 0 nor
    1. Over a new background the person counts for a, so that the finished picture moves by a (1 - a) (G - I): where
    the matte is sure, and where it is half, little is left of what a wrong goal could do.
    """

    def __init__(self, values: Values) -> None:
        self._strength = values.number("strength")
        self._kernels = native.kernels()

    def prepare(self, size: Size) -> None:
        width, height = size
        self._side = side_of(height)
        rows, columns = (-(-length // (2 * self._side)) for length in (height, width))
        u, v = (np.zeros((rows, columns), np.uint8) for _ in range(2))
        self._goals: Planes = np.zeros((rows, columns), np.uint8), u, v
        block = self._kernels.rim.block if self._kernels is not None else _BLOCK
        self._marks = np.zeros((rows, -(-columns // block)), np.uint8)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        """Change the person alone, before it is blended."""
        assert scene is not None, "it acts on the person"
        self._take_out(picture, scene.frame, scene.alpha, None)

    @property
    def in_blend(self) -> bool:
        """See `vcam.compose.filters.base.InBlend`; without a compiled loop it finishes what was blended."""
        return True

    def ready(self, scene: Scene) -> bool:
        """Nothing is to be found out before."""
        return True

    def finish(self, picture: Frame, frame: Frame, alpha: Alpha) -> None:
        """Change a picture in place, limited range, into which a frame was blended by `alpha` as it is."""
        self._take_out(picture, frame, alpha, picture)

    def blend(self, frame: Frame, alpha: Alpha, plate: Frame, out: Frame, *, scales: Scales, lift: int) -> bool:
        """Do what `PlanarBlender.blend` does, and `finish`, in one; False if there is no loop for that.

        scales: of luma, Cb and Cr; lift: what is added then.
        """
        if self._kernels is not None and not alpha.box.empty:
            self._take_out(out, frame, alpha, plate, scales, lift)
        return self._kernels is not None

    def _take_out(
        self,
        picture: Frame,
        frame: Frame,
        alpha: Alpha,
        behind: Frame | None,
        scales: Scales | None = None,
        lift: int = 0,
    ) -> None:
        """behind: None before a blend; after it the picture itself; what is to be blended with if scales are given."""
        box = alpha.box
        if box.empty or not (self._strength or scales):
            return
        low, high = (0, (FULL,) * 3) if frame.full_range else (LOWEST, TOPS)
        if self._kernels is not None:
            self._kernels.rim.goal(
                frame.planes, alpha.half, box.half(), self._side, self._goals, self._marks,
                most=_MOST, trace=_TRACE, low=low, high=high,
            )  # fmt: skip
        else:
            self._aim(frame, alpha, low, high)
        for index, (out, sample, goal, top) in enumerate(
            zip(picture.planes, frame.planes, self._goals, TOPS, strict=True)
        ):
            mask, part, side = (alpha.half, box.half(), self._side) if index else (alpha.full, box, 2 * self._side)
            strength = self._strength * to_limited(frame.full_range, index > 0)[0]
            if self._kernels is not None:
                self._kernels.rim.apply(
                    mask, sample, goal, out, part, side, self._marks,
                    behind=behind.planes[index] if behind and scales else None, blended=behind is not None,
                    strength=strength, low=LOWEST, high=top, scale=scales[index] if scales else 1.0, lift=lift,
                )  # fmt: skip
            else:
                _move(mask, sample, goal, out, part, side, behind is not None, strength / FULL**2, top)

    def _aim(self, frame: Frame, alpha: Alpha, low: int, high: tuple[int, ...]) -> None:
        """The goals round the person, in OpenCV."""
        side, (rows, columns), box = self._side, self._goals[0].shape, alpha.box.half()
        cells = Box(
            max(0, box.x0 // side - _AROUND), max(0, box.y0 // side - _AROUND),
            min(columns, -(-box.x1 // side) + _AROUND), min(rows, -(-box.y1 // side) + _AROUND),
        )  # fmt: skip
        part = Box(*(side * bound for bound in cells))
        matte = np.zeros((part.y1 - part.y0, part.x1 - part.x0), np.uint8)
        inner = np.s_[box.y0 - part.y0 : box.y1 - part.y0, box.x0 - part.x0 : box.x1 - part.x0]
        matte[inner] = alpha.half[box.y0 : box.y1, box.x0 : box.x1]
        person = _reduced(matte, side).astype(np.float32)
        mine, theirs = (np.rint(share * share / np.float32(255)) for share in (person, 255 - person))
        inside, outside = (1 / (_around(weight) + np.float32(_TRACE)) for weight in (mine, theirs))
        for index, (plane, goal, top) in enumerate(zip(frame.planes, self._goals, high, strict=True)):
            by = 1 if index else 2
            samples = plane[by * part.y0 : by * part.y1, by * part.x0 : by * part.x1]
            small = _reduced(samples, by * side, step=1 if by * side < 4 else 2).astype(np.float32)
            here = small * np.float32(_TRACE)
            front = (_around(small * mine) + here) * inside
            apart = np.clip(front - (_around(small * theirs) + here) * outside, -_MOST, _MOST)
            made = np.clip(front + apart * person / np.float32(255), low, top)
            np.copyto(
                goal[cells.y0 : cells.y1, cells.x0 : cells.x1], np.floor(made + np.float32(0.5)), casting="unsafe"
            )


def side_of(height: int) -> int:
    """Pixels of chroma that a cell is wide and high in pictures of a height."""
    wanted = _CELL * height / LINES
    return next((side for side in (4, 2) if wanted >= 2 * side), 1)


def _reduced(plane: U8, side: int, step: int = 1) -> U8:
    """The means of squares, of whose rows every `step`-th counts; where one is cut off, the last sample does."""
    height, width = plane.shape
    rows, columns = -(-height // side), -(-width // side)
    if (rows * side, columns * side) != (height, width):
        more = (0, rows * side - height, 0, columns * side - width)
        plane = cv2.copyMakeBorder(plane, *more, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    return cv2.resize(plane[::step], (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _around(plane: F32) -> F32:
    """The sums of the windows; beyond the border there is nothing."""
    sums = cv2.boxFilter(plane, -1, _WINDOW, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return sums.astype(np.float32, copy=False)


_BLENDED = np.rint(LEVELS * (255 - LEVELS)).astype(np.int16)
_ALONE = np.where(LEVELS > 0, np.rint(128 * (255 - LEVELS)), 0).astype(np.int16)
"""What a matte lets through of a move: int16 (256,), of the finished picture and of the person alone, 255 as 128."""


def _move(
    mask: U8, sample: U8, goal: U8, out: U8, box: Box, side: int, blended: bool, factor: float, high: int
) -> None:
    """The loop `vcam_rim_apply` in OpenCV, wherever there are goals."""
    (rows, columns), where = goal.shape, np.s_[box.y0 : box.y1, box.x0 : box.x1]
    # one cell more on each side, so that what comes out does not depend on where the box ends
    x0, y0 = max(0, box.x0 // side - 1), max(0, box.y0 // side - 1)
    x1, y1 = min(columns, -(-box.x1 // side) + 1), min(rows, -(-box.y1 // side) + 1)
    wanted = np.empty(((y1 - y0) * side, (x1 - x0) * side), np.uint8)
    enlarge(goal[y0:y1, x0:x1], wanted)
    wanted = wanted[box.y0 - y0 * side : box.y1 - y0 * side, box.x0 - x0 * side : box.x1 - x0 * side]
    move = cv2.subtract(wanted, sample[where], dtype=cv2.CV_16S)
    weight = cv2.LUT(mask[where], _BLENDED if blended else _ALONE)
    cv2.multiply(move, weight, dst=move, scale=factor * (1 if blended else 255 / 128))
    part = out[where]
    moved = cv2.add(part, move, dtype=cv2.CV_8U)
    np.copyto(part, np.clip(moved, LOWEST, high), where=mask[where] != 0)
