"""Frames of a film, decoded ahead by a thread of their own, so that the loop never waits for a decoder."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from vcam.backoff import Backoff
from vcam.errors import InputError, VcamError
from vcam.frames import Frame
from vcam.types import Size

_log = logging.getLogger(__name__)

AHEAD = 2
"""Frames decoded ahead of the one shown."""

FIRST_FRAME_TIMEOUT = 15.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_HEALTHY = 25  # frames after which a decoder that ends is one that reached its end, not one that failed
_CLOSE_TIMEOUT = 2.0


class Reader(Protocol):
    """A decoder: `vcam.media.reader.VideoReader` or anything alike."""

    def read(self) -> Frame | None:
        """The next frame, its own until the next call; None at the end. Raises `InputError`."""

    def close(self) -> None:
        """End it. May be called twice."""


class Prefetcher:
    """Keeps a few frames of an endless film ready, starting the decoder again whenever it ends or dies.

    `open_reader` is called in the thread. A decoder that dies soon after its start is started again after 0.5 s, then
    after twice as long each time, up to 30 s.
    """

    def __init__(self, open_reader: Callable[[], Reader], size: Size, name: str) -> None:
        """`size` is that of the reader's frames; `name` is for people."""
        self._open, self._name = open_reader, name
        self._wake = threading.Condition()
        self._ready: deque[Frame] = deque()
        # one is shown, one is being filled
        self._free = [Frame.allocate(*size) for _ in range(AHEAD + 2)]
        self._skip = 0
        self._stopped = False
        self._error: VcamError | None = None
        self._reader: Reader | None = None
        self._shown: Frame | None = None
        self._thread = threading.Thread(target=self._run, name=f"decode {name}", daemon=True)

    def start(self) -> Frame:
        """Start decoding and wait for the first frame. Raises `InputError` if there is none."""
        self._thread.start()
        with self._wake:
            self._wake.wait_for(lambda: self._ready or self._error, FIRST_FRAME_TIMEOUT)
            error = self._error
            if self._ready:
                return self._next()
        self.close()
        raise error or InputError(
            f"{self._name} gave no frame within {FIRST_FRAME_TIMEOUT:g} s", "is it on a drive that answers slowly?"
        )

    def take(self, count: int, *, skip_below: float = 0) -> tuple[Frame | None, int]:
        """Go on by up to `count` frames, without waiting: the newest of them (None: nothing new), and how many.

        Where the film runs faster than it is looked at, and less than `skip_below` of them are not there yet, these
        are thrown away as soon as they are decoded, and count, too. The frame belongs to the caller until the next
        call that gives one.
        """
        with self._wake:
            taken = min(count, len(self._ready))
            frame = None
            for _ in range(taken):
                frame = self._next()
            if taken and count - taken < skip_below:
                # under the same lock, or the decoder would put some of them into the queue before
                self._skip += count - taken
                taken = count
            return frame, taken

    def close(self) -> None:
        """End thread and decoder. May be called twice."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_TIMEOUT)
        if self._thread.is_alive() and self._reader is not None:
            # stuck in a read; without its process that read ends
            self._reader.close()

    def _next(self) -> Frame:
        frame = self._ready.popleft()
        if self._shown is not None:
            self._free.append(self._shown)
        self._shown = frame
        # a place is free for another one
        self._wake.notify_all()
        return frame

    def _run(self) -> None:
        backoff, any_frame = Backoff(_FIRST_WAIT, _LONGEST_WAIT), False
        while not self._stopped:
            count, error = self._play()
            any_frame |= count > 0
            if self._stopped:
                return
            if not any_frame:
                with self._wake:
                    self._error = error or InputError(f"{self._name} holds no frame", "is it damaged?")
                    self._wake.notify_all()
                return
            if count >= _HEALTHY and error is None:
                backoff.reset()
                continue
            delay = backoff.failed()
            _log.warning("the decoder of %s ended: %s; again in %g s", self._name, error or "no more frames", delay)
            with self._wake:
                self._wake.wait_for(lambda: self._stopped, delay)

    def _play(self) -> tuple[int, VcamError | None]:
        """Run one decoder to its end: the number of its frames, and the error if it was one."""
        count = 0
        try:
            self._reader = reader = self._open()
        except VcamError as error:
            return count, error
        except Exception as error:
            return count, InputError(f"{self._name} cannot be decoded: {error}")
        try:
            while not self._stopped and (frame := reader.read()) is not None:
                count += 1
                if not self._store(frame):
                    break
        except VcamError as error:
            return count, error
        except Exception as error:
            # whatever it is: without this thread the film would stand still for good
            return count, InputError(f"{self._name} cannot be decoded: {error}")
        finally:
            reader.close()
        return count, None

    def _store(self, frame: Frame) -> bool:
        """Queue a copy once a place is free; False when it is time to stop."""
        with self._wake:
            self._wake.wait_for(lambda: self._stopped or len(self._ready) < AHEAD)
            if self._stopped:
                return False
            if self._skip:
                self._skip -= 1
                return True
            slot = self._free.pop()
        slot.copy_from(frame)
        with self._wake:
            self._ready.append(slot)
            self._wake.notify_all()
        return True
