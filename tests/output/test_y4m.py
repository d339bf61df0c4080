"""Raw video: the bytes, the reader that leaves, the reader that is slow, the disk that is full."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vcam.errors import OutputError, UsageError
from vcam.files import Overwriting
from vcam.frames import Frame
from vcam.media.rate import exact_rate
from vcam.output.null import MemoryOutput, NullOutput
from vcam.output.y4m import Y4MFile

SIZE = (32, 16)
FRAME_BYTES = 32 * 16 * 3 // 2


def noise(seed: int, size: tuple[int, int] = SIZE) -> Frame:
    width, height = size
    return Frame.wrap(np.random.default_rng(seed).integers(16, 236, width * height * 3 // 2, np.uint8), width, height)


def write_many(output: Y4MFile, count: int) -> None:
    for number in range(count):
        output.write(noise(number))


@pytest.mark.parametrize(
    ("fps", "exact"),
    [(30.0, Fraction(30)), (29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001)), (12.5, Fraction(25, 2)),
     (float(Fraction(60000, 1001)), Fraction(60000, 1001)), (15.0, Fraction(15)), (7.3, Fraction(73, 10))],
)  # fmt: skip
def test_a_rate_in_floating_point_is_written_as_the_fraction_it_stands_for(fps: float, exact: Fraction) -> None:
    assert exact_rate(fps) == exact


def test_a_file_holds_the_header_and_every_frame_byte_for_byte(tmp_path: Path) -> None:
    output = Y4MFile(tmp_path / "out.y4m")
    output.open(SIZE, 29.97)
    frames = [noise(seed) for seed in range(3)]
    for frame in frames:
        output.write(frame)
    assert not (tmp_path / "out.y4m").exists()
    output.close()
    header, rest = (tmp_path / "out.y4m").read_bytes().split(b"\n", 1)
    assert (
        header.split() == b"YUV4MPEG2 W32 H16 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED".split()
    )
    assert rest == b"".join(b"FRAME\n" + frame.packed().tobytes() for frame in frames)
    assert os.listdir(tmp_path) == ["out.y4m"]


def test_planes_that_are_views_of_a_larger_picture_are_written_packed(tmp_path: Path) -> None:
    large = noise(1, (64, 32))
    part = Frame(large.y[4:20, 6:38], large.u[2:10, 3:19], large.v[2:10, 3:19])
    output = Y4MFile(tmp_path / "out.y4m")
    output.open(SIZE, 30)
    output.write(part)
    output.close()
    assert (tmp_path / "out.y4m").read_bytes()[-FRAME_BYTES:] == part.packed().tobytes()


def test_an_aborted_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.y4m").write_bytes(b"old")
    output = Y4MFile(tmp_path / "out.y4m", rule=Overwriting(True))
    output.open(SIZE, 30)
    output.write(noise(1))
    output.abort()
    output.abort()
    assert os.listdir(tmp_path) == ["out.y4m"]
    assert (tmp_path / "out.y4m").read_bytes() == b"old"


def test_a_file_without_a_frame_is_not_made(tmp_path: Path) -> None:
    output = Y4MFile(tmp_path / "out.y4m")
    output.open(SIZE, 30)
    with pytest.raises(OutputError, match="no frame"):
        output.close()
    assert not os.listdir(tmp_path)


def test_a_link_is_followed_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.y4m").write_bytes(b"old")
    (tmp_path / "link.y4m").symlink_to("real.y4m")
    output = Y4MFile(tmp_path / "link.y4m", rule=Overwriting(True))
    output.open(SIZE, 30)
    output.write(noise(1))
    output.close()
    assert (tmp_path / "link.y4m").is_symlink()
    assert (tmp_path / "real.y4m").stat().st_size > FRAME_BYTES


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mkdir -p .*none/such"):
        Y4MFile(tmp_path / "none/such/out.y4m").open(SIZE, 30)


@pytest.fixture
def small_disk() -> Iterator[int]:
    """A limit on the size of files, in bytes, that stands in for a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_for_long(output: Y4MFile, frames: int) -> None:
    """One that does not wait writes in a thread, and drops what comes before that is at work."""
    for _ in range(3000):
        write_many(output, frames)
        time.sleep(0.01)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_disk_that_fills_up_is_an_error_and_leaves_nothing(tmp_path: Path, small_disk: int, blocking: bool) -> None:
    output = Y4MFile(tmp_path / "out.y4m", blocking=blocking)
    output.open(SIZE, 30)
    with pytest.raises(OutputError, match=r"cannot write .*out\.y4m: File too large"):
        write_for_long(output, small_disk // FRAME_BYTES + 10)
    output.abort()
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_told_with_its_cure() -> None:
    with pytest.raises(OutputError, match=r"No space left on device \(free some space"):
        Y4MFile("/dev/full").open(SIZE, 30)


STDOUT_WRITER = """
import sys, time
from vcam.frames import Frame
from vcam.output.y4m import Y4MFile
output = Y4MFile("-", blocking=sys.argv[1] == "blocking")
output.open((640, 360), 30)
frame = Frame.allocate(640, 360)
count = 0
while not output.finished and count < 20_000:
    output.write(frame)
    count += 1
    time.sleep(0.002)
output.close()
print("count", count, file=sys.stderr)
print("late words")
"""


@pytest.mark.process
@pytest.mark.parametrize("mode", ["blocking", "live"])
def test_a_reader_that_leaves_standard_output_ends_it_without_a_complaint(mode: str) -> None:
    command = [sys.executable, "-c", STDOUT_WRITER, mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(9) == b"YUV4MPEG2"
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait() == 0
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert 0 < int(said.split()[-1]) < 20_000


@pytest.mark.process
def test_a_terminal_is_not_filled_with_video() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    script = "from vcam.output.y4m import Y4MFile; Y4MFile('-').open((32, 16), 30)"
    done = subprocess.run([sys.executable, "-c", script], stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    os.close(ours)
    assert b"UsageError: video cannot be shown in a terminal" in done.stderr


def test_a_live_output_never_waits_and_keeps_the_newest_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.output.y4m.PATIENCE", 60.0)
    os.mkfifo(tmp_path / "pipe.y4m")
    taken = bytearray()
    start = threading.Event()

    def read() -> None:
        with open(tmp_path / "pipe.y4m", "rb") as pipe:
            start.wait(60)
            taken.extend(pipe.read())

    reader = threading.Thread(target=read)
    reader.start()
    size, count = (640, 360), 60
    output = Y4MFile(tmp_path / "pipe.y4m", blocking=False)
    output.open(size, 30)
    frame = Frame.allocate(*size)
    slowest = 0.0
    for number in range(count):
        frame.y[:] = number
        begun = time.monotonic()
        output.write(frame)
        slowest = max(slowest, time.monotonic() - begun)
    dropped = output.dropped
    start.set()
    output.close()
    reader.join()
    step = 640 * 360 * 3 // 2 + len(b"FRAME\n")
    body = bytes(taken).split(b"\n", 1)[1]
    shown = [body[at + 100] for at in range(0, len(body), step)]
    # one that waits for the reader waits for ever
    assert slowest < 10
    assert len(body) % step == 0
    assert len(shown) == count - dropped
    # those on their way stay; of the rest the newest do
    assert shown == sorted(shown)
    assert shown[-7:] == list(range(count - 7, count))
    assert dropped > count // 2


def test_memory_holds_a_copy_of_the_latest_frame_in_one_buffer() -> None:
    output = MemoryOutput()
    output.open(SIZE, 30)
    assert output.frame is not None
    buffer = output.frame.buffer
    frame = noise(1)
    output.write(frame)
    expected = frame.packed().copy()
    frame.fill(16, 128, 128)
    assert output.frame.buffer is buffer
    np.testing.assert_array_equal(output.frame.packed(), expected)
    assert output.frames == 1
    with pytest.raises(ValueError, match="not announced"):
        output.write(noise(1, (64, 32)))


def test_nothing_refuses_a_size_that_no_output_can_have() -> None:
    with pytest.raises(UsageError, match="even"):
        NullOutput().open((33, 16), 30)
