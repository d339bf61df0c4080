"""A camera is started whatever its driver leaves out, in the first mode that works."""

from __future__ import annotations

import errno
import logging
from dataclasses import replace

import pytest

from tests.camera.test_device import CAMERA, SIZE, FakeKernel
from vcam.camera import sources
from vcam.camera.device import V4L2Camera
from vcam.camera.modes import Mode, in_turn, list_modes, parse_format
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import PixelFormat
from vcam.v4l2 import inputs, raw
from vcam.v4l2.device import SizeRange

LOOPBACK = replace(CAMERA, driver="v4l2 loopback", card="OBS", bus="platform:v4l2loopback-021")
MJPEG, YUYV, NV12 = PixelFormat.MJPEG, PixelFormat.YUYV, PixelFormat.NV12


class Kernel(FakeKernel):
    """It holds a format as a driver does, and refuses to start in those that `refused` names."""

    def __init__(self, path):
        super().__init__(path)
        self.held, self.size, self.rate = "YU12", SIZE, 30
        self.refused, self.tried = {}, []

    def g_fmt(self, argument):
        argument.fmt.pix.pixelformat = raw.fourcc(self.held)
        argument.fmt.pix.width, argument.fmt.pix.height = self.size

    def s_fmt(self, argument):
        self.held = raw.fourcc_name(argument.fmt.pix.pixelformat)
        self.size = argument.fmt.pix.width, argument.fmt.pix.height
        argument.fmt.pix.bytesperline = 0

    def g_parm(self, argument):
        argument.parm.capture.timeperframe.numerator = 1
        argument.parm.capture.timeperframe.denominator = self.rate

    def streamon(self, _):
        self.tried.append((self.held, self.size))
        if number := self.refused.get(self.held, self.refused.get((self.held, self.size))):
            raise OSError(number, "refused")


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    kernel = Kernel(tmp_path / "video0")
    monkeypatch.setattr(raw, "ioctl", kernel.ioctl)
    monkeypatch.setattr(sources, "list_nodes", lambda: [kernel.node])
    return kernel


def opened(size=SIZE, fps=30, **more):
    camera = V4L2Camera("0", size, fps, 0.2, **more)
    camera.open()
    description = camera.description
    camera.close()
    return description


@pytest.mark.parametrize("missing", [errno.ENOTTY, errno.EINVAL, errno.EPERM, errno.ENODATA])
def test_a_driver_without_lists_is_asked_what_it_would_give(kernel, missing):
    kernel.fails = dict.fromkeys(("ENUM_FRAMESIZES", "ENUM_FRAMEINTERVALS", "S_PARM"), missing)
    kernel.try_fmt = lambda argument: setattr(argument.fmt.pix, "width", 48)
    kernel.rate = 25
    assert "48x32 I420 at 25 fps" in opened()
    kernel.fails["TRY_FMT"] = missing
    kernel.size = (720, 576)
    kernel.s_fmt = lambda argument: kernel.g_fmt(argument)
    assert "720x576 I420 at 25 fps" in opened()
    kernel.fails["G_PARM"] = missing
    assert "720x576 I420)" not in opened()
    assert opened().endswith("720x576 I420")


def test_a_driver_without_any_list_has_the_format_that_it_holds(kernel):
    kernel.fails = dict.fromkeys(("ENUM_FMT", "ENUM_FRAMESIZES", "ENUM_FRAMEINTERVALS"), errno.ENOTTY)
    kernel.fails |= {"S_FMT": errno.ENOTTY, "TRY_FMT": errno.ENOTTY}
    assert "64x32 I420" in opened((1280, 720))


def test_the_format_that_the_driver_holds_after_all_counts(kernel):
    kernel.modes = {"YUYV": {(1280, 720): [30]}, "MJPG": {(1280, 720): [30]}}

    def s_fmt(argument):
        Kernel.s_fmt(kernel, argument)
        argument.fmt.pix.width, argument.fmt.pix.height = kernel.size = (640, 480)

    kernel.s_fmt = s_fmt
    assert "640x480 YUYV" in opened((1280, 720))


