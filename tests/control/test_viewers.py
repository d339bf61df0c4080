"""What others see, seen by a program beside them: at will, at no cost to anybody, and by this user alone."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import cv2
import numpy as np
import pytest

from vcam.control import viewers as module
from vcam.control import viewing
from vcam.control.place import make_sockets_folder
from vcam.control.viewers import MOST, Viewers, ViewerServer, viewers_path
from vcam.control.viewing import Shown, VcamEnded, Viewer
from vcam.control.wishes import NEXT, Besides, Wish
from vcam.errors import DeviceError, VcamError
from vcam.frames import Alpha, Box, Frame, MadeFrom
from vcam.testing import pattern_frame
from vcam.types import Size

SIZE = (64, 48)


class Served:
    """A server, and a loop that shows a picture whenever it is told to."""

    def __init__(self) -> None:
        make_sockets_folder()
        self.here = threading.Event()
        self.left = threading.Event()
        self.output: Viewers | None = None
        self.source: MadeFrom | None = None
        self.server = ViewerServer(viewers_path("control"), self._came, self._gone, lambda: self.source)
        self.server.start()

    def _came(self, output: Viewers) -> None:
        self.output = output
        self.left.clear()
        self.here.set()

    def _gone(self, output: Viewers) -> None:
        self.here.clear()
        self.left.set()

    def show_until(self, asked: Viewer, frame: Frame, *, card: bool = False) -> tuple[Frame, bool]:
        """Show the frame over and over until the viewer has it."""
        shown = self.shown(asked, frame, card=card)
        return shown.frame, shown.composited

    def wished(self, asked: Viewer, frame: Frame, wish: Wish) -> Shown:
        """What comes of a wish, as a page asks for it."""
        assert self.here.wait(30)
        assert self.output is not None
        asked.ask(wish)
        while (shown := asked.take(wish.besides)) is None:
            self.output.write(frame)
        return shown

    def shown(self, asked: Viewer, frame: Frame, besides: Besides = Besides.NOTHING, *, card: bool = False) -> Shown:
        """The same with all that the viewer has then."""
        assert self.here.wait(30)
        assert self.output is not None
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(asked.next, 30.0, besides)
            while not coming.done():
                (self.output.show if card else self.output.write)(frame)
            shown = coming.result()
        assert shown is not None
        return shown


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.server.close()


def test_a_viewer_sees_each_picture_whole_and_is_told_placeholders(served: Served) -> None:
    with Viewer() as viewer:
        for seq, card in ((3, False), (4, True)):
            frame = pattern_frame(SIZE, seq)
            seen, composited = served.show_until(viewer, frame, card=card)
            assert composited is not card
            assert seen.seq == seq
            for mine, theirs in zip(seen.planes, frame.planes, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_a_picture_stays_until_the_next_is_asked_for(served: Served) -> None:
    with Viewer() as viewer:
        seen, _ = served.show_until(viewer, pattern_frame(SIZE, 1))
        before = seen.packed().copy()
        assert served.output is not None
        served.output.write(pattern_frame(SIZE, 2))
        np.testing.assert_array_equal(seen.packed(), before)
        with pytest.raises(ValueError, match="read-only"):
            seen.y[0, 0] = 0


def test_another_size_comes_in_other_memory(served: Served) -> None:
    with Viewer() as viewer:
        served.show_until(viewer, pattern_frame(SIZE))
        seen, _ = served.show_until(viewer, pattern_frame((96, 32)))
        assert seen.size == (96, 32)


def test_nothing_is_copied_for_who_does_not_ask(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[Size] = []
    monkeypatch.setattr(module, "share", lambda size, pictures: shared.append(size))
    with Viewer():
        assert served.here.wait(30)
        assert served.output is not None
        for seq in range(5):
            served.output.write(pattern_frame(SIZE, seq))
    assert not shared
    assert served.left.wait(30)


def test_one_that_asks_and_never_reads_holds_nobody_up(served: Served) -> None:
    stuck = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stuck.connect(str(viewers_path("control")))
    stuck.setblocking(False)
    assert served.here.wait(30)
    assert served.output is not None
    frame = pattern_frame(SIZE)
    for _ in range(20_000):
        try:
            stuck.send(NEXT)
        except OSError:
            break
        # returns at once, however full the other end is
        served.output.write(frame)
        if not served.here.is_set():
            break
    stuck.close()
    assert served.left.wait(30)
    with Viewer() as viewer:
        served.show_until(viewer, frame)


def test_nonsense_ends_a_connection_and_no_other(served: Served) -> None:
    with Viewer() as viewer:
        served.show_until(viewer, pattern_frame(SIZE))
        for said in (
            b"",
            b"more",
            b"next" * 16,
            b"\0",
            b"next  room",
            b"next rooms",
            b"room",
            b"next room\0",
            b"next 641 15",
        ):
            other = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            other.settimeout(30)
            other.connect(str(viewers_path("control")))
            other.send(said)
            assert other.recv(10) == b""
            other.close()
        served.show_until(viewer, pattern_frame(SIZE, 1))


def test_the_socket_is_for_this_user_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stat.S_IMODE(viewers_path("control").stat().st_mode) == 0o600
    monkeypatch.setattr(module, "peer_is_welcome", lambda sock: False)
    with Viewer() as viewer, pytest.raises(VcamEnded):
        viewer.next(30)
    assert not served.here.is_set()


def test_a_viewer_says_nothing_to_somebody_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.control.client.peer_is_welcome", lambda sock: False)
    with pytest.raises(VcamError, match="another user"):
        Viewer()


def test_so_many_may_look_and_no_more(served: Served) -> None:
    crowd = [Viewer() for _ in range(MOST)]
    served.show_until(crowd[-1], pattern_frame(SIZE))
    with Viewer() as late, pytest.raises(VcamEnded, match="nobody else"):
        late.next(30)
    for viewer in crowd:
        viewer.close()
    assert served.left.wait(30)


@pytest.mark.parametrize("card", [False, True])
@pytest.mark.parametrize("error", [cv2.error("no memory"), MemoryError("no memory"), OSError("no memory")])
def test_a_picture_that_cannot_be_made_smaller_ends_one_viewer_and_not_the_loop(
    served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, card: bool
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("vcam.scaling.Reducer.reduce", fail)
    frame = pattern_frame((96, 48))
    with Viewer() as whole, Viewer() as small:
        small.ask(Wish(wide=64, rate=99))
        seen, _ = served.show_until(whole, frame, card=card)
        np.testing.assert_array_equal(seen.packed(), frame.packed())
        while True:
            assert served.output is not None
            (served.output.show if card else served.output.write)(frame)
            try:
                assert small.take() is None
            except VcamEnded:
                break


def test_nobody_can_write_into_the_memory_or_cut_it_off(served: Served) -> None:
    with Viewer() as viewer:
        descriptors: list[int] = []
        close = os.close
        with pytest.MonkeyPatch.context() as patch:
            # the client's own descriptor, which it would close
            patch.setattr("vcam.control.viewing.os.close", lambda fd: descriptors.append(fd))
            served.show_until(viewer, pattern_frame(SIZE))
        # that of the server, in this same process, is among them
        for fd in descriptors:
            if not fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                pytest.fail("a descriptor that programs would inherit")
            with pytest.raises(OSError, match="not permitted"):
                os.ftruncate(fd, 0)
            with pytest.raises(PermissionError):
                mmap.mmap(fd, 64)
            close(fd)


def test_the_end_of_vcam_is_told(served: Served) -> None:
    with Viewer() as viewer:
        served.show_until(viewer, pattern_frame(SIZE))
        served.server.close()
        with pytest.raises(VcamEnded, match="has ended"):
            viewer.next(30)
    assert not viewers_path("control").exists()


def test_without_a_daemon_there_is_nothing_to_see() -> None:
    with pytest.raises(DeviceError, match="not running"):
        Viewer()


def test_a_vcam_that_hangs_lets_nobody_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def crowd() -> None:
        for _ in range(5):
            waiting.enter_context(Viewer("hangs"))

    monkeypatch.setattr(viewing, "_PATIENCE", 0.1)
    make_sockets_folder()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as hangs, ExitStack() as waiting:
        hangs.bind(str(viewers_path("hangs")))
        hangs.listen(0)
        with pytest.raises(DeviceError):
            crowd()
    viewers_path("hangs").unlink()


ROOM = 77
"""The luma of the room."""


def made(seq: int, size: tuple[int, int] = SIZE, *, alpha_of: int | None = None) -> MadeFrom:
    """A frame of the room, and a matte with a person in a box of it; outside the box it holds anything."""
    frame = Frame.allocate(*size)
    frame.fill(ROOM, 90, 160)
    frame.seq, frame.full_range = seq, True
    full = np.full((size[1], size[0]), 99, np.uint8)
    full[8:16, 4:20] = 200
    return MadeFrom(
        frame, Alpha(full, full[::2, ::2], full[:1, :1], Box(4, 8, 20, 16), seq if alpha_of is None else alpha_of)
    )


def test_the_room_and_the_matte_are_those_of_the_very_frame(served: Served) -> None:
    with Viewer() as viewer:
        for seq in (5, 6):
            served.source, frame = made(seq), pattern_frame(SIZE, seq)
            shown = served.shown(viewer, frame, Besides.ROOM)
            assert shown.room is not None
            assert shown.matte is None
            assert shown.room.seq == shown.frame.seq == seq
            assert shown.room.full_range
            assert [int(plane.min()) for plane in shown.room.planes] == [ROOM, 90, 160]
            np.testing.assert_array_equal(shown.frame.y, frame.y)
            shown = served.shown(viewer, frame, Besides.MATTE)
            assert shown.matte is not None
            assert shown.room is None
            assert shown.matte[8:16, 4:20].min() == 200
            assert shown.matte.astype(int).sum() == 200 * 8 * 16, "nobody is outside of the box"
        with pytest.raises(ValueError, match="read-only"):
            shown.matte[0, 0] = 0


def test_a_placeholder_comes_with_nothing_of_the_room(served: Served) -> None:
    with Viewer() as viewer:
        served.source = made(3)
        assert served.shown(viewer, pattern_frame(SIZE, 3), Besides.ROOM).room is not None
        for besides in (Besides.ROOM, Besides.MATTE):
            shown = served.shown(viewer, pattern_frame(SIZE, 3), besides, card=True)
            assert (shown.room, shown.matte, shown.composited) == (None, None, False)


@pytest.mark.parametrize("besides", [Besides.ROOM, Besides.MATTE])
@pytest.mark.parametrize("source", [None, made(4), made(3, (96, 32)), made(3, alpha_of=2)])
def test_what_is_of_another_frame_is_not_given(served: Served, source: MadeFrom | None, besides: Besides) -> None:
    served.source = source
    with Viewer() as viewer:
        shown = served.shown(viewer, pattern_frame(SIZE, 3), besides)
        assert shown.matte is None
        assert (shown.room is None) or (source is not None and source.frame.seq == 3 and source.frame.size == SIZE)


def test_where_there_is_no_matte_there_is_still_the_room(served: Served) -> None:
    served.source = MadeFrom(made(3).frame, None)
    with Viewer() as viewer:
        assert served.shown(viewer, pattern_frame(SIZE, 3), Besides.MATTE).matte is None
        assert served.shown(viewer, pattern_frame(SIZE, 3), Besides.ROOM).room is not None


def test_nothing_of_the_room_stays_in_the_memory_when_it_is_asked_for_no_longer(served: Served) -> None:
    served.source = made(3)
    with Viewer() as viewer:
        room = served.shown(viewer, pattern_frame(SIZE, 3), Besides.ROOM).room
        assert room is not None
        for besides, card in ((Besides.NOTHING, False), (Besides.MATTE, False), (Besides.ROOM, True)):
            served.shown(viewer, pattern_frame(SIZE, 3), Besides.ROOM)
            assert room.u[0, 0] == 90
            served.shown(viewer, pattern_frame(SIZE, 3), besides, card=card)
            assert not (room.y == ROOM).any()
            assert (int(room.u.min()), int(room.v.max())) == (128, 128)


def test_who_asks_for_nothing_more_is_given_nothing_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.source = made(3)
    asked: list[object] = []
    monkeypatch.setattr(module, "_fits", lambda besides, source, frame: asked.append(besides))
    with Viewer() as viewer:
        shown = served.shown(viewer, pattern_frame(SIZE, 3))
        assert (shown.room, shown.matte) == (None, None)
    assert asked == []


def test_a_picture_that_was_asked_for_with_the_room_is_taken_without_it(served: Served) -> None:
    served.source = made(3)
    with Viewer() as viewer:
        assert viewer.next(0.0, Besides.ROOM) is None
        # the room is on its way, and nobody wants it any more
        assert served.shown(viewer, pattern_frame(SIZE, 3)).room is None


def test_that_somebody_sees_the_room_is_said(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    def until(number: int) -> None:
        assert served.output is not None
        assert served.output.status()["see_the_room"] == number

    served.source = made(3)
    frame = pattern_frame(SIZE, 3)
    with Viewer() as one, Viewer() as other:
        served.shown(one, frame)
        served.shown(other, frame, Besides.MATTE)
        until(0)
        assert "room" not in caplog.text
        served.shown(one, frame, Besides.ROOM)
        served.shown(other, frame, Besides.ROOM)
        until(2)
        assert caplog.text.count("a preview shows the room") == 1
        served.shown(one, frame)
        until(1)
        assert "any more" not in caplog.text
    assert served.left.wait(30)
    assert "no preview shows the room any more" in caplog.text


def test_pictures_of_another_size_come_with_the_room_as_well(served: Served) -> None:
    with Viewer() as viewer:
        for size in (SIZE, (96, 32), SIZE):
            served.source = made(3, size)
            shown = served.shown(viewer, pattern_frame(size, 3), Besides.ROOM)
            assert shown.room is not None
            assert shown.room.size == shown.frame.size == size
