"""Streams through all that servers and networks do: late, slow, deaf, dead, cut off."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.output.encoded.helpers import SIZE, Cable, Nginx, Pushing, Relay, children, psnr, pull, stream, until
from vcam.output.encoded import stream as stream_module
from vcam.output.encoded.stream import StreamState
from vcam.testing import pattern_frame
from vcam.timings import resident_mb

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("VCAM_TEST_SERVER_KILLS", "5"))
CUT = float(os.environ.get("VCAM_TEST_NETWORK_CUT", "6"))
"""Seconds."""


def test_a_server_that_comes_later_is_found(nginx: Nginx) -> None:
    with Pushing(stream(nginx.url("late"))) as pushing:
        pushing.until(StreamState.WAITING)
        assert "refused" in pushing.output.status()["error"]
        assert not pushing.output.watched()
        time.sleep(1.0)
        nginx.start()
        assert pushing.until(StreamState.STREAMING) < 20
        assert pushing.output.watched()


def test_a_server_that_takes_its_time_to_answer_gets_the_stream_at_the_first_try(nginx: Nginx) -> None:
    nginx.start()
    relay = Relay(nginx.port, 3.0)
    try:
        with Pushing(stream(f"rtmp://127.0.0.1:{relay.port}/LiveApp/far")) as pushing:
            pushing.until(StreamState.STREAMING)
            assert pull(nginx.url("far"), 30, SIZE)
            status = pushing.output.status()
            assert (status["state"], status["connections"], status["error"]) == ("streaming", 1, "")
    finally:
        relay.close()


def test_a_server_that_is_killed_again_and_again_has_the_stream_back_within_seconds(nginx: Nginx) -> None:
    took = []
    nginx.start()
    with Pushing(stream(nginx.url("stubborn"))) as pushing:
        pushing.until(StreamState.STREAMING)
        for _ in range(KILLS):
            nginx.kill()
            until(lambda: pushing.output.state is not StreamState.STREAMING, 30)
            time.sleep(0.5)
            nginx.start()
            took.append(pushing.until(StreamState.STREAMING))
            assert len(children()) == 1
        pulled = pull(nginx.url("stubborn"), 30, SIZE)
        assert max(psnr(pulled[-1].y, picture.y) for picture in pushing.pictures) > 30
    print(f"back after {sorted(round(seconds, 2) for seconds in took)} s; slowest write {pushing.worst * 1e3:.1f} ms")
    # each time anew: pauses that grew from one to the next would be half a minute at the end
    assert sorted(took)[len(took) // 2] < 5
    assert max(took) < 20
    assert pushing.output.status()["connections"] == KILLS + 1
    assert pushing.was_never_held_up(), (pushing.worst, pushing.late)


def test_a_network_that_is_gone_for_a_while_holds_up_nothing_and_the_stream_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if CUT < stream_module.STALL_PATIENCE + 2:
        monkeypatch.setattr(stream_module, "STALL_PATIENCE", CUT / 3)
    with Cable() as cable:
        server = Nginx(tmp_path, cable=cable).start()
        try:
            with Pushing(stream(server.url("cut"))) as pushing:
                pushing.until(StreamState.STREAMING)
                before = resident_mb()
                cable.cut()
                begun = time.monotonic()
                until(lambda: pushing.output.state is not StreamState.STREAMING)
                assert pushing.output.status()["error"]
                time.sleep(max(0.0, CUT - (time.monotonic() - begun)))
                assert len(children()) <= 1
                assert resident_mb() - before < 50
                cable.mend()
                took = pushing.until(StreamState.STREAMING)
                pulled = pull(server.url("cut"), 30, SIZE)
                assert max(psnr(pulled[-1].y, picture.y) for picture in pushing.pictures) > 30
        finally:
            server.kill()
    print(f"cut for {CUT:g} s, back after {took:.1f} s; slowest write {pushing.worst * 1e3:.1f} ms")
    assert pushing.was_never_held_up(), (pushing.worst, pushing.late)


def test_a_server_that_accepts_and_never_reads_is_given_up_without_holding_up_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "CONNECT_PATIENCE", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Pushing(stream(f"rtmp://127.0.0.1:{port}/LiveApp/x")) as pushing:
            pushing.until(StreamState.WAITING)
            assert "takes no picture" in pushing.output.status()["error"]
            assert pushing.was_never_held_up(), (pushing.worst, pushing.late)


def test_a_server_that_stops_reading_is_lost_and_found_again(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "STALL_PATIENCE", 2.0)
    nginx.start()
    # enough to fill what the kernel holds for a connection
    output = stream(nginx.url("deaf"), bitrate=60_000)
    noise = np.random.default_rng(1)
    with Pushing(output, (640, 360)) as pushing:
        for picture in pushing.pictures:
            picture.y[:] = noise.integers(16, 235, picture.y.shape, np.uint8)
        pushing.until(StreamState.STREAMING)
        nginx.pause(signal.SIGSTOP)
        try:
            pushing.until(StreamState.WAITING)
            assert "takes no more" in output.status()["error"]
        finally:
            nginx.pause(signal.SIGCONT)
        pushing.until(StreamState.STREAMING)
        assert pushing.was_never_held_up(), (pushing.worst, pushing.late)


def test_an_ffmpeg_that_is_killed_is_replaced(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("killed"))) as pushing:
        pushing.until(StreamState.STREAMING)
        os.kill(int(children()[0]), signal.SIGKILL)
        until(lambda: pushing.output.status()["connections"] == 2, 30, pushing.output.status)
        pushing.until(StreamState.STREAMING)


def test_the_encoder_stands_back_behind_the_loop(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("meek"))) as pushing:
        pushing.until(StreamState.STREAMING)
        encoder = int(children()[0])
        for task in Path(f"/proc/{encoder}/task").iterdir():
            assert os.getpriority(os.PRIO_PROCESS, int(task.name)) > os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("rtmp://nosuch.invalid/LiveApp/secret-key", "resolve"),
        ("rtmp://127.0.0.1:1/LiveApp/secret-key", "refused"),
        ("rtmp://[::1]:1/LiveApp/secret-key", "refused|assign"),
    ],
)
def test_what_cannot_be_reached_is_waited_for_and_said_without_the_key(
    url: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Pushing(stream(url)) as pushing:
        pushing.until(StreamState.WAITING)
        assert re.search(complaint, pushing.output.status()["error"])
    assert "secret-key" not in caplog.text + str(pushing.output.status())


def test_memory_stays_bounded_while_the_server_is_away() -> None:
    output, frame = stream("rtmp://127.0.0.1:1/LiveApp/x"), pattern_frame((1280, 720))
    threads = threading.active_count()
    output.open(frame.size, 30)
    try:
        until(lambda: output.state is StreamState.WAITING, 60, output.status)
        before = resident_mb()
        for _ in range(500):
            output.write(frame)
            time.sleep(0.001)
        # far less than the 690 MB that were written
        assert resident_mb() - before < 100
        assert threading.active_count() <= threads + 2
    finally:
        output.close()
