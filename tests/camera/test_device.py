"""The camera against a kernel that answers its ioctls from a script."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace

import numpy as np
import pytest

from vcam.camera import sources
from vcam.camera.device import V4L2Camera, colours
from vcam.camera.modes import Mode, choose_mode, list_modes
from vcam.errors import CameraError, CameraStalled
from vcam.frames import PixelFormat
from vcam.v4l2 import raw
from vcam.v4l2.device import Capabilities, PixelLayout, SizeRange
from vcam.v4l2.discover import Node

SIZE = (64, 32)
LENGTH = 4096
CAMERA = Capabilities("uvcvideo", "Integrated Camera", "usb-1", raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_STREAMING)


class FakeKernel:
    """One camera with four I420 buffers. `capture` fills the oldest queued one; `on_idle` runs when none is filled."""

    def __init__(self, path):
        self.node = Node(path, 0, CAMERA.card, CAMERA)
        self.modes = {"YU12": {SIZE: [30]}}
        self.queued, self.filled = [], []
        self.sequence = 0
        self.on_idle = lambda: None
        self.fails = {}
        path.write_bytes(bytes(LENGTH * 4))

    def capture(self, count=1, flags=raw.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, age=0.0, used=64 * 32 * 3 // 2):
        for _ in range(count):
            if self.queued:
                self.filled.append((self.queued.pop(0), self.sequence, flags, time.monotonic() - age, used))
            self.sequence += 1

    def ioctl(self, fd, request, argument):
        name = next(name for name in dir(raw) if name.startswith("VIDIOC_") and getattr(raw, name) == request)[7:]
        if name in self.fails:
            raise OSError(self.fails[name], os.strerror(self.fails[name]))
        getattr(self, name.lower(), lambda _: None)(argument)

    def enum_fmt(self, argument):
        argument.pixelformat = raw.fourcc(self._entry(list(self.modes), argument.index))

    def enum_framesizes(self, argument):
        sizes = self.modes[raw.fourcc_name(argument.pixel_format)]
        entry = self._entry(list(sizes), argument.index)
        if isinstance(entry, SizeRange):
            argument.type, step = 3, argument.stepwise
            (step.min_width, step.min_height), (step.max_width, step.max_height) = entry.minimum, entry.maximum
            step.step_width, step.step_height = entry.step
        else:
            argument.type = raw.V4L2_FRMSIZE_TYPE_DISCRETE
            argument.discrete.width, argument.discrete.height = entry

    def enum_frameintervals(self, argument):
        sizes = self.modes[raw.fourcc_name(argument.pixel_format)]
        rates = sizes.get((argument.width, argument.height)) or next(iter(sizes.values()))
        argument.type = raw.V4L2_FRMIVAL_TYPE_DISCRETE
        argument.discrete.numerator = 1
        argument.discrete.denominator = self._entry(rates, argument.index)

    @staticmethod
    def _entry(entries, index):
        if index >= len(entries):
            raise OSError(errno.EINVAL, "end of the list")
        return entries[index]

    def querybuf(self, argument):
        argument.length, argument.m.offset = LENGTH, LENGTH * argument.index

    def reqbufs(self, argument):
        # they are not given back while they are mapped, but none is queued any more
        self.streamoff(None)

    def streamoff(self, _):
        self.queued, self.filled = [], []

    def qbuf(self, argument):
        assert argument.index not in self.queued
        self.queued.append(argument.index)

    def dqbuf(self, argument):
        if not self.filled:
            self.on_idle()
            raise OSError(errno.EAGAIN, "nothing yet")
        index, sequence, flags, timestamp, used = self.filled.pop(0)
        argument.index, argument.sequence, argument.flags, argument.bytesused = index, sequence, flags, used
        argument.timestamp.tv_sec, argument.timestamp.tv_usec = int(timestamp), int(timestamp % 1 * 1e6)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    kernel = FakeKernel(tmp_path / "video0")
    monkeypatch.setattr(raw, "ioctl", kernel.ioctl)
    monkeypatch.setattr(sources, "list_nodes", lambda: [kernel.node])
    return kernel


@pytest.fixture
def camera(kernel):
    camera = V4L2Camera("auto", SIZE, 30, 0.2)
    yield camera
    camera.close()


def test_of_waiting_frames_only_the_newest_is_read_and_the_rest_counted(kernel, camera):
    camera.open()
    kernel.capture(3)
    frame = camera.read()
    assert (frame.size, frame.seq, camera.dropped) == (SIZE, 0, 2)
    assert len(kernel.queued) == 3


def test_a_frame_keeps_its_buffer_until_the_next_read(kernel, camera):
    camera.open()
    kernel.capture()
    camera.read()
    assert kernel.queued == [1, 2, 3]
    kernel.capture()
    camera.read()
    assert sorted(kernel.queued) == [0, 2, 3]


@pytest.mark.parametrize("flags", [raw.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, 0])
def test_frames_that_filled_all_buffers_long_ago_are_passed_over(kernel, camera, monkeypatch, flags):
    camera.open()
    kernel.capture()
    camera.read()
    kernel.capture(3, flags)
    passed, clock = 100.0, time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + passed)
    kernel.on_idle = kernel.capture
    assert time.monotonic() - camera.read().timestamp < 50
    assert camera.dropped >= 3


@pytest.mark.parametrize("age", [0.0, 5000.0, -1.7e9])
def test_who_is_slow_reads_every_time_whatever_the_stamps_say(kernel, camera, monkeypatch, age):
    """A tenth of a second of work on each frame: all buffers are full then, and the newest has just come."""
    camera.open()
    clock, passed = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + passed[0])
    kernel.capture(age=age)
    for number in range(4):
        assert camera.read().seq == number
        for _ in range(3):
            passed[0] += 1 / 30
            kernel.capture(age=age)
    assert abs(time.monotonic() - camera.read().timestamp) < 30


def test_a_virtual_camera_without_time_stamps_gives_the_frame_that_came_while_the_last_one_was_used(kernel):
    flags = raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_STREAMING
    kernel.node = replace(kernel.node, capabilities=replace(CAMERA, driver="v4l2 loopback", flags=flags))
    camera = V4L2Camera("0", SIZE, 30, 0.2)
    camera.open()
    for number in range(5):
        kernel.capture(4 - (number > 0), flags=0)
        assert camera.read().seq == number
    camera.close()


def test_frames_that_the_driver_lost_are_counted(kernel, camera):
    camera.open()
    kernel.capture()
    camera.read()
    kernel.sequence += 5
    kernel.capture()
    camera.read()
    assert camera.dropped == 5


@pytest.mark.parametrize("fault", [{"flags": raw.V4L2_BUF_FLAG_ERROR}, {"used": 100}, {"used": 0}])
def test_a_damaged_frame_is_dropped_and_the_next_one_read(kernel, camera, fault):
    camera.open()
    kernel.capture(**fault)
    kernel.on_idle = kernel.capture
    frame = camera.read()
    assert (frame.seq, camera.dropped) == (0, 1)


def test_a_time_stamp_in_the_future_or_of_another_clock_becomes_now(kernel, camera):
    camera.open()
    for fault in ({"age": -5.0}, {"flags": 0, "age": 1e5}):
        kernel.capture(**fault)
        assert camera.read().timestamp == pytest.approx(time.monotonic(), abs=0.1)


def test_only_damaged_frames_are_a_stall(kernel, camera):
    camera.open()
    kernel.on_idle = lambda: kernel.capture(flags=raw.V4L2_BUF_FLAG_ERROR)
    with pytest.raises(CameraStalled, match="it sends damaged pictures"):
        camera.read()


def test_a_camera_that_vanishes_is_an_error_and_closes_quietly(kernel, camera):
    camera.open()
    kernel.fails = dict.fromkeys(("DQBUF", "STREAMOFF", "REQBUFS", "QBUF"), errno.ENODEV)
    with pytest.raises(CameraError, match="has stopped: No such device"):
        camera.read()
    kernel.node.path.unlink()
    with pytest.raises(CameraError, match="was unplugged"):
        camera.read()
    camera.close()


@pytest.mark.parametrize("step", ["S_FMT", "REQBUFS", "STREAMON"])
def test_a_camera_in_use_is_let_go_and_its_user_named(kernel, camera, step):
    kernel.fails[step] = errno.EBUSY
    with pytest.raises(CameraError, match=r"Integrated Camera \(.*video0\) is used by") as caught:
        camera.open()
    assert caught.value.exit_status == 69
    with pytest.raises(CameraError, match="is not open"):
        camera.read()


def test_a_camera_without_a_known_format_says_what_it_has(kernel):
    kernel.modes = {"BA81": {SIZE: [30]}, "GBRG": {SIZE: [30]}}
    with pytest.raises(CameraError, match="its formats: BA81, GBRG"):
        V4L2Camera("integrated", SIZE, 30, 0.2).open()


def test_modes_are_read_from_lists_and_ranges(kernel, monkeypatch):
    kernel.modes = {
        "JPEG": {(1280, 720): [30, 60]},
        "YUYV": {SizeRange((32, 32), (1920, 1080), (8, 8)): [30]},
        "NV12": {(641, 360): [30], (14, 16): [30], (16, 14): [30], (16, 16): [30]},
        "BA81": {(1280, 720): [30]},
    }
    assert list(list_modes(0, (640, 361), 25)) == [
        Mode(PixelFormat.MJPEG, (1280, 720), 30, "JPEG"),
        Mode(PixelFormat.MJPEG, (1280, 720), 60, "JPEG"),
        Mode(PixelFormat.YUYV, (640, 360), 30, "YUYV"),
        Mode(PixelFormat.NV12, (16, 16), 30, "NV12"),
    ]


def modes(*texts):
    for text in texts:
        format_, size, fps = text.split()
        yield Mode(PixelFormat[format_], tuple(map(int, size.split("x"))), float(fps))


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["MJPEG 1280x720 30", "YUYV 1280x720 30"], "YUYV 1280x720 30"),
        (["YUYV 1280x720 30", "NV12 1280x720 30"], "NV12 1280x720 30"),
        (["YUYV 1280x720 10", "MJPEG 1280x720 30"], "MJPEG 1280x720 30"),
        (["YUYV 1280x720 25", "MJPEG 1280x720 30"], "MJPEG 1280x720 30"),
        (["MJPEG 1280x720 30", "YUYV 1280x720 29.97"], "YUYV 1280x720 29.97"),
        (["MJPEG 1280x720 60", "MJPEG 1280x720 30"], "MJPEG 1280x720 30"),
        (["YUYV 640x480 30", "MJPEG 1920x1080 30"], "MJPEG 1920x1080 30"),
        (["YUYV 1920x1080 30", "YUYV 1280x960 30"], "YUYV 1280x960 30"),
        (["YUYV 320x180 30", "YUYV 640x360 30"], "YUYV 640x360 30"),
        (["YUYV 640x480 25", "YUYV 640x360 25"], "YUYV 640x360 25"),
        (["YUYV 1280x720 5", "YUYV 640x360 30"], "YUYV 640x360 30"),
        (["YUYV 1280x720 25", "YUYV 640x360 30"], "YUYV 1280x720 25"),
        (["YUYV 1280x720 5", "YUYV 640x360 15"], "YUYV 640x360 15"),
        # at four fifths of the rate it is not choppy yet, at two fifths no slide show
        (["YUYV 1280x720 24", "YUYV 640x360 30"], "YUYV 1280x720 24"),
        (["YUYV 1280x720 23", "YUYV 640x360 30"], "YUYV 640x360 30"),
        (["YUYV 1280x720 12", "YUYV 640x360 23"], "YUYV 1280x720 12"),
        (["YUYV 1280x720 11", "YUYV 640x360 12"], "YUYV 640x360 12"),
        (["I420 1280x720 30", "NV12 1280x720 30"], "NV12 1280x720 30"),
    ],
)
def test_the_cheapest_mode_that_gives_size_and_rate_is_chosen(offered, chosen):
    (expected,) = modes(chosen)
    assert choose_mode(list(modes(*offered)), (1280, 720), 30) == expected
    assert choose_mode(list(modes(*reversed(offered))), (1280, 720), 30) == expected


def test_a_wish_for_sixty_frames_does_not_cost_the_size():
    (expected, _) = offered = list(modes("MJPEG 1280x720 30", "YUYV 320x180 60"))
    assert choose_mode(offered, (1280, 720), 60) == expected


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (PixelLayout("YUYV", SIZE), (False, "bt601")),
        (PixelLayout("YUYV", SIZE, colorspace=8), (False, "bt601")),
        (PixelLayout("YUYV", SIZE, colorspace=raw.V4L2_COLORSPACE_JPEG), (True, "bt601")),
        (PixelLayout("NV12", SIZE, colorspace=raw.V4L2_COLORSPACE_REC709), (False, "bt709")),
        (PixelLayout("NV12", SIZE, colorspace=raw.V4L2_COLORSPACE_REC709, encoding=1), (False, "bt601")),
        (PixelLayout("NV12", SIZE, colorspace=8, encoding=2, quantization=1), (True, "bt709")),
        (PixelLayout("YUYV", SIZE, colorspace=raw.V4L2_COLORSPACE_JPEG, quantization=2), (False, "bt601")),
        (PixelLayout("MJPG", SIZE, colorspace=8), (True, "bt601")),
        (PixelLayout("BGR3", SIZE, colorspace=raw.V4L2_COLORSPACE_REC709), (True, "bt601")),
        (PixelLayout("RGB4", SIZE, colorspace=8, quantization=2), (False, "bt601")),
        (PixelLayout("GREY", SIZE), (True, "bt601")),
        (PixelLayout("Y16", SIZE, encoding=2), (True, "bt601")),
        (PixelLayout("GREY", SIZE, quantization=2), (False, "bt601")),
        (PixelLayout("UYVY", SIZE, colorspace=raw.V4L2_COLORSPACE_REC709), (False, "bt709")),
    ],
)
def test_colours_follow_the_kernels_default_rules(layout, expected):
    assert colours(layout) == expected


METADATA = replace(CAMERA, flags=raw.V4L2_CAP_META_CAPTURE)
LOOPBACK = Capabilities("v4l2 loopback", "OBS", "platform:1", raw.V4L2_CAP_VIDEO_OUTPUT | raw.V4L2_CAP_STREAMING)


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    found = [
        Node(tmp_path / "video0", 0, "OBS", LOOPBACK),
        Node(tmp_path / "video1", 1, "Integrated Camera", METADATA),
        Node(tmp_path / "video2", 2, "Integrated Camera", CAMERA),
        Node(tmp_path / "video3", 3, "Private", None, errno.EACCES),
    ]
    monkeypatch.setattr(sources, "list_nodes", lambda: found)
    return found


def test_a_part_of_the_name_finds_the_camera_and_not_its_metadata(nodes):
    assert sources.resolve("integrated") is nodes[2]
    assert sources.resolve("2") is nodes[2]
    assert sources.resolve(str(nodes[2].path)) is nodes[2]


@pytest.mark.parametrize(
    ("source", "words", "hint"),
    [
        ("1", "carries only metadata", "use .*video2"),
        ("private", r"you may not open Private \(.*video3\)", r"usermod -aG video \$USER"),
        ("obs", "OBS .* no program feeds it", "start that program"),
        ("7", "there is no /dev/video7", "plugged in"),
        ("logitech", "there is no camera named 'logitech'", "vcam devices"),
        (__file__, "is not a video device", "vcam devices"),
    ],
)
def test_what_cannot_be_a_camera_is_refused_with_a_cure(nodes, source, words, hint):
    with pytest.raises(CameraError, match=words) as caught:
        sources.resolve(source)
    assert caught.match(hint)


@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [
        (errno.ENODEV, "is not there any more", "plug it in again"),
        (errno.ENOENT, "is not there any more", "plug it in again"),
        (errno.ENXIO, "is not there any more", "plug it in again"),
        (errno.EACCES, "you may not open Integrated Camera", "usermod"),
        (errno.EPERM, "you may not open Integrated Camera", "usermod"),
        (errno.EBUSY, "is used by another program", "close it there"),
        (errno.ENOTTY, "is not a video device", "vcam devices"),
        (errno.ENOSPC, "gets no bandwidth on its USB bus", "smaller --size"),
        (errno.EIO, "cannot be started: Input/output error", "unplug it"),
    ],
)
def test_what_the_kernel_answers_is_told_in_words_with_a_cure(nodes, number, words, hint):
    failure = sources.failure(nodes[2], OSError(number, os.strerror(number)))
    assert words in failure.message
    assert hint in failure.hint


def test_auto_blames_permission_where_that_is_the_cause(nodes):
    del nodes[:3]
    with pytest.raises(CameraError, match="you may not open Private"):
        sources.resolve("auto")


def test_a_camera_is_known_again_under_another_number(nodes, tmp_path):
    before = replace(nodes[2], path=tmp_path / "video9", index=9)
    assert sources.resolve("9", before) is nodes[2]
    stick = tmp_path / "by-id" / "usb-Stick_4C530001-index0"
    nodes.append(Node(tmp_path / "video5", 5, "Stick", replace(CAMERA, card="Stick", bus="usb-7"), 0, (stick,)))
    before = replace(nodes[-1], path=tmp_path / "video4", capabilities=replace(CAMERA, card="Stick", bus="usb-3"))
    assert sources.resolve("auto", before) is nodes[-1]


def test_the_nearest_size_of_a_range_keeps_its_steps():
    sizes = SizeRange((48, 32), (1920, 1080), (16, 8))
    assert sizes.nearest((1280, 720)) == (1280, 720)
    assert sizes.nearest((1290, 4)) == (1296, 32)
    assert sizes.nearest((9999, 9999)) == (1920, 1080)


def test_planes_are_those_of_the_drivers_memory(kernel, camera):
    camera.open()
    data = np.memmap(kernel.node.path, np.uint8, "r+")
    data[: 64 * 32] = 77
    kernel.capture()
    frame = camera.read()
    assert (frame.y == 77).all()
    assert not frame.y.flags.writeable
