"""The screen on Wayland: a portal that a test plays, and a real PipeWire behind it."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipewire.helpers import camera, needs_gstreamer
from tests.pipewire.session import Session, wait_for
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.backgrounds.screencast import ScreenReader
from vcam.errors import InputError, UsageError
from vcam.pipewire.portal import ScreenCast
from vcam.pipewire.registry import video_nodes
from vcam.settings import Settings

pytestmark = pytest.mark.process

CAPS = "video/x-raw,format=BGRx,width=642,height=361,framerate=30/1"


class Portal:
    """org.freedesktop.portal.Desktop on a session's bus, in a thread; `refuses` is the code of the answer to Start."""

    def __init__(self, session: Session, node: int) -> None:
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import open_dbus_connection, unwrap_msg

        self._session, self._node = session, node
        self.refuses = 0
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._bus = open_dbus_connection(session.environ["DBUS_SESSION_BUS_ADDRESS"], enable_fds=True)
        unwrap_msg(self._bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.portal.Desktop")))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        from jeepney import MessageType

        while not self._end.is_set():
            try:
                message = self._bus.receive(timeout=0.1)
            except TimeoutError:
                continue
            if message.header.message_type is MessageType.method_call:
                self._answer(message)

    def _answer(self, message: Any) -> None:
        from jeepney import DBusAddress, HeaderFields, new_method_return, new_signal

        fields = message.header.fields
        method, sender = fields[HeaderFields.member], fields[HeaderFields.sender]
        options = message.body[-1]
        self.asked.append((method, options))
        if method == "OpenPipeWireRemote":
            with socket.socket(socket.AF_UNIX) as remote:
                remote.connect(str(self._session.socket))
                self._bus.send(new_method_return(message, "h", (remote,)))
            return
        path = f"/org/freedesktop/portal/desktop/request/{sender.lstrip(':').replace('.', '_')}/"
        path += options["handle_token"][1]
        self._bus.send(new_method_return(message, "o", (path,)))
        results: dict[str, Any] = {}
        if method == "CreateSession":
            results = {"session_handle": ("s", "/org/freedesktop/portal/desktop/session/x/y")}
        elif method == "Start":
            results = {"streams": ("a(ua{sv})", [(self._node, {})]), "restore_token": ("s", "remembered")}
        emitter = DBusAddress(path, interface="org.freedesktop.portal.Request")
        signal = new_signal(emitter, "Response", "ua{sv}", (self.refuses if method == "Start" else 0, results))
        signal.header.fields[HeaderFields.destination] = sender
        self._bus.send(signal)

    def close(self) -> None:
        self._end.set()
        self._thread.join(10)
        self._bus.close()


@pytest.fixture
def portal(session: Session) -> Iterator[Portal]:
    """With a screen, which GStreamer plays: its first bar is white, its last one blue."""
    pytest.importorskip("jeepney")
    needs_gstreamer()
    with camera(session, CAPS, "Screen"):
        wait_for(lambda: any(node.description == "Screen" for node in video_nodes()), "the screen")
        (node,) = (node.number for node in video_nodes() if node.description == "Screen")
        portal = Portal(session, node)
        yield portal
        portal.close()


def test_the_screen_is_asked_for_once_and_shown(portal: Portal, tmp_path: Path) -> None:
    token = tmp_path / "state" / "screen.token"
    cast = ScreenCast(token)
    assert token.read_text() == "remembered"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    reader = ScreenReader(cast, (320, 180), "cover")
    for _ in range(3):
        frame = reader.read()
        assert frame.size == (320, 180)
        bars = [
            [int(plane[plane.shape[0] // 2, x * plane.shape[1] // 320]) for plane in frame.planes] for x in (8, 310)
        ]
        assert np.abs(np.array(bars) - [(235, 128, 128), (41, 240, 110)]).max() <= 3
    reader.close()
    reader.close()
    cast.close()
    cast.close()
    ScreenCast(token).close()
    assert [options.get("restore_token") for method, options in portal.asked if method == "SelectSources"] == [
        None,
        ("s", "remembered"),
    ]


def test_a_no_is_told(portal: Portal, tmp_path: Path) -> None:
    portal.refuses = 1
    with pytest.raises(UsageError, match="it was refused"):
        ScreenCast(tmp_path / "token")
    assert not (tmp_path / "token").exists()


def test_as_a_background_it_moves(portal: Portal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    background = parse_background("screen", Settings().background)
    background.prepare((320, 180))
    plate = background.without_person(0.0)
    assert plate.frame.y[90, 8] > 225
    background.close()


def test_a_screen_that_is_taken_away_is_told(portal: Portal, tmp_path: Path, session: Session) -> None:
    cast = ScreenCast(tmp_path / "token")
    reader = ScreenReader(cast, (320, 180), "stretch")
    reader.read()
    reader._sink.close()
    with pytest.raises(InputError, match="shown no more"):
        wait_for(lambda: reader.read() is None, "the end")
    cast.close()


def test_without_a_portal_another_background_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jeepney")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(UsageError, match="cannot be reached") as caught:
        ScreenCast(tmp_path / "token")
    assert "choose another background" in caught.value.hint
