"""Pages that come and go at a vcam that runs: nothing of them stays."""

from __future__ import annotations

import gc
import os
import threading
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
    ['{"look": true, "view": "room"}', '{"look": true, "view": 5}', '{"look": true, "view": null}', "[1]", '"x"'],
)
def test_a_view_that_is_none_ends_the_page(panel: Panel, asked: str) -> None:
    with panel.page() as page:
        page.send(asked)
        # what vcam tells may come before the end
        with suppress(ConnectionClosed):
            assert not any(isinstance(told, bytes) for told in page)
    until(lambda: not followers())
