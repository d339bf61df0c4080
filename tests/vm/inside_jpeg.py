"""Run in the virtual machine by tests/vm/test_vm.py: `vcam start` with a webcam that sends JPEG, well or badly.

And what else a virtual camera can be fed with.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import subprocess
import threading
import time

import cv2
import numpy as np
import pytest

from tests.places import SHARED
from tests.vm.guest import (
    WEBCAM,
    Daemon,
    JpegWebcam,
    Reader,
    best_of,
    captures,
    if_full,
    make_jpeg_clip,
    report,
    until,
)
from tests.vm.shown import is_composited
from vcam.camera.device import V4L2Camera
from vcam.errors import CameraStalled
from vcam.media.ffmpeg import find_ffmpeg
from vcam.v4l2 import device
from vcam.v4l2.loopback import forgets_output

HD = (1280, 720)
CLIP = SHARED / "data" / "clips" / "talk-s18.mp4"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    if CLIP.exists():
        make_jpeg_clip(path, CLIP)
    else:
        make_jpeg_clip(path, "testsrc2=size=1280x720:rate=30")
    return path


def jpeg(number=0, size=HD):
    """A picture that changes; its upper corners are white."""
    picture = np.full((size[1], size[0], 3), 255, np.uint8)
    cv2.circle(picture, (size[0] // 2 + number % 40, size[1] // 2), size[1] // 4, (90, 120, 180), -1)
    return cv2.imencode(".jpg", picture)[1].tobytes()


class Feeder:
    """A producer of JPEG frames for the second loopback, 30 a second; `damage` changes them on their way."""

    def __init__(self):
        self.damage = lambda data, number: data
        self._fd = until(self._claim, 5, "the second loopback takes a producer")
        device.set_rate(self._fd, 30, device.Direction.OUTPUT)
        # 0.12 forgets that it may be fed if its producer never streamed
        self._frames = [jpeg(number) for number in range(8)]
        os.write(self._fd, self._frames[0])
        with contextlib.suppress(OSError):
            device.stream_on(self._fd, device.Direction.OUTPUT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        until(captures, 5, "the second loopback is fed")

    @staticmethod
    def _claim():
        """The device, once its last reader has let go: until then 0.15 refuses another format."""
        fd = device.open_node(WEBCAM)
        try:
            device.set_format(fd, "MJPG", HD, device.Direction.OUTPUT)
        except OSError:
            os.close(fd)
            return None
        return fd

    def _run(self):
        for number in itertools.count():
            if self._stop.wait(1 / 30):
                return
            data = self.damage(self._frames[number % 8], number)
            if data is not None:
                os.write(self._fd, data)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        os.close(self._fd)


def some(damage, every=3):
    """Damage to two of three frames."""
    return lambda data, number: data if number % every == 0 else damage(data)


def flipped(data):
    """Noise in the middle of the entropy coded part, the same in every run: some noise looks like a person."""
    noisy = bytearray(data)
    noisy[len(data) // 2 : len(data) // 2 + 400] = random.Random(len(data)).randbytes(400)
    return bytes(noisy)


DAMAGES = {
    "truncated": lambda data: data[: len(data) // 3],
    "only a header": lambda data: data[:100],
    "noise": lambda data: os.urandom(len(data)),
    "zeros": lambda data: bytes(len(data)),
    "another size": lambda data: jpeg(0, (640, 480)),
    "two bytes": lambda data: data[:2],
}


FAULTS = {
    "truncated": "cut short",
    "only a header": "cut short",
    "noise": "something else than the JPEG",
    "zeros": "something else than the JPEG",
    "another size": "of 640x480 instead of the 1280x720",
}


def test_a_jpeg_webcam_gives_thirty_composited_frames_a_second(clip):
    with JpegWebcam(clip), Daemon(camera=WEBCAM, size=HD, backend="auto") as daemon, Reader() as reader:
        reader.until_composited(20.0)
        daemon.wait_for("1280x720 MJPEG")
        time.sleep(1)
        measured = best_of(3, lambda: rate(reader), 29)
    report(f"JPEG 1280x720 at 30 fps: {', '.join(f'{each:.1f}' for each in measured)} frames a second")
    assert max(measured) >= if_full(27, 4)


def rate(reader):
    """Frames a second over four seconds; one in ten is looked at, which leaves the processor to the daemon."""
    count, began, shown = 0, time.monotonic(), []
    while time.monotonic() - began < 4:
        if count % 10:
            reader.bytes()
        else:
            shown.append(reader.read())
        count += 1
    assert all(is_composited(frame) for frame in shown)
    return count / (time.monotonic() - began)


@pytest.mark.skipif(forgets_output(), reason="this v4l2loopback takes no other producer after one that did not stream")
@pytest.mark.parametrize("name", ["uyvy422", "yuv422p", "bgr24", "rgb24", "rgb565le", "gray"])
def test_what_ffmpeg_feeds_a_virtual_camera_with_is_read_in_its_colours(name):
    """A red picture, in the limited range except for grey."""
    red = ["-f", "lavfi", "-i", "color=c=0xC82814:size=640x360:rate=30", "-vf", "scale=out_color_matrix=bt601"]
    feed = [find_ffmpeg(), "-v", "error", "-re", *red, "-pix_fmt", name, "-f", "v4l2", str(WEBCAM)]
    player = subprocess.Popen(feed, stdin=subprocess.DEVNULL)
    camera = V4L2Camera(str(WEBCAM), (640, 360), 30, 2.0)
    try:
        until(captures, 10, f"ffmpeg feeds {WEBCAM}")
        camera.open()
        frame = camera.read()
        print(camera.description)
        assert frame.size == (640, 360)
        assert time.monotonic() - frame.timestamp < if_full(0.5, 5)
        colour = [float(plane.mean()) for plane in frame.planes]
        # E, P and Q of BT.601 are 0.336, -0.145 and 0.320
        wanted = (85.6, 128, 128) if name == "gray" else (89.5, 95.5, 199.7)
        np.testing.assert_allclose(colour, wanted, atol=6 if name == "rgb565le" else 3)
    finally:
        camera.close()
        player.kill()
        player.wait()


QUIRKS = {
    "padding": lambda number: jpeg(number) + bytes(9000),
    "no end marker": lambda number: jpeg(number)[:-2],
    "some lines more": lambda number: jpeg(number, (1280, 728)),
    "some lines less": lambda number: jpeg(number, (1280, 712)),
    "zeros in front": lambda number: bytes(16) + jpeg(number),
}


@pytest.mark.parametrize("kind", QUIRKS)
def test_what_cameras_get_wrong_without_harm_is_shown(kind):
    with Feeder() as feeder:
        feeder.damage = lambda data, number: QUIRKS[kind](number)
        camera = V4L2Camera(str(WEBCAM), HD, 30, 2.0)
        camera.open()
        try:
            for _ in range(6):
                assert camera.read().size == HD
        finally:
            camera.close()


def read_many(camera, kind):
    for _ in range(6):
        camera.read()
    print(f"whole frames while these come: {kind}")


def test_damaged_frames_are_counted():
    with Feeder() as feeder:
        camera = V4L2Camera(str(WEBCAM), HD, 30, 0.5)
        camera.open()
        camera.read()
        # with 0.12 the end of an older frame follows a short one in its buffer, and the whole may be readable
        short = [] if forgets_output() else ["truncated", "only a header"]
        for kind in ["noise", "zeros", "another size", *short]:
            before = camera.dropped
            feeder.damage = some(DAMAGES[kind], every=10**9)
            with pytest.raises(CameraStalled, match=FAULTS[kind]):
                read_many(camera, kind)
            assert camera.dropped >= before + 8, kind
            feeder.damage = lambda data, number: data
            camera.read()
        camera.close()


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_frames_do_not_show_and_do_not_stop_the_picture(kind, daemon_on_jpeg):
    feeder, daemon = daemon_on_jpeg
    before = daemon.count("camera on")
    with Reader() as reader:
        reader.until_composited(20.0)
        feeder.damage = some(DAMAGES[kind])
        frames = reader.for_seconds(1.5)
        feeder.damage = lambda data, number: data
    # a third of 30 a second is whole
    assert len(frames) >= if_full(8, 3)
    assert all(is_composited(frame) for _, frame in frames)
    assert daemon.count("camera on") <= before + 1
    assert daemon.process.poll() is None


@pytest.fixture(scope="module")
def daemon_on_jpeg():
    with Feeder() as feeder, Daemon("--set", "camera.timeout=1", camera=WEBCAM, size=HD) as daemon:
        yield feeder, daemon


def test_while_only_damaged_frames_come_the_last_good_one_stays_and_then_the_card_says_why(daemon_on_jpeg):
    feeder, daemon = daemon_on_jpeg
    with Reader() as reader:
        reader.until_composited(20.0)
        feeder.damage = some(DAMAGES["truncated"], every=10**9)
        began = time.monotonic()
        reader.until_placeholder(5.0)
        lasted = time.monotonic() - began
        daemon.wait_for("has sent no whole picture")
        feeder.damage = lambda data, number: data
        reader.until_composited(10.0)
    report(f"only damaged frames: the last good one stayed for {lasted:.1f} s (camera.timeout=1)")
    assert 0.8 < lasted < if_full(2.5, 10)


def test_noise_inside_a_frame_is_survived(daemon_on_jpeg):
    feeder, daemon = daemon_on_jpeg
    with Reader() as reader:
        reader.until_composited(20.0)
        feeder.damage = lambda data, number: flipped(data)
        assert all(is_composited(frame) for _, frame in reader.for_seconds(1.0))
        feeder.damage = lambda data, number: data
    assert daemon.process.poll() is None
