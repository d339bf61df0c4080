"""A pause: the camera is off whoever watches, until it ends."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tests.daemon.helpers import PERSON, Daemon
from vcam.daemon.base import State

pytestmark = pytest.mark.usefixtures("quick")


def test_a_pause_switches_the_camera_off_whoever_watches_and_its_end_switches_it_on() -> None:
    with Daemon() as daemon:
        daemon.live()
        daemon.life.pause().result(30)
        daemon.until(lambda: not daemon.cameras[0].is_open)
        assert daemon.life.state is State.PAUSED
        for picture in daemon.more():
            assert not (picture.y == PERSON["one"]).any()
        daemon.set(background__spec="color:#c02020")
        daemon.life.resume().result(30)
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.more()[-1].y[32, 5] == PERSON["one"]
        assert daemon.cameras[0].opened == 2


def test_a_pause_that_has_ended_is_over_before_the_loop_turns_again() -> None:
    with Daemon() as daemon:
        daemon.live()
        daemon.life.pause().result(30)
        asked: list[Future[Any]] = []

        def both() -> None:
            # from inside the loop, so that it carries out both, one after the other, before it looks around
            asked.extend((daemon.life.resume(), daemon.life.mailbox.post(lambda: daemon.life.state)))

        daemon.life.mailbox.post(both).result(30)
        assert asked[1].result(30) is State.WAITING


def test_a_pause_before_the_first_frame_keeps_the_camera_off() -> None:
    daemon = Daemon()
    daemon.life.pause()
    with daemon:
        daemon.until(lambda: daemon.life.state is State.PAUSED and len(daemon.screen.frames) > 3)
        assert daemon.cameras[0].opened == 0
