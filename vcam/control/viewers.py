"""The finished picture for other programs of this user: a preview, a snapshot, whoever wants to see what others see.

A viewer connects to a socket of its own beside the control socket and asks for one picture at a time. The loop copies
the next one into memory that both share, and says so. So a viewer that is slow or hangs costs nothing, and nothing is
copied or encoded while nobody asks. As long as there are viewers they are an output among the others; a pause, a lesson
and a hanging loop are for them what they are for all.

The socket is of the kind SOCK_SEQPACKET. A viewer sends `NEXT`. It gets a JSON object: `size` ([width, height]),
`composited` (false for a placeholder), `timestamp` and `seq`. With it comes, if the memory is another one than before,
its descriptor (SCM_RIGHTS): the picture as I420 of limited range, to be mapped for reading. It stays as it is until the
viewer asks for the next.

Whoever adds a word to `NEXT`, one of `Besides`, is given a second picture as well, behind the first in the same memory:
what that very picture was made from. That may be the room, as the camera sees it. So it has to be asked for each time,
is said in the status and in the log, and there is none with a placeholder, in a pause, or where a matte has failed.

Whoever adds two numbers gets pictures of at most so many pixels across, and at most so many of them a second: `next 640
15`. They are made smaller here, while the loop has them at hand, which costs less than to copy them whole. The first
one after a change does not wait for its turn, and a placeholder after a picture, or a picture after one, never does.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec

from vcam.colour import NEUTRAL
from vcam.control.place import check_name, peer_is_welcome, sockets_folder
from vcam.control.sharing import Smaller, share, small_size
from vcam.control.wishes import QUICKEST, About, Besides, Wish, wish_of
from vcam.frames import Frame, MadeFrom
from vcam.types import Size

log = logging.getLogger(__name__)

MOST = 8
"""Viewers at once; further ones are turned away."""

REST = 0.002
"""Seconds for which the thread rests between turns that come close together: who asks without end must not be felt by
the loop."""

EARLY = 0.008
"""Seconds that a picture may come before its turn: frames come a little sooner or later than they should."""
HURRIES = 4.0
"""Pictures a second at most that do not wait for their turn, since something was changed."""


def viewers_path(name: str) -> Path:
    """The socket for the viewers of the daemon of that name."""
    return sockets_folder() / f"{check_name(name)}.frames"


class _Viewer:
    """One connection, and the memory that it shares."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.wants: Wish | None = None
        """What is asked for and has not come yet; None if nothing is."""
        self.sees = Besides.NOTHING
        """What was asked for last."""
        self.hurried = False
        """Whether something has changed since the last picture."""
        self._given = self._due = self._hurry = float("-inf")
        self._rate = 0
        self._composited: bool | None = None
        """Whether the last picture was a finished one; None before the first."""
        self._frame: Frame | None = None
        self._second: Frame | None = None
        self._lies = Besides.NOTHING
        self._smaller: Smaller | None = None

    def hurry(self, now: float) -> None:
        """Something that is seen has changed: the next picture is not to wait for its turn."""
        if now - self._hurry >= 1 / HURRIES:
            self._hurry, self.hurried = now, True

    def is_due(self, wish: Wish, now: float, *, composited: bool) -> bool:
        """Whether the picture of this moment is for it. If so, the turn of the one after it is counted from it.

        A placeholder after a picture always is, and a picture after a placeholder: nobody looks at what is over.
        """
        apart = 1 / (wish.rate or QUICKEST)
        if wish.rate != self._rate:
            # a turn that was counted at another rate is none
            self._rate, self._due = wish.rate, self._given + apart
        waits = wish.rate and not self.hurried and composited is self._composited
        if waits and now < self._due - EARLY:
            return False
        self.hurried, self._composited, self._given = False, composited, now
        # from its turn and not from now, or each one that comes late would put off all that follow
        self._due = min(max(self._due + apart, now + apart / 2), now + apart)
        return True

    def give(self, wish: Wish, frame: Frame, source: MadeFrom | None, *, composited: bool) -> None:
        """Copy a picture and tell of it; never waits. Raises `OSError` if the viewer is not to be had any more.

        source: what that picture was made from; None if it is nobody's to see.
        """
        descriptor, besides, size = -1, wish.besides, small_size(frame.size, wish.wide)
        if source is None or not _fits(besides, source, frame):
            besides = Besides.NOTHING
        first_of_two = besides is not Besides.NOTHING and self._second is None
        if self._frame is None or self._frame.size != size or first_of_two:
            count = 1 if besides is Besides.NOTHING else 2
            descriptor, (self._frame, *more) = share(size, count)
            self._second, self._lies = more[0] if more else None, Besides.NOTHING
        try:
            if size == frame.size:
                self._smaller = None
            elif self._smaller is None:
                self._smaller = Smaller()
            self._put(frame, self._frame)
            full_range = self._put_second(besides, source)
            about = About(size, composited, frame.timestamp, frame.seq, besides, full_range)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))] if descriptor >= 0 else []
            self.socket.sendmsg([msgspec.json.encode(about)], rights)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _put(self, frame: Frame, shared: Frame) -> None:
        if self._smaller is None:
            shared.copy_from(frame)
        else:
            self._smaller.put(frame, shared)

    def _put_second(self, besides: Besides, source: MadeFrom | None) -> bool:
        """Fill the second picture, or blot out what lies there of an earlier one. Whether it has the full range."""
        second, lay = self._second, self._lies
        if second is None:
            return False
        if lay is not besides:
            # the room stays nowhere longer than it is asked for
            second.fill(0, NEUTRAL, NEUTRAL)
        self._lies = besides
        if source is None or besides is Besides.NOTHING:
            return False
        if besides is Besides.ROOM:
            self._put(source.frame, second)
            return source.frame.full_range
        assert source.alpha is not None
        full, (x0, y0, x1, y1) = source.alpha.full, source.alpha.box
        matte = second.y if self._smaller is None else self._smaller.blank(full.shape)
        matte.fill(0)
        matte[y0:y1, x0:x1] = full[y0:y1, x0:x1]
        if self._smaller is not None:
            self._smaller.put_plane(matte, second.y)
        return True


