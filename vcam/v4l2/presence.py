"""Whether somebody reads a virtual camera.

v4l2loopback tells it by an event: 0x10E00001 since 0.13, 0x08000000 in Ubuntu's 0.12.7. The event follows streams, not
opens, so a program that only lists cameras is no reader. But events get lost, and a count of the kernel's has been seen
to be wrong: only two answers that agree, one of them from a fresh descriptor, count as "nobody".

Plain 0.12 has no such event. There inotify wakes the watcher when the node is opened or closed, and /proc shows who
has it open. /proc hides processes, so an open that nobody can be seen for counts as unknown, and unknown is somebody.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import struct
import time
from pathlib import Path

from vcam.v4l2.device import dequeue_event, open_node, subscribe_event
from vcam.v4l2.discover import PROC, holders, holds

_CLIENT_USAGE = (0x10E00001, 0x08000000)

# an event may be lost: how long an answer is believed without asking afresh
_BELIEVED_SECONDS = 30.0

# without events: how often /proc is looked at while somebody has the node open, and while nobody has and inotify
# would tell; and how long a process must have held the node to be a reader
_LOOK_SECONDS = 1.0
_QUIET_LOOK_SECONDS = 15.0
_SETTLED_SECONDS = 0.15

_IN_CLOSE_WRITE, _IN_CLOSE_NOWRITE, _IN_OPEN = 0x08, 0x10, 0x20
_IN_Q_OVERFLOW = 0x4000
_INOTIFY_EVENT = struct.Struct("iIII")


class ReaderWatch:
    """Watches one device. `fileno` becomes readable whenever `readers` may have changed; one may also just ask."""

    def __init__(self) -> None:
        self._watch: _EventWatch | _OpenWatch | None = None

    def open(self, path: Path) -> None:
        """Start to watch. Raises `OSError` if the node cannot be opened."""
        self.close()
        self._watch = _EventWatch.start(path) or _OpenWatch(path)

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
        # version 0.13 never wakes an epoll that was registered while an event waited, as the first one does
        with contextlib.suppress(OSError):
            dequeue_event(fd)
        # events are POLLPRI; an epoll around them is plainly readable, for any kind of loop
        self._epoll = select.epoll()
        self._epoll.register(fd, select.EPOLLPRI)
        self._answer: bool | None = None
        self._asked = float("-inf")

    @classmethod
    def start(cls, path: Path) -> _EventWatch | None:
        fd = _subscribe(path)
        return None if fd is None else cls(path, fd)

    def readers(self) -> bool | None:
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
        os.close(self._fd)


class _OpenWatch:
    """Counts only who holds the node for longer than a look: listing cameras opens it for a few milliseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opens = 0
        self._answer: bool | None = False
        self._looked, self._heard = float("-inf"), False
        self._since: dict[int, float] = {}
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        mask = _IN_OPEN | _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE
        if libc.inotify_add_watch(self._fd, os.fsencode(path), mask) < 0:
            number = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(number, os.strerror(number), str(path))

    def readers(self) -> bool | None:
        now = time.monotonic()
        heard = self._drain()
        if heard or now - self._looked >= self._pause():
            self._looked, self._heard = now, heard
            self._answer = self._look(now)
        return self._answer

    def _pause(self) -> float:
        """How long a look is good for if nothing is heard. One costs some milliseconds, more with many processes."""
        if self._heard:
            # the kernel tells of an open a moment before /proc shows it
            return _SETTLED_SECONDS
        if not self._since:
            return _QUIET_LOOK_SECONDS if self._answer is False else _LOOK_SECONDS
        return _LOOK_SECONDS if self._answer else _SETTLED_SECONDS

    def _look(self, now: float) -> bool | None:
        settled = [pid for pid, since in self._since.items() if now - since >= _SETTLED_SECONDS]
        if any(holds(pid, self._path) for pid in settled):
            return True
        held = [holder.pid for holder in holders(self._path, but=os.getpid())]
        self._since = {pid: self._since.get(pid, now) for pid in held}
        if any(now - since >= _SETTLED_SECONDS for since in self._since.values()):
            return True
        if held:
            return self._answer
        if self._opens > 0 and _hides_own_processes():
            return None
        # the count drifts, since inotify merges equal events: it starts anew whenever /proc can be believed
        self._opens = 0
        return False

    def _drain(self) -> bool:
        """Count the events that wait; whether there were any."""
        any_ = False
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._fd, 4096):
                self._count(data)
                any_ = True
        return any_

    def _count(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            _, mask, _, length = _INOTIFY_EVENT.unpack_from(data, at)
            at += _INOTIFY_EVENT.size + length
            if mask & (_IN_OPEN | _IN_Q_OVERFLOW):
                self._opens += 1
            elif mask & (_IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE):
                self._opens = max(0, self._opens - 1)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)


def _hides_own_processes() -> bool:
    """Whether a process of this user keeps its open files to itself, as sandboxed ones do."""
    own = os.getuid()
    for entry in os.scandir(PROC):
        if not entry.name.isdecimal():
            continue
        try:
            # a process that may not be inspected belongs to root in /proc; its status file tells the truth
            if _user_of(entry.path) == own:
                os.listdir(f"{entry.path}/fd")
        except PermissionError:
            return True
        except OSError:
            continue
    return False


def _user_of(process: str) -> int:
    with open(f"{process}/status", "rb") as status:
        for line in status:
            if line.startswith(b"Uid:"):
                return int(line.split()[1])
    return -1
