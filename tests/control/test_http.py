"""What is served by HTTP, to this machine alone."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from vcam.control.http import MAX_VISITORS, HttpServer, prometheus_text
from vcam.errors import UsageError

STATUS: dict[str, Any] = {
    "state": "live", "watched": True, "camera": {"source": "one", "on": False},
    "fps_in": 30.0, "fps_out": 29.5, "cpu_percent": 12.0, "rss_mb": 140.0, "threads": 5, "uptime_s": 7.5,
    "frame_age_s": 0.25, "frames": 100, "dropped": 3, "repeated": 2, "without_person": 1, "skipped": 0,
    "cpu_ms": {"read": 1.5, "segment": 2.25}, "latency_ms": {"p50": 5.5},
    "room": {"known": 0.75, "agreement": 0.98},
}  # fmt: skip


def samples(text: str) -> dict[str, float]:
    """The values in Prometheus' text, by name and label."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_figure_has_its_name_its_kind_and_its_value() -> None:
    text = prometheus_text(STATUS)
    assert samples(text) == {
        "vcam_fps_in": 30.0, "vcam_fps_out": 29.5, "vcam_cpu_percent": 12.0, "vcam_rss_mb": 140.0, "vcam_threads": 5,
        "vcam_uptime_s": 7.5, "vcam_frame_age_s": 0.25,
        "vcam_frames_total": 100, "vcam_dropped_total": 3, "vcam_repeated_total": 2,
        "vcam_without_person_total": 1, "vcam_skipped_total": 0, "vcam_watched": 1, "vcam_camera_on": 0,
        "vcam_room_known": 0.75, "vcam_room_agreement": 0.98,
        'vcam_state{state="live"}': 1, 'vcam_cpu_ms{stage="read"}': 1.5, 'vcam_cpu_ms{stage="segment"}': 2.25,
        'vcam_latency_ms{quantile="p50"}': 5.5,
    }  # fmt: skip
    for name in {sample.partition("{")[0] for sample in samples(text)}:
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}\n" in text
        assert f"# HELP {name} " in text
    assert text.endswith("\n")
    unknown = prometheus_text(STATUS | {"room": {"known": 0.0, "agreement": None}})
    assert "vcam_room_agreement" not in unknown
    assert samples(unknown)["vcam_room_known"] == 0


def test_figures_are_served_to_this_machine_alone() -> None:
    with HttpServer(0, lambda: STATUS) as server:
        url = f"http://127.0.0.1:{server.port}"
        answer = urllib.request.urlopen(f"{url}/metrics?x=1")
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.read().decode() == prometheus_text(STATUS)
        for path in ("/", "/etc/passwd", "/metrics/x"):
            with pytest.raises(urllib.error.HTTPError, match="404") as caught:
                urllib.request.urlopen(f"{url}{path}")
            assert caught.value.read() == b"see /metrics\n"
            caught.value.close()
        assert server._server.server_address[0] == "127.0.0.1"
        with pytest.raises(UsageError, match="cannot be used"):
            HttpServer(server.port, dict)


def test_the_port_is_free_again_once_it_has_ended() -> None:
    with HttpServer(0, lambda: STATUS) as server:
        assert server._thread.is_alive()
    assert not server._thread.is_alive()
    with HttpServer(server.port, lambda: STATUS):
        pass


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
def test_this_machine_is_served_by_its_names(name: str) -> None:
    with HttpServer(0, lambda: STATUS) as server:
        assert asked(server.port, f"{name}:{server.port}") == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "localhost", "127.0.0.1:1", "localhost.evil:{}", ""]
)
def test_a_page_that_comes_under_another_name_is_refused(host: str) -> None:
    with HttpServer(0, lambda: STATUS) as server:
        assert asked(server.port, host.format(server.port)) == 403
        assert asked(server.port) == 403
        assert asked(server.port, f"localhost:{server.port}", "evil.example") == 403


def asked(port: int, *hosts: str) -> int:
    """The status of an answer to a request with these `Host` headers."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.putrequest("GET", "/metrics", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 200 or b"vcam_" not in answer.read()
        return answer.status


def test_slow_visitors_hold_up_neither_others_nor_the_end() -> None:
    with contextlib.ExitStack() as slow:
        with HttpServer(0, lambda: STATUS) as server:
            for _ in range(3 * MAX_VISITORS):
                visitor = slow.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
                visitor.sendall(b"GET /met")
            assert asked(server.port, f"localhost:{server.port}") == 200
            begun = time.monotonic()
        assert time.monotonic() - begun < 1


def test_one_that_reads_nothing_does_not_hold_up_the_end() -> None:
    big = {**STATUS, "cpu_ms": {str(number): 1.0 for number in range(200_000)}}
    with contextlib.ExitStack() as slow:
        with HttpServer(0, lambda: big) as server:
            visitor = slow.enter_context(socket.socket())
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            visitor.connect(("127.0.0.1", server.port))
            visitor.sendall(f"GET /metrics HTTP/1.0\r\nHost: localhost:{server.port}\r\n\r\n".encode())
            time.sleep(0.3)
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
