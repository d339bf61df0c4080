"""What the kernel tells of a node that others open, read and close, and how many have it open.

inotify tells of every process, whatever user, container or PID namespace it is in, as long as it uses this very node: a
bind mount is the same one, one that was made by mknod is not. /proc hides processes of others. The module's count of
references hides nobody: each open of one of its devices is one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vcam.v4l2.device import kept_by_maps
from vcam.v4l2.discover import DEV, PROC, SYSFS
from vcam.v4l2.loopback import MODULE

_IN_ACCESS, _IN_CLOSE_WRITE, _IN_CLOSE_NOWRITE, _IN_OPEN = 0x01, 0x08, 0x10, 0x20
_IN_CLOSE = _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE
_IN_Q_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")


@dataclass(slots=True)
class Heard:
    """How often it was opened and closed, and whether a `read()` gave something, since it was asked last.

    Equal events that follow each other are told as one. `anything` is true for this process's own opens as well.
    """

    opens: int = 0
    closes: int = 0
    reads: bool = False
    anything: bool = False


class Notices:
    """An inotify watch on one node. `fileno` becomes readable when there is something to `hear`."""

    def __init__(self, path: Path) -> None:
        """Hears opens and closes; reads only after `listen`. Raises `OSError` if the node may not be read."""
        self._path = path
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            self.listen(reads=False)
        except OSError:
            self.close()
            raise

    def listen(self, *, reads: bool) -> None:
        """Whether to hear of reads from now on. A program that reads is heard at each of its pictures."""
        mask = _IN_OPEN | _IN_CLOSE | (_IN_ACCESS if reads else 0)
        if self._libc.inotify_add_watch(self._fd, os.fsencode(self._path), mask) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(self._path))

    def hear(self) -> Heard:
        """What has happened since the last time; never waits."""
        heard = Heard()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._fd, 4096):
                _count(data, heard)
        return heard

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _count(data: bytes, heard: Heard) -> None:
    at = 0
    while at < len(data):
        _, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size + length
        heard.anything = True
        heard.reads |= bool(mask & _IN_ACCESS)
        if mask & _IN_Q_OVERFLOW:
            # anything may have happened
            heard.opens += 1
            heard.closes += 1
        heard.opens += bool(mask & _IN_OPEN)
        heard.closes += bool(mask & _IN_CLOSE)


def loopback_nodes() -> list[Path]:
    """All virtual cameras; none of them is opened for that."""
    # an attribute that only v4l2loopback has, in every version
    return [DEV / entry.parent.name for entry in SYSFS.glob("video*/max_openers")]


def other_opens(path: Path) -> int | None:
    """How often other processes have virtual cameras open, this one or another; None if that cannot be known.

    Zero proves that nobody reads, which /proc never does.
    """
    nodes = {str(node) for node in loopback_nodes()}
    if str(path) not in nodes:
        return None
    try:
        # other threads open and close devices meanwhile: counted before and after, so that none of others' is lost
        before = _references(), _duplicates(nodes)
        own = sum(_link_text(entry.path) in nodes for entry in os.scandir(PROC / "self" / "fd"))
        after = _references(), _duplicates(nodes)
    except (OSError, ValueError):
        return None
    references, duplicates = map(max, before, after)
    return max(0, references - (own - duplicates))


def _references() -> int:
    # include/linux/module.h: each open file holds a reference to the module of its device
    return int((MODULE / "refcnt").read_text("ascii"))


def _duplicates(nodes: Iterable[str]) -> int:
    return kept_by_maps({os.stat(node).st_rdev for node in nodes})


def _link_text(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
