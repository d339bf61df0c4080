"""Whether somebody reads a virtual camera whose driver does not tell: by who has it open."""

from __future__ import annotations

import os
import time
from pathlib import Path

from vcam.v4l2.discover import PROC, holders, holds
from vcam.v4l2.notices import Notices, loopback_nodes, other_opens

# how often /proc is looked at while somebody has the node open, and while nobody has and inotify would tell; and how
# long a process must have held the node to be a reader
_LOOK_SECONDS = 1.0
_QUIET_LOOK_SECONDS = 15.0
_SETTLED_SECONDS = 0.15


class OpenWatch:
    """Counts only who holds the node for longer than a look: listing cameras opens it for a few milliseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notices = Notices(path)
        self._opens = 0
        self._answer: bool | None = False
        self._looked, self._heard = float("-inf"), False
        self._since: dict[int, float] = {}
        self._unseen_since: float | None = None
        self._counted: tuple[float, int | None] = (float("-inf"), 0)

    def readers(self) -> bool | None:
        """Whether somebody reads; None if it cannot be known."""
        now = time.monotonic()
        heard = self._notices.hear()
        self._opens = max(0, self._opens + heard.opens - heard.closes)
        heard.anything |= self._others_came(now)
        if heard.anything or now - self._looked >= self._pause():
            self._looked, self._heard = now, heard.anything
            self._answer = self._look(now)
        return self._answer

    def _others_came(self, now: float) -> bool:
        """Whether more or fewer have virtual cameras open; a container may have a node of its own, which is not heard.

        To count them costs a hundredth of a look through /proc.
        """
        counted_at, before = self._counted
        if now - counted_at < _LOOK_SECONDS:
            return False
        self._counted = (now, other_opens(self._path))
        return self._counted[1] != before

    def _pause(self) -> float:
        """How long a look is good for if nothing is heard. One costs some milliseconds, more with many processes."""
        if self._heard:
            # the kernel tells of an open a moment before /proc shows it
            return _SETTLED_SECONDS
        if not self._since and self._unseen_since is None:
            return _QUIET_LOOK_SECONDS if self._answer is False else _LOOK_SECONDS
        return _SETTLED_SECONDS if self._answer is False else _LOOK_SECONDS

    def _look(self, now: float) -> bool | None:
        settled = [pid for pid, since in self._since.items() if now - since >= _SETTLED_SECONDS]
        if any(holds(pid, self._path) for pid in settled):
            return True
        others = other_opens(self._path)
        # where it is certain, /proc need not be looked through
        held = [] if others == 0 else [holder.pid for holder in holders(self._path, but=os.getpid())]
        self._since = {pid: self._since.get(pid, now) for pid in held}
        if any(now - since >= _SETTLED_SECONDS for since in self._since.values()):
            return True
        if held:
            return self._answer
        if self._is_unseen(others):
            self._unseen_since = now if self._unseen_since is None else self._unseen_since
            return None if now - self._unseen_since >= _SETTLED_SECONDS else self._answer
        self._unseen_since = None
        # the count drifts, since inotify merges equal events: it starts anew whenever something can be believed
        self._opens = 0
        return False

    def _is_unseen(self, others: int | None) -> bool:
        """Whether somebody whom /proc does not show may have it open, given that /proc shows nobody."""
        if others is None:
            return self._opens > 0 and _hides_own_processes()
        nodes = [node for node in loopback_nodes() if node != self._path]
        if not nodes:
            return others > 0
        # it may be another virtual camera that is open; of this one inotify has told
        seen = sum(len(holders(node, but=os.getpid())) for node in nodes)
        return self._opens > 0 and others > seen

    def fileno(self) -> int:
        return self._notices.fileno()

    def close(self) -> None:
        self._notices.close()


def _hides_own_processes() -> bool:
    """Whether a process of this user keeps its open files to itself, as sandboxed ones do."""
    own = os.getuid()
    with os.scandir(PROC) as entries:
        for entry in entries:
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
