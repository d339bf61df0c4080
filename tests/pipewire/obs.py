"""OBS Studio, driven by its own WebSocket."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.pipewire.session import Session
from vcam.types import U8

OBS = shutil.which("obs")
KIND = "pipewire-camera-source"
"""Its source "Video Capture Device (PipeWire)"."""


SOURCE = "camera"

_SETTINGS = """[General]
FirstRun=true
[Basic]
Profile=Untitled
ProfileDir=Untitled
SceneCollection=Untitled
SceneCollectionFile=Untitled
"""

_PROFILE = """[General]
Name=Untitled
[Video]
BaseCX=640
BaseCY=480
OutputCX=640
OutputCY=480
FPSCommon=10
"""

# its own thread must make the source: in another one it waits in vain for the portal's answer
_SCENES = {
    "name": "Untitled",
    "current_scene": "Scene",
    "current_program_scene": "Scene",
    "scene_order": [{"name": "Scene"}],
    "sources": [
        {"name": SOURCE, "id": KIND, "versioned_id": KIND, "settings": {}},
        {
            "name": "Scene",
            "id": "scene",
            "versioned_id": "scene",
            "settings": {"id_counter": 1, "items": [{"name": SOURCE, "id": 1, "visible": True}]},
        },
    ],
}


_NOT_READY, _NOTHING_SHOWN = 207, 702
"""Of the protocol's codes: OBS has not started; a source has no picture yet."""


class Refused(Exception):
    """A request that OBS did not grant: the code, and words."""


class OBSEnded(Exception):
    """It did not come up, or has ended."""


class Studio:
    """One OBS with settings of its own and an empty scene."""

    def __init__(self, session: Session) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vcam-obs-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        settings = self._folder / "obs-studio"
        _write(settings / "global.ini", _SETTINGS)
        _write(settings / "user.ini", _SETTINGS)
        profile = (
            "[General]\nName=Untitled\n[Video]\nBaseCX=640\nBaseCY=480\nOutputCX=640\nOutputCY=480\nFPSCommon=10\n"
        )
        _write(settings / "basic/profiles/Untitled/basic.ini", profile)
        _write(settings / "basic/scenes/Untitled.json", json.dumps(_SCENES))
        talk = {"server_enabled": True, "server_port": self._port, "auth_required": False, "first_load": False,
                "alerts_enabled": False}  # fmt: skip
        _write(settings / "plugin_config/obs-websocket/config.json", json.dumps(talk))
        self._log = self._folder / "log"
        with self._log.open("wb") as file:
            self._process = subprocess.Popen(
                [str(OBS), "--multi", "--disable-updater", "--disable-shutdown-check",
                 "--disable-missing-files-check", "--profile", "Untitled"],
                env={**session.environ, "XDG_CONFIG_HOME": str(self._folder), "LIBGL_ALWAYS_SOFTWARE": "1",
                     "QT_QPA_PLATFORM": "xcb", "LC_ALL": "C.UTF-8"},
                stdout=file, stderr=file,
            )  # fmt: skip
        self._stack = ExitStack()
        try:
            self._socket = self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _connect(self, seconds: float = 90.0) -> ClientConnection:
        end = time.monotonic() + seconds
        while True:
            if self._process.poll() is not None or time.monotonic() > end:
                raise OBSEnded(self.log[-3000:])
            try:
                connection = self._stack.enter_context(
                    connect(f"ws://127.0.0.1:{self._port}", max_size=2**26, proxy=None)
                )
            except (OSError, ConnectionClosed):
                time.sleep(0.2)
                continue
            connection.recv(20)
            connection.send(json.dumps({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}}))
            connection.recv(20)
            return connection

    def call(self, kind: str, **what: Any) -> dict[str, Any]:
        """One request, by the names of obs-websocket's protocol. Raises `OBSEnded`, and `Refused`."""
        end = time.monotonic() + 60
        while True:
            request = {"requestType": kind, "requestId": kind, "requestData": what}
            try:
                self._socket.send(json.dumps({"op": 6, "d": request}))
                answer = json.loads(self._socket.recv(30))["d"]
            except (ConnectionClosed, TimeoutError) as error:
                raise OBSEnded(f"{error}\n{self.log[-3000:]}") from error
            status = answer["requestStatus"]
            if status["result"]:
                return dict(answer.get("responseData") or {})
            if status["code"] != _NOT_READY or time.monotonic() > end:
                raise Refused(status["code"], f"{kind}: {status}")
            time.sleep(0.2)

    def picture(self, source: str) -> U8 | None:
        """What a source shows, RGB; None while that is nothing."""
        try:
            found = self.call("GetSourceScreenshot", sourceName=source, imageFormat="png")
        except Refused as refused:
            if refused.args[0] != _NOTHING_SHOWN:
                raise
            return None
        encoded = np.frombuffer(base64.b64decode(found["imageData"].partition(",")[2]), np.uint8)
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)

    def close(self) -> None:
        # it is not asked, lest it ask back
        self._stack.close()
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
