"""How the room has changed as a whole since it was learnt: a camera nudged a little, another exposure.

What is found is small and sure, or nothing: whoever asks looks at the result anew before it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vcam.segment.emptyroom.doubt import KnownRoom, detail, moved
from vcam.types import F32, U8

NUDGE = 0.04
"""Share of the width that the picture may have moved by."""

SURE = 0.06
"""Height of the peak of the phase correlation, 1 for the same picture, from which on it counts."""

GAINS = 0.7, 1.45
LIFT = 30.0
"""Bounds of how light may have changed, levels = gain * level + lift."""

_STEPS = 6
_OUTLIER = 8.0
"""Levels from which on a sample does not follow the common change of light."""

_FOLLOWS = 0.35
"""Share of the picture that must follow it."""


@dataclass(frozen=True, slots=True)
class Change:
    """From the room as it was learnt to the room as it is: moved by columns and rows, then each colour's light."""

    columns: float
    rows: float
    gains: tuple[float, float, float]
    lifts: tuple[float, float, float]

    def applied(self, room: U8) -> KnownRoom:
        """The room, uint8 (height, width, 3), as it is now; what has come into the picture is not known."""
        there, seen = room, np.full(room.shape[:2], 255, np.uint8)
        if self.columns or self.rows:
            move = np.array([[1, 0, self.columns], [0, 1, self.rows]], np.float32)
            there = moved(room, move)
            # the blur brings something of the unknown in
            seen = np.where(moved(seen, move) == 255, np.uint8(255), np.uint8(0))
            seen = cv2.erode(seen, np.ones((5, 5)), borderValue=255).astype(np.uint8, copy=False)
        light = there * np.array(self.gains, np.float32) + np.array(self.lifts, np.float32)
        return KnownRoom(np.clip(np.rint(light), 0, 255).astype(np.uint8), seen, changed=self.matters)

    @property
    def matters(self) -> bool:
        """Whether it is more than what noise makes it."""
        light = max(abs(gain - 1) for gain in self.gains) > 0.02 or max(map(abs, self.lifts)) > 3
        return light or max(abs(self.columns), abs(self.rows)) > 0.2


class ChangeFinder:
    """Compares pictures with one room."""

    def __init__(self, room: U8) -> None:
        """room: uint8 (height, width, 3) BGR, blurred."""
        self._room = room
        self._detail = detail(room)
        self._window = cv2.createHanningWindow(room.shape[1::-1], cv2.CV_32F)

    def find(self, picture: U8) -> Change | None:
        """What may have changed, of a picture like the room; None if it is much, or cannot be told."""
        (columns, rows), peak = cv2.phaseCorrelate(self._detail, detail(picture), self._window)
        if peak < SURE or not np.isfinite((columns, rows)).all():
            # without texture nothing tells that it has moved, nor does it matter
            columns = rows = 0.0
        if max(abs(columns), abs(rows)) > NUDGE * self._room.shape[1]:
            return None
        if max(abs(columns), abs(rows)) < 0.1:
            columns = rows = 0.0
        light = _light(Change(columns, rows, (1, 1, 1), (0, 0, 0)).applied(self._room), picture)
        return None if light is None else Change(columns, rows, *light)


def _light(room: KnownRoom, picture: U8) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    gains, lifts = [], []
    known = room.seen > 0
    for channel in range(3):
        found = _line(room.picture[..., channel][known], picture[..., channel][known])
        if found is None:
            return None
        gains.append(found[0])
        lifts.append(found[1])
    return (gains[0], gains[1], gains[2]), (lifts[0], lifts[1], lifts[2])


def _line(before: U8, now: U8) -> tuple[float, float] | None:
    """Gain and lift of most samples; least squares, without those that follow another law."""
    # dark and burnt-out ones tell nothing of the gain
    usable = (before > 12) & (now < 250) & (now > 4)
    x, y = before[usable].astype(np.float32), now[usable].astype(np.float32)
    if x.size < _FOLLOWS * before.size:
        return None
    gain, lift = _mode(y / x), 0.0
    for _ in range(_STEPS):
        near = np.abs(y - gain * x - lift) < _OUTLIER
        if np.count_nonzero(near) < _FOLLOWS * before.size:
            return None
        spread = float(x[near].var())
        mean_x, mean_y = float(x[near].mean()), float(y[near].mean())
        if spread > 100:
            gain = float(((x[near] - mean_x) * (y[near] - mean_y)).mean()) / spread
        lift = mean_y - gain * mean_x
    return (gain, lift) if GAINS[0] <= gain <= GAINS[1] and abs(lift) <= LIFT else None


def _mode(ratios: F32) -> float:
    """The ratio that most samples have; a person, who may be half of them, has many."""
    counts, edges = np.histogram(np.log(ratios), 64, (-1.0, 1.0))
    best = int(np.convolve(counts, (1, 1, 1), "same").argmax())
    return float(np.exp((edges[best] + edges[best + 1]) / 2))
