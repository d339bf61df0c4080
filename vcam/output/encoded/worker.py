"""The life of an encoded output beside the loop: a thread of its own, and one session of ffmpeg after another."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

from vcam.frames import Frame, check_size
from vcam.media.rate import exact_rate
from vcam.output.encoded.encoding import Encoder
from vcam.output.encoded.session import Session
from vcam.output.encoded.sound import NONE, Sound
from vcam.types import Size

LOOK = 0.5
"""Seconds after which a session is looked at again, if its ffmpeg has said nothing meanwhile."""


class Worker:
    """Does the `work` of an output in a thread, and hands it the loop's frames.

    What may take long happens in the thread. The loop only copies each frame into a short queue, that of the session
    which is on, and not even that while there is none.

    `announce`, `start`, `write` and `end` are for the loop, `dropped` and `status` for any thread, all else for the
    work itself.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """name: of the thread. work: returns soon once `stopping` is True, and raises nothing."""
        self.size: Size = (0, 0)
        self.rate = exact_rate(30)
        self.encoder: Encoder | None = None
        """The latest that was chosen, as is `sound`."""
        self.sound: Sound = NONE
        self._name, self._work = name, work
        self._session: Session | None = None
        # held for an exchange of the session and for queueing a frame, never while something waits
        self._swap = threading.Lock()
        self._dropped_before = 0
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake = -1

    def announce(self, size: Size, fps: float) -> None:
        """Frames will be of that size and come at about that rate. Raises `UsageError` for a size that will not do."""
        check_size(*size)
        if self.running:
            raise ValueError("the output is open already")
        self.size, self.rate = size, exact_rate(fps)

    def start(self) -> None:
        """Begin the work."""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()

    def write(self, frame: Frame) -> None:
        """Queue a copy of a frame, if there is a session. Never waits."""
        with self._swap:
            if self._session is not None:
                self._session.write(frame)

    def end(self, patience: float) -> bool:
        """Have the work end, and wait for that; False if it takes longer than so many seconds."""
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._stopping.set()
        os.eventfd_write(self._wake, 1)
        thread.join(patience)
        if thread.is_alive():
            return False
        os.close(self._wake)
        return True

    @property
    def running(self) -> bool:
        """Whether it was started and not ended."""
        return self._thread is not None

    @property
    def dropped(self) -> int:
        """Frames of all sessions that had to make room for newer ones."""
        with self._swap:
            return self._dropped_before + (self._session.dropped if self._session else 0)

    def status(self) -> dict[str, Any]:
        """What every encoded output tells of itself, in builtin types."""
        session = self._session
        level = session.level_db if session else None
        return {
            "encoder": self.encoder.name if self.encoder else "",
            "sound": self.sound.description,
            **({} if level is None else {"level_db": level}),
            "dropped": self.dropped,
        }

    @property
    def session(self) -> Session | None:
        """The one that gets the frames now."""
        return self._session

    @property
    def stopping(self) -> bool:
        """Whether the output is to end."""
        return self._stopping.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the output is to end."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.poll(seconds * 1000)

    def feed(self, session: Session | None) -> Session | None:
        """Have a session get the frames from now on, or none; gives the one that got them until now, still running."""
        with self._swap:
            before, self._session = self._session, session
            if before is not None:
                self._dropped_before += before.dropped
        return before

    def looks(self, session: Session) -> Iterator[None]:
        """Comes by now and then until the session's ffmpeg has ended or the output is to end; `stopping` says which."""
        while session.child.pump(LOOK, self._wake) and not self.stopping:
            yield

    def finish(self, patience: float) -> bool:
        """End the session that is on in order, as `Session.finish`; True if there is none."""
        session = self.feed(None)
        return session is None or session.finish(patience)

    def abort(self) -> None:
        """End the session that is on at once, if there is one."""
        session = self.feed(None)
        if session is not None:
            session.abort()
