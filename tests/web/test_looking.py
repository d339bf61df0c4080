"""What a page is sent of pictures by a vcam that lets nobody in, and of those that it no longer wants."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from websockets.sync.client import ClientConnection

from tests.web.test_server import Panel, runtime
from vcam.control.place import make_sockets_folder
from vcam.control.viewers import viewers_path
from vcam.errors import VcamError
from vcam.web import app, looking
from vcam.web.look import View
from vcam.web.looking import AHEAD, Looking

__all__ = ["runtime"]


class Older:
    """A vcam that knows nothing but `next`, and ends the connection of whoever asks for something else."""

    def __init__(self) -> None:
        make_sockets_folder()
        self.came = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(str(viewers_path("control")))
        self._socket.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                other, _ = self._socket.accept()
            except OSError:
                return
            self.came += 1
            with other:
                other.recv(64)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._socket.close()


@pytest.fixture
def older(runtime: Path) -> Iterator[Older]:
    older = Older()
    yield older
    older.close()


@pytest.fixture
def panel(older: Older) -> Iterator[Panel]:
    panel = Panel()
    yield panel
    panel.close()


def no_picture(page: ClientConnection) -> Any:
    while True:
        told = json.loads(page.recv(timeout=30))
        if told["event"] == "no picture":
            return told["is"]


def test_a_vcam_that_lets_nobody_look_is_said_and_not_asked_without_end(
    panel: Panel, older: Older, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "TURNED_AWAY", 1.5)
    with panel.page() as page:
        for number in (1, 2):
            page.send('{"look": true}')
            said = no_picture(page)
            turned_away = time.monotonic()
            assert "older than this program" in said["error"], said
            assert "systemctl --user restart vcam" in said["hint"]
            # as the page does, which asks at once, and again if nothing comes
            for _ in range(3):
                page.send('{"look": true}')
            assert no_picture(page) == {}
            assert time.monotonic() - turned_away > 1.2
            assert older.came == number


def test_a_vcam_that_is_not_there_is_looked_for_again_soon(runtime: Path) -> None:
    panel = Panel()
    try:
        with panel.page() as page:
            page.send('{"look": true}')
            assert "not running" in no_picture(page)["error"]
            page.send('{"look": true}')
            assert no_picture(page) == {}
    finally:
        panel.close()


class Nobody:
    """A vcam that shows nothing."""

    def __init__(self, name: str) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._descriptor

    def ask(self, view: View) -> None:
        pass

    def close(self) -> None:
        os.close(self._descriptor)


def test_a_page_that_is_hidden_and_seen_again_and_again_leaves_nothing_that_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking, "Look", Nobody)

    async def visits() -> list[int]:
        told: list[bytes | VcamError | None] = []
        page = Looking("control", told.append)
        left = []
        for _ in range(5):
            page.ask(View.SHOWN)
            while page._look is None:
                await asyncio.sleep(0.001)
            page.away()
            timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
            left.append(sum(not timer.cancelled() for timer in timers))
        page.close()
        assert told == []
        return left

    assert asyncio.run(visits()) == [0] * 5


class Slow:
    """A page that takes one picture when it is let."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[str] = asyncio.Queue()
        self.takes = asyncio.Semaphore(0)
        self.got: list[bytes] = []

    async def receive_text(self) -> str:
        return await self.says.get()

    async def send_bytes(self, picture: bytes) -> None:
        self.got.append(picture)
        await self.takes.acquire()

    async def send_text(self, text: str) -> None:
        pass


class Silent:
    """In place of what follows a vcam, and of what looks at it."""

    def __init__(self, *_: object) -> None:
        pass

    def ask(self, *_: object) -> None:
        pass

    away = close = end = ask


@pytest.mark.parametrize(
    ("then", "got"),
    [
        ('{"look": true, "view": "shown"}', [b"0", b"new"]),
        ('{"look": true, "view": "matte"}', [b"0", b"new"]),
        ('{"look": false}', [b"0", b"new"]),
        # those that it asked for are not taken away
        ('{"look": true, "view": "both"}', [b"0", b"2", b"3", b"new"]),
    ],
)
def test_what_waits_for_a_slow_page_is_little_and_never_the_room_after_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, then: str, got: list[bytes]
) -> None:
    monkeypatch.setattr(app, "Looking", Silent)
    monkeypatch.setattr(app.talk, "Following", Silent)

    async def visit() -> list[bytes]:
        slow = Slow()
        page = app._Page(slow, "control")  # type: ignore[arg-type]
        serving = asyncio.create_task(page.serve())

        async def say(words: str) -> None:
            slow.says.put_nowait(words)
            while not slow.says.empty():
                await asyncio.sleep(0)
            await asyncio.sleep(0)

        await say('{"look": true, "view": "both"}')
        page._seen(b"0")
        while not slow.got:
            await asyncio.sleep(0)
        # the first is on its way, and the others wait
        for number in range(4):
            page._seen(b"%d" % number)
        assert len(page._pictures) == AHEAD
        for number in range(4):
            page._seen(b"%d" % number)
        assert len(page._pictures) == AHEAD
        page._pictures.popleft()
        page._pictures.popleft()
        await say(then)
        page._seen(b"new")
        for _ in range(10):
            slow.takes.release()
            await asyncio.sleep(0)
        serving.cancel()
        await page.close()
        return slow.got

    assert asyncio.run(visit()) == got
