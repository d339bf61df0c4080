"""A daemon that learns the empty room it sees, for the tests of that."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.daemon.helpers import SETTINGS, SIZE, Daemon, LuminousCamera
from vcam.daemon.base import State
from vcam.daemon.lesson import Lesson
from vcam.errors import VcamError
from vcam.frames import Frame
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.settings import Settings

ROOM = np.random.default_rng(5).integers(50, 95, (SIZE[1], SIZE[0]))
"""Darker than what the fake network takes for a person."""
CHROMA = 100
"""Of the room, as neither placeholder nor background has it."""


def furnish(camera: LuminousCamera, *, person: bool = False) -> None:
    """From now on it sees the room, with or without somebody."""
    frame = camera._frame
    frame.y[...], frame.u[...], frame.v[...] = ROOM, CHROMA, CHROMA
    frame.full_range = True
    if person:
        frame.y[:, :32] = 200


def remembers(daemon: Daemon) -> KeptRoom:
    """Give it a memory of the room, and wait until it has that."""
    daemon.until(lambda: daemon.life.pipeline is not None)
    pipeline, kept = daemon.life.pipeline, KeptRoom(SIZE, None, alone=False)
    assert pipeline is not None
    daemon.life.mailbox.post(lambda: pipeline.matting.exchange_room(RoomChoice(kept))).result(5)
    return kept


class Learning(Daemon):
    """A daemon that can learn the empty room it sees; all that it ever shows is looked at in the end."""

    slow = False
    """Whether the network is not there at once."""

    def __init__(self, settings: Settings = SETTINGS, **more: Any) -> None:
        super().__init__(settings, **more)
        for camera in self.cameras:
            furnish(camera)

    def camera(self, *given: Any) -> Any:
        made = super().camera(*given)
        furnish(self.cameras[-1])
        return made

    def __enter__(self) -> Learning:
        super().__enter__()
        if not self.slow:
            self.kept = remembers(self)
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        assert not any(shows_room(picture) for picture in self.pictures())

    @property
    def known(self) -> float:
        return float(self.kept.status()["known"])

    def learn(self, wait: float = 0.0, **more: Any) -> Lesson:
        lesson = Lesson(wait, **more)
        self.life.learn(lesson)
        return lesson

    def begun(self, wait: float = 30.0) -> Lesson:
        """A lesson in its countdown, with the camera on."""
        lesson = self.learn(wait)
        self.until(lambda: self.life.state is State.LEARNING and self.life.keeper.ready)
        return lesson


def shows_room(picture: Frame) -> bool:
    return bool((picture.u == CHROMA).any() or (picture.v == CHROMA).any())


def is_card(picture: Frame) -> bool:
    return bool((picture.u == 130).all() and (picture.v == 127).all())


def refused(lesson: Lesson) -> VcamError:
    error = lesson.done.exception(10)
    assert isinstance(error, VcamError)
    return error
