"""Whether somebody reads a virtual camera.

v4l2loopback tells it by an event: 0x10E00001 since 0.13, 0x08000000 in Ubuntu's 0.12.7. The event follows streams, not
opens, so a program that only lists cameras is no reader. But events get lost, and a count of the kernel's has been seen
to be wrong: only two answers that agree, one of them from a fresh descriptor, count as "nobody". Before 0.14 a program
that calls `read()` is no stream: `vcam.v4l2.reads` hears those.

Plain 0.12 has no such event. There inotify wakes the watcher when the node is opened or closed, and /proc shows who
has it open (`vcam.v4l2.opens`). /proc hides processes, so an open that nobody can be seen for counts as unknown, and
unknown is somebody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from pathlib import Path

from vcam.v4l2.device import dequeue_event, open_node, subscribe_event
from vcam.v4l2.opens import OpenWatch
from vcam.v4l2.reads import ReadWatch

_CLIENT_USAGE = (0x10E00001, 0x08000000)

# an event may be lost: how long an answer is believed without asking afresh
_BELIEVED_SECONDS = 30.0


class ReaderWatch:
    """Watches one device. `fileno` becomes readable whenever `readers` may have changed; one may also just ask."""

    def __init__(self) -> None:
        self._watch: _EventWatch | OpenWatch | None = None

    def open(self, path: Path) -> None:
        """Start to watch. Raises `OSError` if the node cannot be opened."""
        self.close()
        self._watch = _EventWatch.start(path) or OpenWatch(path)

    def readers(self) -> bool | None:
        """Whether somebody reads; None if it cannot be known, which must be taken as somebody."""
        return None if self._watch is None else self._watch.readers()

    @property
    def has_event(self) -> bool:
        """Whether the kernel tells of readers itself."""
        return isinstance(self._watch, _EventWatch)

    def fileno(self) -> int | None:
        """The descriptor to wait for, None while nothing is watched."""
        return None if self._watch is None else self._watch.fileno()

    def close(self) -> None:
        """Stop. May be called twice."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def _subscribe(path: Path) -> int | None:
    """A descriptor that gets the event, or None if the driver has none."""
    # a second subscription on one descriptor gives nothing, so it has no other use
    fd = open_node(path)
    for kind in _CLIENT_USAGE:
        try:
            subscribe_event(fd, kind)
            return fd
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                os.close(fd)
                raise
    os.close(fd)
    return None


def _last_count(fd: int) -> int | None:
    """The newest count among the events that wait, None if there are none."""
    count = None
    while (event := dequeue_event(fd)) is not None:
        count = int(event.u.count)
    return count


class _EventWatch:
    def __init__(self, path: Path, fd: int) -> None:
        self._path, self._fd = path, fd
        self._reads = ReadWatch(path)
        # version 0.13 never wakes an epoll that was registered while an event waited, as the first one does
        with contextlib.suppress(OSError):
            dequeue_event(fd)
        # events are POLLPRI; an epoll around them is plainly readable, for any kind of loop
        self._epoll = select.epoll()
        self._epoll.register(fd, select.EPOLLPRI)
        self._epoll.register(self._reads.fileno(), select.EPOLLIN)
        self._answer: bool | None = None
        self._asked = float("-inf")

    @classmethod
    def start(cls, path: Path) -> _EventWatch | None:
        fd = _subscribe(path)
        if fd is None:
            return None
        try:
            return cls(path, fd)
        except OSError:
            os.close(fd)
            raise

    def readers(self) -> bool | None:
        streams = self._streams()
        # asked last, and always: inotify has told of the descriptors that were opened to ask afresh
        reads = self._reads.readers(streaming=streams is True)
        return True if reads else streams

    def _streams(self) -> bool | None:
        try:
            count = _last_count(self._fd)
        except OSError:
            count, self._asked = None, float("-inf")
        now = time.monotonic()
        if count is None and now - self._asked < _BELIEVED_SECONDS:
            return self._answer
        self._answer = True if count else self._two_answers(count)
        self._asked = now if self._answer is not None else float("-inf")
        return self._answer

    def _two_answers(self, first: int | None) -> bool | None:
        if first is None:
            first = self._ask_afresh()
        second = self._ask_afresh() if first == 0 else first
        # a new subscription sends the event to all who have one: left there, it would wake us to ask again, for ever
        with contextlib.suppress(OSError):
            if _last_count(self._fd):
                return True
        return None if second is None else bool(second)

    def _ask_afresh(self) -> int | None:
        try:
            fd = _subscribe(self._path)
        except OSError:
            return None
        if fd is None:
            return None
        try:
            return _last_count(fd)
        except OSError:
            return None
        finally:
            os.close(fd)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()
        self._reads.close()
        os.close(self._fd)
