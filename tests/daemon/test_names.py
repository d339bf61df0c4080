"""Names that are bytes, garbage or endless: the loop runs on, and every question is answered."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.helpers import SETTINGS, SIZE, Daemon, LuminousCamera, Steered, run
from vcam.compose.placeholder import placeholder
from vcam.control.client import ControlClient
from vcam.control.metrics import prometheus_text
from vcam.daemon.announcer import Announcer
from vcam.daemon.base import State
from vcam.daemon.logs import LineFormatter
from vcam.daemon.methods import Control
from vcam.daemon.notify import Notifier
from vcam.daemon.origin import Origin
from vcam.daemon.outlets import Outlets
from vcam.daemon.states import Phase
from vcam.errors import CameraError, UsageError, VcamError
from vcam.printable import encodable, shown_name
from vcam.settings import FIELDS
from vcam.v4l2 import discover

LATIN = os.fsdecode(b"latin\xe4.jpg")
ODD = [LATIN, "\ud800", "\x1b[31mred\x07", "x" * 10_000, "", "\u202egpj.exe", "a\nb\n" * 500, "\0"]
KINDS = ["latin", "surrogate", "control", "long", "empty", "bidi", "lines", "nul"]
"""What names and texts may be."""


class OddCamera(LuminousCamera):
    """A camera whose name and errors are anything."""

    def __init__(self, name: str) -> None:
        super().__init__("one")
        self.description = name
        self.lost = False

    def read(self) -> Any:
        if self.lost:
            raise CameraError(f"{self.description} has gone", f"look for {self.description}")
        return super().read()

    def open(self) -> None:
        if self.lost:
            raise CameraError(f"{self.description} cannot be opened")
        super().open()


@pytest.fixture
def manager(tmp_path: Path) -> Any:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        yield listener


@pytest.mark.parametrize("name", ODD, ids=KINDS)
def test_a_camera_may_have_any_name(
    quick: None, name: str, tmp_path: Path, manager: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = OddCamera(name)
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    daemon = Daemon(SETTINGS.replace(camera__source=name or "one"), camera=camera, notifier=notifier)
    with Control(daemon.life, Origin({}, (), "", tmp_path / "none")), daemon:
        daemon.live()
        with ControlClient(timeout=30) as client:
            seen = client.call("status")
            assert seen["state"] == "live"
            assert seen["camera"]["description"] == encodable(name)
            assert set(client.call("get")) == set(FIELDS)
            prometheus_text(seen).encode()
            camera.lost = True
            daemon.until(lambda: daemon.life.state is State.DEGRADED)
            assert client.call("status")["state"] == "degraded"
            camera.lost = False
            daemon.until(lambda: daemon.life.state is State.LIVE)
            for words in (("status",), ("status", "--json"), ("get",), ("get", "camera.source")):
                shown = run(*words)
                assert shown.exception is None, shown.exception
                assert "\x1b[31m" not in shown.output
                assert "\u202e" not in shown.output
    notifier.close()
    manager.settimeout(0.1)
    told = []
    while True:
        try:
            told.append(manager.recv(1 << 16).decode())
        except TimeoutError:
            break
    assert [line for line in told if line.startswith("STATUS=live") or "STATUS=live" in line]
    assert not [line for line in told if "\x1b" in line]


@pytest.mark.parametrize("text", ODD, ids=KINDS)
def test_any_text_of_any_setting_is_taken_or_refused_and_the_picture_goes_on(
    steered: Steered, client: ControlClient, text: str
) -> None:
    for key, field in FIELDS.items():
        if field.type is not str and field.type is not tuple:
            continue
        with contextlib.suppress(VcamError):
            client.call("set", {key: text})
        client.call("get", {"key": key})
    client.call("set", {"camera.source": "one", "background.spec": "color:#204080"})
    steered.daemon.until(lambda: steered.daemon.life.state is State.LIVE)
    assert client.call("status")["state"] == "live"
    assert steered.daemon.more(3)


def test_a_background_that_is_no_utf_8_is_used_and_shown_escaped(quick: None, tmp_path: Path, shared: Path) -> None:
    import cv2
    import numpy as np

    picture = tmp_path / LATIN
    picture.write_bytes(cv2.imencode(".png", np.full((64, 96, 3), 90, np.uint8))[1].tobytes())
    daemon = Daemon(SETTINGS.replace(background__spec=str(picture)))
    with Control(daemon.life, Origin({}, (), "", tmp_path / "none")), daemon:
        daemon.live()
        with ControlClient(timeout=30) as client:
            assert client.call("status")["background"] == str(tmp_path / r"latin\xe4.jpg")
            assert client.call("get", {"key": "background.spec"})["background.spec"].endswith(r"\xe4.jpg")
            client.call("set", {"matte.edge": 4})
            # another byte would arrive: it is refused here, with the cure
            with pytest.raises(UsageError, match=r"latin\\xe4.jpg is not UTF-8.*ln -s"):
                client.call("background", {"spec": str(picture)})
            assert client.call("background", {"spec": "color:#ff0000"})["changed"]
        assert daemon.more(3)


def test_an_observer_that_raises_is_told_of_once_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told: list[State] = []

    def broken(state: State, cause: str) -> None:
        raise ValueError("broken observer")

    announcer = Announcer(Notifier({}), [broken, lambda state, cause: told.append(state)], Outlets([]))
    for state in (State.WAITING, State.LIVE, State.IDLE):
        announcer.entered(State.STARTING, Phase(state, "", 0.0))
    assert told == [State.WAITING, State.LIVE, State.IDLE]
    assert caplog.text.count("broken observer") == 1


def test_a_daemon_outlives_its_observers(quick: None) -> None:
    daemon = Daemon()

    def broken(state: State, cause: str) -> None:
        raise RuntimeError("broken observer")

    daemon.life.observers.append(broken)
    with daemon:
        daemon.live()
        daemon.life.pause().result(30)
        daemon.life.resume().result(30)
        daemon.live()


@pytest.mark.parametrize("journal", [True, False])
def test_the_log_steers_no_terminal(journal: bool) -> None:
    record = logging.LogRecord("vcam", logging.WARNING, "", 1, "%s is lost", ("\x1b[2J" + LATIN,), None)
    assert LineFormatter(journal=journal).format(record).endswith(r"\x1b[2Jlatin\xe4.jpg is lost")


def test_a_card_of_any_words_is_drawn_soon() -> None:
    for text in ODD:
        placeholder(SIZE, text)


def test_figures_are_served_whatever_the_names_are() -> None:
    labels = {'sta"ge\\\n\udce4': 1.0}
    text = prometheus_text({**_STATUS, "version": "1", "outputs": [], "cpu_ms": labels})
    lines = "\n".join(line for line in text.splitlines() if "cpu_seconds{" in line)
    assert lines == r'vcam_frame_cpu_seconds{stage="sta\"ge\\\\x0a\\xe4"} 0.001'


_STATUS: dict[str, Any] = {
    "state": "live", "watched": True, "camera": {"on": False}, "fps_in": 30.0, "fps_out": 29.5, "cpu_percent": 12.0,
    "rss_mb": 140.0, "threads": 5, "uptime_s": 7.5, "frames": 100, "dropped": 3, "repeated": 2, "without_person": 1,
    "skipped": 0, "cpu_ms": {}, "latency_ms": {}, "room": {"known": 0.0, "agreement": None},
}  # fmt: skip


def test_json_of_commands_holds_no_lone_surrogate(steered: Steered) -> None:
    steered.daemon.life.settings = steered.daemon.life.settings.replace(overlay__text="\udce4")
    assert json.loads(run("get", "overlay.text", "--json").output) == r"\xe4"


NAMES = [b"\x1b]0;owned\x07cam", b"lat\xe4", b"\xff" * 32, "\u202emac".encode(), b"", b"a\nb", b"\0\0"]
"""What a driver may call its device."""


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_devices_with_any_name_are_listed_and_examined(
    name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sysfs = tmp_path / "sys"
    (sysfs / "video7").mkdir(parents=True)
    (sysfs / "video7" / "name").write_bytes(name)
    monkeypatch.setattr(discover, "SYSFS", sysfs)
    monkeypatch.setattr(discover, "DEV", tmp_path)
    (node,) = discover.list_nodes()
    assert node.card == shown_name(name)
    doctor = [("doctor",), ("doctor", "--json")] if name is NAMES[0] else []
    for words in (("devices",), ("devices", "--json"), *doctor):
        shown = run(*words)
        assert shown.exception is None or isinstance(shown.exception, VcamError), shown.exception
        shown.output.encode()
        assert not {"\x1b", "\x07", "\u202e"} & set(shown.output)


@pytest.mark.parametrize("comm", NAMES, ids=ascii)
def test_a_program_with_any_name_is_named_as_the_holder(
    comm: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "comm").write_bytes(comm)
    (tmp_path / "42" / "fd").mkdir()
    (tmp_path / "42" / "fd" / "3").symlink_to(tmp_path / "video7")
    (tmp_path / "video7").touch()
    monkeypatch.setattr(discover, "PROC", tmp_path)
    assert discover.who_holds(tmp_path / "video7") == f"{shown_name(comm) or '?'} (process 42)"
