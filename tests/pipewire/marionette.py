"""A real headless Firefox, driven by its own protocol: https://firefox-source-docs.mozilla.org/testing/marionette."""

from __future__ import annotations

import json
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


class FirefoxEnded(Exception):
    """It has ended under way."""


class Firefox:
    """A context manager; everything it wrote is gone afterwards."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="vcam-firefox-", ignore_cleanup_errors=True)
        preferences = {**_PREFERENCES, "marionette.port": port}
        lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in preferences.items()]
        Path(self._folder.name, "user.js").write_text("".join(lines))
        self._process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--profile", self._folder.name, "--marionette"],
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
        """What a promise of JavaScript comes to."""
        script = f"const done = arguments[0]; Promise.resolve({expression}).then(done, e => done(String(e)));"
        return self.call("WebDriver:ExecuteAsyncScript", args=[], script=script)["value"]

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()
