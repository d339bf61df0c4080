"""What is served by HTTP, to this machine alone."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

from vcam.control.http import HttpServer, prometheus_text
from vcam.errors import UsageError

STATUS: dict[str, Any] = {
    "state": "live", "watched": True, "camera": {"source": "one", "on": False},
    "fps_in": 30.0, "fps_out": 29.5, "cpu_percent": 12.0, "rss_mb": 140.0, "threads": 5, "uptime_s": 7.5,
    "frames": 100, "dropped": 3, "repeated": 2, "without_person": 1, "skipped": 0,
    "cpu_ms": {"read": 1.5, "segment": 2.25}, "latency_ms": {"p50": 5.5},
}  # fmt: skip


def samples(text: str) -> dict[str, float]:
    """The values in Prometheus' text, by name and label."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_figure_has_its_name_its_kind_and_its_value() -> None:
    text = prometheus_text(STATUS)
    assert samples(text) == {
        "vcam_fps_in": 30.0, "vcam_fps_out": 29.5, "vcam_cpu_percent": 12.0, "vcam_rss_mb": 140.0, "vcam_threads": 5,
        "vcam_uptime_s": 7.5, "vcam_frames_total": 100, "vcam_dropped_total": 3, "vcam_repeated_total": 2,
        "vcam_without_person_total": 1, "vcam_skipped_total": 0, "vcam_watched": 1, "vcam_camera_on": 0,
        'vcam_state{state="live"}': 1, 'vcam_cpu_ms{stage="read"}': 1.5, 'vcam_cpu_ms{stage="segment"}': 2.25,
        'vcam_latency_ms{quantile="p50"}': 5.5,
    }  # fmt: skip
    for name in {sample.partition("{")[0] for sample in samples(text)}:
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}\n" in text
        assert f"# HELP {name} " in text
    assert text.endswith("\n")


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
