"""What is served by HTTP, to this machine alone."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from vcam.control.http import MAX_VISITORS, HttpServer
from vcam.control.metrics import SENDING, STATES, prometheus_text
from vcam.daemon.base import State
from vcam.errors import UsageError
from vcam.output.encoded.stream import StreamState

STATUS: dict[str, Any] = {
    "version": "0.1.0", "state": "live", "watched": True, "camera": {"source": "one", "on": False},
    "fps_in": 30.0, "fps_out": 29.5, "cpu_percent": 12.0, "rss_mb": 140.3, "threads": 5, "uptime_s": 7.5,
    "frame_age_s": 0.25, "frames": 100, "dropped": 3, "repeated": 2, "without_person": 1, "skipped": 0,
    "cpu_ms": {"read": 1.5, "segment": 2.25}, "latency_ms": {"p50": 5.5, "p99": 7.0},
    "room": {"known": 0.75, "agreement": 0.98},
    "outputs": [{"description": 'camera "x"', "open": True, "dropped": 0}],
}  # fmt: skip
STREAM = {
    "description": "stream main to rtmp://host/live/***", "open": True, "kind": "stream", "name": "main",
    "state": "streaming", "connections": 2, "dropped": 4,
}  # fmt: skip
SENT = {"frames": 90, "doubled": 1, "left_out": 2, "bitrate_kbit": 2800, "sent_kb": 350}
RECORD = {
    "description": "recording", "open": False, "kind": "record", "name": "", "state": "recording", "dropped": 1,
    "written_kb": 12,
}  # fmt: skip


def samples(text: str) -> dict[str, float]:
    """The values in Prometheus' text, by name and label."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_figure_has_its_name_its_kind_and_its_value() -> None:
    text = prometheus_text(STATUS)
    assert samples(text) == {
        'vcam_build_info{version="0.1.0"}': 1,
        "vcam_camera_frames_per_second": 30.0, "vcam_output_frames_per_second": 29.5, "vcam_cpu_ratio": 0.12,
        "vcam_resident_memory_bytes": 140_300_000, "vcam_threads": 5, "vcam_uptime_seconds": 7.5,
        "vcam_frame_age_seconds": 0.25, "vcam_frames_total": 100, "vcam_dropped_frames_total": 3,
        "vcam_repeated_frames_total": 2, "vcam_personless_frames_total": 1, "vcam_skipped_frames_total": 0,
        "vcam_watched": 1, "vcam_camera_on": 0, "vcam_room_known_ratio": 0.75, "vcam_room_agreement_ratio": 0.98,
        **{f'vcam_state{{state="{state}"}}': int(state == "live") for state in STATES},
        'vcam_frame_cpu_seconds{stage="read"}': 0.0015, 'vcam_frame_cpu_seconds{stage="segment"}': 0.00225,
        'vcam_latency_seconds{quantile="0.5"}': 0.0055, 'vcam_latency_seconds{quantile="0.99"}': 0.007,
        'vcam_output_open{output="camera \\"x\\""}': 1,
    }  # fmt: skip
    assert text.endswith("\n")
    unknown = prometheus_text(STATUS | {"room": {"known": 0.0, "agreement": None}})
    assert "vcam_room_agreement" not in unknown
    assert samples(unknown)["vcam_room_known_ratio"] == 0


