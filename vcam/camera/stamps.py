"""When a frame was captured, by the driver's time stamp if that can be believed, else by when it was fetched.

Drivers stamp frames by a clock that may have stood still, jumped, begun anew, or be the wall's: the flag that says
CLOCK_MONOTONIC is set all the same. What is known for sure is when a frame was fetched, and that it was not there when
the queue of filled buffers was empty last: it was finished in between. A stamp is believed if it agrees with that, and
has moved since the last one. It marks the start of the exposure or its end, so it may be a little older.
"""

from __future__ import annotations

from dataclasses import dataclass

LATE = 0.5
"""Seconds from the stamp of a frame to its end: exposure, transfer, and what a camera computes."""

_ON_TIME = 1.5
"""Frames' intervals after its capture for which a frame is a fresh one."""


@dataclass(frozen=True, slots=True)
class Captured:
    """When a frame was captured, in seconds of CLOCK_MONOTONIC, and whether that was just now."""

    at: float
    fresh: bool


class Stamps:
    """The time stamps of one stream. All times are seconds of CLOCK_MONOTONIC."""

    def __init__(self, started: float) -> None:
        """started: when the stream began; nothing can have been captured before."""
        self._empty_at = started
        self._last: float | None = None

    def captured(self, stamp: float | None, now: float, count: int, fps: float) -> Captured:
        """When the newest of `count` frames was captured that were fetched `now`; no filled buffer is left.

        stamp: the driver's, None if it does not say by which clock. Never later than `now`.
        """
        empty_at, self._empty_at = self._empty_at, now
        slack = max(LATE, 2 / fps)
        moved = stamp is not None and (self._last is None or stamp > self._last)
        if stamp is not None and moved and empty_at - slack <= stamp <= now + slack:
            self._last = stamp
            # some drivers stamp the moment at which the frame is due
            return Captured(min(stamp, now), now - stamp < _ON_TIME / fps)
        # the buffers were filled one after the other from then on, and then no more
        return Captured(now, now - empty_at < (count + _ON_TIME) / fps)

    def emptied(self, now: float) -> None:
        """No buffer was filled."""
        self._empty_at = now
