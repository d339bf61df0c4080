"""A server that is away is tried again soon; one that says no is not pestered."""

from __future__ import annotations

import random

import pytest

from vcam.output.encoded.retry import TRUSTED, Retry, is_away


class Even(random.Random):
    """Chance that is always in the middle."""

    def uniform(self, a: float, b: float) -> float:
        assert (a, b) == (0.75, 1.25)
        return (a + b) / 2


@pytest.mark.parametrize(
    ("away", "waits"),
    [(True, [0.5, 1.0, 2.0, 2.5, 2.5]), (False, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])],
)
def test_waits_double_up_to_what_the_server_may_take(away: bool, waits: list[float]) -> None:
    retry = Retry(Even())
    assert [retry.failed(0, away=away) for _ in waits] == waits
    assert retry.tries == len(waits)


def test_one_that_took_the_stream_a_moment_ago_is_tried_as_if_it_were_away() -> None:
    retry = Retry(Even())
    retry.failed(0, away=False)
    retry.accepted(100)
    assert retry.tries == 0
    waits = [retry.failed(100 + TRUSTED - 1, away=False) for _ in range(5)]
    assert waits == [0.5, 1.0, 2.0, 2.5, 2.5]
    assert retry.failed(100 + TRUSTED, away=False) == 5.0


@pytest.mark.parametrize(
    ("said", "away"),
    [
        ("Connection to tcp://10.0.0.1:1935 failed: Connection refused", True),
        ("Failed to resolve hostname example.org: Name or service not known", True),
        ("Server error: Already publishing", False),
        ("Server error: Connection refused by the application", False),
    ],
)
def test_what_ffmpeg_says_tells_the_network_from_the_server(said: str, away: bool) -> None:
    assert is_away(said) is away
