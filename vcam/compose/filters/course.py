"""When the network that harmonises is asked, and how its arguments change with time."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.frames import Frame
from vcam.harmony import NAMES
from vcam.types import F32, U8

EVERY = 10
"""Frames from one question to the next while the scene stays."""
AGAIN = 3
"""Frames after which it is tried again where there was nobody, or no background, to ask for."""
PAUSE = 1.0
"""Seconds without anybody in view after which the scene may be another one."""
CALM = 1.0
"""Seconds after a cut in which there is no other: a film that is nothing but cuts must not make the person flash."""
CUT = 30.0
"""Levels of luma by which a picture differs from the one before, on average, if it is another one."""
NEAR = 1e-3
"""What arguments may lie apart to be the same: nobody sees less."""
_ROWS, _STEP = 6, 24
"""Rows by which pictures are compared, and pixels from one sample to the next: few lines of memory, one after the
other, since what a picture is looked at for is not in the caches."""


class Course:
    """The arguments from frame to frame. Scenes are numbered; what is said of an earlier one is not listened to.

    The first answer in a scene counts at once, later ones are followed within `smooth` seconds.
    """

    def __init__(self, smooth: float, *, still: bool = False) -> None:
        """still: each frame is a scene of its own."""
        self._smooth, self._still = smooth, still
        self.scene = 0
        self._heard = -1
        self._since = EVERY
        self._then = self._cut = -math.inf
        self._gap = 0.0
        self._wish: F32 | None = None
        self._state: F32 | None = None

    def frame(self, now: float, *, new: bool, cut: bool) -> None:
        """A frame of time `now`, seconds. new: the background is another one; cut: one of the pictures is."""
        self._gap = now - self._then
        self._then = now
        paused = not 0 <= self._gap <= PAUSE
        if self._still:
            # what was said of another picture is not for this one
            self._wish = self._state = None
        if self._still or new or paused or (cut and not 0 <= now - self._cut < CALM):
            self.scene += 1
            self._since = EVERY
            self._cut = now
        self._since += 1

    @property
    def due(self) -> bool:
        """Whether the network is to be asked."""
        return self._since > EVERY

    def asked(self, *, in_vain: bool = False) -> None:
        """It was; in vain if there was nothing to show it: whoever comes into view is not to wait for long."""
        self._since = EVERY - AGAIN + 1 if in_vain else 1

    def heard(self, arguments: F32 | None, scene: int) -> None:
        """What it said of a scene; None if it failed."""
        if scene != self.scene:
            return
        if arguments is None:
            if self._heard != scene:
                # those of another scene would be wrong for good
                self._wish = np.zeros(len(NAMES), np.float32)
            return
        self._wish = arguments
        if self._heard != scene:
            self._state, self._heard = arguments, scene

    def follow(self) -> F32 | None:
        """The arguments for this frame, (8,); None as long as there are none. To be asked for once a frame.

        The same array comes as long as they rest; it is not changed.
        """
        if self._wish is None:
            return None
        if self._state is None or self._smooth == 0 or not 0 <= self._gap <= PAUSE:
            self._state = self._wish
        elif self._state is not self._wish:
            share = np.float32(1 - math.exp(-self._gap / self._smooth))
            way = self._wish - self._state
            self._state = self._wish if float(np.abs(way).max()) < NEAR else self._state + share * way
        return self._state

    def take_over(self, before: Course) -> None:
        """Begin with the arguments of another course, until there are own ones."""
        self._wish, self._state, self._then = before._wish, before._state, before._then


class Changes:
    """Tells whether the frames, or the plates, are other pictures than those before."""

    def __init__(self) -> None:
        self._frame: U8 | None = None
        self._plate: U8 | None = None
        self._version: tuple[int, int] | None = None

    def look(self, frame: Frame, plate: Frame, version: tuple[int, int]) -> tuple[bool, bool]:
        """Whether there is a new background, and whether one of the pictures was cut to another.

        version: the plate's; its first number is that of the background.
        """
        new = self._version is None or version[0] != self._version[0]
        seen = _samples(frame)
        cut = _differ(seen, self._frame)
        self._frame = seen
        if version != self._version:
            behind = _samples(plate)
            cut |= not new and _differ(behind, self._plate)
            self._plate, self._version = behind, version
        return new, cut


def _samples(frame: Frame) -> U8:
    """Some samples of the luma."""
    every = frame.height // _ROWS
    return np.ascontiguousarray(frame.y[every // 2 :: every, ::_STEP])


def _differ(one: U8, other: U8 | None) -> bool:
    if other is None or one.shape != other.shape:
        return other is not None
    # in one call: NumPy's four cost 0.1 ms where they are not in the caches
    return cv2.norm(one, other, cv2.NORM_L1) > CUT * one.size
