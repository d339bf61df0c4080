"""A room that is recognised wherever it is shown, and a person who is not it."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.frames import Frame
from vcam.types import F32

SIZE = (128, 64)
PERSON = 110
AMPLITUDE = 60
ROOM_COLOUR = (80, 170)

_rows, _columns = np.indices((SIZE[1], SIZE[0]))
CHEQUERS = np.where((_rows + _columns) % 2, 1.0, -1.0).astype(np.float32)


def shows_the_room(picture: Frame) -> bool:
    """Whether any block of 8x8 pixels holds most of the chequerboard's contrast, in either phase."""
    contrast = cv2.resize(picture.y * CHEQUERS, (SIZE[0] // 8, SIZE[1] // 8), interpolation=cv2.INTER_AREA)
    return bool(np.abs(contrast).max() > 0.5 * AMPLITUDE)


def room(place: int, size: tuple[int, int] = SIZE, top: int = 0) -> Frame:
    """The room with the person, 32 pixels wide, at column `place` and from row `top` down.

    The person is of one even grey, the room is not.
    """
    frame = Frame.allocate(*size)
    rows, columns = np.indices(frame.y.shape)
    frame.y[...] = 120 + AMPLITUDE * np.where((rows + columns) % 2, 1, -1)
    frame.y[top:, place : place + 32] = PERSON
    for plane, colour in zip((frame.u, frame.v), ROOM_COLOUR, strict=True):
        plane[...] = colour
        plane[top // 2 :, place // 2 : place // 2 + 16] = 128
    return frame


def the_person(frame: Frame) -> F32:
    """What a perfect network finds: pixels of the person's grey with such neighbours."""
    same = (np.abs(frame.y.astype(np.int16) - PERSON) < 12).astype(np.uint8)
    return cv2.morphologyEx(same, cv2.MORPH_OPEN, np.ones((1, 5), np.uint8)).astype(np.float32)
