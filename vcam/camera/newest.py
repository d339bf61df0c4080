"""A thread that reads a source which may block, and keeps the newest frame.

The source is emptied all the time, so that neither it nor whoever sends has to queue, however slow the reader is; and
the reader never waits for longer than it wants to. Three frames go round: the thread writes into one, one waits as the
newest, and the reader holds one. Nothing is copied.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from vcam.camera.pace import Clock
from vcam.frames import Frame
from vcam.types import Size

_CLOSING = 0.5
"""Seconds that the end of the thread is waited for."""


class Source(Protocol):
    """What is read. `read` is called by one thread alone, the last time before `release`; `close` by any."""

    def read(self, into: Frame) -> bool:
        """Write the next frame into one of that size, however long that takes; False once there is none."""

    @property
    def finite(self) -> bool:
        """Whether it keeps a pace of its own, so that every frame may be waited for: a film."""

    def close(self) -> None:
        """End it, at once: a `read` that waits returns False."""

    def release(self) -> None:
        """Let go of what `read` needs; after `close`, and once nobody reads any more."""


class NewestFrame:
    """The newest frame of a source. `next` and `close` are for one thread, which is another than the source's."""

    def __init__(self, source: Source, size: Size, *, clock: Clock = time.monotonic) -> None:
        """Begin to read. size: (width, height) of the frames, even sides."""
        self._source, self._clock = source, clock
        self._free = [Frame.allocate(*size), Frame.allocate(*size)]
        self._changed = threading.Condition()
        self._waiting: Frame | None = None
        self._held: Frame | None = None
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self.superseded = 0
        """Frames that nobody asked for before a newer one was there."""
        self.arrived: float | None = None
        """When the last frame came; None before the first."""
        self._thread = threading.Thread(target=self._run, args=(Frame.allocate(*size),), name="vcam-read", daemon=True)
        self._thread.start()

    def next(self, patience: float) -> Frame | None:
        """The newest frame that has not been given out yet, waiting for it at most so many seconds; else None.

        It is valid until the next one is given out, or `close`. Its time stamp is when it arrived. Raises what reading
        the source has raised, `EOFError` once the source has ended; frames that came before are given out first.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._ended, patience)
            if self._waiting is not None:
                if self._held is not None:
                    self._free.append(self._held)
                self._held, self._waiting = self._waiting, None
                self._changed.notify_all()
                return self._held
            if self._error is not None:
                raise self._error
            if self._ended:
                raise EOFError
        return None

    def close(self) -> None:
        """End the source and the thread; waits for a moment at most."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._source.close()
        # whoever hangs is left alone
        self._thread.join(_CLOSING)

    def _run(self, frame: Frame) -> None:
        error: BaseException | None = None
        number = 0
        try:
            while self._source.read(frame):
                frame.timestamp, frame.seq = self._clock(), number
                number += 1
                with self._changed:
                    if self._source.finite:
                        self._changed.wait_for(lambda: self._waiting is None or self._closed)
                    if self._closed:
                        break
                    self.arrived = frame.timestamp
                    frame = self._offer(frame)
        except Exception as caught:
            error = caught
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()
        self._source.release()

    def _offer(self, frame: Frame) -> Frame:
        """Make it the newest; returns one to write the next into."""
        before, self._waiting = self._waiting, frame
        self._changed.notify_all()
        if before is None:
            return self._free.pop()
        self.superseded += 1
        return before
