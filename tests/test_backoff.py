"""Waits grow with every failure, up to the longest, and begin anew after a success."""

from __future__ import annotations

import random

import pytest

from vcam.backoff import Backoff
from vcam.testing import FakeClock


def waited(backoff: Backoff, clock: FakeClock) -> float:
    """How long it takes until the next try is due."""
    began = clock.now
    while not backoff.due:
        clock.now += 0.25
    return clock.now - began


def test_waits_double_up_to_the_longest_and_start_anew_after_a_success() -> None:
    clock = FakeClock()
    backoff = Backoff(1.0, 4.0, clock=clock)
    for wait in (1.0, 2.0, 4.0, 4.0):
        assert backoff.due
        assert backoff.failed() == wait
        assert waited(backoff, clock) == wait
    backoff.failed()
    backoff.reset()
    assert backoff.due
    assert backoff.failed() == 1.0


def test_a_failure_of_another_kind_has_its_own_longest_wait() -> None:
    clock = FakeClock()
    backoff = Backoff(0.5, 8.0, clock=clock)
    assert [backoff.failed(longest) for longest in (None, 0.75, 0.75)] == [0.5, 0.75, 0.75]
    assert waited(backoff, clock) == 0.75
    # and goes on from there
    assert [backoff.failed() for _ in range(5)] == [1.5, 3.0, 6.0, 8.0, 8.0]


def test_waits_are_a_little_longer_or_shorter_so_that_many_do_not_come_back_in_step() -> None:
    clock = FakeClock()
    waits = [Backoff(8.0, 8.0, jitter=0.25, chance=random.Random(seed), clock=clock).failed() for seed in range(200)]
    assert 6.0 <= min(waits) < 6.5 < 9.5 < max(waits) <= 10.0
    backoff = Backoff(8.0, 64.0, jitter=0.25, chance=random.Random(1), clock=clock)
    told = backoff.failed()
    assert waited(backoff, clock) == pytest.approx(told, abs=0.25)
    # what doubles is the wait without it
    assert 12.0 <= backoff.failed() <= 20.0


def test_what_is_postponed_waits_as_after_a_first_failure() -> None:
    clock = FakeClock()
    backoff = Backoff(1.0, 8.0, clock=clock)
    backoff.failed()
    backoff.failed()
    backoff.postpone()
    assert waited(backoff, clock) == 1.0
    assert backoff.failed() == 1.0
