"""What vcam serves by HTTP, at a port that only this machine reaches: its figures at `/metrics`, for Prometheus.

Whatever else a browser is to be shown of a vcam that runs has its place here, under a path of its own.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vcam.control.metrics import prometheus_text
from vcam.errors import UsageError
from vcam.printable import ERRORS

log = logging.getLogger(__name__)

MAX_VISITORS = 8
"""Connections that are answered at once."""

PATIENCE = 2.0
"""Seconds without a byte after which one of them is sent away."""

_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""Of this machine, as `Host` may have them."""


class _Server(ThreadingHTTPServer):
    """A thread for each visitor, few at once: a slow one holds up neither the others nor the end of vcam.

    One too many, and the oldest is sent away, who had the most time.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._visitors: deque[Any] = deque()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        # the thread that answers takes itself out meanwhile
        with suppress(IndexError):
            while len(self._visitors) >= MAX_VISITORS:
                _hang_up(self._visitors.popleft())
        self._visitors.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with suppress(ValueError):
            self._visitors.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a visitor of the metrics", exc_info=True)

    def server_close(self) -> None:
        super().server_close()
        for request in list(self._visitors):
            _hang_up(request)


def _hang_up(request: socket.socket) -> None:
    """Its thread finds the connection ended, whatever it waits for, and closes it."""
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class HttpServer:
    """Answers `GET` on 127.0.0.1 in threads of its own; a context manager."""

    def __init__(self, port: int, status: Callable[[], dict[str, Any]]) -> None:
        """port: 0 takes any free one. status: called for each request for figures. Raises `UsageError` if the port
        cannot be had."""

        class Handler(BaseHTTPRequestHandler):
            timeout = PATIENCE

            def do_GET(self) -> None:
                if not self._is_meant():
                    self._answer(403, b"only localhost is served\n")
                    return
                known = self.path.split("?")[0] == "/metrics"
                body = prometheus_text(status()).encode("utf-8", ERRORS) if known else b"see /metrics\n"
                self._answer(200 if known else 404, body)

            def _is_meant(self) -> bool:
                """Whether this machine's own name was asked for: a page in a browser may come here under another one,
                which its owner has let point to 127.0.0.1, and then read the answer."""
                hosts = self.headers.get_all("Host", [])
                return len(hosts) == 1 and hosts[0].strip().lower() in own

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                log.debug(format, *args)

        try:
            self._server = _Server(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UsageError(f"port {port} cannot be used for metrics: {error.strerror}", "choose another") from error
        self.port = int(self._server.server_address[1])
        own = {f"{name}:{self.port}" for name in _NAMES} | (set(_NAMES) if self.port == 80 else set())
        self._thread = threading.Thread(target=self._serve, name="vcam-http", daemon=True)

    def _serve(self) -> None:
        # asleep until somebody comes; the end comes as a visitor, too
        self._server.serve_forever(poll_interval=3600)

    def __enter__(self) -> HttpServer:
        self._thread.start()
        log.info("metrics at http://127.0.0.1:%d/metrics", self.port)
        return self

    def __exit__(self, *exc: object) -> None:
        # it only returns once the thread has looked up, which it does when somebody connects
        ending = threading.Thread(target=self._server.shutdown)
        ending.start()
        while ending.is_alive():
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            ending.join(0.05)
        self._server.server_close()
        self._thread.join()
