"""The daemon's log: one line an event, in the journal's own levels, and no line over and over again."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable

from vcam.printable import printable

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog's numbers, which sd-daemon(3) takes in angle brackets before a line."""

WINDOW = 60.0
ALLOWED = 5
_MOST = 256


class LineFormatter(logging.Formatter):
    """Each record on one line; with the journal's priority if that is where it goes."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "vcam: %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.exc_info is None:
            text = " ".join(text.splitlines())
        # a name may hold anything, and this line goes to terminals
        text = printable(text, "\n\t")
        if not self._journal:
            return text
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in text.splitlines())


class RepeatFilter(logging.Filter):
    """Lets the same message through `ALLOWED` times in `WINDOW` seconds, then says how many were left out."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, text = self._clock(), record.getMessage()
        since, count = self._seen.pop(text, (now, 0))
        if now - since > WINDOW:
            if count > ALLOWED:
                record.msg, record.args = f"{text} (and {count - ALLOWED} times more since)", ()
            since, count = now, 0
        while len(self._seen) >= _MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[text] = (since, count + 1)
        return count < ALLOWED


def set_up() -> None:
    """Give the handlers of the command line these habits."""
    journal = _stderr_is_journal()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(LineFormatter(journal=journal))
        handler.addFilter(RepeatFilter())


def _stderr_is_journal() -> bool:
    """As sd-daemon(3) has it: the variable may be inherited, but then stderr is something else."""
    try:
        device, inode = map(int, os.environ.get("JOURNAL_STREAM", "").split(":"))
        found = os.fstat(sys.stderr.fileno())
    except (ValueError, OSError, AttributeError):
        return False
    return (found.st_dev, found.st_ino) == (device, inode)
