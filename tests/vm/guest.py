"""What the tests in the virtual machine share: `vcam start` as a process, readers, cameras, what a frame may show."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.vm.shown import assert_safe, is_composited, is_placeholder, is_torn
from vcam.control.client import ControlClient
from vcam.daemon import announcer
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg
from vcam.v4l2 import device

VCAM, WEBCAM, CAMERA = Path("/dev/video20"), Path("/dev/video21"), Path("/dev/video0")
SIZE = (640, 360)
BACKGROUND = "color:#204080"
VIVID = Path("/sys/bus/platform/drivers/vivid")
# `python -m vcam`, but that its log shows every line, however often it comes: the tests count them; and that the camera
# goes off sooner after its last reader, which the tests wait for again and again
START = (
    "from vcam.daemon import logs, states; logs.ALLOWED = 10**9; states.LINGER = 0.4; "
    "from vcam.cli.main import main; main()"
)
STATES = {words.partition("{")[0]: state.value for state, words in announcer.WORDS.items()}
"""The states by the words that are logged of them."""
FEED = """
import time
from vcam.frames import Frame
from vcam.output.virtual.camera import VirtualCamera
camera, frame = VirtualCamera("auto"), Frame.allocate(640, 360)
camera.open((640, 360), 30)
while True:
    camera.write(frame)
    print("on", flush=True)
    time.sleep(0.03)
