"""Run in the virtual machine by tests/vm/test_vm.py, once for each version of v4l2loopback: /dev/video20 is "vcam"."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.vm.guest import FEED
from tests.vm.guest import Reader as DirectReader
from tests.vm.shown import colour_at
from vcam.errors import OutputDeviceError
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg
from vcam.output.virtual.camera import VirtualCamera
from vcam.v4l2.device import dequeue_buffer, get_rate
from vcam.v4l2.discover import list_nodes

DEVICE = "/dev/video20"
RED, GREEN, BLUE = (81, 90, 240), (145, 54, 34), (41, 240, 110)


class Feeder:
    """Writes one colour until it is stopped."""

    def __init__(self, size, colour, fps=30.0):
        self.camera = VirtualCamera("auto")
        self.camera.open(size, fps)
        # without the kernel's event readers are found in /proc, but for those of the process itself, as here
        self.camera.watched = lambda: True
        self._frame = Frame.allocate(*size)
        self.show(colour)
        self._stop = threading.Event()
        self.camera.write(self._frame)
        self._thread = threading.Thread(target=self._run, args=(1 / fps,))
        self._thread.start()

    def show(self, colour):
        self._frame.fill(*colour)

    def _run(self, interval):
        while not self._stop.wait(interval):
            self.camera.write(self._frame)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        self.camera.close()


class Reader:
    """ffmpeg, reading I420 frames from the device for as long as it is asked to."""

    def __init__(self, size):
        self._size = size
        command = [
            find_ffmpeg(),
            "-v",
            "error",
            "-f",
            "v4l2",
            "-i",
            DEVICE,
            "-f",
            "rawvideo",
            "-pix_fmt",
            "yuv420p",
            "-",
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def read(self):
        width, height = self._size
        data = self.process.stdout.read(width * height * 3 // 2)
        assert len(data) == width * height * 3 // 2, "the reader has ended"
        return Frame.wrap(np.frombuffer(data, np.uint8), width, height)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()


def capabilities():
    return next(node for node in list_nodes() if str(node.path) == DEVICE).capabilities


def read_until(reader, expected, x, y):
    """The first frame with that colour there; old frames may come before it."""
    for _ in range(60):
        frame = reader.read()
        if np.allclose(colour_at(frame, x, y), expected, atol=2):
            return frame
    raise AssertionError(f"{colour_at(frame, x, y)} instead of {expected}")


def test_known_colours_reach_a_reader():
    with Feeder((640, 360), BLUE) as feeder, Reader((640, 360)) as reader:
        for colour in (RED, GREEN, BLUE, (235, 128, 128), (16, 128, 128)):
            feeder.show(colour)
            read_until(reader, colour, 320, 180)
            # the one before may have been written while the colour changed
            frame = reader.read()
            for x, y in ((0, 0), (639, 0), (0, 359), (639, 359)):
                np.testing.assert_allclose(colour_at(frame, x, y), colour, atol=2)


def test_what_a_program_sends_through_pyvirtualcam_reaches_a_reader():
    import pyvirtualcam

    import vcam.output.virtual.pyvirtualcam_backend  # noqa: F401 - registers

    picture = np.zeros((360, 640, 3), np.uint8)
    with pyvirtualcam.Camera(640, 360, 25, backend="vcam") as camera:
        assert camera.device == DEVICE
        picture[:] = (255, 0, 0)
        camera.send(picture)
        fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
        try:
            assert get_rate(fd) == pytest.approx(25)
        finally:
            os.close(fd)
        with DirectReader() as reader:
            assert reader.size == (640, 360)
            deadline = time.monotonic() + 30
            seen = (0, 0, 0)
            # converting rounds
            while max(abs(value - red) for value, red in zip(seen, RED, strict=True)) > 1:
                assert time.monotonic() < deadline, f"{seen} instead of {RED}"
                camera.send(picture)
                seen = colour_at(Frame.wrap(reader.bytes(), 640, 360), 320, 180)
        with pytest.raises(OutputDeviceError, match="fed already"):
            VirtualCamera("vcam").open((640, 360), 30)
    assert capabilities().outputs


def test_while_fed_the_device_is_a_camera_and_nothing_else():
    assert capabilities().outputs
    with Feeder((640, 360), RED):
        assert capabilities().captures
        assert not capabilities().outputs
    assert capabilities().outputs


def test_readers_are_told_the_rate():
    with Feeder((640, 360), RED, fps=25):
        fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
        try:
            assert get_rate(fd) == pytest.approx(25)
        finally:
            os.close(fd)


def test_a_producer_may_be_restarted_five_times():
    for colour in (GREEN, RED, BLUE, GREEN, RED):
        with Feeder((640, 360), colour), DirectReader() as reader:
            assert reader.size == (640, 360)
            deadline = time.monotonic() + 30
            while colour_at(Frame.wrap(reader.bytes(), 640, 360), 320, 180) != colour:
                assert time.monotonic() < deadline


def test_a_killed_producer_leaves_the_device_usable():
    for _ in range(3):
        feeder = subprocess.Popen([sys.executable, "-c", FEED], stdout=subprocess.PIPE)
        assert feeder.stdout.readline() == b"on\n"
        feeder.kill()
        feeder.wait()
        feeder.stdout.close()
    with Feeder((640, 360), RED), Reader((640, 360)) as reader:
        read_until(reader, RED, 320, 180)


def feed_with_ffmpeg(layout="yuyv422"):
    source = ["-re", "-f", "lavfi", "-i", "color=c=black:size=640x360:rate=30", "-pix_fmt", layout]
    feeder = subprocess.Popen([find_ffmpeg(), "-v", "error", *source, "-f", "v4l2", DEVICE], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not capabilities().captures:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return feeder


def test_a_device_that_another_program_left_without_output_is_revived():
    feeder = feed_with_ffmpeg()
    feeder.kill()
    feeder.wait()
    with Feeder((640, 360), BLUE), Reader((640, 360)) as reader:
        read_until(reader, BLUE, 320, 180)


def test_a_device_that_another_program_feeds_is_refused_with_its_name():
    feeder = feed_with_ffmpeg()
    try:
        with pytest.raises(OutputDeviceError, match=r"used by ffmpeg.* \(process \d+\)"):
            VirtualCamera("vcam").open((640, 360), 30)
        assert feeder.poll() is None
    finally:
        feeder.kill()
        feeder.wait()


def test_a_reader_that_stays_gets_its_own_size_from_the_next_producer():
    with Feeder((640, 360), RED):
        reader = Reader((640, 360))
        read_until(reader, RED, 320, 180)
    with reader:
        with Feeder((1280, 720), GREEN):
            frame = read_until(reader, GREEN, 320, 180)
            np.testing.assert_allclose(colour_at(frame, 4, 4), GREEN, atol=2)
        with Feeder((640, 480), BLUE):
            frame = read_until(reader, BLUE, 320, 180)
            # a narrower picture stands between black bars
            assert colour_at(frame, 4, 180) == (16, 128, 128)
            assert colour_at(frame, 635, 180) == (16, 128, 128)
            np.testing.assert_allclose(colour_at(frame, 90, 4), BLUE, atol=2)


def test_a_reader_that_stays_gets_its_own_layout_from_the_next_producer():
    for layout in ("yuyv422", "nv12"):
        feeder = feed_with_ffmpeg(layout)
        with Reader((640, 360)) as reader:
            read_until(reader, (16, 128, 128), 320, 180)
            feeder.kill()
            feeder.wait()
            with Feeder((640, 360), RED):
                frame = read_until(reader, RED, 320, 180)
                np.testing.assert_allclose(colour_at(frame, 630, 350), RED, atol=2)


def test_other_devices_are_refused_in_words():
    for target, words in (
        ("/dev/video0", "is not a virtual camera"),
        ("/dev/video9", "there is no virtual camera"),
        ("/etc/passwd", "is not a video device"),
        ("nosuch", "there is no virtual camera 'nosuch'"),
    ):
        with pytest.raises(OutputDeviceError, match=words) as caught:
            VirtualCamera(target).open((640, 360), 30)
        assert DEVICE in caught.value.hint


def picture(colour):
    frame = Frame.allocate(640, 360)
    frame.fill(*colour)
    return frame


def shows(data, colour):
    return bool((np.asarray(data)[: 640 * 360 * 3 // 2] == picture(colour).buffer).all())


class HoldingReader(DirectReader):
    """Looks at a picture in the driver's own memory, as most programs do while they convert it."""

    def take(self):
        filled = None
        while filled is None:
            filled = dequeue_buffer(self.fd)
        return np.frombuffer(self.maps[filled.index], np.uint8)