def _fits(besides: Besides, source: MadeFrom, frame: Frame) -> bool:
    """Whether what a picture was made from can be given with it: the same frame, of the same size."""
    made = source.frame
    if made.seq != frame.seq or made.size != frame.size:
        return False
    return besides is Besides.ROOM or (source.alpha is not None and source.alpha.seq == frame.seq)


class Viewers:
    """All viewers as one output, see `vcam.output.base.Output`; it is there only as long as there are any."""

    description = "preview"
    live = True
    finished = False
    any_thread = True
    """See `vcam.output.base.Output`."""
    only_looks = True
    """Whether vcam goes on does not depend on it."""

    def __init__(self, source: Callable[[], MadeFrom | None] = lambda: None) -> None:
        """source: what the picture that is being written was made from, asked in the loop's thread."""
        self._lock = threading.Lock()
        self._source = source
        self._viewers: list[_Viewer] = []
        self._room_seen = False

    def open(self, size: Size, fps: float) -> None:
        """Nothing is needed: memory comes with the first picture."""

    def resize(self, size: Size) -> None:
        """As `open`."""

    def watched(self) -> bool:
        return bool(self._viewers)

    def fileno(self) -> int | None:
        return None

    def write(self, frame: Frame) -> None:
        """A finished picture, for those who have asked."""
        self._give(frame, composited=True)

    def show(self, still: Frame) -> None:
        """A placeholder; see `vcam.output.base.ShowsStills`."""
        self._give(still, composited=False)

    def _give(self, frame: Frame, *, composited: bool) -> None:
        with self._lock:
            for viewer in self._viewers:
                wish = viewer.wants
                if wish is not None and viewer.is_due(wish, time.monotonic(), composited=composited):
                    source = self._source() if composited and wish.besides is not Besides.NOTHING else None
                    try:
                        viewer.give(wish, frame, source, composited=composited)
                    except (OSError, MemoryError, ValueError, cv2.error) as error:
                        log.info("a viewer is dropped: %s", error)
                        with contextlib.suppress(OSError):
                            viewer.socket.shutdown(socket.SHUT_RDWR)
                    viewer.wants = None

    def hurry(self) -> None:
        """Something that is seen has changed; from any thread."""
        now = time.monotonic()
        with self._lock:
            for viewer in self._viewers:
                viewer.hurry(now)

    def status(self) -> dict[str, Any]:
        """See `vcam.daemon.outlets.Reporting`."""
        viewers = self._viewers
        room = sum(viewer.sees is Besides.ROOM for viewer in viewers)
        return {"kind": "preview", "viewers": len(viewers), "see_the_room": room}

    def close(self) -> None:
        """The server lets go of the viewers."""

    def abort(self) -> None:
        """As `close`."""

    def ask(self, viewer: _Viewer, wish: Wish) -> None:
        """The viewer wants a picture."""
        with self._lock:
            viewer.wants, viewer.sees = wish, wish.besides
        self._tell()

    def change(self, viewers: list[_Viewer]) -> None:
        """From now on there are these."""
        with self._lock:
            self._viewers = viewers
        self._tell()

    def _tell(self) -> None:
        """Say in the log when somebody begins to look at the room, and when nobody does any more."""
        seen = any(viewer.sees is Besides.ROOM for viewer in self._viewers)
        if seen is not self._room_seen:
            self._room_seen = seen
            log.warning(
                "a preview shows the room, as the camera sees it, to a program of your own user"
                if seen
                else "no preview shows the room any more"
            )