"""
"""A program that feeds the first virtual camera, and says "on" for each frame."""
FULL = os.environ.get("VCAM_VM_FULL") == "1"
PATIENCE = 3.0 if FULL else 15.0


def if_full(full, quick):
    """`full` with `VCAM_VM_FULL=1`, which is for a machine that is left alone; else `quick`.

    How often a test of endurance repeats; and limits of time and rate, promised ones and ones that only a fault passes.
    """
    return full if FULL else quick


def patience(seconds):
    """How long to wait for what comes within so many seconds on a machine that is left alone."""
    return if_full(seconds, max(seconds, 30.0))


def until(condition, seconds, what):
    """Wait for a condition and return its value; fails after so many seconds, later on a busy machine."""
    deadline = time.monotonic() + patience(seconds)
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what() if callable(what) else what}"
        time.sleep(0.03)
    return value


class Daemon:
    """`vcam start` as a process of its own; its log is read as it comes. The background is one plain blue.

    backend: OpenVINO, the default where it is installed, takes the guest two seconds more to load.
    """

    def __init__(self, *options, camera=CAMERA, outputs=(VCAM,), size=SIZE, backend="onnxruntime", ready=True):
        command = [sys.executable, "-u", "-c", START, "start", "--camera", str(camera), "--background", BACKGROUND]
        command += ["--backend", backend]
        for output in outputs:
            command += ["--output", str(output)]
        self.started = time.monotonic()
        self.lines = []
        self._runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        self.process = subprocess.Popen(
            [*command, "--size", f"{size[0]}x{size[1]}", *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        if ready:
            self.wait_for(r"vcam: ready[:,]")

    def _listen(self):
        for line in self.process.stderr:
            self.lines.append((time.monotonic(), line.decode().rstrip()))

    @property
    def log(self):
        return "\n".join(f"{at - self.started:7.2f} {line}" for at, line in self.lines)

    def count(self, pattern):
        """How many lines of the log have it so far."""
        return sum(bool(re.search(pattern, line)) for _, line in list(self.lines))

    def wait_for(self, pattern, seconds=30.0, times=1):
        """Wait until so many lines have it."""
        until(lambda: self.count(pattern) >= times, seconds, lambda: f"{pattern!r} in the log:\n{self.log}")

    @property
    def state(self):
        """The last state that it logged."""
        lines = [line.removeprefix("vcam: ") for _, line in reversed(list(self.lines))]
        return next((state for line in lines for words, state in STATES.items() if line.startswith(words)), "")

    def wait_until(self, state, seconds=15.0):
        """Wait for a state of its loop: idle, waiting, live or degraded."""
        until(lambda: self.state == state, seconds, lambda: f"state {state}:\n{self.log}")

    def holds(self, path):
        """Whether it has a file open."""
        return str(path) in self.descriptors()

    def descriptors(self):
        """What its descriptors refer to."""
        folder, found = f"/proc/{self.process.pid}/fd", []
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"{folder}/{name}"))
        return found

    @property
    def cpu(self):
        """Seconds of processor time that it has used. The guest's clock counts them in hundredths."""
        # the clock of another process, as clock_getcpuclockid(3) makes it
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def waits(self):
        """How often each of its threads has gone to sleep so far, by its id; the main thread's is the process's."""
        return {
            int(task.name): int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
            for task in Path(f"/proc/{self.process.pid}/task").iterdir()
        }

    @property
    def memory(self):
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def client(self):
        """A client of its control socket, wherever a test's own sockets would be."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", self._runtime)
            return ControlClient()

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=10.0):
        """End it as systemd does; returns its exit status."""
        self.process.terminate()
        status = self.process.wait(patience(seconds))
        self._thread.join(5)
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(patience(10))
            except subprocess.TimeoutExpired:
                self.kill()
        self._thread.join(5)
        self.process.stderr.close()
        if kind is not None:
            print(self.log)
        assert "Traceback" not in self.log, self.log


class NoFrame(AssertionError):
    """A reader waited in vain."""


class Reader:
    """A program's view of a virtual camera: opened, asked for its format, streamed from mapped buffers.

    `size` and `code` are what it found; frames come in the order of the driver, none is left out.
    """

    def __init__(self, path=VCAM):
        self.began = time.monotonic()
        self.fd = device.open_node(path)
        self.maps = []
        try:
            layout = device.get_format(self.fd)
            self.code, self.size = layout.code, layout.size
            self.maps = [device.map_buffer(self.fd, index) for index in range(device.request_buffers(self.fd, 4))]
            for index in range(len(self.maps)):
                device.queue_buffer(self.fd, index)
            device.stream_on(self.fd)
        except BaseException:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)

    def bytes(self, seconds=3.0):
        """The next frame as the driver gives it."""
        deadline = time.monotonic() + seconds
        while True:
            filled = device.dequeue_buffer(self.fd)
            if filled is not None:
                break
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoFrame(f"no frame for {seconds:g} s")
            self._poll.poll(left * 1000)
        data = np.frombuffer(self.maps[filled.index], np.uint8)[: filled.bytes].copy()
        device.queue_buffer(self.fd, filled.index)
        return data

    def read(self, seconds=PATIENCE):
        """The next frame, checked: it shows a placeholder or a composited picture, in its right size.

        A tear of the two is left out, which the driver may give to any reader, and whole ones follow.
        """
        deadline = time.monotonic() + seconds
        while True:
            data = self.bytes(deadline - time.monotonic())
            assert data.size == self.size[0] * self.size[1] * 3 // 2
            frame = Frame.wrap(data, *self.size)
            try:
                assert_safe(frame)
            except AssertionError:
                if not is_torn(data, self.size):
                    raise
                report("a torn frame: the one half a placeholder, the other composited")
            else:
                return frame

    def until_composited(self, seconds=10.0):
        """Read until a composited frame comes; returns the seconds since the reader opened the device."""
        return self._until(is_composited, seconds)

    def until_placeholder(self, seconds=10.0):
        return self._until(is_placeholder, seconds)

    def _until(self, condition, seconds):
        deadline = time.monotonic() + patience(seconds)
        while not condition(self.read(deadline - time.monotonic())):
            pass
        return time.monotonic() - self.began

    def drain(self):
        """Read what is left until nothing more comes."""
        with contextlib.suppress(NoFrame):
            while True:
                self.read(0.5)

    def for_seconds(self, seconds):
        """All frames that come in so many seconds, each with the moment of its arrival."""
        deadline, found = time.monotonic() + seconds, []
        while time.monotonic() < deadline:
            found.append((time.monotonic(), self.read()))
        return found

    def close(self):
        with contextlib.suppress(OSError):
            device.stream_off(self.fd)
        for memory in self.maps:
            memory.close()
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class KilledReader:
    """A process that reads until it is killed, with no chance to tidy up."""

    def __init__(self):
        mine, its = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                reader = Reader()
                while True:
                    reader.bytes(10.0)
                    os.write(its, b".")
            finally:
                os._exit(1)
        os.close(its)
        self._frames = os.fdopen(mine, "rb", 0)

    def wait_for_frames(self, count):
        while count:
            data = self._frames.read(count)
            assert data, "the reader has failed"
            count -= len(data)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._frames.close()


def plug(in_=True):
    """Plug the webcam in or pull it."""
    (VIVID / ("bind" if in_ else "unbind")).write_text("vivid.0")


def is_plugged():
    return (VIVID / "vivid.0").exists()


def plug_afresh():
    """The webcam is plugged in under its first number, which is free if nobody holds it any more."""
    if not CAMERA.exists():
        if is_plugged():
            plug(False)
        plug()
    until(CAMERA.exists, 5, "the webcam is there")


def show_bars():
    """The webcam is plugged in and shows the colour bars alone: white in one upper corner, black in the other."""
    plug_afresh()
    set_control("test_pattern", 1)
    set_control("osd_text_mode", 2)


def set_control(name, value=0, path=CAMERA):
    subprocess.run(["v4l2-ctl", "-d", str(path), "-c", f"{name}={value}"], check=True, stdin=subprocess.DEVNULL)


def best_of(tries, measure, enough):
    """What was measured, until it is enough: whatever else runs on this machine takes from its one processor."""
    measured = [measure()]
    while max(measured) < enough and len(measured) < tries:
        measured.append(measure())
    return measured


def spread(values):
    """Figures for a report: median and largest."""
    return f"median {statistics.median(values):.3f}, largest {max(values):.3f}"


def report(text):
    """A measured figure, for whoever reads the guest's output."""
    print(text)
    if path := os.environ.get("VCAM_VM_REPORT"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")


class JpegWebcam:
    """The second loopback as a webcam that sends JPEG: a clip, played at its own pace by ffmpeg without decoding it."""

    def __init__(self, clip):
        command = [find_ffmpeg(), "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip)]
        self.process = subprocess.Popen([*command, "-c", "copy", "-f", "v4l2", str(WEBCAM)], stdin=subprocess.DEVNULL)
        until(captures, 10, "ffmpeg feeds /dev/video21")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()


def captures(path=WEBCAM):
    with device.opened(path) as fd:
        return device.query_capabilities(fd).captures


def make_jpeg_clip(path, source, seconds=4):
    """A clip of 1280x720 JPEG frames at 30 a second from any that ffmpeg reads."""
    scale = "scale=1280:720:force_original_aspect_ratio=increase,crop=1280:720,fps=30"
    jpeg = ["-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj422p", "-an", str(path)]
    command = [find_ffmpeg(), "-v", "error", "-y", "-t", str(seconds), "-i", str(source), "-vf", scale, *jpeg]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
