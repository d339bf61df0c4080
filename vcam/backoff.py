"""When to try again what has failed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

FIRST = 0.25
LONGEST = 4.0
"""Seconds. Somebody who plugs a camera in again is not kept waiting longer than this."""


class Backoff:
    """Waits that double from `first` to `longest` with every failure, in the units of the clock.

    Whoever asks `due` looks at the clock for the next try; whoever has a way of waiting takes what `failed` returns.
    """

    def __init__(
        self,
        first: float | None = None,
        longest: float | None = None,
        *,
        jitter: float = 0.0,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """jitter: how much longer or shorter a wait may be, as a share of it, by `chance`: so that many who failed at
        once do not come back in step."""
        self._first = FIRST if first is None else first
        self._longest = LONGEST if longest is None else longest
        self._jitter, self._uniform = jitter, chance.uniform if chance else random.uniform
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """The last try worked: the next one may come at once."""
        self._wait, self._at = self._first, float("-inf")

    def failed(self, longest: float | None = None) -> float:
        """One more try failed. Returns how long to wait until the next.

        longest: the most for this wait, where it is not to be that of all.
        """
        base = self._wait if longest is None else min(self._wait, longest)
        self._wait = min(2 * base, self._longest)
        wait = base * self._uniform(1 - self._jitter, 1 + self._jitter) if self._jitter else base
        self._at = self._clock() + wait
        return wait

    def postpone(self) -> None:
        """The next try has to wait as after a first failure, although none failed."""
        self._wait, self._at = self._first, self._clock() + self._first

    @property
    def due(self) -> bool:
        """Whether it is time for the next try."""
        return self._clock() >= self._at
