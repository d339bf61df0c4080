"""A picture of one's own while vcam is paused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.daemon.helpers import SETTINGS, Daemon
from vcam.assets import asset
from vcam.compose.backgrounds.static import load_picture
from vcam.compose.placeholder import placeholder
from vcam.daemon import pausepicture
from vcam.daemon.base import State
from vcam.daemon.cards import Cards
from vcam.frames import Frame

SIZE = (640, 360)
DUSK = str(asset("dusk.jpg"))


def test_the_picture_is_shown_and_kept() -> None:
    cards = Cards(SIZE)
    card = cards.card(State.PAUSED, None, 1.0, "", DUSK)
    np.testing.assert_array_equal(card.y, load_picture(Path(DUSK), SIZE, "cover").y)
    assert cards.card(State.PAUSED, None, 2.0, "", DUSK) is card
    assert cards.card(State.PAUSED, None, 2.0) is not card


def test_words_stand_on_it() -> None:
    cards = Cards(SIZE)
    plain, written = (cards.card(State.PAUSED, None, 1.0, words, DUSK).y for words in ("", "back in five minutes"))
    differs = plain != written
    # in the middle, and nowhere else
    assert differs[170:190, 200:440].any()
    assert not differs[:120].any()


def test_it_fits_another_size_of_the_picture() -> None:
    cards = Cards(SIZE)
    cards.card(State.PAUSED, None, 1.0, "", DUSK)
    cards.resize((320, 240))
    assert cards.card(State.PAUSED, None, 1.0, "", DUSK).size == (320, 240)


@pytest.mark.parametrize("words", ["", "back soon"])
def test_one_that_is_gone_is_logged_once_and_the_card_is_shown(words: str, caplog: pytest.LogCaptureFixture) -> None:
    cards = Cards(SIZE)
    for _ in range(3):
        card = cards.card(State.PAUSED, None, 1.0, words, "/nowhere.jpg")
    np.testing.assert_array_equal(card.y, placeholder(SIZE, words or "paused").y)
    assert len([record for record in caplog.records if "nowhere" in record.message]) == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("at_the_start", [True, False])
def test_the_loop_never_reads_it_so_that_a_pause_hides_at_once(
    at_the_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[threading.Thread] = []

    def load(*args: Any) -> Frame:
        readers.append(threading.current_thread())
        return load_picture(*args)

    monkeypatch.setattr(pausepicture, "load_picture", load)
    pausepicture._load.cache_clear()
    with Daemon(SETTINGS.replace(overlay__pause_picture=DUSK) if at_the_start else SETTINGS) as daemon:
        daemon.live()
        if not at_the_start:
            daemon.set(overlay__pause_picture=DUSK)
        daemon.until(lambda: pausepicture._load.cache_info().currsize == 1)
        daemon.life.pause().result(30)
        wanted = load_picture(Path(DUSK), (96, 64), "cover").y
        daemon.until(lambda: np.array_equal(daemon.screen.frames[-1][: wanted.size].reshape(wanted.shape), wanted))
    assert len(readers) == 1
    assert daemon.thread not in readers
