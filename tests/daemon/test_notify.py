from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.helpers import SIZE, Daemon, Screen
from vcam.daemon.notify import Notifier
from vcam.frames import Frame
from vcam.pipeline import Pipeline
from vcam.testing import FakeCamera, FakeClock, RecordingOutput, pattern_frame


class Manager:
    """The socket of a service manager."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(0)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else f"@vcam-test-{os.getpid()}")
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: Manager) -> Iterator[Notifier]:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    yield notifier
    notifier.close()


def test_the_life_of_a_service_as_systemd_reads_it(manager: Manager, notifier: Notifier) -> None:
    notifier.ready("starting:\nloading the network")
    notifier.status("idle: nobody watches")
    notifier.status("idle: nobody watches")
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    notifier.ready("live: café")
    notifier.stopping()
    heard = manager.heard()
    reloading, stamp = heard.pop(2).split("\n")
    assert heard == [
        "READY=1\nSTATUS=starting: loading the network",
        "STATUS=idle: nobody watches",
        "READY=1\nSTATUS=live: café",
        "STOPPING=1",
    ]
    assert reloading == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_the_watchdog_is_fed_at_half_its_time_however_often_the_loop_turns(manager: Manager) -> None:
    clock = FakeClock()
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = Notifier(environ, clock=clock)
    fed = []
    for _ in range(100):
        notifier.alive()
        if manager.heard() == ["WATCHDOG=1"]:
            fed.append(clock.now)
        clock.now += 0.1
    assert len(fed) in (5, 6)
    assert all(1.95 < after - before < 2.15 for before, after in pairwise(fed))
    assert environ == {}, "a program that is started from here would speak in vcam's name"
    notifier.close()


@pytest.mark.parametrize("extra", [{}, {"WATCHDOG_USEC": "much"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}])
def test_without_a_watchdog_of_its_own_nothing_is_fed(extra: dict[str, str], manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address, **extra})
    notifier.alive()
    assert manager.heard() == []
    notifier.close()


def everything(notifier: Notifier) -> None:
    calls: list[Callable[[], None]] = [
        lambda: notifier.ready("on"), lambda: notifier.status("off"), notifier.alive, notifier.reloading,
        notifier.stopping, notifier.close, notifier.alive,
    ]  # fmt: skip
    for call in calls:
        call()


@pytest.mark.parametrize("address", ["", "@", "vsock:2:1234", "relative", "/no/such/socket", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    everything(Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"} if address else {}))


def test_a_manager_that_goes_or_does_not_read_holds_nothing_up(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address}, clock=FakeClock())
    begun = time.monotonic()
    for number in range(1000):
        notifier.status(str(number))
        if time.monotonic() - begun > 0.15:
            break
    # one that waits for it waits for ever
    assert time.monotonic() - begun < 30
    manager.socket.close()
    everything(notifier)


class Recorder(Notifier):
    """Writes down what is reported, and how many pictures had been shown by then."""

    def __init__(self, screen: RecordingOutput) -> None:
        super().__init__({})
        self.screen, self.told, self.turns = screen, [], 0

    def ready(self, status: str) -> None:
        self.told.append((f"ready {status}", len(self.screen.frames)))

    def status(self, text: str) -> None:
        self.told.append((text, len(self.screen.frames)))

    def stopping(self) -> None:
        self.told.append(("stopping", len(self.screen.frames)))

    def alive(self) -> None:
        self.turns += 1


def test_ready_is_told_once_the_placeholder_flows_then_every_state_and_the_loop_is_alive_on_every_turn() -> None:
    loaded = threading.Event()

    class Slow(Daemon):
        def pipeline(self, *args: Any) -> Pipeline:
            loaded.wait(60)
            return super().pipeline(*args)

    class Patient(Screen):
        def write(self, frame: Frame) -> None:
            super().write(frame)
            if len(self.frames) == 3:
                loaded.set()

    screen = Patient()
    notifier = Recorder(screen)
    camera = FakeCamera([pattern_frame(SIZE, number) for number in range(8)], size=SIZE, live=True)
    Slow(camera=camera, screen=screen, notifier=notifier).life.run(frames=5)
    told = [text.split(":")[0] for text, _ in notifier.told]
    assert told[0] == "ready starting"
    assert notifier.told[0][1] == 1
    assert told[-3:] == ["live", "stopping", "stopping"]
    assert notifier.turns >= len(screen.frames)
