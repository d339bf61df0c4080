"""The other end of `vcam.control.viewers`: what others see, picture by picture."""

from __future__ import annotations

import array
import mmap
import os
import select
import socket
import time
from dataclasses import dataclass

import msgspec
import numpy as np

from vcam.control.client import connected
from vcam.control.place import DEFAULT_NAME
from vcam.control.viewers import MOST, viewers_path
from vcam.control.wishes import About, Besides, Wish
from vcam.errors import UsageError, VcamError
from vcam.frames import Frame, check_size
from vcam.types import U8

_LONGEST = 4096
_PATIENCE = 5.0
"""Seconds that a vcam that hangs may take to let somebody in."""
_about = msgspec.json.Decoder(About)


@dataclass(frozen=True, slots=True)
class Shown:
    """What others are shown: limited range, read only, and valid until the viewer asks for the next.

    composited: a finished picture; else one of vcam's placeholders. matte, uint8 (height, width), 0 background to 255
    person, and room, the camera's own frame in its own range: what this very picture was made from, if that was asked
    for and may be seen.
    """

    frame: Frame
    composited: bool
    matte: U8 | None = None
    room: Frame | None = None


class Viewer:
    """Sees what others see; a context manager. Not thread safe. The camera is on as long as there is one.

    with Viewer() as viewer:
        shown = viewer.next()
    """

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        """Connect. Raises `DeviceError` if no daemon of that name runs, `VcamError` if who listens is not this user."""
        self._socket = connected(name, viewers_path(name), socket.SOCK_SEQPACKET, timeout=_PATIENCE)
        self._socket.setblocking(False)
        self._frame: Frame | None = None
        self._second: Frame | None = None
        self._asked = False

    def fileno(self) -> int:
        """Readable when what was asked for is there, and when vcam has ended."""
        return self._socket.fileno()

    def next(self, timeout: float = 1.0, besides: Besides = Besides.NOTHING) -> Shown | None:
        """The next picture, of those that are finished from now on; None if there is none within `timeout` seconds.

        besides: what else of it to see. The first picture after another wish may come without. A placeholder, a
        picture shown again, and one for which no matte could be made come without in any case.
        Raises `VcamEnded` when vcam has.
        """
        end = time.monotonic() + timeout
        self.ask(Wish(besides))
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            return None
        return self.take(besides)

    def ask(self, wish: Wish) -> None:
        """Ask for a picture, unless one was asked for that has not come yet; returns at once. See `next`.

        What was taken before is not to be looked at any more. Raises `VcamEnded`.
        """
        try:
            if not self._asked:
                self._socket.send(wish.written)
                self._asked = True
        except OSError as error:
            raise self._ended from error

    def take(self, besides: Besides = Besides.NOTHING) -> Shown | None:
        """What was asked for; None if it is not there yet. besides: what else of it may be seen now.

        Raises `VcamEnded`.
        """
        try:
            return self._take(besides)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._ended from error

    @property
    def _ended(self) -> VcamEnded:
        return VcamEnded(seen=self._frame is not None)

    def _take(self, besides: Besides) -> Shown:
        room = socket.CMSG_SPACE(array.array("i", [0]).itemsize)
        said, rights, *_ = self._socket.recvmsg(_LONGEST, room, socket.MSG_CMSG_CLOEXEC)
        if not said:
            raise self._ended
        self._asked = False
        descriptors = array.array("i")
        for level, kind, data in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        try:
            return self._shown(_about.decode(said), descriptors, besides)
        except (ValueError, UsageError) as error:
            raise VcamError("vcam has sent what is no picture", "is it of another version? vcam stop, start") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _shown(self, about: About, descriptors: array.array[int], besides: Besides) -> Shown:
        if descriptors:
            width, height = check_size(*about.size)
            count, pictures = width * height * 3 // 2, 1 if about.besides is Besides.NOTHING else 2
            memory = np.frombuffer(mmap.mmap(descriptors[0], pictures * count, prot=mmap.PROT_READ), np.uint8)
            self._frame = Frame.wrap(memory, width, height)
            self._second = Frame.wrap(memory[count:], width, height) if pictures > 1 else None
        if self._frame is None or self._frame.size != about.size:
            raise ValueError("a picture without memory")
        self._frame.timestamp, self._frame.seq = about.timestamp, about.seq
        second = self._second
        if about.besides is Besides.NOTHING or about.besides is not besides or not about.composited:
            return Shown(self._frame, about.composited)
        if second is None:
            raise ValueError("a second picture without memory")
        second.timestamp, second.seq, second.full_range = about.timestamp, about.seq, about.full_range
        if besides is Besides.MATTE:
            return Shown(self._frame, True, matte=second.y)
        return Shown(self._frame, True, room=second)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class VcamEnded(VcamError):
    """The vcam that was looked at has ended, or lets nobody look any more."""

    def __init__(self, *, seen: bool) -> None:
        """seen: whether there was a picture before."""
        self.seen = seen
        if seen:
            super().__init__("vcam has ended", "vcam status tells what it does")
        else:
            # one that does not know what it is asked for ends the connection too, and says nothing
            super().__init__(
                f"vcam lets nobody else look: {MOST} do already, it is older than this program, or it has just ended",
                "close a preview, or start vcam anew: systemctl --user restart vcam, or vcam stop and vcam start",
            )
