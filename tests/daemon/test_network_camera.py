"""A network camera that takes the connection and is silent: the loop goes on, and obeys."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.daemon.helpers import SIZE, Daemon
from vcam.camera.shape import ShapedCamera
from vcam.camera.url import UrlCamera
from vcam.daemon.base import State

pytestmark = pytest.mark.process


@pytest.fixture
def silent() -> Iterator[Daemon]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://me:geheim77@127.0.0.1:{server.getsockname()[1]}/geheim77?pwd=geheim77"
        daemon = Daemon(camera=ShapedCamera(UrlCamera(address, SIZE, 30), SIZE))
        with daemon:
            daemon.until(lambda: daemon.life.keeper.ready)
            yield daemon


def test_placeholders_go_on(silent: Daemon) -> None:
    ages = []
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        ages.append(silent.life.monitor.frame_age or 0.0)
        time.sleep(0.01)
    assert max(ages) < 1.5
    assert len(silent.screen.frames) >= 3


def test_a_pause_and_the_end_come_at_once(silent: Daemon) -> None:
    began = time.monotonic()
    silent.life.pause().result(5)
    paused = time.monotonic()
    assert silent.life.state is State.PAUSED
    silent.life.stop()
    silent.thread.join(10)
    # half a second each, and more for a busy machine
    assert paused - began < 2
    assert time.monotonic() - paused < 2


def test_nothing_that_it_says_has_the_address(silent: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    silent.until(lambda: silent.life.state is State.WAITING)
    camera = silent.life.keeper.camera
    assert camera.description.startswith("http://127.0.0.1:")
    assert "geheim77" not in f"{silent.life.words} {camera.description} {caplog.text}"