def test_a_format_that_vcam_cannot_read_in_place_of_the_wished_one_is_passed_over(kernel):
    kernel.modes = {"YUYV": {SIZE: [30]}, "MJPG": {SIZE: [30]}}

    def s_fmt(argument):
        Kernel.s_fmt(kernel, argument)
        if kernel.held == "YUYV":
            argument.fmt.pix.pixelformat = raw.fourcc("BA81")

    kernel.s_fmt = s_fmt
    assert "64x32 MJPEG" in opened()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (SizeRange((2, 2), (4294967295, 4294967295), (0, 0)), (64, 32)),
        (SizeRange((33, 33), (65, 65), (1, 1)), (64, 34)),
        (SizeRange((16, 16), (61, 31), (3, 3)), (58, 28)),
        (SizeRange((33, 33), (65, 65), (2, 2)), None),
    ],
)
def test_of_a_range_an_even_size_is_taken_whatever_its_steps(kernel, sizes, expected):
    kernel.modes = {"YU12": {sizes: [30]}}
    assert [mode.size for mode in list_modes(0, SIZE, 30)] == ([expected] if expected else [])


def test_rates_without_a_meaning_are_none(kernel):
    def absurd(argument):
        argument.type = 3
        argument.stepwise.min.numerator, argument.stepwise.min.denominator = 1, 4294967295
        argument.stepwise.max.numerator, argument.stepwise.max.denominator = 0, 1
        if argument.index:
            raise OSError(errno.EINVAL, "end")

    kernel.enum_frameintervals = absurd
    assert [mode.fps for mode in list_modes(0, SIZE, 30)] == [0]


def test_a_list_that_repeats_itself_for_ever_ends(kernel):
    kernel.enum_fmt = lambda argument: setattr(argument, "pixelformat", raw.fourcc("YU12"))
    kernel._entry = lambda entries, _: entries[0]
    assert [str(mode) for mode in list_modes(0, SIZE, 30)] == ["64x32 I420 at 30 fps"]


BUS = {"YUYV": {SIZE: [30], (32, 32): [30]}, "MJPG": {SIZE: [30], (1280, 720): [30]}}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EINVAL, errno.EIO, errno.EPIPE, errno.ENOMEM])
def test_a_mode_that_does_not_start_is_followed_by_the_next_one(kernel, caplog, number):
    kernel.modes, kernel.refused = BUS, {"YUYV": number}
    with caplog.at_level(logging.INFO):
        assert "64x32 MJPEG" in opened()
    assert [code for code, _ in kernel.tried] == ["YUYV", "MJPG"]
    assert "cannot be started in 64x32 YUYV at 30 fps" in caplog.text


def test_a_smaller_mode_is_tried_before_a_larger_one(kernel):
    kernel.modes, kernel.refused = BUS, {("YUYV", SIZE): errno.ENOSPC, ("MJPG", SIZE): errno.ENOSPC}
    assert "32x32 YUYV" in opened()


def test_if_no_mode_starts_the_first_reason_is_told(kernel):
    kernel.modes, kernel.refused = BUS, {"YUYV": errno.ENOSPC, "MJPG": errno.EIO}
    with pytest.raises(CameraError, match=r"no bandwidth on its USB bus"):
        opened()
    assert len(kernel.tried) == 4


@pytest.mark.parametrize("step", ["S_FMT", "REQBUFS", "STREAMON"])
@pytest.mark.parametrize("number", [errno.EBUSY, errno.ENODEV, errno.EACCES])
def test_what_no_mode_can_mend_ends_the_attempt(kernel, step, number):
    kernel.modes, kernel.fails = BUS, {step: number}
    with pytest.raises(CameraError, match=r"is used by|is not there any more|may not open"):
        opened()


