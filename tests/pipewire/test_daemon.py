"""`vcam start` where there is PipeWire and no kernel module."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.pipewire.helpers import camera, frames_of, needs_gstreamer, reader
from tests.pipewire.session import Session, wait_for
from tests.places import ROOT
from vcam.pipewire.registry import video_nodes

pytestmark = pytest.mark.process

SIZE = (320, 240)


@contextmanager
def vcam(session: Session, *options: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`vcam start`, once it is listed."""
    environ = {**session.environ, "PYTHONPATH": str(ROOT), "VCAM_CONFIG": os.environ["VCAM_CONFIG"]}
    command = [sys.executable, "-m", "vcam", "start", "--size", "320x240", *options]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=file)
    try:
        # one that refuses to start says so in its log, which is shown
        wait_for(lambda: process.poll() is not None or any(node.is_virtual for node in video_nodes()), "the node", 60)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait(10)


def status(session: Session) -> dict[str, Any]:
    done = session.run(sys.executable, "-m", "vcam", "status", "--json")
    return dict(json.loads(done.stdout))


def test_auto_makes_the_camera_that_gstreamer_reads_and_the_real_one_is_on_only_meanwhile(
    session: Session, tmp_path: Path
) -> None:
    needs_gstreamer()
    with vcam(session, "--camera", "demo", "--background", "color:#00ff00", log=tmp_path / "log") as process:
        assert reader(session, "vcam.vcam", tmp_path / "out.yuv", 60).wait(60) == 0
        frames = frames_of(tmp_path / "out.yuv", SIZE)
        # the person stands in front of green: the corners are green, Y, Cb and Cr of BT.601
        corner = frames[-1][0], frames[-1][SIZE[0] * SIZE[1]], frames[-1][SIZE[0] * SIZE[1] * 5 // 4]
        assert [abs(int(sample) - want) <= 3 for sample, want in zip(corner, (145, 54, 34), strict=True)] == [True] * 3
        assert frames[-1][: SIZE[0] * SIZE[1]].std() > 10, "nobody is in front of it"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    log = (tmp_path / "log").read_text()
    assert 'ready: choose the camera "vcam"' in log
    wait_for(lambda: not any(node.is_virtual for node in video_nodes()), "the node's end")


def test_a_killed_vcam_leaves_nothing_and_the_next_one_serves(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    for number in range(2):
        with vcam(session, "--camera", "demo", "--output", "pipewire", log=tmp_path / "log") as process:
            assert reader(session, "vcam.vcam", tmp_path / f"{number}.yuv", 5).wait(60) == 0
            process.kill()
            process.wait(10)
            wait_for(lambda: not any(node.is_virtual for node in video_nodes()), "the node's end")


def test_a_daemon_that_comes_back_is_taken_up(own_session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    own_session.start()
    with vcam(own_session, "--camera", "demo", "--output", "pipewire:Office", log=tmp_path / "log"):
        assert reader(own_session, "vcam.Office", tmp_path / "1.yuv", 5).wait(60) == 0
        own_session.stop(signal.SIGKILL)
        own_session.start()
        wait_for(lambda: any(node.is_virtual for node in video_nodes()), "the node", 30)
        assert reader(own_session, "vcam.Office", tmp_path / "2.yuv", 5).wait(60) == 0


def test_a_camera_of_pipewires_is_read_and_its_own_is_not(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    with camera(session, "video/x-raw,format=I420,width=320,height=240,framerate=30/1", "Sensor"):
        wait_for(lambda: any(node.description == "Sensor" for node in video_nodes()), "the camera")
        with vcam(session, "--camera", "pipewire:Sensor", "--background", "none", log=tmp_path / "log"):
            assert reader(session, "vcam.vcam", tmp_path / "out.yuv", 60).wait(60) == 0
    last = frames_of(tmp_path / "out.yuv", SIZE)[-1]
    # the first of the test picture's bars is white
    assert last[SIZE[0] * 100 + 10] >= 230
    done = session.run(sys.executable, "-m", "vcam", "start", "--camera", "pipewire:vcam", "--output", "pipewire")
    assert done.returncode == 2
    assert b"cannot be camera and output at once" in done.stderr


def test_where_neither_kind_is_there_the_cure_without_root_comes_first(own_session: Session) -> None:
    done = own_session.run(sys.executable, "-m", "vcam", "start", "--camera", "demo")
    if done.returncode == 0 or b"/dev/video" in done.stderr:
        pytest.skip("this machine has a virtual camera of V4L2")
    assert done.returncode == 69
    assert done.stderr.index(b"start PipeWire") < done.stderr.index(b"v4l2loopback")