def test_the_next_picture_is_not_written_over_the_one_that_a_reader_has_just_got():
    """Wherever the driver's count of pictures stands when a producer comes."""
    holder = os.open(DEVICE, os.O_RDWR)
    try:
        # it goes on by 17 each time, and so passes all the places of four buffers
        for _ in range(4):
            show_a_card_and_then_a_picture()
    finally:
        os.close(holder)


def show_a_card_and_then_a_picture():
    camera, card = VirtualCamera("auto"), picture(BLUE)
    camera.open((640, 360), 30)
    camera.watched = lambda: True
    try:
        for _ in range(15):
            camera.show(card)
        with HoldingReader() as reader:
            reader.take()
            camera.show(card)
            held = reader.take()
            camera.write(picture(RED))
            assert shows(held, BLUE)
            assert shows(reader.take(), RED)
            del held
    finally:
        camera.close()


def test_with_the_buffers_that_loopback_setup_asks_for_a_reader_may_be_a_picture_late():
    """With two, the module's own number, it gets the one that is written next."""
    buffers = int(Path("/sys/module/v4l2loopback/parameters/max_buffers").read_text())
    camera = VirtualCamera("auto")
    camera.open((640, 360), 30)
    camera.watched = lambda: True
    try:
        camera.write(picture(GREEN))
        with HoldingReader() as reader:
            reader.take()
            camera.write(picture(BLUE))
            camera.write(picture(GREEN))
            late = reader.take()
            camera.write(picture(RED))
            assert shows(late, BLUE if buffers > 2 else RED)
            del late
    finally:
        camera.close()
