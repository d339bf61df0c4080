"""When a stream tries its server again."""

from __future__ import annotations

import random
import re

FIRST = 0.5
LONGEST_AWAY, LONGEST_REFUSED = 2.5, 30.0
"""Seconds. A server that is back is found within 5 s; one that says no is not pestered."""

TRUSTED = 60.0
"""Seconds for which a server that once took the stream is tried as if it were only away: while it restarts, or still
holds the connection that was lost, it refuses what it will take again."""

_JITTER = 0.25

_AWAY = re.compile(
    "refused$|refused:|timed out|No route to host|unreachable|resolve|not known|Temporary failure|reset by peer|"
    "Broken pipe|Connection to srt|was ended by|takes no"
)


def is_away(said: str) -> bool:
    """Whether ffmpeg's words mean that no server was reached or the network failed, not that the server said no."""
    return bool(_AWAY.search(said))


class Retry:
    """Waits that double, each a little longer or shorter, so that many streams do not come back in step."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()
        self._wait = FIRST
        self._accepted_at: float | None = None
        self.tries = 0

    def accepted(self, now: float) -> None:
        """The server takes the stream."""
        self._accepted_at = now
        self._wait, self.tries = FIRST, 0

    def failed(self, now: float, *, away: bool) -> float:
        """The seconds to wait after another failure. away: see `is_away`."""
        self.tries += 1
        trusted = self._accepted_at is not None and now - self._accepted_at < TRUSTED
        longest = LONGEST_AWAY if away or trusted else LONGEST_REFUSED
        wait = min(self._wait, longest)
        self._wait = min(2 * wait, LONGEST_REFUSED)
        return wait * self._chance.uniform(1 - _JITTER, 1 + _JITTER)