def test_streams_and_recordings_have_their_figures_by_name_and_without_their_keys() -> None:
    waiting = STREAM | {"name": "other", "state": "waiting"}
    outputs = [*STATUS["outputs"], STREAM | SENT, waiting, RECORD]
    found = samples(prometheus_text(STATUS | {"outputs": outputs}))
    assert {name: value for name, value in found.items() if 'stream="main"' in name} == {
        **{f'vcam_stream_state{{stream="main",state="{state}"}}': int(state == "streaming") for state in SENDING},
        'vcam_stream_bytes_per_second{stream="main"}': 350_000, 'vcam_stream_connections_total{stream="main"}': 2,
        'vcam_stream_dropped_frames_total{stream="main"}': 4, 'vcam_stream_frames_total{stream="main"}': 90,
        'vcam_stream_sent_bytes_total{stream="main"}': 350_000, 'vcam_stream_doubled_frames_total{stream="main"}': 1,
        'vcam_stream_left_out_frames_total{stream="main"}': 2,
    }  # fmt: skip
    # a server that is away is sent nothing
    assert 'vcam_stream_frames_total{stream="other"}' not in found
    assert found['vcam_stream_state{stream="other",state="waiting"}'] == 1
    assert found["vcam_recording_written_bytes_total"] == 12_000
    assert found['vcam_output_open{output="recording"}'] == 0


def test_two_outputs_of_one_name_are_one_sample_or_prometheus_would_refuse_them_all() -> None:
    given_up = STATUS["outputs"][0] | {"open": False}
    text = prometheus_text(STATUS | {"outputs": [given_up, *STATUS["outputs"], RECORD, RECORD | {"open": True}]})
    lines = [line.rpartition(" ")[0] for line in text.splitlines()]
    assert len(set(lines)) == len(lines)
    found = samples(text)
    assert found['vcam_output_open{output="camera \\"x\\""}'] == found['vcam_output_open{output="recording"}'] == 1


def test_two_recordings_count_together() -> None:
    found = samples(prometheus_text(STATUS | {"outputs": [RECORD, RECORD | {"description": "other", "dropped": 3}]}))
    assert found["vcam_recording_written_bytes_total"] == 24_000
    assert found["vcam_recording_dropped_frames_total"] == 4


def test_the_names_keep_prometheus_rules() -> None:
    text = prometheus_text(STATUS | {"outputs": [STREAM | SENT, RECORD]})
    kinds = dict(line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE"))
    names = {sample.partition("{")[0] for sample in samples(text)}
    assert names == set(kinds)
    for name, kind in kinds.items():
        assert re.fullmatch(r"vcam(_[a-z]+)+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        # base units, in full; the label of quantiles is for summaries alone, and holds a number
        assert not re.search(r"_(s|ms|mb|kb|kbit|percent|pct|fps|milliseconds|megabytes)(_|$)", name)
        assert (f"{name}{{quantile=" in text) == (kind == "summary")
        assert text.count(f"# TYPE {name} ") == text.count(f"# HELP {name} ") == 1
    for quantile in re.findall(r'quantile="([^"]*)"', text):
        assert 0 <= float(quantile) <= 1


def test_the_states_are_those_that_there_are() -> None:
    assert set(STATES) == {state.value for state in State}
    assert set(SENDING) == {state.value for state in StreamState}


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
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("GET", "/metrics", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 200 or b"vcam_" not in answer.read()
        return answer.status


def test_slow_visitors_hold_up_neither_others_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.control.http.PATIENCE", 60.0)
    with contextlib.ExitStack() as slow:
        with HttpServer(0, lambda: STATUS) as server:
            for _ in range(3 * MAX_VISITORS):
                visitor = slow.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
                visitor.sendall(b"GET /met")
            assert asked(server.port, f"localhost:{server.port}") == 200
            begun = time.monotonic()
        # each is heard out for a minute if nobody ends it
        assert time.monotonic() - begun < 20


def test_one_that_reads_nothing_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.control.http.PATIENCE", 60.0)
    big = {**STATUS, "cpu_ms": {str(number): 1.0 for number in range(200_000)}}
    with contextlib.ExitStack() as slow:
        with HttpServer(0, lambda: big) as server:
            visitor = slow.enter_context(socket.socket())
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            visitor.connect(("127.0.0.1", server.port))
            visitor.sendall(f"GET /metrics HTTP/1.0\r\nHost: localhost:{server.port}\r\n\r\n".encode())
            time.sleep(0.3)
            begun = time.monotonic()
        assert time.monotonic() - begun < 20
