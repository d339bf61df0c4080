"""What the samples of a picture mean: BT.601, in the limited range of video and in the full one of JPEG.

With R, G, B from 0 to 1 (ITU-R BT.601-7, 2.5):

    E = 0.299 R + 0.587 G + 0.114 B            the luma, 0 to 1
    P = (B - E) / 1.772                        the difference of blue, -1/2 to 1/2
    Q = (R - E) / 1.402                        the difference of red

In the limited range the samples are Y = 16 + 219 E, Cb = 128 + 224 P, Cr = 128 + 224 Q; in the full range all of them
span 255 steps, from 0 for Y and around 128 for Cb and Cr (JFIF: ITU-T T.871).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vcam.types import F32, U8

FULL: Final = 255
"""Steps of a sample in the full range."""

BLACK: Final = 16
WHITE: Final = 235
"""The ends of luma in the limited range."""

LOWEST: Final = 16
HIGHEST: Final = 240
"""The ends of chroma in the limited range."""

NEUTRAL: Final = 128
"""Chroma without colour, in both ranges."""

LUMA_SPAN: Final = WHITE - BLACK
CHROMA_SPAN: Final = HIGHEST - LOWEST

LUMA_SCALE: Final = LUMA_SPAN / FULL
CHROMA_SCALE: Final = CHROMA_SPAN / FULL
"""Steps of the limited range for one of the full."""

TOPS: Final = (WHITE, HIGHEST, HIGHEST)
"""The highest samples of Y, Cb and Cr in the limited range; the lowest are 16."""

ZERO: Final[F32] = np.array([BLACK, NEUTRAL, NEUTRAL], np.float32)
SPAN: Final[F32] = np.array([LUMA_SPAN, CHROMA_SPAN, CHROMA_SPAN], np.float32)
"""float32 (3,), for Y, Cb and Cr of the limited range: (sample - ZERO) / SPAN is E, P and Q."""

RED: Final = 0.299
GREEN: Final = 0.587
BLUE: Final = 0.114
"""What the colours weigh in the luma."""

BLUE_RANGE: Final = 1.772
RED_RANGE: Final = 1.402
"""How far B - E and R - E reach: 2 (1 - BLUE) and 2 (1 - RED)."""

PER_BLUE: Final = 0.564
PER_RED: Final = 0.713
"""One over these, rounded as BT.601 writes them."""

TO_RGB: Final[F32] = np.array([[1, 1, 1], [0, -0.344136, BLUE_RANGE], [RED_RANGE, -0.714136, 0]], np.float32)
"""float32 (3, 3): (E, P, Q) @ TO_RGB is (R, G, B), rounded as T.871 writes it."""

EXPANDED: Final[U8] = np.rint(np.clip((np.arange(256) - BLACK) * (FULL / LUMA_SPAN), 0, FULL)).astype(np.uint8)
"""uint8 (256,): limited luma as grey of the full range, 0 to 255."""


def to_limited(full_range: bool, chroma: bool) -> tuple[float, float]:
    """Scale and offset that bring a sample of that range into the limited one."""
    if not full_range:
        return 1.0, 0.0
    return (CHROMA_SCALE, NEUTRAL * (1 - CHROMA_SCALE)) if chroma else (LUMA_SCALE, float(BLACK))
