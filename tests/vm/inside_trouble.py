"""Run in the virtual machine by test_vm.py: `vcam start` when devices are missing, held, hung, or come late."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.vm.guest import (
    CAMERA,
    VCAM,
    WEBCAM,
    Daemon,
    Reader,
    if_full,
    is_plugged,
    patience,
    plug,
    report,
    set_control,
    show_bars,
    until,
)
from tests.vm.shown import BACKGROUND_YUV, PLACEHOLDER_UV, colour_at
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg
from vcam.v4l2 import device

MODULE = Path("/sys/module/v4l2loopback")
LOOPBACKS = ["devices=2", "video_nr=20,21", "card_label=vcam,webcam", "exclusive_caps=1,1", "max_buffers=4"]


def load():
    if not MODULE.exists():
        subprocess.run(["modprobe", "v4l2loopback", *LOOPBACKS], check=True)
    until(VCAM.exists, 5, "the virtual camera is there")


def unload(check=True):
    return subprocess.run(["modprobe", "-r", "v4l2loopback"], check=check, capture_output=True).returncode


@pytest.fixture(autouse=True)
def devices():
    """Whatever the test before did, both loopbacks and the webcam are there and work."""
    load()
    show_bars()
    yield
    if is_plugged():
        plug(False)


def see(path=VCAM):
    with Reader(path) as reader:
        return reader.until_composited()


def refused(*options, **wanted):
    """The end of a daemon that cannot start: its status and what it said."""
    with Daemon(*options, ready=False, **wanted) as daemon:
        status = daemon.process.wait(patience(20))
    return status, daemon.log


def test_what_is_missing_at_the_start_is_an_error_without_wait():
    status, said = refused(camera="/dev/video7")
    assert status == 69
    assert "there is no /dev/video7" in said
    assert "try: " in said
    status, said = refused(outputs=["/dev/video22"])
    assert status == 69
    assert "there is no virtual camera '/dev/video22'" in said
    assert f"there is {VCAM} (vcam), {WEBCAM} (webcam)" in said


def test_devices_that_cannot_be_meant_are_refused_in_words():
    for wanted, words, expected in (
        ({"camera": VCAM}, "cannot be camera and output at once", 2),
        ({"camera": "vcam"}, "cannot be camera and output at once", 2),
        ({"camera": "demo", "outputs": [VCAM, "vcam"]}, "fed already by another output of this vcam", 69),
        ({"camera": WEBCAM}, "no program feeds it", 69),
        ({"camera": "demo", "outputs": [CAMERA]}, "is not a virtual camera", 69),
        ({"camera": "/dev/null"}, "is not a video device", 69),
        ({"camera": "demo", "outputs": ["/dev/null"]}, "is not a video device", 69),
    ):
        status, said = refused(**wanted)
        assert (status, words in said) == (expected, True), said


def test_with_wait_camera_and_virtual_camera_may_come_late():
    plug(False)
    unload()
    with Daemon("--wait", ready=False) as daemon:
        daemon.wait_for("waiting for virtual camera")
        daemon.wait_for("ready, and waiting")
        load()
        daemon.wait_for("is taken up", 10)
        with Reader() as reader:
            daemon.wait_until("degraded")
            reader.until_placeholder()
            plug()
            reader.until_composited()


def test_a_virtual_camera_in_use_cannot_be_unloaded_and_the_picture_goes_on():
    with Daemon() as daemon:
        see()
        assert unload(check=False) != 0
        see()
        assert daemon.stop() == 0
    unload()
    load()
    with Daemon():
        see()


def test_a_virtual_camera_that_another_program_feeds_is_waited_for():
    source = ["-re", "-f", "lavfi", "-i", "color=c=black:size=640x360:rate=30", "-pix_fmt", "yuv420p"]
    other = subprocess.Popen([find_ffmpeg(), "-v", "error", *source, "-f", "v4l2", str(VCAM)], stdin=subprocess.DEVNULL)
    try:
        until(lambda: captures(VCAM), 10, "ffmpeg feeds the virtual camera")
        status, said = refused()
        assert status == 69
        assert f"used by ffmpeg (process {other.pid})" in said
        with Daemon("--wait", ready=False) as daemon:
            daemon.wait_for("waiting for virtual camera.*used by ffmpeg")
            other.kill()
            other.wait()
            daemon.wait_for("is taken up", 10)
            see()
    finally:
        other.kill()
        other.wait()


def captures(path):
    with device.opened(path) as fd:
        return device.query_capabilities(fd).captures


def test_a_camera_that_another_program_uses_is_named_on_the_placeholder_and_taken_when_free():
    with Daemon() as daemon:
        with Reader(CAMERA):
            with Reader() as reader:
                daemon.wait_until("degraded")
                time.sleep(0.3)
                # the driver's buffers may hold older ones
                for _ in range(8):
                    frame = reader.read()
            assert daemon.count(rf"you cannot be shown: vivid .* is used by \S+ \(process {os.getpid()}\)") == 1
            assert letters(frame) > 300
        see()


def letters(frame):
    """How many samples of a placeholder are bright."""
    return int((frame.y > 120).sum())


def test_a_camera_that_hangs_shows_its_last_picture_for_a_moment_then_the_card_and_recovers():
    with Daemon("--set", "camera.timeout=1") as daemon, Reader() as reader:
        reader.until_composited()
        set_control("percentage_of_dropped_buffers", 100)
        began = time.monotonic()
        gap, last = 0.0, began
        while not (frame := reader.read()) or colour_at(frame, 0, 0)[1:] != PLACEHOLDER_UV:
            gap, last = max(gap, time.monotonic() - last), time.monotonic()
            assert last - began < patience(5)
        lasted = time.monotonic() - began
        daemon.wait_until("degraded")
        assert daemon.count("you cannot be shown: .*has sent no picture for") == 1
        set_control("percentage_of_dropped_buffers", 0)
        reader.until_composited()
    report(f"camera hangs: last picture for {lasted:.1f} s (camera.timeout=1), longest gap {gap:.2f} s")
    assert 0.8 < lasted < if_full(2.5, 10)
    assert gap < if_full(0.6, 5)


@pytest.mark.parametrize("button", ["disconnect", "inject_fatal_streaming_error"])
def test_a_camera_whose_driver_fails_is_opened_again(button):
    with Daemon() as daemon, Reader() as reader:
        reader.until_composited()
        set_control(button)
        daemon.wait_for("you cannot be shown")
        if button == "disconnect":
            reader.until_placeholder()
            # vivid plays unplugged until it is plugged in again
            plug(False)
            plug()
        reader.until_composited(15)


def test_a_camera_that_does_not_start_in_its_best_mode_is_started_in_the_next_one():
    with Daemon() as daemon:
        daemon.wait_until("idle")
        set_control("inject_vidioc_streamon_error")
        with Reader() as reader:
            reader.until_composited()
        daemon.wait_for("cannot be started in 640x360 NV12 at 30 fps")
        # in whichever format is the next
        assert daemon.count("camera on: .* 640x360 (?!NV12)") == 1
        assert daemon.count("you cannot be shown") == 0


def test_a_reader_that_was_there_first_gets_its_own_size():
    with Daemon(size=(640, 480)):
        reader = Reader()
        reader.until_composited()
    with reader, Daemon(size=(640, 360)) as daemon:
        assert reader.size == (640, 480)
        until(lambda: boxed(reader), 10, daemon.log)
    # nobody holds it any more: the wanted size again
    with Daemon(size=(640, 360)), Reader() as reader:
        assert reader.size == (640, 360)
        reader.until_composited()


def boxed(reader):
    """Whether the next frame shows the 16:9 picture between black bars; nothing else but placeholders may come."""
    data = reader.bytes()
    frame = Frame.wrap(data, 640, 480)
    inside, above, below = colour_at(frame, 4, 66), colour_at(frame, 4, 20), colour_at(frame, 4, 470)
    if above == (16, 128, 128) == below:
        return np.allclose(inside, BACKGROUND_YUV, atol=2)
    # what the daemon before left
    assert np.allclose(above, BACKGROUND_YUV, atol=2) or above[1:] == PLACEHOLDER_UV
    return False


def test_two_virtual_cameras_from_one_webcam():
    with Daemon(outputs=[VCAM, WEBCAM]) as daemon:
        daemon.wait_until("idle")
        with Reader(VCAM) as first, Reader(WEBCAM) as second:
            first.until_composited()
            second.until_composited()
            both = len(first.for_seconds(1.0)), len(second.for_seconds(0.5))
        assert both[0] > if_full(15, 4)
        daemon.wait_until("idle")
        # the second one alone wakes it too
        with Reader(WEBCAM) as second:
            # what comes first may be the last picture of those before it; without the event who leaves then is missed
            daemon.wait_for("camera on", times=2)
            second.until_composited()


def test_a_reader_may_come_before_the_daemon():
    fd = os.open(VCAM, os.O_RDWR | os.O_NONBLOCK)
    try:
        with contextlib.suppress(OSError):
            device.set_format(fd, "YU12", (640, 360))
        # without a producer there is nothing to stream; with exclusive_caps it is not even a camera
        with pytest.raises(OSError, match="Errno"):
            device.stream_on(fd)
        with Daemon():
            see()
    finally:
        os.close(fd)


def test_a_size_that_cannot_be_is_refused():
    for size in ((641, 360), (4, 4), (20000, 10)):
        status, said = refused(size=size)
        assert status == 2, said
        assert "try: " in said
