"""Run in the virtual machine by tests/vm/test_vm.py: a vivid webcam, and a loopback that ffmpeg feeds with JPEG."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.vm.guest import if_full
from vcam.camera import starting
from vcam.camera.controls import ControlWishes
from vcam.camera.device import V4L2Camera
from vcam.camera.modes import list_modes
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import PixelFormat
from vcam.media.ffmpeg import find_ffmpeg
from vcam.v4l2.controls import list_controls, write_control
from vcam.v4l2.device import opened
from vcam.v4l2.discover import list_nodes

DRIVER = Path("/sys/bus/platform/drivers/vivid")
SIZE = (640, 360)
# the 100 % colour bars in BT.601, limited range: white, yellow, cyan, green, magenta, red, blue, black
BARS = [
    (235, 128, 128), (210, 16, 146), (170, 166, 16), (145, 54, 34),
    (106, 202, 222), (81, 90, 240), (41, 240, 110), (16, 128, 128),
]  # fmt: skip


def controls():
    """Those of the webcam, by name."""
    with opened(next(node.path for node in list_nodes() if node.is_camera)) as fd:
        return {control.name: control for control in list_controls(fd)}


def set_control(name, text):
    with opened(next(node.path for node in list_nodes() if node.is_camera)) as fd:
        control = next(control for control in list_controls(fd) if control.name == name)
        write_control(fd, control, control.parse(text))


@pytest.fixture
def webcam():
    camera = V4L2Camera("auto", SIZE, 30, 2.0)
    for name, value in (
        ("osd_text_mode", "None"),
        ("test_pattern", "100% Colorbar"),
        ("colorspace", "sRGB"),
        ("quantization", "Default"),
        ("percentage_of_dropped_buffers", "0"),
    ):
        set_control(name, value)
    yield camera
    camera.close()


COLOURED = [
    PixelFormat(code) for code in (
        "YUYV", "YVYU", "UYVY", "VYUY", "NV12", "NV21", "NV16", "NV61", "YU12", "YV12", "422P", "BGR3", "RGB3",
        "BGR4", "RGB4", "XR24", "AR24", "BX24", "BA24",
    )
]  # fmt: skip
"""What vivid offers in colour, of what vcam reads."""


@pytest.fixture
def replug():
    yield
    # whatever a test did to the driver, the next one gets a fresh device
    if (DRIVER / "vivid.0").exists():
        (DRIVER / "unbind").write_text("vivid.0")
    (DRIVER / "bind").write_text("vivid.0")
    time.sleep(0.3)


def only(monkeypatch, format_):
    monkeypatch.setattr(
        starting, "list_modes", lambda *wish: [mode for mode in list_modes(*wish) if mode.format is format_]
    )


def bars(frame):
    """The middle sample of each bar."""
    across = [int((bar + 0.5) * frame.width / 8) for bar in range(8)]
    y, u, v = frame.y[frame.height // 2], frame.u[frame.height // 4], frame.v[frame.height // 4]
    return [(int(y[x]), int(u[x // 2]), int(v[x // 2])) for x in across]


def read_many(camera):
    """More frames than the driver can have ready."""
    for _ in range(8):
        camera.read()


def wait_until_busy(camera):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        camera.open()
        camera.close()
        time.sleep(0.1)


def test_auto_takes_the_webcam_and_not_a_virtual_camera(webcam):
    assert {node.card for node in list_nodes() if node.is_loopback} == {"vcam", "webcam"}
    webcam.open()
    assert "vivid" in webcam.description


def test_the_webcams_modes_are_listed_with_their_rates():
    node = next(node for node in list_nodes() if node.is_camera)
    fd = os.open(node.path, os.O_RDWR)
    try:
        modes = {(mode.format, mode.size): mode.fps for mode in list_modes(fd, SIZE, 30)}
    finally:
        os.close(fd)
    assert {format_ for format_, _ in modes} >= set(COLOURED)
    assert {size for _, size in modes} >= {(320, 180), (640, 360), (640, 480), (1280, 720)}
    assert modes[PixelFormat.NV12, (1280, 720)] == 12.5


@pytest.mark.parametrize("format_", COLOURED)
def test_raw_formats_show_the_test_picture_in_its_colours(webcam, monkeypatch, format_):
    only(monkeypatch, format_)
    webcam.open()
    assert format_.name in webcam.description
    frame = webcam.read()
    assert frame.size == SIZE
    assert not frame.full_range
    np.testing.assert_allclose(bars(frame), BARS, atol=2)


@pytest.mark.parametrize("format_", [PixelFormat.GREY, PixelFormat.Y16, PixelFormat.Y12, PixelFormat.Y10])
def test_grey_formats_show_the_luma_of_the_test_picture(webcam, monkeypatch, format_):
    only(monkeypatch, format_)
    webcam.open()
    frame = webcam.read()
    # vivid weighs its colours otherwise here, but not white and black
    luma = [y for y, _, _ in bars(frame)]
    assert frame.full_range
    assert luma == sorted(luma, reverse=True)
    assert luma[0] >= 253
    assert luma[-1] <= 1
    assert {(u, v) for _, u, v in bars(frame)} == {(128, 128)}


def test_a_full_range_source_says_so(webcam):
    set_control("quantization", "Full Range")
    webcam.open()
    frame = webcam.read()
    assert frame.full_range
    assert bars(frame)[0][0] >= 254
    assert bars(frame)[7][0] <= 1


def test_a_bt709_source_arrives_in_bt601(webcam):
    set_control("colorspace", "Rec. 709")
    webcam.open()
    # vivid also changes the transfer function, which moves its colours a little; the matrix alone moves them by 20
    np.testing.assert_allclose(bars(webcam.read()), BARS, atol=6)


def test_thirty_frames_take_one_second_and_none_is_lost(webcam):
    webcam.open()
    webcam.read()
    # whatever else runs on this machine takes from the guest's one processor
    for _ in range(10):
        before, start = webcam.dropped, webcam.read()
        for _ in range(30):
            frame = webcam.read()
        took, counted, lost = frame.timestamp - start.timestamp, frame.seq - start.seq, webcam.dropped - before
        if counted == 30 and not lost and took == pytest.approx(1.0, abs=0.1):
            return
    raise AssertionError(f"{counted} frames in {took:.2f} s, {lost} lost")


def test_after_a_pause_the_newest_frame_comes_not_a_stale_one(webcam):
    webcam.open()
    webcam.read()
    time.sleep(1.0)
    assert time.monotonic() - webcam.read().timestamp < if_full(0.1, 0.5)
    assert webcam.dropped >= if_full(25, 10)


def test_a_frame_stays_readable_after_close(webcam, monkeypatch):
    only(monkeypatch, PixelFormat.I420)
    webcam.open()
    frame = webcam.read()
    webcam.close()
    np.testing.assert_allclose(bars(frame), BARS, atol=2)
    webcam.open()
    assert webcam.read() is not None


def test_a_damaged_buffer_is_dropped_and_counted(webcam):
    webcam.open()
    webcam.read()
    before = webcam.dropped
    set_control("inject_v4l2_buf_flag_error", "0")
    for _ in range(3):
        np.testing.assert_allclose(bars(webcam.read()), BARS, atol=2)
    assert webcam.dropped > before


def test_a_camera_that_sends_nothing_stalls_in_time(webcam):
    webcam = V4L2Camera("auto", SIZE, 30, 0.5)
    webcam.open()
    webcam.read()
    set_control("percentage_of_dropped_buffers", "100")
    began = time.monotonic()
    try:
        with pytest.raises(CameraStalled, match=r"no picture for 0\.5 s"):
            read_many(webcam)
    finally:
        set_control("percentage_of_dropped_buffers", "0")
        webcam.close()
    assert time.monotonic() - began < if_full(1.5, 10)


def test_an_unplugged_camera_is_an_error_at_once_and_is_found_again(webcam, replug):
    webcam.open()
    webcam.read()
    began = time.monotonic()
    (DRIVER / "unbind").write_text("vivid.0")
    with pytest.raises(CameraError, match="was unplugged"):
        read_many(webcam)
    # far less than the two seconds after which it would count as hung, with other words
    assert time.monotonic() - began < if_full(0.5, 10)
    webcam.close()
    with pytest.raises(CameraError, match=r"vivid is not there: vcam waits for that one, at the port vivid\.0"):
        webcam.open()
    (DRIVER / "bind").write_text("vivid.0")
    time.sleep(0.3)
    webcam.open()
    assert webcam.read().seq == 0


def test_a_camera_comes_back_under_another_number(replug):
    path = next(node.path for node in list_nodes() if node.is_camera)
    by_number = V4L2Camera(str(path), SIZE, 30, 2.0)
    by_number.open()
    holder = os.open(path, os.O_RDWR)
    by_number.close()
    (DRIVER / "unbind").write_text("vivid.0")
    (DRIVER / "bind").write_text("vivid.0")
    time.sleep(0.3)
    # the open descriptor keeps the old number taken
    assert not path.exists()
    by_number.open()
    assert str(path) not in by_number.description
    assert by_number.read().size == SIZE
    by_number.close()
    os.close(holder)


@pytest.mark.parametrize("button", ["disconnect", "inject_fatal_streaming_error"])
def test_a_failing_driver_is_an_error(webcam, replug, button):
    webcam.open()
    webcam.read()
    set_control(button, "0")
    with pytest.raises(CameraError):
        read_many(webcam)


def test_a_busy_camera_names_the_program_that_holds_it(webcam):
    path = next(str(node.path) for node in list_nodes() if node.is_camera)
    command = [find_ffmpeg(), "-v", "error", "-f", "v4l2", "-i", path, "-f", "null", "-"]
    holder = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        with pytest.raises(CameraError, match=r"used by ffmpeg.* \(process \d+\)"):
            wait_until_busy(webcam)
    finally:
        holder.kill()
        holder.wait()


def test_controls_are_set_by_name_or_not_at_all(webcam):
    webcam.open()
    webcam.adjust(ControlWishes(others={"brightness": "200", "gain_automatic": "off"}))
    assert (controls()["brightness"].value, controls()["gain_automatic"].value) == (200, 0)
    with pytest.raises(UsageError, match="takes for brightness, instead of 300"):
        webcam.adjust(ControlWishes(others={"gain_automatic": "on", "brightness": "300"}))
    assert controls()["gain_automatic"].value == 0
    with pytest.raises(UsageError, match="has no control focus"):
        webcam.adjust(ControlWishes(others={"focus": "1"}))
    set_control("brightness", "128")


def test_a_virtual_camera_that_nobody_feeds_is_refused_in_words():
    with pytest.raises(CameraError, match="no program feeds it") as caught:
        V4L2Camera("webcam", SIZE, 30, 1.0).open()
    assert caught.value.hint == "start that program first"


@pytest.fixture
def jpeg_webcam(tmp_path):
    clip = str(tmp_path / "clip.mkv")
    base = [find_ffmpeg(), "-v", "error", "-y"]
    red = "color=c=0xC82814:size=1280x720:rate=30:duration=2"
    subprocess.run([*base, "-f", "lavfi", "-i", red, "-c:v", "mjpeg", "-q:v", "3", clip], check=True)
    play = [*base, "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "v4l2", "/dev/video21"]
    player = subprocess.Popen(play, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not next(node for node in list_nodes() if node.index == 21).capabilities.captures:
        assert time.monotonic() < deadline, "ffmpeg does not feed /dev/video21"
        time.sleep(0.05)
    camera = V4L2Camera("webcam", (1280, 720), 30, 2.0)
    yield camera
    camera.close()
    player.kill()
    player.wait()


def test_a_jpeg_webcam_gives_full_range_frames_in_time(jpeg_webcam):
    jpeg_webcam.open()
    assert "1280x720 MJPEG" in jpeg_webcam.description
    frames = 0
    jpeg_webcam.read()
    began = time.monotonic()
    while time.monotonic() - began < 2:
        frame = jpeg_webcam.read()
        frames += 1
    assert frames >= if_full(54, 10)
    assert frame.full_range
    # 0xC82814 by JFIF's equations; the encoder rounds
    colour = [float(plane.mean()) for plane in frame.planes]
    np.testing.assert_allclose(colour, (85.6, 87.6, 209.6), atol=5)
