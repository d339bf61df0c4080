"""What is said of a camera whose formats vcam does not read, and what of a driver is not believed."""

from __future__ import annotations

import errno
import re
from typing import Any

import pytest

from tests.camera.test_device import SIZE, FakeKernel, camera, kernel  # noqa: F401
from vcam.camera.device import V4L2Camera
from vcam.camera.unreadable import refusal
from vcam.errors import CameraError


def test_a_camera_with_h264_alone_is_refused_at_the_start(kernel: FakeKernel) -> None:  # noqa: F811
    kernel.modes = {"H264": {SIZE: [30]}, "HEVC": {SIZE: [30]}}
    for source in ("integrated", "auto"):
        for start in (V4L2Camera.check, V4L2Camera.open):
            with pytest.raises(CameraError, match="its formats: H264, HEVC"):
                start(V4L2Camera(source, SIZE, 30, 0.2))


@pytest.mark.parametrize(
    ("codes", "words", "hint"),
    [
        (
            "H264",
            r"sends only H\.264 \(its formats: H264\), which vcam does not decode",
            "-input_format h264 -i /dev",
        ),
        ("HEVC", "sends only HEVC", "-input_format hevc"),
        ("VP80", "sends only VP8", "-input_format vp8"),
        ("BA81 GB10 pRAA pBCC ip3b", r"sends only raw sensor data \(Bayer\)", "libcamera"),
        ("Y8I Y12I", "sends only two infrared pictures in one", "another camera"),
        ("Z16", "sends only depth", "another camera"),
        ("S910", r"has no format that vcam reads \(its formats: S910\)", "another camera"),
        ("S910 H264", r"has no format .* S910, H264\)", "-input_format h264"),
        ("A B C D E F G", r"its formats: A, B, C, D, E and 2 more\)", "another camera"),
        ("H264 YUYV", "has no size that vcam can take", "vcam devices"),
        ("", "offers no picture at all", "another camera"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_helps(codes: str, words: str, hint: str) -> None:
    error = refusal("Cam", "/dev/video2", codes.split())
    assert error.message.startswith("Cam (/dev/video2) ")
    assert re.search(words, error.message), error.message
    assert hint in error.hint


def test_a_camera_that_cannot_be_opened_now_is_not_judged_by_its_formats(kernel: FakeKernel) -> None:  # noqa: F811
    kernel.fails = {"ENUM_FMT": errno.EIO, "G_FMT": errno.EIO}
    V4L2Camera("integrated", SIZE, 30, 0.2).check()


@pytest.mark.parametrize("stride", [0, 32, 64])
def test_a_stride_that_cannot_be_meant_is_taken_for_lines_side_by_side(
    kernel: FakeKernel,  # noqa: F811
    camera: V4L2Camera,  # noqa: F811
    stride: int,
) -> None:
    def s_fmt(argument: Any) -> None:
        argument.fmt.pix.bytesperline, argument.fmt.pix.sizeimage = stride, 64 * 32 * 3 // 2

    kernel.s_fmt = s_fmt
    camera.open()
    kernel.capture()
    assert camera.read().buffer is not None
