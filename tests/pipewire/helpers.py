"""Readers and cameras of other programs, and frames that tell themselves apart."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.pipewire.session import Session
from vcam.frames import Frame
from vcam.output.base import Output
from vcam.types import Size

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def needs_gstreamer() -> None:
    """Skip where the reader is missing that most programs have."""
    if subprocess.run(["sh", "-c", "gst-inspect-1.0 pipewiresrc"], capture_output=True, check=False).returncode:
        pytest.skip("needs GStreamer's pipewiresrc: apt install gstreamer1.0-pipewire gstreamer1.0-tools")


def reader(session: Session, node: str, to: Path, frames: int, *, raw: bool = False) -> subprocess.Popen[bytes]:
    """GStreamer, writing so many frames into a file, as I420 or as it gets them."""
    convert = ["video/x-raw,format=YUY2"] if raw else ["videoconvert", "!", "video/x-raw,format=I420"]
    return subprocess.Popen(
        ["gst-launch-1.0", "-q", "pipewiresrc", f"target-object={node}", f"num-buffers={frames}", "!", *convert, "!",
         "filesink", f"location={to}"],
        env=session.environ, **QUIET,
    )  # type: ignore[call-overload]  # fmt: skip


def frames_of(path: Path, size: Size) -> np.ndarray:
    """The frames of such a file, uint8 (number, bytes)."""
    return np.fromfile(path, np.uint8).reshape(-1, size[0] * size[1] * 3 // 2)


@contextmanager
def camera(session: Session, caps: str, name: str = "Test-camera", api: str = "libcamera") -> Iterator[None]:
    """A node of another program's with GStreamer's test picture; by its properties a camera of this machine."""
    properties = f'properties,media.class=Video/Source,media.role=Camera,node.description=(string)"{name}"'
    properties += f",node.name={api}_input.{name}" if api else ""
    encoded = ["!", "jpegenc"] if "jpeg" in caps else []
    process = subprocess.Popen(
        ["gst-launch-1.0", "-q", "videotestsrc", "is-live=true", "pattern=smpte100", "!", *_before(caps), *encoded, "!",
         "pipewiresink", "mode=provide", f"stream-properties={properties}"],
        env=session.environ, **QUIET,
    )  # type: ignore[call-overload]  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def _before(caps: str) -> list[str]:
    return [caps.replace("image/jpeg", "video/x-raw,format=I420")]


class Feeder:
    """Feeds an output from a thread of its own, 50 frames a second, each darker or brighter than the last."""

    def __init__(self, output: Output, size: Size) -> None:
        self._output, self._size = output, size
        self._end = threading.Event()
        self.error: Exception | None = None
        self.watched_at: float | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)

    def _run(self) -> None:
        frame, number = Frame.allocate(*self._size), 0
        try:
            while not self._end.is_set():
                frame.y[:] = 16 + number % 200
                frame.u[:], frame.v[:] = 90, 200
                frame.timestamp = time.monotonic()
                if self._output.watched() and self.watched_at is None:
                    self.watched_at = time.monotonic()
                self._output.write(frame)
                number += 1
                time.sleep(0.02)
        except Exception as error:
            self.error = error
