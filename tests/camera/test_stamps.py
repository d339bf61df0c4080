"""Which time stamps of a driver are believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vcam.camera.stamps import Stamps

START, RATE = 1000.0, 30.0


def ages(stamp: Callable[[int, float], float | None], frames: int = 300) -> list[float]:
    """How old the frames of ten seconds are found to be. stamp: of a frame's number and the time of its capture."""
    stamps, found = Stamps(START), []
    for number in range(frames):
        captured = START + (number + 1) / RATE
        now = captured + 0.02
        found.append(now - stamps.captured(stamp(number, captured), now, 1, RATE).at)
    return found


def test_a_good_stamp_is_the_time_of_capture() -> None:
    assert ages(lambda number, captured: captured) == pytest.approx([0.02] * 300)


UNBELIEVABLE: dict[str, Callable[[int, float], float | None]] = {
    "none": lambda number, captured: None,
    "zero": lambda number, captured: 0.0,
    "constant": lambda number, captured: START,
    "constant since long ago": lambda number, captured: 3.0,
    "the wall's clock": lambda number, captured: captured + 1.7e9,
    "a clock of its own": lambda number, captured: number / RATE,
    "twenty seconds late": lambda number, captured: captured - 20,
    "going backwards": lambda number, captured: START - number / RATE,
    "at half the pace": lambda number, captured: START + number / RATE / 2,
    "at twice the pace": lambda number, captured: START + 2 * number / RATE,
    "far ahead and back": lambda number, captured: captured + (0, 1e6)[number % 2],
    "half a minute back now and then": lambda number, captured: captured - (30 if number % 7 == 3 else 0),
    "no number": lambda number, captured: float("nan"),
}


@pytest.mark.parametrize("stamp", UNBELIEVABLE.values(), ids=UNBELIEVABLE)
def test_a_stamp_that_cannot_be_makes_no_frame_old_or_of_the_future(
    stamp: Callable[[int, float], float | None],
) -> None:
    assert all(0 <= age <= 0.6 for age in ages(stamp))


def test_one_that_stops_moving_is_not_believed_any_more_and_again_once_it_moves() -> None:
    found = ages(lambda number, captured: START + 1 if 30 <= number < 200 else captured)
    assert found[:29] == pytest.approx([0.02] * 29)
    assert found[31:200] == [0.0] * 169
    assert found[200:] == pytest.approx([0.02] * 100)


def test_after_the_reader_has_slept_an_old_stamp_is_believed() -> None:
    stamps = Stamps(START)
    stamps.captured(START + 1, START + 1.02, 1, RATE)
    found = stamps.captured(START + 1.1, START + 61, 4, RATE)
    assert (found.at, found.fresh) == (START + 1.1, False)


@pytest.mark.parametrize("stamp", [None, 0.0])
def test_without_stamps_the_time_since_the_queue_was_empty_tells_what_is_fresh(stamp: float | None) -> None:
    stamps = Stamps(START)
    stamps.emptied(START + 1)
    # three buffers are filled within a tenth of a second
    assert stamps.captured(stamp, START + 1.1, 3, RATE).fresh
    assert not stamps.captured(stamp, START + 2.1, 3, RATE).fresh
    stamps.emptied(START + 2.2)
    assert stamps.captured(stamp, START + 2.21, 1, RATE).fresh


def test_a_frame_that_is_due_in_a_moment_is_fresh_and_of_now() -> None:
    found = Stamps(START).captured(START + 1.03, START + 1, 1, RATE)
    assert (found.at, found.fresh) == (START + 1, True)


def test_a_slow_camera_may_take_two_of_its_intervals() -> None:
    assert Stamps(START).captured(START + 0.1, START + 1.2, 1, 1.0).at == START + 0.1
    assert Stamps(START - 5).captured(START - 1.9, START, 1, 1.0).at == START - 1.9
