"""The panel's own process: an address of this machine, a token, a browser."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass

from vcam.errors import UsageError, VcamError

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


def serve(name: str, sock: socket.socket, ready: Callable[[Address], None]) -> None:
    """Serve the panel of the vcam of that name until a signal ends it. `ready` is told once pages are answered."""
    try:
        import uvicorn

        from vcam.web.app import make_app
    except ImportError as error:
        raise VcamError(f"the panel lacks a package: {error.name}", "pip install 'vcam[panel]'") from error
    address = Address(sock.getsockname()[1], secrets.token_urlsafe(32))

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(address)

    config = uvicorn.Config(
        make_app(name, address.token, address.port), log_level="warning", access_log=False, lifespan="off",
        timeout_graceful_shutdown=1, ws="websockets-sansio", ws_max_size=1 << 16, server_header=False,
        date_header=False,
    )  # fmt: skip
    Server(config).run([sock])
