"""Readers of a virtual camera that never say STREAMON, of which the driver's own event knows nothing.

Version 0.13 counts streams, and a program that calls `read()` has none. inotify tells of each `read()`, by whomever.
It is a reader from its first picture until it closes the node, as with the other versions of the driver. A program may
also take pictures from mapped buffers without a stream, which no real camera would give it. Whoever only opens the node
is none.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from vcam.v4l2.discover import holders, holds, maps
from vcam.v4l2.notices import Notices, other_opens

# Somebody has closed the node: without a read for so long it was the reader. A slower one that still holds the node, as
# far as /proc shows it, has longer.
_QUIET_SECONDS = 2.0
_SLOW_SECONDS = 30.0

# Whoever opens the node streams soon or closes it. Does it neither, it is looked at again after ever longer pauses.
_FIRST_LOOK_SECONDS = 0.5
_LAST_LOOK_SECONDS = 15.0
_LOOK_SECONDS = 1.0


class ReadWatch:
    """Watches one node. `fileno` becomes readable when somebody opens, closes or begins to read it."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError` if the node may not be read."""
        self._notices = Notices(path)
        self._notices.listen(reads=True)
        self._path = path
        self._reading = False
        self._listening = True
        self._closed_at: float | None = None
        self._by: list[int] = []
        self._mapped = _Mapped(path)

    def readers(self, *, streaming: bool) -> bool:
        """Whether somebody reads without a stream. streaming: whether somebody does with one."""
        now = time.monotonic()
        heard = self._notices.hear()
        if heard.reads:
            self._begin()
        if self._reading and heard.closes:
            self._closed_at = now
            self._listen(True)
        if self._closed_at is not None and now - self._closed_at >= self._patience(now):
            self._reading, self._closed_at = False, None
        mapped = self._mapped.readers(now, opened=heard.opens > 0, excused=streaming or self._reading)
        return self._reading or mapped

    def _begin(self) -> None:
        if not self._reading:
            self._by = [holder.pid for holder in holders(self._path, but=os.getpid())]
        self._reading, self._closed_at = True, None
        # it need not be heard at every picture
        self._listen(False)

    def _listen(self, reads: bool) -> None:
        if reads != self._listening:
            self._notices.listen(reads=reads)
            self._listening = reads

    def _patience(self, now: float) -> float:
        assert self._closed_at is not None
        if now - self._closed_at < _QUIET_SECONDS:
            return _QUIET_SECONDS
        if other_opens(self._path) == 0 or not any(holds(pid, self._path) for pid in self._by):
            return _QUIET_SECONDS
        return _SLOW_SECONDS

    def fileno(self) -> int:
        return self._notices.fileno()

    def close(self) -> None:
        """May be called twice."""
        self._notices.close()


class _Mapped:
    """Who has the device's buffers mapped and does not stream, as far as /proc shows it.

    Whoever has streamed says when it does, so while it does not, it makes a pause.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pause = _FIRST_LOOK_SECONDS
        self._next: float | None = time.monotonic() + self._pause
        self._excused: set[int] = set()
        self._was_excused = False
        self._since: dict[int, float] = {}
        self._readers: list[int] = []

    def readers(self, now: float, *, opened: bool, excused: bool) -> bool:
        """opened: whether somebody has opened it since the last call. excused: whoever has it now reads otherwise."""
        if excused:
            self._was_excused, self._readers, self._next = True, [], None
            self._since.clear()
            return False
        if self._was_excused:
            self._was_excused, self._next = False, now
            self._excused.update(self._who_maps())
        if opened:
            self._pause = _FIRST_LOOK_SECONDS
            self._next = now + self._pause
        if self._next is not None and now >= self._next:
            self._look(now)
        return bool(self._readers)

    def _look(self, now: float) -> None:
        self._readers = [pid for pid in self._readers if holds(pid, self._path) and maps(pid, self._path)]
        if self._readers:
            self._next = now + _LOOK_SECONDS
            return
        if other_opens(self._path) == 0:
            self._next = None
            self._since.clear()
            self._excused.clear()
            return
        mapping = self._who_maps()
        self._excused.intersection_update(mapping)
        self._since = {pid: self._since.get(pid, now) for pid in mapping if pid not in self._excused}
        self._readers = [pid for pid, since in self._since.items() if now > since]
        # whoever is found once is looked at again soon
        self._pause = _LOOK_SECONDS if self._since else min(2 * self._pause, _LAST_LOOK_SECONDS)
        self._next = now + self._pause

    def _who_maps(self) -> list[int]:
        found = [holder.pid for holder in holders(self._path, but=os.getpid())]
        return [pid for pid in found if maps(pid, self._path)]
