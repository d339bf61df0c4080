"""What tests of the page in a real browser share: its server, a clip as the camera, frames shown one by one."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn

from tests.web.browser import Browser, Page
from vcam.camera.demo import DemoScene
from vcam.images import frame_to_bgr
from vcam.types import U8, Size
from vcam.webpage.serving import make_app

SIZE: Size = (640, 360)

_pages: list[Page] = []


class Site:
    """The page's server, in this process, so that it can be ended and asked what was asked of it."""

    def __init__(self, folder: Path, *, plain: bool = False) -> None:
        """plain: as any web server, without the headers of vcam's."""
        self.asked: list[str] = []
        inner = make_app(folder)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.asked.append(scope["path"])

            async def without(message: Any) -> None:
                if message["type"] == "http.response.start":
                    kept = (b"content-type", b"content-length")
                    message["headers"] = [pair for pair in message["headers"] if pair[0].lower() in kept]
                await send(message)

            await inner(scope, receive, without if plain else send)

        class Server(uvicorn.Server):
            def capture_signals(self) -> contextlib.AbstractContextManager[None]:
                return contextlib.nullcontext()

        self._socket = socket.socket()
        # another may have the port afterwards
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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


def frames(count: int, size: Size = SIZE) -> list[U8]:
    """The first frames of the demo, BGR."""
    camera = DemoScene(size, 30)
    camera.open()
    # each is drawn into the same buffer
    return [frame_to_bgr(frame) for _ in range(count) if (frame := camera.read())]


def show(page: Page, bgr: U8, read: str = "") -> dict[str, Any]:
    """Show the page one frame; `pixels` becomes an array."""
    png = base64.b64encode(cv2.imencode(".png", bgr)[1].tobytes()).decode()
    said: dict[str, Any] = page.run(f"vcam.frame('{png}', '{read}')")
    if said["pixels"]:
        width, height = said["size"]
        said["pixels"] = np.frombuffer(base64.b64decode(said["pixels"]), np.uint8).reshape(height, width, 4)
    return said


def visit(browser: Browser, site: Site, words: str = "test=1&engine=wasm", before: str = "") -> Page:
    """A page of its own; before: what runs in it before anything else."""
    page = browser.page()
    _pages.append(page)
    if before:
        page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
    page.go(f"{site.address}?{words}")
    page.wait("globalThis.vcam" if "test=1" in words else "document.querySelector('#app > *')")
    return page


def leave() -> None:
    """Close all pages that were visited."""
    while _pages:
        _pages.pop().call("Page.close")


def click(page: Page, selector: str) -> None:
    page.run(f"document.querySelector({selector!r}).click()")


def text(page: Page, selector: str) -> str:
    return str(page.run(f"document.querySelector({selector!r})?.textContent ?? ''"))
