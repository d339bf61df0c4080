"""The page at a vcam of fakes that has a camera: learning the empty room, and one that lets nobody look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.daemon.helpers import SIZE, Steered
from tests.web.browser import CHROMIUM, Browser, Page
from tests.web.running import tab, until
from tests.web.test_server import Panel
from vcam.control.wishes import NEXT, Wish
from vcam.testing import FakeSegmenter

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: sudo apt install chromium"),
]


@pytest.fixture
def steered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steered]:
    monkeypatch.setattr("vcam.daemon.live.PLACEHOLDER_INTERVAL", 0.02)
    monkeypatch.setattr("vcam.daemon.lesson.SECONDS", 0.3)
    # nobody is in the picture
    nobody = np.zeros((SIZE[1], SIZE[0]), np.float32)
    steered = Steered(tmp_path, interval=0.02, finds=lambda: FakeSegmenter(lambda frame: nobody, SIZE))
    with steered.control, steered.daemon:
        steered.daemon.live()
        yield steered


@pytest.fixture
def opened(steered: Steered) -> Iterator[Page]:
    panel = Panel()
    with Browser() as browser:
        page = browser.page()
        page.go(panel.address.link)
        page.wait("document.querySelector('canvas')?.dataset.frames > 2")
        yield page
    panel.close()


def press(page: Page, words: str) -> None:
    button = f"[...document.querySelectorAll('#panel button')].find(b => b.innerText === '{words}' && !b.disabled)"
    page.wait(button)
    page.run(f"{button}.click()")


def test_a_vcam_that_lets_nobody_look_is_said_on_the_page_until_it_does(
    steered: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "document.querySelector('.banner.bad')?.innerText"
    panel = Panel()
    try:
        with Browser() as browser, monkeypatch.context() as older:
            older.setattr("vcam.web.looking.TURNED_AWAY", 0.5)
            # it knows nothing of sizes and rates
            older.setattr("vcam.control.viewers.wish_of", lambda said: Wish() if said == NEXT else None)
            page = browser.page()
            page.go(panel.address.link)
            page.wait(f"{words}?.includes('older than this program')")
            assert "systemctl --user restart vcam" in page.run(words)
            page.wait("document.querySelector('.state').innerText === 'On air'")
            older.undo()
            page.wait("document.querySelector('canvas')?.dataset.frames > 2")
            assert not page.run(words)
    finally:
        panel.close()


def test_the_room_is_learnt_with_a_countdown_compared_and_forgotten(steered: Steered, opened: Page) -> None:
    page, life = opened, steered.daemon.life

    def kept() -> object:
        assert life.pipeline is not None
        return life.pipeline.matting.room_status["kept"]

    tab(page, "camera")
    press(page, "Learn my room")
    counted = set()
    until(lambda: counted.add(page.run("document.querySelector('.lesson strong')?.innerText")) or {"5", "3"} <= counted)
    assert page.run("document.querySelector('canvas').dataset.kind") == "placeholder"
    page.wait("document.querySelector('.banner.note')?.innerText.includes('The room is known')")
    assert kept() == "told"
    page.wait("document.getElementById('panel').innerText.includes('shown by you')")
    press(page, "See without it")
    until(lambda: steered.settings["segment.room"] == "off")
    press(page, "See without it")
    until(lambda: steered.settings["segment.room"] == "told")
    until(lambda: kept() == "told")
    press(page, "Forget it")
    until(lambda: not kept())
