"""Run in the virtual machine by test_vm.py: two webcams that are alike, and a virtual camera as the source."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vm.guest import CAMERA, WEBCAM, Daemon, Reader, captures, plug, until
from vcam.camera.device import V4L2Camera
from vcam.errors import CameraError, CameraStalled, VcamError
from vcam.media.ffmpeg import find_ffmpeg
from vcam.v4l2 import discover, loopback

SIZE = (640, 360)
SECOND = Path("/dev/video1")
SILENT = r"the program that feeds the virtual camera webcam \(/dev/video21\) has stopped or hangs"


@pytest.fixture
def webcams():
    """The webcams have their own numbers again after a test."""
    yield
    plug(False)
    plug()
    until(SECOND.exists, 5, "the webcams are back")


@pytest.fixture
def twins(monkeypatch):
    """The webcams say the same of themselves, as two nodes of one device do."""
    asked = discover.query_capabilities

    def query(fd):
        found = asked(fd)
        return replace(found, card="HD Webcam", bus="usb-8") if found.driver == "vivid" else found

    monkeypatch.setattr(discover, "query_capabilities", query)


@contextlib.contextmanager
def fed():
    command = [find_ffmpeg(), "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"]
    if loopback.forgets_output():
        # another producer was killed
        loopback.revive(WEBCAM)
    program = subprocess.Popen([*command, "-pix_fmt", "yuv420p", "-f", "v4l2", str(WEBCAM)], stdin=subprocess.DEVNULL)
    try:
        until(captures, 10, "ffmpeg feeds /dev/video21")
        yield program
    finally:
        program.kill()
        program.wait()


def test_of_two_alike_the_named_one_is_opened_each_time(twins, tmp_path):
    link = tmp_path / "by-path" / "pci-usb-0:8:1.2-video-index0"
    link.parent.mkdir()
    link.symlink_to(SECOND)
    for name, path in (("1", SECOND), (str(SECOND), SECOND), (str(link), SECOND), ("0", CAMERA), ("auto", CAMERA)):
        camera = V4L2Camera(name, SIZE, 30, 2.0)
        for _ in range(2):
            camera.open()
            assert str(path) in camera.description
            assert camera.read() is not None
            camera.close()


def test_numbers_that_move_on_do_not_make_one_the_other(webcams):
    first, second = V4L2Camera("0", SIZE, 30, 2.0), V4L2Camera(str(SECOND), SIZE, 30, 2.0)
    for camera in (first, second):
        camera.open()
        camera.close()
    holder = os.open(CAMERA, os.O_RDWR)
    plug(False)
    with pytest.raises(CameraError, match="vivid is not there: vcam waits for that one, at the port vivid"):
        first.open()
    plug()
    third = Path("/dev/video2")
    until(third.exists, 5, "the second webcam is back under the next number")
    # the open descriptor keeps number 0 taken
    for camera, path in ((first, SECOND), (second, third)):
        camera.open()
        assert str(path) in camera.description
        camera.close()
    os.close(holder)


def test_a_virtual_camera_as_source_that_falls_silent_blames_its_program():
    with fed() as program:
        camera = V4L2Camera("webcam", SIZE, 30, 0.5)
        camera.open()
        assert camera.read() is not None
        program.send_signal(signal.SIGSTOP)
        with pytest.raises(CameraStalled, match=SILENT) as caught:
            read_on(camera)
        assert "unplug" not in str(caught.value)
        program.send_signal(signal.SIGCONT)
        assert camera.read() is not None
        program.kill()
        with pytest.raises(CameraError, match=SILENT) as caught:
            read_on(camera)
        assert "unplug" not in str(caught.value)
        camera.close()
    with pytest.raises(CameraError, match=f"{SILENT}|no program feeds it"):
        read_on(camera, anew=True)
    camera.close()


def read_on(camera, anew=False):
    if anew:
        camera.open()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        camera.read()


def test_vcam_says_who_has_fallen_silent_and_goes_on_when_it_is_back():
    with fed() as program, Daemon(camera=WEBCAM) as daemon, Reader() as reader:
        reader.until_composited()
        program.kill()
        daemon.wait_for(f"{SILENT}|no program feeds it")
        assert "unplug" not in daemon.log
        assert "another camera" not in daemon.log
        with fed():
            reader.until_composited()


def test_another_format_closes_the_camera_and_opens_it_anew_or_is_refused():
    with Daemon() as daemon, Reader() as reader, daemon.client() as client:
        reader.until_composited()
        assert daemon.count(r"camera on: .* NV12") == 1
        client.call("set", {"camera.format": "yuyv"})
        daemon.wait_for(r"camera on: vivid .* YUYV")
        reader.until_composited()
        with pytest.raises(VcamError, match=r"vivid .* has no MJPEG pictures: it has"):
            client.call("set", {"camera.format": "MJPG"})
        reader.until_composited()
        assert client.call("get", {"key": "camera.format"}) == {"camera.format": "yuyv"}
        assert daemon.count("camera on") == 2
