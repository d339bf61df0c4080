"""How much may be taken in a given time."""

from __future__ import annotations

import time


class Allowance:
    """A token bucket: grows by `rate` a second up to `burst`."""

    __slots__ = ("_burst", "_rate", "_seen", "left")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst, self.left, self._seen = rate, burst, burst, time.monotonic()

    def grow(self, now: float) -> bool:
        """Take the time passed into account; whether there is something left to spend."""
        self.left = min(self._burst, self.left + (now - self._seen) * self._rate)
        self._seen = now
        return self.left > 0

    @property
    def wait(self) -> float:
        """Seconds until it is worth looking again: a tenth of a burst, not a single request."""
        return (0.1 * self._burst - self.left) / self._rate
