"""What is left of a virtual camera: a card in every buffer, by whoever can still write it."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.output.virtual.helpers import picture
from vcam.compose.placeholder import off
from vcam.output.virtual.camera import VirtualCamera
from vcam.output.virtual.guard import Guard
from vcam.pipeline import give_cards
from vcam.v4l2 import cover as covering
from vcam.v4l2 import raw
from vcam.v4l2.cover import cover, dark

PAGE = mmap.PAGESIZE
DIES = """
import os, signal, sys
from pathlib import Path
from vcam.output.virtual.guard import Guard
guard = Guard(Path("/dev/null"), ("touch", sys.argv[1]))
print(guard.pid, flush=True)
if sys.argv[2] == "dismiss":
    guard.dismiss()
    guard.dismiss()
elif sys.argv[2] == "group":
    os.killpg(0, signal.SIGINT)
os.kill(os.getpid(), signal.SIGKILL)
"""


def gone(pid: int) -> bool:
    """Whether a process has ended, though nobody may have asked for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(("ending", "acts"), [("dismiss", False), ("kill", True), ("group", True)])
def test_a_guard_acts_when_its_process_is_gone_and_not_when_it_was_dismissed(
    ending: str, acts: bool, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(touched), ending], stdout=subprocess.PIPE, start_new_session=True, check=False
    )
    assert done.returncode in (-signal.SIGKILL, -signal.SIGINT, 1)
    pid, deadline = int(done.stdout), time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < deadline, "the guard goes on waiting"
        time.sleep(0.01)
    assert touched.exists() == acts


def test_a_guard_has_nothing_open_but_its_pipe(tmp_path: Path) -> None:
    with open(tmp_path / "device", "wb"):
        guard = Guard(Path("/dev/null"), ("true",))

        def held() -> list[str]:
            names = set()
            for entry in Path(f"/proc/{guard.pid}/fd").iterdir():
                with suppress(FileNotFoundError):
                    names.add(os.readlink(entry))
            return [name for name in names if not name.startswith(("pipe:", "/dev/null"))]

        # a shell that has just begun has its libraries open for a moment
        end = time.monotonic() + 20
        while (left := held()) and time.monotonic() < end:
            time.sleep(0.01)
        assert os.getsid(guard.pid or 0) == guard.pid
        guard.dismiss()
    assert left == []


def test_without_a_shell_there_is_no_guard_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_free(*args: object, **kept: object) -> None:
        raise BlockingIOError("no process is free")

    monkeypatch.setattr(subprocess, "Popen", none_free)
    guard = Guard(Path("/dev/null"))
    assert guard.pid is None
    guard.dismiss()


@pytest.mark.parametrize("buffers", [2, 5, 32, 40])
def test_every_buffer_is_covered_to_its_end(buffers: int, tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.write_bytes(b"\xff" * (buffers * PAGE))
    with path.open("r+b") as file:
        assert cover(file.fileno(), 3072, dark("YU12", (64, 32), 3072)) == min(buffers, 32)
    one = bytes([40]) * 2048 + bytes([130]) * 512 + bytes([127]) * 512 + bytes(PAGE - 3072)
    assert path.read_bytes()[: min(buffers, 32) * PAGE] == one * min(buffers, 32)


@pytest.mark.parametrize(
    ("code", "size", "first", "last"),
    [
        ("NV12", 3072, [40] * 4, [130, 127] * 2),
        ("YUYV", 4096, [40, 130, 40, 127], [40, 130, 40, 127]),
        ("MJPG", 500, [0] * 4, [0] * 4),
    ],
)
def test_darkness_in_each_layout(code: str, size: int, first: list[int], last: list[int]) -> None:
    data = dark(code, (64, 32), size)
    assert (len(data), list(data[:4]), list(data[-4:])) == (size, first, last)


def test_the_last_picture_is_the_card_in_as_many_buffers_as_there_may_be(loopback_with) -> None:
    """Where buffers cannot be mapped, as here: by writing it so often, and once more."""
    _, path = loopback_with(leaves=True, buffers=3)
    camera = VirtualCamera("vcam")
    give_cards([camera])
    camera.open((64, 32), 30)
    camera.write(picture((64, 32), (81, 90, 240)))
    camera.close()
    written = np.fromfile(path, np.uint8).reshape(-1, 3072)
    assert (written[1:] == off((64, 32)).buffer).all()
    assert len(written) >= 1 + 3 + 1


@pytest.mark.parametrize("broken", [True, False])
def test_without_a_card_the_end_is_dark(broken: bool, loopback_with) -> None:
    def fails(size: object) -> None:
        raise MemoryError

    _, path = loopback_with(leaves=True, buffers=2)
    camera = VirtualCamera("vcam")
    camera.card = fails if broken else None  # type: ignore[assignment]
    camera.open((64, 32), 30)
    camera.write(picture((64, 32), (81, 90, 240)))
    camera.abort()
    written = np.fromfile(path, np.uint8).reshape(-1, 3072)
    assert len(written) > 2
    assert bytes(written[-1]) == dark("YU12", (64, 32), 3072)


def test_the_format_is_asked_for_as_the_kernel_lays_it_out() -> None:
    asked = raw.Format(type=raw.V4L2_BUF_TYPE_VIDEO_OUTPUT)
    asked.fmt.pix.width, asked.fmt.pix.height, asked.fmt.pix.sizeimage = 640, 360, 345600
    asked.fmt.pix.pixelformat = raw.fourcc("YU12")
    assert raw.VIDIOC_G_FMT == covering._G_FMT
    assert covering._FORMAT.unpack(bytes(asked)) == (2, 640, 360, b"YU12", 0, 0, 345600)


def test_the_file_that_a_guard_runs_needs_no_package() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", covering.__file__, "/dev/null"], capture_output=True, text=True, check=False
    )
    assert "Inappropriate ioctl" in done.stderr


def test_programs_list_it_by_the_name_of_its_device(loopback_with):
    loopback_with()
    output = VirtualCamera("auto")
    assert output.camera_name == ""
    output.open((64, 48), 30)
    assert output.camera_name == "vcam"
    output.close()
