"""The daemon's log: one line an event, and no line over and over again."""

from __future__ import annotations

import logging

from vcam.daemon.logs import LineFormatter, RepeatFilter
from vcam.testing import FakeClock


def record(text: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("vcam.x", level, "x.py", 1, text, args, None)


def test_a_log_line_has_the_journals_priority_and_stays_one_line() -> None:
    plain, journal = LineFormatter(journal=False), LineFormatter(journal=True)
    assert plain.format(record("a\nb")) == "vcam: a b"
    assert journal.format(record("lost %s", "it")) == "<4>lost it"
    assert journal.format(record("x", level=logging.INFO)) == "<6>x"


def test_a_line_that_comes_again_and_again_is_counted_instead() -> None:
    clock = FakeClock()
    quiet = RepeatFilter(clock=clock)
    assert [quiet.filter(record("lost %s", "it")) for _ in range(8)] == [True] * 5 + [False] * 3
    assert quiet.filter(record("lost %s", "that"))
    clock.now += 61
    last = record("lost %s", "it")
    assert quiet.filter(last)
    assert last.getMessage() == "lost it (and 3 times more since)"
    for number in range(2000):
        quiet.filter(record("%d", number))
    assert len(quiet._seen) <= 256
