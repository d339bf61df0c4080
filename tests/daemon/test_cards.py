"""Placeholders: drawn once, and with the words that fit."""

from __future__ import annotations

import numpy as np

from vcam.daemon import cards as module
from vcam.daemon.base import State
from vcam.daemon.cards import Cards
from vcam.errors import CameraError

SIZE = (320, 180)


def test_the_same_words_give_the_same_picture_with_the_time_of_now() -> None:
    cards = Cards(SIZE)
    first = cards.card(State.IDLE, None, 1.0)
    assert first.timestamp == 1.0
    again = cards.card(State.IDLE, None, 2.0)
    assert again is first
    assert again.timestamp == 2.0


def test_states_and_errors_have_words_of_their_own() -> None:
    cards = Cards(SIZE)
    drawn = [cards.card(state, None, 0.0).y.copy() for state in (State.STARTING, State.IDLE, State.PAUSED, State.LIVE)]
    drawn += [cards.card(State.LIVE, CameraError(words, "hint"), 0.0).y.copy() for words in ("gone", "in use")]
    for index, one in enumerate(drawn):
        assert not any(np.array_equal(one, other) for other in drawn[:index]), index


def test_an_error_goes_before_the_state_and_its_hint_is_left_out() -> None:
    cards = Cards(SIZE)
    with_hint = cards.card(State.IDLE, CameraError("gone", "plug it in"), 0.0)
    assert with_hint is cards.card(State.DEGRADED, CameraError("gone"), 0.0)


def test_another_size_is_drawn_anew() -> None:
    cards = Cards(SIZE)
    cards.card(State.IDLE, None, 0.0)
    cards.resize((160, 90))
    assert cards.size == (160, 90)
    assert cards.card(State.IDLE, None, 0.0).size == (160, 90)


def test_errors_in_ever_new_words_do_not_pile_up() -> None:
    cards = Cards((64, 36))
    for number in range(50):
        cards.card(State.DEGRADED, CameraError(f"error {number}"), 0.0)
        assert len(cards._drawn) <= module.KEPT + 1
