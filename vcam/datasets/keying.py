"""A soft key: the matte of a person before a screen of one colour, and the person without that colour's light.

The chroma of each pixel is turned so that the screen's lies on the x axis. What a pixel has of the screen is

    k = (x - |z| / tan(60 degrees)) / x of the screen, at least 0

(Keith Jack, Video Demystified, chapter "Chroma keying": the background key with an acceptance angle of 120 degrees).
1 - k is the matte, after what the screen varies by at one end, and what its light does to the person at the other.
Subtracting k times the screen's colour takes its light off the person: what is left is the person times the matte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.types import F32, U8

_TAN = math.tan(math.radians(60))

_BORDER = 0.08
"""How much of the picture's height and width is looked at along the top and the sides to find the screen."""

_LEAST_CHROMA = 24.0
"""A screen has a colour: levels of chroma, from grey."""

_LEAST_SHARE = 0.4
"""Of the border that has to be of one colour."""

_BINS = 32
_SPREAD = 20.0
"""Levels of chroma around the most frequent one that are the same screen."""

_SMOOTH = 0.9
"""Pixels, the deviation of what smooths the chroma."""

_SPILL = 0.12
"""What a person may have of the screen and be wholly seen."""

_SOLID = 0.25
"""Mattes below this have too little of the person left to divide by."""


@dataclass(frozen=True, slots=True)
class Key:
    """A screen's colour: luma and chroma (full-range BT.601, chroma from -128 to 127), and how much of it all of the
    screen has at least (0..1). share: of the border that is of that colour."""

    luma: float
    cb: float
    cr: float
    least: float
    share: float

    @property
    def word(self) -> str:
        """For people: green, blue, or what else."""
        if self.cb < 0 and self.cr < 0:
            return "green"
        return "blue" if self.cb > abs(self.cr) else "a colour"


def find_key(pictures: Sequence[U8]) -> Key | None:
    """The screen before which pictures of one film were taken, BGR uint8; None if their borders are of no one colour.

    The border is the top and both sides: a person is cut off by the lower edge.
    """
    samples = np.concatenate([_border(_smooth(_ycc(picture))) for picture in pictures])
    chroma = samples[:, 1:]
    coloured = np.hypot(chroma[:, 0], chroma[:, 1]) >= _LEAST_CHROMA
    # greens and blues: skin and hair are the red ones
    coloured &= chroma[:, 1] < np.maximum(0, chroma[:, 0] * 0.5)
    if coloured.mean() < _LEAST_SHARE:
        return None
    counts, cb, cr = np.histogram2d(
        chroma[coloured, 0], chroma[coloured, 1], bins=_BINS, range=[[-128, 128], [-128, 128]]
    )
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    middle = np.array([(cb[row] + cb[row + 1]) / 2, (cr[column] + cr[column + 1]) / 2])
    near = np.hypot(*(chroma - middle).T) < _SPREAD
    share = float(near.mean())
    if share < _LEAST_SHARE:
        return None
    luma, own_cb, own_cr = np.median(samples[near], axis=0).tolist()
    found = Key(luma, own_cb, own_cr, 1.0, share)
    amount = _amount(samples[near][np.newaxis], found)
    return Key(luma, own_cb, own_cr, float(np.clip(np.percentile(amount, 1), 0.5, 0.95)), share)


def key_out(picture: U8, key: Key) -> tuple[U8, U8]:
    """The person, BGR uint8 (height, width, 3), without the screen's light, and the matte, uint8 (height, width).

    Where there is nobody the picture is grey, as light as the screen.
    """
    ycc = _ycc(picture)
    amount = _amount(_smooth(ycc), key)
    alpha = np.clip((key.least - amount) / (key.least - _SPILL), 0, 1)
    # a soft matte between the two; the noise of the screen and of the camera is below the ends
    # the light itself is as the chroma has it, and none of it may be left at the edge
    lit = np.minimum(np.maximum(amount, _amount(ycc, key)), 1)[..., np.newaxis]
    person = ycc - lit * np.array([key.luma, key.cb, key.cr], np.float32)
    # the luma of a person in the screen's light is the person's own: only where the screen shines through is it less
    person[..., 0] = ycc[..., 0] - (1 - alpha) * key.luma
    solid = np.maximum(alpha, _SOLID)[..., np.newaxis]
    person /= solid
    shown = np.clip(alpha / _SOLID, 0, 1)[..., np.newaxis]
    grey = np.array([key.luma, 0, 0], np.float32)
    bgr = _bgr(person * shown + grey * (1 - shown))
    return bgr, np.rint(alpha * 255).astype(np.uint8)


def _ycc(picture: U8) -> F32:
    """Luma 0..255, Cb and Cr from -128 to 127, float32 (height, width, 3)."""
    found = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    return np.ascontiguousarray(found[..., [0, 2, 1]] - np.array([0, 128, 128], np.float32))


def _smooth(ycc: F32) -> F32:
    """The same without steps and noise in its chroma: films have one sample of it for four pixels, in stairs."""
    return cv2.GaussianBlur(ycc, (0, 0), _SMOOTH).astype(np.float32, copy=False)


def _bgr(ycc: F32) -> U8:
    levels = np.clip(np.rint(ycc[..., [0, 2, 1]] + np.array([0, 128, 128], np.float32)), 0, 255).astype(np.uint8)
    return cv2.cvtColor(levels, cv2.COLOR_YCrCb2BGR).astype(np.uint8, copy=False)


def _border(ycc: F32) -> F32:
    height, width = ycc.shape[:2]
    rows, columns = max(1, round(height * _BORDER)), max(1, round(width * _BORDER))
    # a person who fills the lower half may touch its sides
    parts = ycc[:rows], ycc[rows : height // 2, :columns], ycc[rows : height // 2, -columns:]
    return np.concatenate([part.reshape(-1, 3)[::3] for part in parts])


def _amount(ycc: F32, key: Key) -> F32:
    """What each pixel has of the screen, 0 to a little over 1."""
    length = math.hypot(key.cb, key.cr)
    cos, sin = key.cb / length, key.cr / length
    x = ycc[..., 1] * cos + ycc[..., 2] * sin
    z = ycc[..., 2] * cos - ycc[..., 1] * sin
    return (np.maximum(0, x - np.abs(z) / _TAN) / length).astype(np.float32)
