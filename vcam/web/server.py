"""The panel's own process: an address of this machine, a token, a browser."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import subprocess
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from vcam import extras
from vcam.errors import UsageError, VcamError
from vcam.pipeline import tune_process

if TYPE_CHECKING:
    import uvicorn

THREADS = 32
"""Requests of pages that may wait for vcam at the same time."""
CLOSED, UNOPENED = 30.0, 180.0
"""Seconds without a page after which a panel ends that was opened from the menu: after the last one, and before any."""

WINDOWS = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge", "brave-browser")
"""Browsers that can show a page as a window of its own."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the panel listens, and what opens it. The token is in the fragment, which no browser sends anywhere."""

    port: int
    token: str

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/#{self.token}"


def listen(port: int = 0) -> socket.socket:
    """A socket of this machine alone; port 0 is any that is free. Raises `UsageError` if it is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
    except OSError as error:
        found.close()
        raise UsageError(f"port {port} cannot be had: {error.strerror}", "leave --port away: any will do") from error
    return found


def show(link: str) -> bool:
    """Open the page: as a window of its own where a browser can, else in the browser. Whether one was found."""
    for name in WINDOWS:
        if path := shutil.which(name):
            subprocess.Popen(
                [path, f"--app={link}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            return True
    return webbrowser.open(link)


def check_packages() -> None:
    """Raises `VcamError` if one of the panel's packages is missing."""
    try:
        for package in ("starlette", "uvicorn", "websockets"):
            import_module(package)
    except ImportError as error:
        raise VcamError(
            f"the panel lacks a package: {error.name}", extras.command_for("starlette", "uvicorn", "websockets")
        ) from error


def serve(name: str, sock: socket.socket, ready: Callable[[Address], None], *, until_closed: bool = False) -> None:
    """Serve the panel of the vcam of that name until a signal ends it. `ready` is told once pages are answered.

    until_closed: also end when the last page has been closed for a while, or none was ever opened.
    """
    # OpenCV's threads, and memory that is mapped anew for each picture, would cost more than the picture
    tune_process()
    make_server(name, sock, ready, until_closed=until_closed).run([sock])


def make_server(
    name: str, sock: socket.socket, ready: Callable[[Address], None], *, until_closed: bool = False
) -> uvicorn.Server:
    """What `serve` runs. Raises `VcamError` if one of the packages is missing."""
    check_packages()
    import uvicorn

    from vcam.web.app import make_app

    address = Address(sock.getsockname()[1], secrets.token_urlsafe(32))

    class Server(uvicorn.Server):
        timer: asyncio.TimerHandle | None = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # a request may wait for vcam, and a page that looks nearly always does
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "panel"))
            await super().startup(sockets)
            self.opened(0, UNOPENED)
            ready(address)

        def opened(self, pages: int, patience: float) -> None:
            if self.timer:
                self.timer.cancel()
                self.timer = None
            if until_closed and not pages:
                self.timer = asyncio.get_running_loop().call_later(patience, self.leave)

        def leave(self) -> None:
            self.should_exit = True

    server: Server

    def opened(pages: int) -> None:
        server.opened(pages, CLOSED)

    config = uvicorn.Config(
        make_app(name, address.token, address.port, opened), log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=1, ws="websockets-sansio", ws_max_size=1 << 16, server_header=False,
        # pictures are compressed already, and it would take longer than to make them
        ws_per_message_deflate=False,
        # who asks is who is connected, and not whom a header names
        date_header=False, proxy_headers=False,
    )  # fmt: skip
    server = Server(config)
    return server
