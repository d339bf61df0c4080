"""A real headless Firefox, driven by its own protocol: https://firefox-source-docs.mozilla.org/testing/marionette."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FIREFOX = next((path for name in ("firefox-esr", "firefox") if (path := shutil.which(name))), "")

_PREFERENCES = {
    "media.webrtc.camera.allow-pipewire": True,
    # nobody is there to be asked
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
}


class Screen:
    """An X server without a screen; a context manager that gives the name of its display."""

    PROGRAM = shutil.which("Xvfb") or ""

    def __enter__(self) -> str:
        reading, writing = os.pipe()
        command = [self.PROGRAM, "-displayfd", str(writing), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
        self._process = subprocess.Popen(
            command, pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading) as said:
            number = said.readline().strip()
        assert number, "Xvfb does not start"
        return f":{number}"

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


SOFTWARE: dict[str, object] = {"webgl.force-enabled": True, "gfx.x11-egl.force-enabled": True}
"""Preferences with which it draws by software where there is no graphics processor."""


class FirefoxEnded(Exception):
    """It has ended under way."""


class Firefox:
    """A context manager; everything it wrote is gone afterwards."""

    def __init__(self, preferences: dict[str, object] | None = None, display: str = "") -> None:
        """preferences: more of them, by name. display: of X11, on which it opens a window; it has WebGL only there."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="vcam-firefox-", ignore_cleanup_errors=True)
        all_ = {**_PREFERENCES, **(preferences or {}), "marionette.port": port}
        lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in all_.items()]
        Path(self._folder.name, "user.js").write_text("".join(lines))
        how = [] if display else ["--headless"]
        self._process = subprocess.Popen(
            [FIREFOX, *how, "--no-remote", "--profile", self._folder.name, "--marionette"],
            env=os.environ | ({"DISPLAY": display} if display else {}),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0
        self._socket = self._connect(port)
        self._receive()
        self.call("WebDriver:NewSession", capabilities={})
        self.call("WebDriver:SetTimeouts", script=120_000)

    def _connect(self, port: int) -> socket.socket:
        end = time.monotonic() + 120
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port))
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("Firefox does not start") from None
                time.sleep(0.2)

    def _receive(self) -> Any:
        head = b""
        while not head.endswith(b":"):
            byte = self._socket.recv(1)
            if not byte:
                raise FirefoxEnded(f"its status is {self._process.poll()}")
            head += byte
        body = b""
        while len(body) < int(head[:-1]):
            body += self._socket.recv(int(head[:-1]) - len(body))
        return json.loads(body)

    def call(self, command: str, **params: Any) -> Any:
        """One command of WebDriver's."""
        self._number += 1
        message = json.dumps([0, self._number, command, params]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _kind, _number, error, result = self._receive()
        assert error is None, error
        return result

    def go(self, address: str) -> None:
        self.call("WebDriver:Navigate", url=address)

    def run(self, expression: str) -> Any:
        """What a promise of JavaScript comes to, in the page itself, whose own variables it sees."""
        script = f"const done = arguments[0]; Promise.resolve({expression}).then(done, e => done(String(e)));"
        return self.call("WebDriver:ExecuteAsyncScript", args=[], script=script, sandbox=None)["value"]

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()
