"""When to try again."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST = 0.25
LONGEST = 4.0
"""Seconds. Somebody who plugs a camera in again is not kept waiting longer than this."""


class Backoff:
    """Waits that double from `first` to `longest` seconds with every failure."""

    def __init__(
        self,
        first: float | None = None,
        longest: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = FIRST if first is None else first
        self._longest = LONGEST if longest is None else longest
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """The last try worked: the next one may come at once."""
        self._wait, self._at = self._first, float("-inf")

    def failed(self) -> None:
        """One more try failed."""
        self._at = self._clock() + self._wait
        self._wait = min(2 * self._wait, self._longest)

    @property
    def due(self) -> bool:
        """Whether it is time for the next try."""
        return self._clock() >= self._at
