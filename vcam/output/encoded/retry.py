"""When a stream tries its server again."""

from __future__ import annotations

import random
import re

from vcam.backoff import Backoff

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
    """Waits that double, each a little longer or shorter: up to a few seconds for a server that is only away."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._backoff = Backoff(FIRST, LONGEST_REFUSED, jitter=_JITTER, chance=chance)
        self._accepted_at: float | None = None
        self.tries = 0

    def accepted(self, now: float) -> None:
        """The server takes the stream."""
        self._accepted_at = now
        self.tries = 0
        self._backoff.reset()

    def failed(self, now: float, *, away: bool) -> float:
        """The seconds to wait after another failure. away: see `is_away`."""
        self.tries += 1
        trusted = self._accepted_at is not None and now - self._accepted_at < TRUSTED
        return self._backoff.failed(LONGEST_AWAY if away or trusted else LONGEST_REFUSED)
