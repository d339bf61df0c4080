"""What is learnt of the room while vcam runs: two layers a pixel, the room and what may replace it.

Only what is surely the room is learnt, far from anybody. What agrees with the room is averaged into it. What differs is
doubted at once, and becomes the room when it has been seen often enough: a chair that was moved. What is the room in
another light is not doubted, and takes ten times as long. Somebody who sits still is never surely the room.

The idea of a second layer that waits is that of Kim and others, "Real-time Foreground-Background Segmentation Using
Codebook Model", Real-Time Imaging 2005.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vcam import native
from vcam.frames import Frame
from vcam.native.room import LayerTable, LearnTerms
from vcam.segment.emptyroom.evidence import DARKEST
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import BOOL, U8, Size

LUMA, CHROMA = 10.0, 5.0
"""Levels up to which the mean of four lumas, and chroma, agree with a layer."""
SINGLE = 25.0
"""Levels up to which each of the four does."""
RATE = 0.05
"""How much of the way the room goes to what agrees with it in a step, at least: at first it is the mean of all."""
SHADE = (0.45, 1.5)
"""Ratios of luma that are a shadow or a lamp, if the chroma is the room's in that light."""
SHADE_CHROMA = 7.0
"""Levels by which the chroma may differ from that."""
PATIENCE = 10
"""How many times longer a shadow takes to be learnt."""
STRANGE = 3
"""Doubts that somebody else, or a screen, sets at once."""
SPREAD = 17
"""Side of the square, in pixels of the layers, that is doubted around what is."""

