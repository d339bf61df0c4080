"""The panel's process with many pages, with a vcam that hangs, and without its packages."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from websockets.sync.client import ClientConnection, connect

from vcam import extras
from vcam.cli.main import cli
from vcam.control.place import DEFAULT_NAME, socket_path
from vcam.web import server as served
from vcam.web import talk
from vcam.web.server import Address, listen, make_server


class Panel:
    """A panel in a thread, and what a browser would do."""

    def __init__(self, *, until_closed: bool = False) -> None:
        self.ready = threading.Event()
        self._sock = listen()
        self.server = make_server(DEFAULT_NAME, self._sock, self._begun, until_closed=until_closed)
        self.thread = threading.Thread(target=self.server.run, args=([self._sock],))
        self.thread.start()
        assert self.ready.wait(60)

    def _begun(self, address: Address) -> None:
        self.address = address
        self.here = f"127.0.0.1:{address.port}"
        self.headers = {"Cookie": f"vcam_panel_{address.port}={address.token}", "Origin": f"http://{self.here}"}
        self.ready.set()

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.here, timeout=30)
        connection.request(method, path, body or None, self.headers | headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, json.loads(data) if data[:1] in (b"{", b"[") else data

    def page(self) -> ClientConnection:
        return connect(
            f"ws://{self.here}/api/live", origin=f"http://{self.here}",  # type: ignore[arg-type]
            additional_headers={"Cookie": self.headers["Cookie"]}, proxy=None,
        )  # fmt: skip

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive()
        self._sock.close()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def hangs(runtime: Path) -> Iterator[None]:
    """A vcam that takes connections and never says a word."""
    path = socket_path(DEFAULT_NAME)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen(128)
        yield


@pytest.fixture
def panel(runtime: Path) -> Iterator[Panel]:
    panel = Panel()
    yield panel
    panel.close()


def followers() -> int:
    return sum(thread.name == talk.FOLLOWS for thread in threading.enumerate())


def until(true: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_hundred_pages_come_and_go_while_vcam_hangs(hangs: None, panel: Panel) -> None:
    for _ in range(5):
        with ExitStack() as pages:
            for _ in range(20):
                pages.enter_context(panel.page()).send('{"look": true}')
            # requests need none of the threads that wait for vcam
            assert panel.ask("/api/about")[0] == 200
            assert panel.ask("/api/backgrounds") == (200, [])
            assert followers() >= 20
    until(lambda: not followers())


def test_a_page_that_reads_slowly_is_told_the_newest_of_each(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Chatty:
        def __init__(self, name: str, tell: Callable[[str, Any], None]) -> None:
            tell("settings", {"values": {}})
            for number in range(50_000):
                tell("status", {"number": number, "much": "x" * 100})

        def end(self) -> None:
            pass

    monkeypatch.setattr(talk, "Following", Chatty)
    with panel.page() as page:
        told = []
        while not told or told[-1]["is"].get("number") != 49_999:
            told.append(json.loads(page.recv(timeout=30)))
    assert told[0]["event"] == "settings"
    assert len(told) < 100


@pytest.mark.parametrize(
    "path",
    [
        "/page/../api/about", "/page/..%2fapi%2fabout", "/page/%2e%2e/app.py", "/page/..%2f..%2f..%2fetc%2fpasswd",
        "//api/about", "/page//etc/passwd", "/page/%00", "/api/small/..%2f..%2fx.png", "/api/small/%2e%2e",
        "/api/small/" + "x" * 300 + ".png", "/api/small/%00.png", "/api/small/.hidden.png",
    ],
)  # fmt: skip
def test_no_path_leads_anywhere_else(panel: Panel, path: str) -> None:
    assert panel.ask(path)[0] in (400, 404)
    del panel.headers["Cookie"]
    assert panel.ask(path)[0] in (403, 404)


@pytest.mark.parametrize(
    "name", ["..%2f..%2fx.png", "..", "%00.png", ".png", "x.png%00", "-rf.png", "%E6%96%87" * 90 + ".png"]
)
def test_no_upload_leads_anywhere_else(panel: Panel, runtime: Path, name: str) -> None:
    picture = bytes(cv2.imencode(".png", np.zeros((9, 16, 3), np.uint8))[1])
    status, _ = panel.ask(f"/api/backgrounds/{name}", "PUT", picture)
    assert status in (200, 400, 404, 405)
    folder = runtime / "DATA/vcam/backgrounds"
    written = [path for path in runtime.rglob("*.png*") if path.is_file()]
    assert all(path.parent == folder and path.name[0] not in ".-" for path in written)
    assert len(written) == (status == 200)


@pytest.mark.parametrize("nonsense", ["", "{", "[]", "1", '{"look": 1, "x": "' + "x" * 1000 + '"}', "{}"])
def test_nonsense_on_the_socket_ends_that_page_alone(panel: Panel, nonsense: str) -> None:
    with panel.page() as page:
        page.send(nonsense)
    assert panel.ask("/api/about")[0] == 200
    until(lambda: not followers())


def test_a_panel_of_the_menu_ends_with_its_last_page(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "CLOSED", 0.1)
    panel = Panel(until_closed=True)
    with panel.page() as first:
        with panel.page():
            pass
        first.send('{"look": false}')
        assert panel.ask("/api/about")[0] == 200
    panel.thread.join(30)
    assert not panel.thread.is_alive()
    panel.close()


def test_a_panel_of_a_terminal_stays(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "CLOSED", 0.0)
    with panel.page() as page:
        page.send('{"look": false}')
    until(lambda: not followers())
    assert panel.ask("/api/about")[0] == 200


def test_nobody_is_believed_who_names_another_sender(panel: Panel) -> None:
    # behind a proxy such a header names who asks; there is none before the panel
    assert panel.ask("/api/about", **{"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https"})[0] == 200


@pytest.mark.parametrize("body", [b'{"token": "\\ud800"}', b'{"token": 1}', b"[]", b"{", b"[" * 60000, b"x" * 70000])
def test_no_way_in_by_nonsense(panel: Panel, body: bytes) -> None:
    assert panel.ask("/api/enter", "POST", body)[0] == 403


def test_an_upload_that_breaks_off_leaves_nothing(panel: Panel, runtime: Path, caplog: Any) -> None:
    with socket.create_connection(("127.0.0.1", panel.address.port)) as sock:
        told = "".join(f"{name}: {value}\r\n" for name, value in panel.headers.items())
        head = f"PUT /api/backgrounds/a.png HTTP/1.1\r\nHost: {panel.here}\r\n{told}Content-Length: 5000\r\n\r\nabc"
        sock.sendall(head.encode())
        folder = runtime / "DATA/vcam/backgrounds"
        until(lambda: folder.exists() and list(folder.iterdir()))
    until(lambda: not list(folder.iterdir()))
    assert panel.ask("/api/backgrounds") == (200, [])
    assert "Traceback" not in caplog.text


def test_without_its_packages_nothing_is_started(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.setattr(talk, "start", lambda name: pytest.fail("a vcam was started"))
    done = CliRunner().invoke(cli, ["panel", "--print"], standalone_mode=False)
    assert "lacks a package: uvicorn" in str(done.exception)
    assert getattr(done.exception, "hint", "") == extras.command_for("starlette", "uvicorn", "websockets")
