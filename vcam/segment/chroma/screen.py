"""The screen itself: its colour, found in the picture, and how strong that is in each part of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.colour import BLUE, BLUE_RANGE, GREEN, NEUTRAL, RED, RED_RANGE
from vcam.frames import Planes
from vcam.segment.chroma.key import MOST, REACH, SPILL, share_of
from vcam.types import F32, U8

HUES = ((-122.0, 34.0), (-12.0, 24.0))
"""Green and blue screens: angles of (Cb, Cr) in degrees, and how far a screen's may be off. Skin lies at 120."""

LEAST_COLOUR = 14.0
"""Levels from grey that a screen must have: below, a wall is no screen."""

LEAST_SHARE = 0.06
"""Share of the picture that must show the screen."""

_NEAR = 0.35
"""Share of the screen's colour from which on a sample is the screen, however dark it is there."""

_PERSON, _MOST = 0.15, 0.3
"""Share of the screen's colour up to which a sample is the person alone, and the most that a person may have."""

_BIN = 6
"""Levels of chroma to a side of the histogram's bins."""

_CORNER = (0.16, 0.08)
"""Height and width of an upper corner, as shares of the picture's."""


def colour_of(text: str) -> F32:
    """The chroma of #RRGGBB, float32 (2,), Cb and Cr less `NEUTRAL`, in the full range."""
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    luma = RED * red + GREEN * green + BLUE * blue
    return np.array([(blue - luma) / BLUE_RANGE, (red - luma) / RED_RANGE], np.float32)


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen's colour. strength: M where none is known.

    along: float32 (5,), its direction, `REACH`, `SPILL` and `MOST` / strength.
    """

    along: F32
    strength: float

    @classmethod
    def of(cls, chroma: F32) -> Screen:
        """The screen of that colour, (2,), Cb and Cr less `NEUTRAL`."""
        strength = float(np.hypot(*chroma))
        return cls(np.array([*(chroma / strength), REACH, SPILL, MOST / strength], np.float32), strength)


def find_screen(u: U8, v: U8) -> Screen | None:
    """The screen that small planes of chroma show, None if none does: the commonest strong green or blue."""
    blue, red = u.astype(np.float32) - NEUTRAL, v.astype(np.float32) - NEUTRAL
    angle = np.degrees(np.arctan2(red, blue))
    hue = np.zeros(u.shape, np.bool_)
    for middle, reach in HUES:
        hue |= np.abs((angle - middle + 180) % 360 - 180) < reach
    strong = hue & (np.hypot(blue, red) >= LEAST_COLOUR)
    if np.count_nonzero(strong) < LEAST_SHARE * u.size:
        return None
    side = 256 // _BIN + 1
    bins = (u[strong] // _BIN).astype(np.int64) * side + v[strong] // _BIN
    counts = np.bincount(bins, minlength=side * side).reshape(side, side).astype(np.float32)
    counts = cv2.blur(counts, (3, 3), borderType=cv2.BORDER_CONSTANT).astype(np.float32)
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    peak = np.array([(row + 0.5) * _BIN - NEUTRAL, (column + 0.5) * _BIN - NEUTRAL], np.float32)
    close = strong & (np.hypot(blue - peak[0], red - peak[1]) < 2.5 * _BIN)
    return Screen.of(np.array([blue[close].mean(), red[close].mean()], np.float32)) if close.any() else None


class Light:
    """M and F in each part of the picture: how much of the screen's colour the screen has there, and whoever is near.

    M is followed slowly, F is of this very frame.
    """

    def __init__(self, screen: Screen, shape: tuple[int, int], small: tuple[int, int]) -> None:
        """shape, small: (height, width) of the chroma planes and of the small ones."""
        self._screen, self._shape, self._small = screen, shape, small
        self._known: F32 | None = None
        self._kernel = np.ones((3, 3), np.uint8)
        self.terms: tuple[F32, F32] = (np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        """1 / (M - F) and -F / (M - F) for each sample of chroma."""
        self.share = 0.0
        """Of the picture that shows the screen."""
        self.corners = (0.0, 0.0)
        """The same of the left and the right upper corner; see `_least`."""

    def look(self, u: U8, v: U8, *, screen: bool) -> None:
        """Learn from the small planes of a frame: how much of the screen is in view. screen: M as well."""
        found = share_of(u.astype(np.float32) - NEUTRAL, v.astype(np.float32) - NEUTRAL, self._screen.along)
        there = self._measure(found)
        if screen or self._known is None:
            self._look_at_screen(found, there)
        known = self._known
        if known is None:
            return
        person = cv2.erode((found < _PERSON * known).astype(np.uint8), self._kernel).astype(np.float32)
        near = _spread(found, person, (1.2, 4.0), 0.0)
        near = np.clip(near, -known, _MOST * known)
        factor = 1 / (known - near)
        size = self._shape[::-1]
        cv2.resize(factor, size, dst=self.terms[0], interpolation=cv2.INTER_LINEAR)
        cv2.resize(-near * factor, size, dst=self.terms[1], interpolation=cv2.INTER_LINEAR)

    def _measure(self, found: F32) -> U8:
        """Write `share` and `corners`; where the screen is, 0 or 1."""
        height, width = self._small
        there = (found > _NEAR * self._screen.strength).view(np.uint8)
        rows, columns = math.ceil(_CORNER[0] * height), math.ceil(_CORNER[1] * width)
        self.share = cv2.countNonZero(there) / there.size
        self.corners = _least(there[:rows, :columns]), _least(there[:rows, : -columns - 1 : -1])
        return there

    def _look_at_screen(self, found: F32, there: U8) -> None:
        strength = self._screen.strength
        if self.share < LEAST_SHARE:
            return
        # at the edge of the person a sample is a mixture
        sure = cv2.erode(there, self._kernel).astype(np.float32)
        seen = np.maximum(_spread(found, sure, (1.5, 5.0, 15.0), strength), LEAST_COLOUR / 2)
        before = self._known
        self._known = seen if before is None else (before + np.float32(0.25) * (seen - before)).astype(np.float32)


def _least(corner: U8) -> float:
    """How much of a corner is the screen, of its row or column at the picture's edge if that is less.

    corner: its first row and column lie at the edge. A strip of the room is seen there first.
    """
    return float(min(corner.mean(), corner[0].mean(), corner[:, 0].mean()))


def _spread(values: F32, weight: F32, spreads: tuple[float, ...], else_: float) -> F32:
    """Weighted means of what is around, of what is further away where nothing is near; `else_` without any."""
    say = np.float32(1.0)
    total = np.full(values.shape, 1e-4 * else_, np.float32)
    weights = np.full(values.shape, 1e-4, np.float32)
    weighted = values * weight
    for spread in spreads:
        total += say * cv2.GaussianBlur(weighted, (0, 0), spread)
        weights += say * cv2.GaussianBlur(weight, (0, 0), spread)
        say *= np.float32(0.03)
    spread_out: F32 = total / weights
    return spread_out


def reduced(planes: Planes, small: tuple[int, int]) -> tuple[U8, U8]:
    """Chroma at a small size, (height, width)."""
    u, v = (cv2.resize(plane, small[::-1], interpolation=cv2.INTER_AREA) for plane in planes[1:])
    return u.astype(np.uint8, copy=False), v.astype(np.uint8, copy=False)
