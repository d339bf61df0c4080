"""A small web server for the page, on this machine alone: browsers give no camera to a file that was opened from disk.

It serves the files that vcam wrote and nothing else of the folder, with the headers that let the network use threads
(`Cross-Origin-Embedder-Policy`) and forbid the page to load anything from elsewhere.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vcam.webpage.content import PAGE
from vcam.webpage.folder import files_of

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

KINDS = {
    ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".txt": "text/plain",
    ".json": "application/json", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
    ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".onnx": "application/octet-stream",
    ".bin": "application/octet-stream",
}  # fmt: skip


def policy() -> str:
    """The page's own Content-Security-Policy, as its first lines have it for servers that send none.

    Beside that, no other page may have it in a frame: only a header can say so.
    """
    found = re.search(r'Content-Security-Policy" content="([^"]+)"', (PAGE / "index.html").read_text(encoding="utf-8"))
    assert found
    return f"{found[1]}; frame-ancestors 'none'"


def make_app(folder: Path) -> Starlette:
    """The server for a folder that `write_page` has written."""
    from starlette.applications import Starlette
    from starlette.responses import FileResponse, PlainTextResponse
    from starlette.routing import Route

    names = set(files_of(folder) or ())
    headers = {
        "Content-Security-Policy": policy(),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        # a newer page is seen at once
        "Cache-Control": "no-cache",
    }

    async def answer(request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        if name not in names:
            return PlainTextResponse("not a file of this page\n", 404, headers)
        path = folder / name
        return FileResponse(path, headers=headers, media_type=KINDS[path.suffix])

    return Starlette(routes=[Route("/{name:path}", answer)])


def serve(folder: Path, sock: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the page until a signal ends it. `ready` is told its address once it is answered."""
    import uvicorn

    port = sock.getsockname()[1]

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # browsers count this name as this machine, as they do the number
            ready(f"http://localhost:{port}/")

    config = uvicorn.Config(
        make_app(folder), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1,
        server_header=False, date_header=False, proxy_headers=False,
    )  # fmt: skip
    Server(config).run([sock])