def test_in_turn_come_the_best_then_jpeg_of_its_size_then_smaller_ones():
    big, small, huge = (1280, 720), (640, 360), (1920, 1080)
    modes = [
        Mode(format_, size, fps, format_.value)
        for format_ in (YUYV, MJPEG, NV12) for size in (small, huge, big) for fps in (15.0, 30.0)
    ]  # fmt: skip
    turn = [(mode.format, mode.size, mode.fps) for mode in in_turn(modes, big, 30)]
    assert turn[:3] == [(NV12, big, 30), (MJPEG, big, 30), (YUYV, big, 30)]
    assert [size for _, size, _ in turn[3:]] == [small] * 3 + [huge] * 3
    assert in_turn([], big, 30) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("auto", None), ("MJPG", MJPEG), ("mjpeg", MJPEG), ("Jpeg", MJPEG), ("yuy2", YUYV), ("YUYV", YUYV),
     ("nv12", NV12), ("i420", PixelFormat.I420), ("yu12", PixelFormat.I420)],
)  # fmt: skip
def test_formats_have_the_names_that_people_use(text, expected):
    assert parse_format(text) is expected


def test_a_format_that_vcam_does_not_read_is_refused():
    with pytest.raises(UsageError, match=r"camera.format cannot be 'ba81'.*mjpeg"):
        parse_format("ba81")


def test_the_wished_format_is_taken_or_the_error_says_what_there_is(kernel):
    kernel.modes = BUS
    assert "MJPEG" in opened(format_=MJPEG)
    with pytest.raises(CameraError, match=r"has no NV12 pictures: it has YUYV, MJPG \("):
        opened(format_=NV12)
    camera = V4L2Camera("0", SIZE, 30, 0.2, format_=NV12)
    with pytest.raises(CameraError, match=r"has no NV12"):
        camera.check()
    kernel.refused = {"MJPG": errno.ENOSPC}
    with pytest.raises(CameraError, match=r"no bandwidth"):
        opened(format_=MJPEG)


def test_a_card_without_a_signal_says_so(kernel, monkeypatch, caplog):
    monkeypatch.setattr(inputs, "video_input", lambda fd: inputs.VideoInput("HDMI 1", True, "signal"))
    camera = V4L2Camera("0", SIZE, 30, 0.2)
    camera.open()
    assert "gets no signal on its input HDMI 1" in caplog.text
    with pytest.raises(CameraStalled, match=r"gets no signal on its input HDMI 1.*switch on"):
        camera.read()
    camera.close()
    kernel.fails["STREAMON"] = errno.ENOLINK
    with pytest.raises(CameraError, match=r"gets no signal"):
        camera.open()


STOPPED = r"the program that feeds the virtual camera OBS .* has stopped or hangs"


def test_a_virtual_camera_that_falls_silent_blames_the_program_that_feeds_it(kernel, monkeypatch):
    kernel.node = replace(kernel.node, card="OBS", capabilities=LOOPBACK)
    # as v4l2loopback 0.15 has it
    monkeypatch.setattr(inputs, "video_input", lambda fd: inputs.VideoInput("loopback", False, "signal"))
    camera = V4L2Camera("0", SIZE, 30, 0.2)
    camera.open()
    with pytest.raises(CameraStalled, match=r"OBS .* has no picture: no program feeds it"):
        camera.read()
    kernel.capture()
    assert camera.read() is not None
    with pytest.raises(CameraStalled, match=STOPPED) as caught:
        camera.read()
    assert "unplug" not in caught.value.hint
    kernel.fails["DQBUF"] = errno.EIO
    with pytest.raises(CameraError, match=STOPPED):
        camera.read()
    camera.close()


@pytest.mark.parametrize(
    ("step", "number"), [("STREAMON", errno.EIO), ("S_FMT", errno.EINVAL), ("ENUM_FMT", errno.EINVAL)]
)
def test_a_virtual_camera_that_nobody_feeds_says_so_at_whatever_step(kernel, step, number):
    kernel.node, kernel.fails = replace(kernel.node, card="OBS", capabilities=LOOPBACK), {step: number}
    if step == "ENUM_FMT":
        kernel.fails["G_FMT"] = number
    with pytest.raises(CameraError, match=r"OBS .* has no picture: no program feeds it") as caught:
        opened()
    assert caught.value.hint == "start that program first"
