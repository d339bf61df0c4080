"""The network before and after, side by side: a few moments of the part that was kept back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vcam.frames import Frame
from vcam.images import frame_to_bgr
from vcam.types import U8

MOMENTS = 4
WIDTH = 420
_GAP, _HEAD = 8, 26
_BACK, _INK = (24, 24, 24), (235, 235, 235)
GROUND = (70, 150, 60)
"""BGR of what is shown behind the person."""


def sheet(
    frames: Sequence[Frame], before: Sequence[U8], after: Sequence[U8], words: tuple[str, str, str]
) -> U8:  # fmt: skip
    """BGR uint8: each of the moments that differ most as the camera saw it, before, and after, under these words.

    before, after: mattes, uint8 (height, width), of each frame.
    """
    apart = [float(np.mean(cv2.absdiff(one, other))) for one, other in zip(before, after, strict=True)]
    spaced = max(1, len(frames) // (2 * MOMENTS))
    chosen: list[int] = []
    for place in sorted(range(len(frames)), key=lambda place: -apart[place]):
        if len(chosen) < MOMENTS and all(abs(place - other) >= spaced for other in chosen):
            chosen.append(place)
    height = round(WIDTH * frames[0].height / frames[0].width)
    page = np.full((_HEAD + len(chosen) * (height + _GAP), 3 * (WIDTH + _GAP) + _GAP, 3), _BACK, np.uint8)
    for column, each in enumerate(words):
        at = _GAP + column * (WIDTH + _GAP), _HEAD - 8
        cv2.putText(page, each, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    for row, place in enumerate(sorted(chosen)):
        picture = frame_to_bgr(frames[place])
        shown = picture, _shown(picture, before[place]), _shown(picture, after[place])
        top = _HEAD + row * (height + _GAP)
        for column, view in enumerate(shown):
            left = _GAP + column * (WIDTH + _GAP)
            part = cv2.resize(view, (WIDTH, height), interpolation=cv2.INTER_AREA)
            page[top : top + height, left : left + WIDTH] = part
    return page


def _shown(picture: U8, matte: U8) -> U8:
    alpha = matte[..., np.newaxis].astype(np.float32) / 255
    mixed = picture * alpha + np.array(GROUND, np.float32) * (1 - alpha)
    return np.rint(mixed).astype(np.uint8)
