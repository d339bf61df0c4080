"""The key of a coloured screen: from chroma to the matte, and to chroma without the screen's spill.

With c the chroma of a pixel, as its distance from grey, and d the direction of the screen's colour, the pixel's share
of that colour is

    g = c . d - REACH * |c x d|

as Jack has it for chroma keyers ("Video Demystified", 5th edition, chapter 9): what lies off the screen's hue by more
than an angle has none of it. Here g may be below zero: an orange suit has less of green than none. Where the person
covers a share a of a pixel, and the screen alone had M and the person alone F there, g = a F + (1 - a) M, so

    a = 1 - clamp(((g - F) / (M - F) - LOW) / (HIGH - LOW))

that is, no more than MOST * g / strength - 1/4 for the last factor: what has hardly any of the screen's colour is no
screen, grey beside an orange suit neither. The two limits leave noise and folds of the screen out, and a bit of green
in clothes. M and F are known from the picture (`vcam.segment.chroma.screen`), for each part of it: no screen is lit
evenly. What is left of the screen's colour in the person, light that it throws on hair and shoulders, is taken away:
c - d max(0, c . d - SPILL * |c x d|).

All of it in 8-bit planes of Cb and Cr, whatever their range: only ratios count.
"""

from __future__ import annotations

import numpy as np

from vcam import native
from vcam.colour import NEUTRAL
from vcam.types import F32, U8

REACH = 0.5
"""Cotangent of the angle, 63 degrees, up to which a hue counts as the screen's."""

SPILL = 0.25
"""The same of its spill, 76 degrees: hair that the screen shines on is yellow with green in it."""

MOST = 8.0
"""A sixth of the screen's colour, with the strength that it has where it is lit, may be all screen."""

LOW, HIGH = 0.2, 0.8
"""Shares of the screen up to which a pixel is all person, and from which on it is all screen."""


def share_of(u: F32, v: F32, along: F32) -> F32:
    """g of chroma, float32 of any shape, less `NEUTRAL`. along: float32 (5,), see `Screen`."""
    share: F32 = (u * along[0] + v * along[1] - along[2] * np.abs(u * along[1] - v * along[0])).astype(np.float32)
    return share


class Key:
    """The loop, compiled or in NumPy; its results are its own until the next frame."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """shape: (height, width) of the chroma planes."""
        self._kernels = native.kernels()
        self.matte: U8 = np.zeros(shape, np.uint8)
        self.cleaned: tuple[U8, U8] = (np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))

    def apply(self, u: U8, v: U8, terms: tuple[F32, F32], along: F32) -> None:
        """Write `matte` and `cleaned`.

        terms: 1 / (M - F) and -F / (M - F), float32 (height, width); along: as for `share_of`.
        """
        low, gain = LOW, 1 / (HIGH - LOW)
        if self._kernels is not None:
            self._kernels.screen.key((u, v), terms, along, self.matte, self.cleaned, low=low, gain=gain)
            return
        blue, red = u.astype(np.float32) - NEUTRAL, v.astype(np.float32) - NEUTRAL
        share = share_of(blue, red, along)
        clear = np.minimum(share * terms[0] + terms[1], share * along[4] - np.float32(0.25))
        clear = np.clip((clear - low) * np.float32(gain), 0, 1)
        np.copyto(self.matte, 255.5 - 255 * clear, casting="unsafe")
        spill = np.maximum(blue * along[0] + red * along[1] - along[3] * np.abs(blue * along[1] - red * along[0]), 0)
        for plane, by, target in ((blue, along[0], self.cleaned[0]), (red, along[1], self.cleaned[1])):
            np.copyto(target, np.clip(plane - spill * by + (NEUTRAL + 0.5), 0, 255), casting="unsafe")
