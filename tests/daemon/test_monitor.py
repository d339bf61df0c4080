"""Figures: rates over the last seconds, frames that were dropped, the last error."""

from __future__ import annotations

import pytest

from vcam.daemon.monitor import Monitor
from vcam.testing import FakeClock
from vcam.timings import Timings


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def monitor(clock: FakeClock) -> Monitor:
    return Monitor(clock=clock)


def test_rates_are_those_of_the_last_seconds(
    monitor: Monitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the process takes a quarter of a core
    monkeypatch.setattr("vcam.daemon.monitor.time.process_time", lambda: clock.now / 4)
    timings, dropped = Timings(), 0
    for turn in range(300):
        # thirty turns a second; those of the first five seconds are slow ones
        monitor.look(None, dropped, timings)
        timings.frames += 1
        timings.cpu_ns["segment"] += 4_000_000 if turn > 150 else 40_000_000
        dropped += turn % 15 == 0
        monitor.repeated += turn % 30 == 0
        clock.now += 1 / 30
    rates = monitor.rates()
    assert rates["fps_in"] == pytest.approx(32, abs=0.5)
    assert rates["fps_out"] == pytest.approx(31, abs=0.5)
    assert rates["cpu_percent"] == pytest.approx(25.0)
    assert rates["cpu_ms"]["segment"] == 4.0
    assert rates["cpu_ms"]["read"] == 0.0
    assert monitor.dropped == dropped - 1, "as of the last look a second"


def test_figures_that_nobody_renews_are_zero(monitor: Monitor, clock: FakeClock) -> None:
    timings = Timings()
    for _ in range(5):
        monitor.look(None, 0, timings)
        timings.frames += 30
        clock.now += 1.0
    assert monitor.rates()["fps_out"] == 30.0
    clock.now += 2.0
    assert monitor.rates()["fps_out"] == 0.0


def test_before_the_network_is_there_nothing_is_counted(monitor: Monitor, clock: FakeClock) -> None:
    for _ in range(3):
        monitor.look(None, 0, None)
        clock.now += 1.0
    assert monitor.rates()["fps_in"] == 0.0
    assert monitor.started == 1000.0


def test_dropped_frames_add_up_over_cameras_that_count_anew(monitor: Monitor, clock: FakeClock) -> None:
    for by_camera in (2, 5, 1, 1, 4):
        clock.now += 1.0
        monitor.look(None, by_camera, None)
    assert monitor.dropped == 5 + 4


def test_the_last_error_has_the_time_at_which_it_came(monitor: Monitor, clock: FakeClock) -> None:
    first, second = RuntimeError("first"), RuntimeError("second")
    seen = []
    for trouble in (None, first, first, None, second):
        monitor.look(trouble, 0, None)
        seen.append(monitor.last_error)
        clock.now += 0.1
    times = [last and (round(last[0] - 1000, 1), str(last[1])) for last in seen]
    assert times == [None, (0.1, "first"), (0.1, "first"), (0.1, "first"), (0.4, "second")]
