"""What a viewer asks for, and what it is told of the picture that comes: what both ends of the socket know."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

import msgspec

from vcam.frames import MAX_SIDE, MIN_SIDE

NEXT = b"next"
"""What a viewer sends for one picture."""


class Besides(Enum):
    """What may be asked for besides the finished picture.

    NOTHING: what others see, alone. MATTE: the luma plane of the second picture is the matte, 0 background to 255
    person. ROOM: the second picture is the camera's own, in its own range, of the same part of it.
    """

    NOTHING = ""
    MATTE = "matte"
    ROOM = "room"


class Wish(NamedTuple):
    """One picture that is asked for.

    wide: pixels across at most, even; 0: as many as it has. rate: pictures a second at most; 0: the next one.
    """

    besides: Besides = Besides.NOTHING
    wide: int = 0
    rate: int = 0

    @property
    def written(self) -> bytes:
        """As a viewer sends it."""
        numbers = f" {self.wide or MAX_SIDE} {self.rate or QUICKEST}" if self.wide or self.rate else ""
        return NEXT + (f" {self.besides.value}" if self.besides.value else "").encode() + numbers.encode()


QUICKEST = 99
"""The highest rate that can be asked for."""
_WRITTEN = re.compile(NEXT + rb"(?: (matte|room))?(?: ([1-9][0-9]{1,3}) ([1-9][0-9]?))?")
"""All that a viewer may send."""


def wish_of(said: bytes) -> Wish | None:
    """What a viewer has asked for; None if that is nothing."""
    found = _WRITTEN.fullmatch(said)
    if found is None:
        return None
    besides, wide, rate = (group.decode() for group in found.groups(b""))
    if wide and (int(wide) % 2 or not MIN_SIDE <= int(wide) <= MAX_SIDE):
        return None
    return Wish(Besides(besides), int(wide or 0), int(rate or 0))


class About(msgspec.Struct, frozen=True):
    """What is said of a picture. besides: the second picture that came with it; full_range: of that one."""

    size: tuple[int, int]
    composited: bool
    timestamp: float
    seq: int
    besides: Besides = Besides.NOTHING
    full_range: bool = False
