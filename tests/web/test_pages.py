"""Pages that come and go at a vcam that runs: nothing of them stays."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed

from tests.daemon.helpers import Steered
from tests.web.running import until
from tests.web.test_server import Panel, followers
from vcam.web.look import BOTH, MATTE, SHOWN
from vcam.web.looking import AHEAD


@pytest.fixture
def steered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steered]:
    monkeypatch.setattr("vcam.daemon.live.PLACEHOLDER_INTERVAL", 0.002)
    steered = Steered(tmp_path, interval=0.005)
    with steered.control, steered.daemon:
        steered.daemon.live()
        yield steered


@pytest.fixture
def panel(steered: Steered) -> Iterator[Panel]:
    panel = Panel()
    yield panel
    panel.close()


def picture(page: object) -> bytes:
    while True:
        told = page.recv(timeout=30)  # type: ignore[attr-defined]
        if isinstance(told, bytes):
            return told


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.long
def test_a_hundred_pages_that_look_come_and_go_and_nothing_stays(steered: Steered, panel: Panel) -> None:
    outlets = steered.daemon.life.outlets

    def look(view: str = "shown") -> int:
        with panel.page() as page:
            page.send(f'{{"look": true, "view": "{view}"}}')
            return picture(page)[0]

    def alone() -> bool:
        return len(outlets.outputs) == 1 and not followers()

    look()
    until(alone)
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    kinds = [look(("shown", "matte", "both")[number % 3]) for number in range(94)]
    assert set(kinds) == {SHOWN, MATTE, BOTH}
    # six at once, two of which vcam could still take
    with ExitStack() as pages:
        opened = [pages.enter_context(panel.page()) for _ in range(6)]
        for page in opened:
            page.send('{"look": true}')
        assert [picture(page)[0] for page in opened] == [SHOWN] * 6
    until(alone)
    gc.collect()
    until(lambda: descriptors() <= before)
    # threads of the pool stay for the next request; there are no more than it may have
    until(lambda: threading.active_count() <= threads + 32)


def kinds(page: object, seconds: float) -> list[int]:
    """Of the pictures that come until none has come for so long."""
    told: list[int] = []
    end = time.monotonic() + seconds
    with suppress(TimeoutError):
        # what vcam does is told meanwhile
        while (left := end - time.monotonic()) > 0:
            said = page.recv(timeout=left)  # type: ignore[attr-defined]
            if isinstance(said, bytes):
                told.append(said[0])
                end = time.monotonic() + seconds
    return told


@pytest.mark.parametrize(
    ("asked", "came"),
    [
        ('{"look": true}', [SHOWN]), ('{"look": true, "pictures": 3}', [SHOWN] * 3),
        ('{"look": true, "pictures": 99}', [SHOWN] * AHEAD), ('{"look": true, "pictures": -1}', [SHOWN]),
        ('{"look": true, "view": "matte", "pictures": 2}', [MATTE] * 2),
        # never more of the room than was asked for at this moment
        ('{"look": true, "view": "both", "pictures": 4}', [BOTH]),
    ],
)  # fmt: skip
def test_as_many_pictures_come_as_were_asked_for(panel: Panel, asked: str, came: list[int]) -> None:
    with panel.page() as page:
        page.send('{"look": true}')
        picture(page)
        page.send(asked)
        assert kinds(page, 1.0) == came


def test_another_view_takes_the_place_of_what_was_asked_for(panel: Panel) -> None:
    with panel.page() as page:
        page.send('{"look": true, "pictures": 4}')
        picture(page)
        page.send('{"look": true, "view": "matte", "pictures": 4}')
        told = kinds(page, 1.0)
    # one may have been on its way
    assert told[-3:] == [MATTE] * 3
    assert len(told) <= 7
    assert told == sorted(told), "none of the old view after one of the new"


def test_a_page_that_is_hidden_is_sent_nothing_more(steered: Steered, panel: Panel) -> None:
    with panel.page() as page:
        page.send('{"look": true, "pictures": 4}')
        picture(page)
        page.send('{"look": false}')
        until(lambda: len(steered.daemon.life.outlets.outputs) == 1)
        kinds(page, 0.2)
        steered.daemon.more(50)
        assert kinds(page, 0.2) == []


def test_a_page_is_told_that_no_picture_comes_and_sees_again_when_one_does(
    steered: Steered, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vcam.control.viewers import Viewers

    with panel.page() as page:
        page.send('{"look": true}')
        picture(page)
        with monkeypatch.context() as patch:
            patch.setattr(Viewers, "write", lambda viewers, frame: None)
            page.send('{"look": true}')
            until(lambda: json.loads(page.recv(timeout=30))["event"] == "no picture")
        page.send('{"look": true}')
        assert picture(page)[0] == SHOWN
        # and when vcam ends, or lets nobody look any more
        page.send('{"look": true, "pictures": 4}')
        steered.control._viewers.close()  # type: ignore[union-attr]
        until(
            lambda: not isinstance(told := page.recv(timeout=30), bytes) and json.loads(told)["event"] == "no picture"
        )


def test_nothing_is_copied_or_encoded_while_the_page_is_hidden(
    steered: Steered, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vcam.web import look as module

    made: list[int] = []
    jpeg = module._jpeg
    monkeypatch.setattr(module, "_jpeg", lambda planes: made.append(1) or jpeg(planes))  # type: ignore[func-returns-value]
    with panel.page() as page:
        page.send('{"look": true}')
        picture(page)
        page.send('{"look": false}')
        until(lambda: len(steered.daemon.life.outlets.outputs) == 1)
        done = len(made)
        steered.daemon.more(100)
        assert len(made) == done
        page.send('{"look": true}')
        picture(page)


@pytest.mark.parametrize(
    "asked",
    [
        '{"look": true, "view": "room"}',
        '{"look": true, "view": 5}',
        '{"look": true, "view": null}',
        "[1]",
        '"x"',
        '{"look": true, "pictures": 1e999}',
        '{"look": true, "pictures": "many"}',
    ],
)
def test_a_view_that_is_none_ends_the_page(panel: Panel, asked: str) -> None:
    with panel.page() as page:
        page.send(asked)
        # what vcam tells may come before the end
        with suppress(ConnectionClosed):
            assert not any(isinstance(told, bytes) for told in page)
    until(lambda: not followers())
