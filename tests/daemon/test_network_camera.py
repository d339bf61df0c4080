"""A network camera that takes the connection and is silent: the loop goes on, and obeys."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from itertools import pairwise

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
    shown = [time.monotonic()]
    while len(shown) < 6:
        silent.more(1)
        shown.append(time.monotonic())
    # a loop that waits for the camera shows none for as long as it waits, every time; a busy machine is late sometimes
    assert min(later - sooner for sooner, later in pairwise(shown[1:])) < 1.5
    assert silent.life.state is State.WAITING


def test_a_pause_and_the_end_come_at_once(silent: Daemon) -> None:
    began = time.monotonic()
    silent.life.pause().result(30)
    paused = time.monotonic()
    assert silent.life.state is State.PAUSED
    silent.life.stop()
    silent.thread.join(30)
    # half a second each, and more for a busy machine; the camera itself is silent for ever
    assert paused - began < 15
    assert time.monotonic() - paused < 15


def test_nothing_that_it_says_has_the_address(silent: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    silent.until(lambda: silent.life.state is State.WAITING)
    camera = silent.life.keeper.camera
    assert camera.description.startswith("http://127.0.0.1:")
    assert "geheim77" not in f"{silent.life.words} {camera.description} {caplog.text}"
