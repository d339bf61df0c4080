"""Frames as bytes into a descriptor: at once, or through a bounded queue that drops the oldest.

A file that is processed waits for its consumer, so that nothing is lost. A camera does not: there the frames go through
a short queue, which a thread empties; if the consumer is slower than the camera, the oldest frame in the queue makes
room for the newest.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

import numpy as np

from vcam.frames import Frame
from vcam.types import Size

QUEUE_BYTES = 64 << 20
"""The queue holds 3 to 8 frames, fewer if they would need more memory than this."""


class _Packet:
    """One frame as the bytes that go out: a prefix, then the planes."""

    def __init__(self, size: Size, prefix_bytes: int, shared: bool) -> None:
        """shared: in memory that a pipe can refer to; `file` is its descriptor then, else -1."""
        width, height = size
        count = prefix_bytes + width * height * 3 // 2
        self.file = -1
        if shared:
            self.file = os.memfd_create("vcam-frame")
            weakref.finalize(self, os.close, self.file)
            os.ftruncate(self.file, count)
            self._buffer = np.frombuffer(mmap.mmap(self.file, count), np.uint8)
        else:
            self._buffer = np.empty(count, np.uint8)
        self._prefix = self._buffer[:prefix_bytes]
        self._frame = Frame.wrap(self._buffer[prefix_bytes:], width, height)
        self.data = self._buffer.data

    def fill(self, prefix: bytes, frame: Frame) -> None:
        self._prefix[:] = np.frombuffer(prefix, np.uint8)
        self._frame.copy_from(frame)


class FrameWriter:
    """Writes whole frames as I420 to a descriptor that the caller owns.

    `dropped` counts frames that had to make room for newer ones; `written` those that went out.
    """

    def __init__(
        self,
        descriptor: int,
        size: Size,
        *,
        blocking: bool,
        prefix: Callable[[Frame], bytes] = lambda frame: b"",
        prefix_bytes: int = 0,
        splice: bool = False,
    ) -> None:
        """blocking: `write` waits for the consumer; else it never waits. prefix: gives the bytes before a frame, always
        `prefix_bytes` of them, at the moment it is written.

        splice: give a pipe the pages of the queue instead of copies, see splice(2). Only for a consumer that reads the
        pipe into memory of its own at once, as ffmpeg does: the pages are used again once the pipe can no longer hold
        them, which is for frames larger than the pipe; others are copied.
        """
        self.dropped = 0
        self.written = 0
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._size = size
        self._prefix = prefix
        self._rest = memoryview(b"")
        depth = 1 if blocking else min(max(QUEUE_BYTES // (size[0] * size[1] * 3 // 2), 3), 8)
        shared = splice and prefix_bytes + size[0] * size[1] * 3 // 2 >= _pipe_bytes(descriptor)
        self._free = deque(_Packet(size, prefix_bytes, shared) for _ in range(depth))
        self._sending: _Packet | None = None
        self._in_pipe: _Packet | None = None
        # not a condition: waking its waiter costs ten times as much
        self._queue: SimpleQueue[_Packet | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if not blocking:
            # a daemon: a consumer that hangs for ever must not keep the process alive
            self._thread = threading.Thread(target=self._run, name="vcam-writer", daemon=True)
            self._thread.start()

    def write(self, frame: Frame) -> None:
        """Send one frame. Raises `OSError` if the consumer is gone; in a queue that shows one frame later or more."""
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} where {self._size} was announced")
        if self.error:
            raise self.error
        if self._thread is None:
            packet = self._free[0]
            packet.fill(self._prefix(frame), frame)
            self._send(packet)
            return
        packet = self._take()
        packet.fill(self._prefix(frame), frame)
        self._queue.put(packet)

    def _take(self) -> _Packet:
        """One to fill: free, or else the oldest that waits. The thread holds two at most, so there is one."""
        while True:
            with suppress(IndexError):
                # the latest, which the caches may still hold
                return self._free.pop()
            with suppress(Empty):
                packet = self._queue.get_nowait()
                assert packet is not None, "written to after its end"
                self.dropped += 1
                return packet

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until all is sent and end the thread; False if that took longer than `timeout` seconds.

        Raises `OSError` if the consumer is gone.
        """
        if self._thread is None:
            # Ctrl-C may have come in the middle of a frame
            self._push()
        else:
            self._queue.put(None)
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        if self.error:
            raise self.error
        return True

    def abandon(self) -> None:
        """Forget what is queued and let the thread end. The caller first makes the consumer go away."""
        self._rest = memoryview(b"")
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while (packet := self._queue.get()) is not None:
            try:
                self._send(packet)
            except OSError:
                return
            sent: _Packet | None = packet
            if packet.file >= 0:
                # its end may still be in the pipe, which cannot hold more than one
                sent, self._in_pipe = self._in_pipe, packet
            if sent is not None:
                self._free.append(sent)

    def _send(self, packet: _Packet) -> None:
        self._rest, self._sending = packet.data, packet
        self._push()

    def _push(self) -> None:
        if not self._rest:
            return
        try:
            while self._rest:
                self._rest = self._rest[self._move() :]
        except OSError as error:
            self.error = error
            raise
        self.written += 1

    def _move(self) -> int:
        packet = self._sending
        if packet is None or packet.file < 0:
            return os.write(self._descriptor, self._rest)
        left = len(self._rest)
        return os.splice(packet.file, self._descriptor, left, offset_src=len(packet.data) - left)


def _pipe_bytes(descriptor: int) -> float:
    """What a pipe can hold; infinite for what is no pipe."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    except OSError:
        return float("inf")
