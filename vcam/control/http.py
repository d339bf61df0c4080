"""What vcam serves by HTTP, at a port that only this machine reaches: its figures at `/metrics`, for Prometheus.

Whatever else a browser is to be shown of a vcam that runs has its place here, under a path of its own.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vcam.errors import UsageError
from vcam.printable import ERRORS, printable

log = logging.getLogger(__name__)

MAX_VISITORS = 8
"""Connections that are answered at once."""

_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""Of this machine, as `Host` may have them."""

_GAUGES = {
    "fps_in": "Frames a second that the camera sends",
    "fps_out": "Frames a second that leave vcam",
    "cpu_percent": "Share of a core that the process takes",
    "rss_mb": "Resident memory in megabytes",
    "threads": "Threads of the process",
    "uptime_s": "Seconds since the start",
}
_COUNTERS = {
    "frames": "Frames composited",
    "dropped": "Frames of the camera that were damaged or came too late to be shown",
    "repeated": "Frames shown again because the camera sent none",
    "without_person": "Frames shown without any person because no matte could be made",
    "skipped": "Frames for which the network was not asked because nothing had moved",
}


def prometheus_text(status: dict[str, Any]) -> str:
    """The figures in Prometheus' text format 0.0.4, from what the method `status` tells."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: dict[str, Any]) -> Iterator[str]:
    for key, help_ in _GAUGES.items():
        yield from _metric(f"vcam_{key}", help_, "gauge", status[key])
    for key, help_ in _COUNTERS.items():
        yield from _metric(f"vcam_{key}_total", help_, "counter", status[key])
    if (age := status.get("frame_age_s")) is not None:
        yield from _metric("vcam_frame_age_s", "Seconds since the last picture was shown", "gauge", age)
    if (agreement := status["room"]["agreement"]) is not None:
        yield from _metric("vcam_room_agreement", "How much what is known of the room agrees", "gauge", agreement)
    yield from _metric("vcam_room_known", "Share of the room that is known", "gauge", status["room"]["known"])
    yield from _metric("vcam_watched", "Whether somebody reads the virtual camera", "gauge", int(status["watched"]))
    yield from _metric("vcam_camera_on", "Whether the camera is on", "gauge", int(status["camera"]["on"]))
    yield "# HELP vcam_state What vcam does: 1 for the state it is in"
    yield "# TYPE vcam_state gauge"
    yield f'vcam_state{{state="{_label(status["state"])}"}} 1'
    yield from _family("vcam_cpu_ms", "CPU milliseconds per frame", "stage", status["cpu_ms"])
    yield from _family("vcam_latency_ms", "Milliseconds from capture to delivery", "quantile", status["latency_ms"])


def _metric(name: str, help_: str, kind: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {help_}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"


def _family(name: str, help_: str, label: str, values: dict[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {help_}"
    yield f"# TYPE {name} gauge"
    for key, value in values.items():
        yield f'{name}{{{label}="{_label(key)}"}} {value}'


def _label(text: str) -> str:
    """A label's value in the text format."""
    return printable(text).replace("\\", r"\\").replace('"', r"\"")


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
            timeout = 2.0

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
