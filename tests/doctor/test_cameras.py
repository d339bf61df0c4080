"""`vcam doctor` on the real camera."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from tests.doctor.helpers import PROBLEM, node, webcam
from vcam.camera.modes import Mode
from vcam.doctor.finding import Status
from vcam.errors import CameraError
from vcam.frames import PixelFormat
from vcam.machine.inventory import CameraEntry, Offer
from vcam.settings import Settings
from vcam.v4l2 import raw
from vcam.v4l2.discover import Holder


def test_a_missing_camera_is_a_problem_unless_it_is_waited_for(world):
    world.has(cameras=())
    assert "no camera was found" in world.only(PROBLEM)[0]
    world.settings = Settings().replace(camera__wait=True)
    world.only(Status.WARNING)
    world.settings = Settings().replace(camera__source="demo")
    assert world.status() == 0


def test_a_usb_camera_without_a_driver_gets_one(world):
    world.has(cameras=())
    world.write("/sys/bus/usb/devices/1-2:1.0/bInterfaceClass", "0e\n")
    assert world.only(PROBLEM)[1] == ("sudo modprobe uvcvideo",)


def test_a_camera_that_may_not_be_opened_names_the_group(world):
    world.write("/etc/group", "video:x:44:")
    world.has(cameras=(webcam(error=errno.EACCES, problem="forbidden"),))
    assert world.only(PROBLEM)[1][0] == "sudo usermod -aG video mona"


def test_a_camera_in_use_names_the_program_but_vcam_itself_does_not_count(world):
    world.has(cameras=(webcam(users=(Holder(9, "zoom"),)),))
    assert "zoom (process 9)" in world.only()[0]
    world.write("/proc/9/cmdline", "/home/mona/.local/bin/vcam\0start")
    assert world.is_well()


def test_a_slow_mode_is_answered_with_the_largest_smooth_size(world):
    slow = Mode(PixelFormat.YUYV, (1280, 720), 10, "YUYV")
    smooth = [Mode(PixelFormat.YUYV, size, 30, "YUYV") for size in ((320, 240), (640, 480))]
    world.has(cameras=(webcam(slow, modes=(slow, *smooth)),))
    seen, cure = world.only()
    assert "choppy" in seen
    assert cure == ("vcam start --size 640x480",)


@pytest.mark.parametrize("size", [(640, 360), (1280, 480), (640, 720)])
def test_a_mode_that_is_smaller_than_what_is_asked_for_is_a_warning_with_its_size(world, size):
    world.has(cameras=(webcam(Mode(PixelFormat.YUYV, size, 30, "YUYV")),))
    seen, cure = world.only()
    assert "smaller than the 1280x720" in seen
    assert cure == (f"vcam start --size {size[0]}x{size[1]}",)


def test_a_camera_that_cannot_be_asked_is_plugged_in_again(world):
    world.has(cameras=(webcam(problem="Webcam cannot be started: broken"),))
    assert world.only(PROBLEM) == ("Webcam cannot be started: broken", ("unplug it and plug it in again",))


def test_a_container_is_given_a_camera_only_if_it_has_none(world):
    world.write("/.dockerenv", "")
    world.has(cameras=(webcam(error=errno.EIO, problem="broken"),))
    assert world.only(PROBLEM)[1] == ("plug one in",)
    world.has(cameras=())
    assert "--device" in world.only(PROBLEM)[1][0]


def test_a_camera_that_vcam_cannot_read_says_what_it_sends(world):
    h264 = replace(webcam(), chosen=None, offers=(Offer("H264", (1920, 1080), (30.0,), False),))
    world.has(cameras=(h264,))
    seen, cure = world.only(PROBLEM)
    assert "sends only H.264 (its formats: H264)" in seen
    assert "ffmpeg -f v4l2 -input_format h264 -i /dev/video0" in cure[0]


def test_the_bridge_of_a_mipi_camera_is_told_once_with_the_way_to_its_picture(world):
    flags = raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_IO_MC
    bridge = tuple(CameraEntry(node(f"/dev/video{number}", "ipu6", "isys", flags)) for number in range(1, 9))
    world.has(cameras=(webcam(), *bridge))
    found = [finding for finding in world.findings() if finding.name == "not read"]
    assert [finding.status for finding in found] == [Status.OK]
    assert (
        "ipu6 (/dev/video1, /dev/video2, /dev/video3, /dev/video4, /dev/video5 and 3 more) is the end" in found[0].seen
    )
    assert "libcamera and PipeWire" in found[0].cure[0]


def test_a_capture_card_without_a_signal_is_a_warning(world):
    world.has(cameras=(webcam(lacks="signal"),))
    seen, cure = world.only()
    assert "gets no signal" in seen
    assert "switch on" in cure[0]


def test_what_is_the_error_already_is_not_told_twice(world):
    flags = raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_IO_MC
    entry = CameraEntry(node("/dev/video1", "ipu6", "isys", flags))
    world.has(cameras=(entry,))

    def fail(_):
        raise CameraError(f"no camera was found that can be read directly: ipu6 {entry.node.unreadable}", "so and so")

    world.find_camera = fail
    assert world.said("not read") == []
    assert "ipu6" in world.only(PROBLEM)[0]
