"""The page as people use it, in a real browser with a clip as its camera, beside what vcam makes of the same frames."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.web.browser import CHROMIUM, Browser, Page
from tests.webpage.package import real
from vcam.camera.demo import DemoScene
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.matting import open_matting
from vcam.settings import Settings
from vcam.types import U8, Size
from vcam.webpage.content import page_files
from vcam.webpage.folder import write_page
from vcam.webpage.serving import make_app

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: sudo apt install chromium"),
]

SIZE: Size = (640, 360)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("web") / "page"
    write_page(place, page_files(real()))
    return place


class Site:
    """The page's server, in this process, so that it can be ended and asked what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        inner = make_app(folder)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.asked.append(scope["path"])
            await inner(scope, receive, send)

        class Server(uvicorn.Server):  # type: ignore[name-defined,misc]
            def capture_signals(self) -> contextlib.AbstractContextManager[None]:
                return contextlib.nullcontext()

        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.address = f"http://localhost:{self._socket.getsockname()[1]}/"
        self._server = Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    found = Site(folder)
    yield found
    found.end()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's scene as the camera of a browser: each frame is a JPEG."""
    path = tmp_path_factory.mktemp("clip") / "demo.mjpeg"
    with path.open("wb") as file:
        for bgr in _frames(30):
            file.write(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path


@pytest.fixture(scope="module")
def browser(clip: Path) -> Iterator[Browser]:
    with Browser(
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}", "--enable-unsafe-swiftshader",
    ) as found:  # fmt: skip
        yield found


def _frames(count: int, size: Size = SIZE) -> list[U8]:
    camera = DemoScene(size, 30)
    camera.open()
    frames = [camera.read() for _ in range(count)]
    return [frame_to_bgr(frame) for frame in frames if frame is not None]


def _show(page: Page, bgr: U8, read: str = "") -> dict[str, Any]:
    """Show the page one frame; `pixels` becomes an array."""
    png = base64.b64encode(cv2.imencode(".png", bgr)[1].tobytes()).decode()
    said: dict[str, Any] = page.run(f"vcam.frame('{png}', '{read}')")
    if said["pixels"]:
        width, height = said["size"]
        said["pixels"] = np.frombuffer(base64.b64decode(said["pixels"]), np.uint8).reshape(height, width, 4)
    return said


def _open(browser: Browser, site: Site, words: str = "test=1&engine=wasm") -> Page:
    page = browser.page()
    page.go(f"{site.address}?{words}")
    page.wait("globalThis.vcam" if "test" in words else "document.querySelector('canvas')")
    return page


def _click(page: Page, selector: str) -> None:
    page.run(f"document.querySelector({selector!r}).click()")
