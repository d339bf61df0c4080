"""Which of several cameras `auto` takes, and what it says of those it passes over."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from vcam.camera import sources
from vcam.camera.ranking import Rank, judge
from vcam.errors import CameraError
from vcam.v4l2 import device, inputs, loopback, raw
from vcam.v4l2.device import Capabilities
from vcam.v4l2.discover import Node
from vcam.v4l2.inputs import VideoInput, video_input

CAPTURE = raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_STREAMING
PLANES = raw.V4L2_CAP_VIDEO_CAPTURE_MPLANE | raw.V4L2_CAP_STREAMING


class Machine:
    """Nodes with their formats and inputs, as the kernel would tell of them."""

    def __init__(self):
        self.nodes, self.formats, self.inputs = [], {}, {}

    def add(self, card, *formats, driver="uvcvideo", bus="usb-1", flags=CAPTURE, source=None):
        number = len(self.nodes)
        path = Path(f"/dev/video{number}")
        self.nodes.append(Node(path, number, card, Capabilities(driver, card, bus, flags)))
        self.formats[number], self.inputs[number] = formats, source
        return self.nodes[-1]

    @contextlib.contextmanager
    def opened(self, path):
        yield int(str(path).removeprefix("/dev/video"))

    def auto(self):
        return sources.resolve("auto").card


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(sources, "list_nodes", lambda: machine.nodes)
    monkeypatch.setattr(device, "opened", machine.opened)
    monkeypatch.setattr(device, "enum_formats", lambda fd: iter(machine.formats[fd]))
    monkeypatch.setattr(inputs, "video_input", lambda fd: machine.inputs[fd])
    return machine


@pytest.mark.parametrize(
    "other",
    [
        {"card": "Integrated Camera: Integrated I", "formats": ["GREY", "MJPG"]},
        {"card": "Integrated IR Camera: Integrate", "formats": ["YUYV"]},
        {"card": "USB2.0 HD UVC WebCam: USB2.0 IR", "formats": ["MJPG"]},
        {"card": "Infrared", "formats": ["YUYV"]},
        {"card": "Intel(R) RealSense(TM) 435", "formats": ["GREY", "UYVY", "Y8I", "Y12I", "YUYV"]},
        {"card": "Droidcam", "driver": "Droidcam", "bus": "platform:v4l2loopback_dc-000", "formats": ["YU12", "YUYV"]},
        {"card": "Webcam by a program", "driver": "akvcam", "formats": ["YUYV"]},
        {"card": "OBS Virtual Camera", "driver": "v4l2 loopback", "formats": ["YUYV"]},
        {"card": "USB3.0 HD Video Capture", "formats": ["MJPG", "YUYV"]},
        {"card": "Cam Link 4K", "formats": ["NV12"]},
        {"card": "stk1160", "driver": "stk1160", "formats": ["YUYV"], "source": VideoInput("Composite0", True)},
        {"card": "ipu6", "driver": "isys", "formats": ["YUYV", "NV12"], "flags": CAPTURE | raw.V4L2_CAP_IO_MC},
        {"card": "rkisp_mainpath", "driver": "rkisp", "formats": ["NV12"], "flags": PLANES},
        {"card": "bcm2835-isp", "driver": "bcm2835-isp", "formats": ["YUYV"]},
        {"card": "Touch", "formats": ["YUYV"], "flags": CAPTURE | raw.V4L2_CAP_TOUCH},
        {"card": "Raw", "formats": ["BA81"]},
    ],
    ids=lambda other: other["card"],
)
def test_a_webcam_with_colours_comes_before_whatever_has_a_lower_number(machine, other):
    formats = other.pop("formats")
    node = machine.add(other.pop("card"), *formats, **other)
    machine.add("Integrated Camera: Integrated C", "MJPG", "YUYV")
    assert machine.auto() == "Integrated Camera: Integrated C"
    assert judge(node).reason


@pytest.mark.parametrize(
    ("card", "driver", "formats"),
    [
        ("RGB-IR Camera: RGB-IR Camera", "uvcvideo", ["YUYV", "MJPG"]),
        ("Iriun", "uvcvideo", ["YUYV"]),
        ("vivid", "vivid", ["YUYV", "NV12", "GREY"]),
        ("mmal service 16.1", "bm2835 mmal", ["YU12", "YUYV", "H264", "GREY"]),
    ],
)
def test_what_only_looks_like_infrared_is_a_camera(machine, card, driver, formats):
    assert judge(machine.add(card, *formats, driver=driver)).rank is Rank.CAMERA


def test_what_is_second_choice_is_taken_where_there_is_no_first(machine):
    machine.add("Integrated IR Camera", "MJPG", "GREY")
    assert machine.auto() == "Integrated IR Camera"
    machine.add("Droidcam", "YU12", driver="Droidcam")
    assert machine.auto() == "Droidcam"
    machine.add("HDMI Capture", "MJPG")
    assert machine.auto() == "HDMI Capture"


def test_of_several_that_have_a_name_the_one_that_auto_would_take_is_meant(machine):
    machine.add("Integrated Camera", "GREY", "MJPG")
    machine.add("Integrated Camera", driver="v4l2 loopback")
    machine.add("Integrated Camera", "MJPG", "YUYV")
    assert sources.resolve("integrated").index == 2
    assert sources.resolve("0").index == 0


def test_where_all_nodes_are_the_bridge_of_a_mipi_camera_auto_says_how_it_is_reached(machine, monkeypatch):
    for _ in range(3):
        machine.add("ipu6", "YUYV", "GREY", driver="isys", flags=CAPTURE | raw.V4L2_CAP_IO_MC)
    with pytest.raises(CameraError, match=r"ipu6 \(/dev/video0 and 2 more\) is the end of a MIPI camera") as caught:
        machine.auto()
    assert "libcamera and PipeWire" in caught.value.hint
    relay = machine.add("Built-in Camera", "NV12", driver="v4l2 loopback")
    with pytest.raises(CameraError) as caught:
        machine.auto()
    assert caught.value.hint == "vcam start --camera /dev/video3 reads Built-in Camera"
    monkeypatch.setattr(loopback, "FED", {relay.path})
    with pytest.raises(CameraError, match="libcamera and PipeWire"):
        machine.auto()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (CAPTURE | raw.V4L2_CAP_IO_MC, "the media controller must wire up first, so vcam cannot read it"),
        (PLANES, "only by the multi-planar calls"),
        (raw.V4L2_CAP_VIDEO_CAPTURE, "by read\\(\\) only"),
    ],
)
def test_named_such_a_node_is_refused_with_the_reason(machine, flags, words):
    machine.add("ipu6", "YUYV", driver="isys", flags=flags)
    with pytest.raises(CameraError, match=rf"/dev/video0 \(ipu6\) .*{words}"):
        sources.resolve("/dev/video0")


def test_an_encoder_is_not_called_a_camera(machine):
    both = PLANES | raw.V4L2_CAP_VIDEO_OUTPUT_MPLANE
    assert machine.add("encoder", driver="venus", flags=both).unreadable == ""


@pytest.mark.parametrize(
    ("type_", "capabilities", "status", "expected"),
    [
        (2, 0, 0, VideoInput("HDMI 0", False)),
        (2, raw.V4L2_IN_CAP_DV_TIMINGS, raw.V4L2_IN_ST_NO_SIGNAL, VideoInput("HDMI 0", True, "signal")),
        (2, raw.V4L2_IN_CAP_STD, raw.V4L2_IN_ST_NO_POWER, VideoInput("HDMI 0", True, "power")),
        (raw.V4L2_INPUT_TYPE_TUNER, 0, raw.V4L2_IN_ST_NO_H_LOCK, VideoInput("HDMI 0", True, "lock on the signal")),
    ],
)
def test_the_input_tells_a_socket_and_what_it_lacks(monkeypatch, type_, capabilities, status, expected):
    def ioctl(fd, request, argument):
        if request == raw.VIDIOC_G_INPUT:
            argument.value = 3
        else:
            assert argument.index == 3
            argument.name, argument.type, argument.capabilities = b"HDMI 0", type_, capabilities
            argument.status = status

    monkeypatch.setattr(raw, "ioctl", ioctl)
    assert video_input(7) == expected


def test_a_driver_without_inputs_has_none(monkeypatch):
    def ioctl(*_):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    monkeypatch.setattr(raw, "ioctl", ioctl)
    assert video_input(7) is None
