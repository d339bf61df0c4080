"""A room with a person in it, as a camera and a network see it."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.assets import asset
from vcam.frames import Box, Frame, Map
from vcam.images import bgr_to_frame, read_image
from vcam.segment.emptyroom.memory import RoomMemory, mean_room
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.prepare import Preparer
from vcam.types import U8, Size

SIZE: Size = (256, 144)
PERSON = np.s_[30:144, 90:170]
SHELF = np.s_[20:60, 175:190]


def room(name: str = "room.jpg") -> U8:
    return cv2.resize(read_image(asset(name)), SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8)


def shot(picture: U8, number: int = 0, noise: float = 2.0) -> Frame:
    chance = np.random.default_rng(number)
    noisy = picture.astype(np.float32) + chance.normal(0, noise, picture.shape)
    frame = bgr_to_frame(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    frame.seq = number
    return frame


def with_person(picture: U8) -> U8:
    seen = picture.copy()
    seen[PERSON] = (60, 180, 240)
    return seen


def map_of(frame: Frame, *, shelf: bool = True) -> Map:
    """What a network might say: the person, softly, and part of the room beside her."""
    probability = np.zeros((SIZE[1], SIZE[0]), np.float32)
    probability[PERSON] = 1
    probability = cv2.GaussianBlur(probability, (9, 9), 0)
    if shelf:
        probability[SHELF] = 0.8
    preparer = Preparer(SIZE, "RGB")
    preparer.shrink(frame)
    return Map(probability, Box(0, 0, *SIZE), frame.seq, frame.seq, preparer.pyramid)


def known(picture: U8) -> RoomPicture:
    return mean_room([shot(picture, 100 + number) for number in range(20)])


def memory(picture: U8 | None, *, learns: bool = False) -> RoomMemory:
    return RoomMemory(SIZE, full_range=False, room=None if picture is None else known(picture), learns=learns)