class ViewerServer:
    """Takes viewers in, in a thread of its own that sleeps while there are none."""

    def __init__(
        self,
        path: Path,
        came: Callable[[Viewers], object],
        gone: Callable[[Viewers], object],
        source: Callable[[], MadeFrom | None] = lambda: None,
    ) -> None:
        """came, gone: called in the server's thread with the output, for the first viewer and after the last. source:
        see `Viewers`.

        The caller holds the daemon's name: what lies at `path` is of one that is dead. Raises `OSError`.
        """
        self._path, self._came, self._gone = path, came, gone
        self._output = Viewers(source)
        self._viewers: dict[int, _Viewer] = {}
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            # nobody can connect before `listen`, and by then the mode is right
            self._listener.bind(str(path))
            path.chmod(0o600)
            self._listener.listen(MOST)
            self._listener.setblocking(False)
        except BaseException:
            self._listener.close()
            os.close(self._wake)
            raise
        self._thread = threading.Thread(target=self._run, name="vcam-viewers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Let go of all viewers and remove the socket. May be called twice."""
        if self._wake < 0:
            return
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(2.0)
        if not self._thread.is_alive():
            os.close(self._wake)
        self._wake = -1
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        poll, wake = select.poll(), self._wake
        poll.register(self._listener, select.POLLIN)
        poll.register(wake, select.POLLIN)
        turned = float("-inf")
        while True:
            ready = poll.poll()
            if time.monotonic() - turned < REST:
                time.sleep(REST)
            turned = time.monotonic()
            for descriptor, _ in ready:
                if descriptor == wake:
                    self._end()
                    return
                if descriptor == self._listener.fileno():
                    self._accept(poll)
                else:
                    self._read(descriptor, poll)

    def _accept(self, poll: select.poll) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            log.warning("there cannot be another viewer: %s", error.strerror)
            time.sleep(0.1)
            return
        if len(self._viewers) >= MOST or not peer_is_welcome(sock):
            sock.close()
            return
        sock.setblocking(False)
        self._viewers[sock.fileno()] = _Viewer(sock)
        poll.register(sock, select.POLLIN)
        self._output.change(list(self._viewers.values()))
        if len(self._viewers) == 1:
            self._came(self._output)

    def _read(self, descriptor: int, poll: select.poll) -> None:
        viewer = self._viewers[descriptor]
        try:
            asked = viewer.socket.recv(64)
        except BlockingIOError:
            return
        except OSError:
            asked = b""
        wish = wish_of(asked)
        if wish is not None:
            self._output.ask(viewer, wish)
            return
        # it has gone, or speaks of something else
        poll.unregister(descriptor)
        del self._viewers[descriptor]
        self._output.change(list(self._viewers.values()))
        viewer.socket.close()
        if not self._viewers:
            self._gone(self._output)

    def _end(self) -> None:
        self._output.change([])
        for viewer in self._viewers.values():
            viewer.socket.close()
        self._listener.close()
