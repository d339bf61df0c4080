"""Small films for the tests: a bright person before a room that stands still."""

from __future__ import annotations

import numpy as np

from vcam.filmroom import Told
from vcam.frames import Frame
from vcam.learn.footage import Footage
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import U8, Size

SIZE: Size = (320, 180)


def room(seed: int = 0, size: Size = SIZE) -> Frame:
    """A room with texture, and a plain dark chair in its left half."""
    chance = np.random.default_rng(seed)
    frame = Frame.allocate(*size)
    width, height = size
    blocks = chance.integers(70, 180, (height // 10 + 1, width // 10 + 1))
    frame.y[...] = np.repeat(np.repeat(blocks, 10, 0), 10, 1)[:height, :width]
    frame.u[...], frame.v[...] = 120, 132
    frame.y[80:150, 30:90] = 60
    return frame


CHAIR = np.s_[80:150, 30:90]


def mask(left: int, size: Size = SIZE) -> U8:
    """A person of a third of the width, from a column on."""
    width, height = size
    found = np.zeros((height, width), np.uint8)
    found[height // 4 :, left : left + width // 3] = 255
    return found


def film(count: int = 60, *, size: Size = SIZE, noise: float = 1.5, luma: int = 210) -> tuple[Footage, list[U8]]:
    """A film in which somebody sways, and the true mattes of its frames."""
    chance = np.random.default_rng(3)
    empty, made, mattes = room(size=size), Footage("me.mkv", 30.0), []
    for number in range(count):
        frame = Frame.allocate(*size)
        frame.copy_from(empty)
        frame.seq = number
        matte = mask(110 + round(20 * np.sin(number / 6)), size)
        frame.y[matte > 0] = luma
        frame.u[matte[::2, ::2] > 0], frame.v[matte[::2, ::2] > 0] = 100, 160
        frame.y[...] = np.clip(frame.y + chance.normal(0, noise, frame.y.shape), 16, 235).astype(np.uint8)
        (made.learnt if number < count // 2 else made.held).append(frame)
        mattes.append(matte)
    return made, mattes


def told(seed: int = 0, size: Size = SIZE) -> Told:
    """The empty room, known everywhere."""
    frame = room(seed, size)
    return Told(RoomPicture(frame, np.full(frame.u.shape, 255, np.uint8)), size)
