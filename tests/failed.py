"""What failed, in a form that is found again in a long log: each line begins with `MARK`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MARK = "failed| "

LINES, CHARACTERS, MOST = 12, 300, 15
"""Of an error its last lines, each no longer than that; of so many tests, and only the names of the others."""


def failed_lines(reports: Iterable[tuple[str, str]]) -> Iterator[str]:
    """reports: of each test that failed its id and its error."""
    for number, (name, error) in enumerate(reports):
        yield f"{MARK}{name}"
        if number < MOST:
            told = [line.rstrip() for line in error.splitlines() if line.strip()]
            yield from (f"{MARK}    {line[:CHARACTERS]}" for line in told[-LINES:])
