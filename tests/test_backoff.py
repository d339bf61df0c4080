from __future__ import annotations

from vcam.backoff import Backoff
from vcam.testing import FakeClock


def test_waits_double_up_to_the_longest_and_start_anew_after_a_success() -> None:
    clock = FakeClock()
    backoff = Backoff(1.0, 4.0, clock=clock)
    waits = []
    for _ in range(4):
        assert backoff.due
        backoff.failed()
        began = clock.now
        while not backoff.due:
            clock.now += 0.5
        waits.append(clock.now - began)
    assert waits == [1.0, 2.0, 4.0, 4.0]
    backoff.failed()
    backoff.reset()
    assert backoff.due