Lines = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Gain and offset of the three planes: frame = gain * room + offset."""
SAME: Lines = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
"""The light of the room."""


class Layers:
    """The two layers for frames reduced to one size."""

    def __init__(self, size: Size, *, full_range: bool, need: int) -> None:
        """size: (width, height) of the reduced frames, both even. need: steps until what differs becomes the room."""
        width, height = size
        half = (height // 2, width // 2)
        self.size, self.full_range, self.need = size, full_range, need
        self._y = np.zeros((height, width), np.uint16)
        self._u, self._v = np.zeros(half, np.uint16), np.zeros(half, np.uint16)
        self._other = tuple(np.zeros(half, np.uint8) for _ in range(3))
        self._count, self._doubt, self.known, self._age = (np.zeros(half, np.uint8) for _ in range(4))
        self.doubted = False
        """Whether anything was in the last `picture`, but for noise."""
        self._kernels = native.kernels()
        self._table = LayerTable(
            (self._y, self._u, self._v), self._other, (self._count, self._doubt, self.known, self._age)
        )
        self._terms = LearnTerms(
            luma=LUMA, chroma=CHROMA, single=SINGLE, rate=RATE, shade_low=SHADE[0], shade_high=SHADE[1],
            shade_chroma=SHADE_CHROMA, black=DARKEST[full_range], need=need, patience=PATIENCE, strange=STRANGE,
        )  # fmt: skip

    def begin(self, room: RoomPicture) -> None:
        """Start with a room that is known already. Raises `ValueError` if it is of another size or range."""
        if room.frame.size != self.size or room.frame.full_range != self.full_range:
            raise ValueError(f"a room of {room.frame.size} instead of {self.size}")
        for plane, layer in zip(room.frame.planes, (self._y, self._u, self._v), strict=True):
            np.multiply(plane, 256, out=layer, casting="unsafe", dtype=np.uint16)
        np.copyto(self.known, room.known)
        self._count[...] = self._doubt[...] = 0
        self._age[...] = round(1 / RATE)

    def learn(self, frame: Frame, sure: U8, strange: U8, lines: Lines = SAME) -> None:
        """One step.

        frame: of the layers' size and range; sure, strange: uint8 of its chroma's size, not 0 where surely nobody is,
        and where something is that is neither room nor person. Where sure is more than 1, what is known may be averaged
        and doubted, and nothing else becomes it. lines: how the frame's light differs from the room's.
        """
        if self._kernels is None:
            self._learn(frame, sure, strange != 0, lines)
        else:
            self._kernels.room.learn(self._table, self._terms, frame.planes, sure, strange, (*lines[0], *lines[1]))

    def forget(self, where: BOOL) -> None:
        """Nothing is known there any more: bool of the size of the frames' chroma."""
        for plane in (self.known, self._count, self._doubt):
            plane[where] = 0

    def picture(self) -> RoomPicture:
        """The room as it is known now, fresh: what is doubted, and what is close to it, is not known."""
        y, u, v = (
            cv2.convertScaleAbs(plane, alpha=1 / 256).astype(np.uint8, copy=False)
            for plane in (self._y, self._u, self._v)
        )
        doubted = ((self._doubt > 0) & (self.known != 0)).view(np.uint8)
        self.doubted = False
        if doubted.any():
            # one pixel alone is noise
            doubted = cv2.erode(doubted, np.ones((3, 3), np.uint8)).astype(np.uint8, copy=False)
            self.doubted = bool(doubted.any())
            doubted = cv2.dilate(doubted, np.ones((SPREAD, SPREAD), np.uint8)).astype(np.uint8, copy=False)
        known = np.where(doubted == 0, self.known, 0).astype(np.uint8)
        return RoomPicture(Frame(y, u, v, full_range=self.full_range), known)

    def _learn(self, frame: Frame, marks: U8, strange: npt.NDArray[np.bool_], lines: Lines) -> None:
        """By numpy, what the compiled loop does."""
        sure = marks != 0
        gains, offsets = (np.asarray(numbers, np.float32) for numbers in lines)
        level = np.float32(1 / 256)
        fours, rooms = (_four(plane) for plane in (frame.y, self._y))
        y = (fours - offsets[0]) * (1 / gains[0])
        u, v = ((plane - offsets[c]) * (1 / gains[c]) for c, plane in ((1, frame.u), (2, frame.v)))
        py, pu, pv = rooms * level, self._u * level, self._v * level
        mean, was, known = y.mean(0), py.mean(0), self.known != 0
        fits = (np.abs(mean - was) < LUMA) & (np.abs(y - py).max(0) < SINGLE) & known
        fits &= (np.abs(u - pu) < CHROMA) & (np.abs(v - pv) < CHROMA)
        agrees, rest = fits & sure, sure & ~fits
        black = np.float32(DARKEST[self.full_range])
        ratio = (mean - black) / np.maximum(was - black, 1)
        shaded = rest & known & (ratio > SHADE[0]) & (ratio < SHADE[1])
        for sample, room in ((u, pu), (v, pv)):
            shaded &= np.abs(sample - 128 - ratio * (room - 128)) < SHADE_CHROMA
        oy, ou, ov = self._other
        same = rest & (self._count > 0) & (np.abs(mean - oy) < LUMA)
        same &= (np.abs(u - ou) < CHROMA) & (np.abs(v - ov) < CHROMA)
        count = np.where(same, np.minimum(self._count + 1.0, 250), np.where(rest, 1, np.where(agrees, 0, self._count)))
        count = np.where(marks > 1, 0, count)
        take = rest & (count >= self.need * np.where(shaded, PATIENCE, 1))
        part = np.where(same, 1 / np.maximum(count, 1), 1)
        for other, sample in zip(self._other, (mean, u, v), strict=True):
            moved = np.where(rest, other + (sample - other) * part, other)
            np.copyto(other, np.clip(moved + 0.5, 0, 255).astype(np.uint8))
        doubt = np.where(fits | shaded, 0, np.minimum(self._doubt + rest.astype(np.float32), 250))
        doubt = np.where(strange & ~fits & ~sure, STRANGE, doubt)
        self._doubt[...] = np.where(take, 0, doubt)
        self._count[...] = np.where(take, 0, count)
        self.known[take] = 255
        age = np.where(take, 1, np.minimum(self._age + agrees.astype(np.float32), 250))
        self._age[...] = age
        gain = np.where(take, 1, agrees * np.maximum(RATE, 1 / np.maximum(age, 1))).astype(np.float32)
        for row, column, number in ((0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)):
            self._y[row::2, column::2] = _fixed(py[number] + gain * (y[number] - py[number]))
        self._u[...], self._v[...] = _fixed(pu + gain * (u - pu)), _fixed(pv + gain * (v - pv))


def _four(luma: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """The four lumas of each sample of chroma, float32 (4, h, w)."""
    parts = [luma[row::2, column::2] for row, column in ((0, 0), (0, 1), (1, 0), (1, 1))]
    return np.stack(parts).astype(np.float32)


def _fixed(levels: npt.NDArray[np.floating]) -> npt.NDArray[np.uint16]:
    return np.asarray(np.clip(levels, 0, 255) * 256 + 0.5, np.float32).astype(np.uint16)
