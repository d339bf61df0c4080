"""What is done while the loop hangs, as in a driver that does not come back: it is told, and a placeholder is shown.

The loop cannot do either then. A thread looks at it twice a second, and takes the outputs' lock only once no picture
has been shown for `STUCK` seconds. Where the loop hangs inside an output, that lock is not to be had, and the picture
stands still. To start vcam anew is for the service manager, whose watchdog the loop no longer answers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from vcam.compose.placeholder import placeholder
from vcam.daemon.announcer import Announcer
from vcam.daemon.monitor import Monitor
from vcam.daemon.outlets import Outlets
from vcam.daemon.states import Phase
from vcam.frames import Frame
from vcam.timings import Timings
from vcam.types import Size

log = logging.getLogger(__name__)

STUCK = 1.5
"""Seconds without a picture after which the loop counts as stuck. It shows ten a second where there is nothing else."""

LOOK = 0.5
"""Seconds between two looks."""

PLACEHOLDER_INTERVAL = 0.1
"""Seconds between two placeholders, as the loop's own."""


def stuck_words(monitor: Monitor, timings: Timings | None) -> str:
    """What the loop hangs in, for people; empty as long as it turns. For any thread."""
    age = monitor.frame_age
    if age is None or age < STUCK:
        return ""
    stage = timings.current if timings else ""
    return f"no frame for {age:.0f} s" + (f", in stage {stage}" if stage else "")


class Watchdog:
    """Looks after one life's loop while the block lasts; in a thread of its own."""

    def __init__(
        self, outlets: Outlets, announcer: Announcer, stuck: Callable[[], str], phase: Callable[[], Phase]
    ) -> None:
        """stuck: gives `stuck_words`. phase: gives where the life stands."""
        self._outlets, self._announcer, self._stuck, self._phase = outlets, announcer, stuck, phase
        self._ended = threading.Event()
        self._card: tuple[Size, str, Frame] | None = None
        self._thread = threading.Thread(target=self._run, name="vcam-watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._ended.wait(LOOK):
            # twice: a process that was stopped, or a machine that slept, needs a moment to come back
            if self._stuck() and not self._ended.wait(PLACEHOLDER_INTERVAL) and (words := self._stuck()):
                try:
                    self._stand_in(words)
                except Exception:
                    log.debug("the watchdog", exc_info=True)

    def _stand_in(self, words: str) -> None:
        """Until the loop comes back."""
        log.warning("the loop is stuck: %s", words)
        self._announcer.stuck(words)
        while self._stuck() and not self._ended.is_set():
            paused = self._outlets.hidden or self._phase().paused
            card = self._drawn(self._outlets.shape[0], "paused" if paused else "the picture hangs")
            self._outlets.cover(card, lambda: bool(self._stuck()))
            self._ended.wait(PLACEHOLDER_INTERVAL)
        self._card = None
        if not self._ended.is_set():
            log.warning("the loop goes on")
            self._announcer.goes_on(self._phase())

    def _drawn(self, size: Size, words: str) -> Frame:
        if self._card is None or self._card[:2] != (size, words):
            self._card = (size, words, placeholder(size, words))
        return self._card[2]
