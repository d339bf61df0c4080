"""Video files through ffmpeg: what comes back out of them, and what is left when something goes wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import has_sound
from vcam.errors import OutputError, UsageError
from vcam.files import Overwriting
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg, local_url
from vcam.media.probe import probe
from vcam.media.reader import VideoReader
from vcam.output.encoded.encoding import Colours, Encoder, file_encoder
from vcam.output.encoded.file import VideoFileOutput

pytestmark = pytest.mark.process

SIZE = (320, 180)

COLOURS = {
    "white": (235, 128, 128),
    "red": (81, 90, 240),
    "green": (145, 54, 34),
    "blue": (41, 240, 110),
    "skin": (160, 110, 150),
}
"""Y, Cb, Cr, limited range."""


@pytest.fixture(params=["system", "wheel"])
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The two ffmpegs a machine may have; years lie between them."""
    if request.param == "wheel":
        monkeypatch.setenv("VCAM_FFMPEG", str(pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()))
    find_ffmpeg.cache_clear()
    yield find_ffmpeg()
    find_ffmpeg.cache_clear()


@pytest.fixture
def fake_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script in ffmpeg's place that knows an encoder and then does what the test writes into `act`."""
    script = tmp_path / "fake-ffmpeg"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *-encoders*) echo " V..... libx264 H.264"; exit;; esac\n. {tmp_path}/act\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("VCAM_FFMPEG", str(script))
    find_ffmpeg.cache_clear()
    yield tmp_path / "act"
    find_ffmpeg.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def stripes(number: int = 0, size: tuple[int, int] = SIZE) -> Frame:
    """Upright stripes of the known colours; a grey square in the corner moves with `number`."""
    frame = Frame.allocate(*size)
    width = size[0] // len(COLOURS) // 2 * 2
    for at, values in enumerate(COLOURS.values()):
        for plane, value, step in zip(frame.planes, values, (width, width // 2, width // 2), strict=True):
            plane[:, at * step : (at + 1) * step] = value
    frame.y[:16, 4 * number % 64 : 4 * number % 64 + 16] = 126
    return frame


def record(output: VideoFileOutput, count: int, fps: float = 25.0) -> None:
    output.open(SIZE, fps)
    for number in range(count):
        output.write(stripes(number))


def decode(path: Path) -> list[np.ndarray]:
    info = probe(path)
    with VideoReader(local_url(path), info.size, info.fps) as reader:
        return [frame.packed().copy() for frame in iter(reader.read, None)]


def describe(path: Path) -> str:
    done = subprocess.run([find_ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, check=False)
    return done.stderr.decode()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_frames_size_rate_and_colours_come_back(folder: Path, ffmpeg: str, suffix: str) -> None:
    path = folder / f"out{suffix}"
    output = VideoFileOutput(path)
    record(output, 20, 29.97)
    assert not path.exists()
    output.close()
    info = probe(path)
    assert (info.size, info.fps, has_sound(info)) == (SIZE, Fraction(30000, 1001), False)
    frames = decode(path)
    assert len(frames) == 20
    last = Frame.wrap(frames[-1], *SIZE)
    for at, values in enumerate(COLOURS.values()):
        for plane, value, step in zip(last.planes, values, (64, 32, 32), strict=True):
            middle = plane[plane.shape[0] // 2 :, at * step + step // 4 : (at + 1) * step - step // 4]
            assert np.abs(middle.astype(int) - value).max() <= 3, f"{list(COLOURS)[at]}"
    # matrix, primaries and curve as players read them from the stream, and the range
    assert re.search(r"h264.*yuv420p\(tv, smpte170m/bt709/bt709", describe(path))
    assert os.listdir(folder) == [path.name]


def test_files_of_hd_have_the_matrix_that_players_expect_and_live_ones_tell_theirs(ffmpeg: str) -> None:
    hd = Colours.of((1280, 720), ffmpeg)
    assert hd.filters[0].startswith("colorspace=ispace=smpte170m")
    assert "colorspace=bt709" in hd.filters[-1]
    assert hd.options[hd.options.index("-colorspace") + 1] == "bt709"
    for colours in (Colours.of((720, 576), ffmpeg), Colours.of((1280, 720), ffmpeg, live=True)):
        assert len(colours.filters) == 1
        assert colours.options[colours.options.index("-colorspace") + 1] == "smpte170m"


def test_an_ffmpeg_that_cannot_change_the_matrix_tells_the_one_there_is(tmp_path: Path) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\necho ' .. scale  V->V  x'\n")
    script.chmod(0o755)
    assert Colours.of((1280, 720), str(script)) == Colours.of((320, 180), str(script))


def test_an_mp4_can_be_played_while_it_is_still_loading(folder: Path) -> None:
    output = VideoFileOutput(folder / "out.mp4")
    record(output, 5)
    output.close()
    data = (folder / "out.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_pixels_are_square(folder: Path) -> None:
    output = VideoFileOutput(folder / "out.mkv")
    record(output, 5)
    output.close()
    assert probe(folder / "out.mkv").aspect == 1


def sound_file(path: Path, codec: str, seconds: float) -> Path:
    command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc=size=64x64:rate=25:d={seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=d={seconds}", "-c:a", codec, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.mark.parametrize(
    ("codec", "suffix", "kept_as"), [("aac", ".mp4", "aac"), ("flac", ".mkv", "flac"), ("pcm_alaw", ".mp4", "aac")]
)
def test_sound_is_copied_or_else_encoded_and_lasts_as_long(
    tmp_path: Path, folder: Path, ffmpeg: str, codec: str, suffix: str, kept_as: str
) -> None:
    source = sound_file(tmp_path / "source.mkv", codec, 2.0)
    output = VideoFileOutput(folder / f"out{suffix}", audio_from=source)
    record(output, 50)
    output.close()
    info = probe(folder / f"out{suffix}")
    assert has_sound(info)
    assert info.duration == pytest.approx(2.0, abs=0.06)
    assert f"Audio: {kept_as}" in describe(folder / f"out{suffix}")
    assert len(decode(folder / f"out{suffix}")) == 50


def test_sound_ends_with_the_picture_of_a_recording_that_was_ended_early(
    tmp_path: Path, folder: Path, ffmpeg: str
) -> None:
    source = sound_file(tmp_path / "source.mkv", "aac", 8.0)
    output = VideoFileOutput(folder / "out.mp4", audio_from=source)
    record(output, 30)
    output.end_early()
    output.close()
    info = probe(folder / "out.mp4")
    assert has_sound(info)
    assert info.duration == pytest.approx(1.2, abs=0.1)
    assert len(decode(folder / "out.mp4")) == 30
    assert os.listdir(folder) == ["out.mp4"]


def test_a_source_without_sound_gives_a_file_without_sound(tmp_path: Path, folder: Path) -> None:
    silent = VideoFileOutput(tmp_path / "silent.mp4")
    record(silent, 5)
    silent.close()
    output = VideoFileOutput(folder / "out.mp4", audio_from=tmp_path / "silent.mp4")
    record(output, 5)
    output.close()
    assert not has_sound(probe(folder / "out.mp4"))


def test_a_live_recording_lasts_as_long_as_it_took_whatever_the_camera_s_rate(folder: Path, ffmpeg: str) -> None:
    for number in range(5):
        path = folder / f"{number}.mp4"
        took, dropped = record_live(path)
        # on a busy machine the encoder may begin late
        if not dropped:
            break
    assert not dropped
    assert probe(path).duration == pytest.approx(took, abs=0.2)


def record_live(path: Path) -> tuple[float, int]:
    """Fifteen frames, twelve a second: how long that took, and how many were dropped."""
    output = VideoFileOutput(path, blocking=False)
    output.open(SIZE, 30)
    begun = time.monotonic()
    for number in range(15):
        output.write(stripes(number))
        time.sleep(max(0.0, begun + (number + 1) / 12 - time.monotonic()))
    took = time.monotonic() - begun
    output.close()
    return took, output.dropped


def test_a_hung_encoder_never_holds_up_a_live_loop(
    folder: Path, fake_ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what it is asked before it encodes
    for module in ("vcam.media.ffmpeg", "vcam.output.encoded.encoding"):
        monkeypatch.setattr(f"{module}.PATIENCE", 4.0)
    fake_ffmpeg.write_text("sleep 60\n")
    output = VideoFileOutput(folder / "out.mp4", blocking=False)
    output.open((1280, 720), 30)
    frame = Frame.allocate(1280, 720)
    begun = time.monotonic()
    for _ in range(40):
        output.write(frame)
    # the encoder takes none for a minute
    assert time.monotonic() - begun < 15
    assert output.dropped >= 30
    output.abort()
    assert time.monotonic() - begun < 30
    assert not os.listdir(folder)


def test_an_encoder_that_dies_midway_is_an_error_and_leaves_nothing(folder: Path, fake_ffmpeg: Path) -> None:
    (folder / "out.mp4").write_bytes(b"old")
    fake_ffmpeg.write_text("head -c 500000 >/dev/null; echo '[mp4 @ 0x1] the encoder broke' >&2; exit 1\n")
    output = VideoFileOutput(folder / "out.mp4", rule=Overwriting(True))
    with pytest.raises(OutputError, match="the encoder broke"):
        record(output, 100)
    output.abort()
    assert os.listdir(folder) == ["out.mp4"]
    assert (folder / "out.mp4").read_bytes() == b"old"


def test_an_encoder_that_is_killed_is_named_as_such(folder: Path, fake_ffmpeg: Path) -> None:
    fake_ffmpeg.write_text("head -c 500000 >/dev/null; kill -KILL $$\n")
    output = VideoFileOutput(folder / "out.mp4")
    with pytest.raises(OutputError, match="SIGKILL"):
        record(output, 100)
    output.abort()
    assert not os.listdir(folder)


def test_an_encoder_that_fails_only_at_the_end_leaves_nothing(folder: Path, fake_ffmpeg: Path) -> None:
    fake_ffmpeg.write_text("cat >/dev/null; echo 'Error writing trailer' >&2; exit 1\n")
    output = VideoFileOutput(folder / "out.mkv")
    record(output, 3)
    with pytest.raises(OutputError, match="Error writing trailer"):
        output.close()
    assert not os.listdir(folder)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk can be mounted only as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_an_error_and_leaves_nothing(tiny_disk: Path, ffmpeg: str, suffix: str) -> None:
    output = VideoFileOutput(tiny_disk / f"out{suffix}")
    output.open(SIZE, 25)
    frame = Frame.allocate(*SIZE)
    assert frame.buffer is not None
    noise = np.random.default_rng(1)
    for _ in range(10):
        frame.buffer[:] = noise.integers(16, 236, frame.buffer.size, np.uint8)
        output.write(frame)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        output.close()
    assert "free some space" in caught.value.hint
    assert not os.listdir(tiny_disk)


RECORDER = """
import sys
from vcam.frames import Frame
from vcam.output.encoded.file import VideoFileOutput
output = VideoFileOutput(sys.argv[1])
output.open((320, 180), 25)
frame = Frame.allocate(320, 180)
try:
    for number in range(1_000_000):
        frame.y[:] = number % 200 + 16
        output.write(frame)
        if number == 20:
            print("recording", flush=True)
except KeyboardInterrupt:
    output.close()
    print("closed", flush=True)
"""


def test_ctrl_c_leaves_a_playable_file(folder: Path) -> None:
    # a session of its own with vcam and ffmpeg in it, as in a terminal, where Ctrl-C goes to every process
    command = [sys.executable, "-c", RECORDER, str(folder / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"recording\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == b"closed\n", process.stderr.read().decode()
    assert len(decode(folder / "out.mp4")) > 20
    assert os.listdir(folder) == ["out.mp4"]


@pytest.mark.parametrize("blocking", [True, False], ids=["film", "live"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_file_without_a_frame_is_not_made(folder: Path, suffix: str, blocking: bool) -> None:
    output = VideoFileOutput(folder / f"out{suffix}", blocking=blocking)
    output.open(SIZE, 25)
    with pytest.raises(OutputError, match="no frame"):
        output.close()
    assert not os.listdir(folder)


def test_an_unknown_kind_of_file_is_refused_with_those_that_are_known(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"out\.avi.*\.mp4"):
        VideoFileOutput(folder / "out.avi")


def test_a_folder_or_a_missing_folder_is_refused_before_anything_is_started(folder: Path) -> None:
    (folder / "sub.mp4").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        VideoFileOutput(folder / "sub.mp4").open(SIZE, 25)
    with pytest.raises(UsageError, match="mkdir -p"):
        VideoFileOutput(folder / "none" / "out.mp4").open(SIZE, 25)


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        ("V..... libx264 x\n V..... mpeg4 y", "libx264"),
        ("V..... libopenh264 x", "libopenh264"),
        ("V..... mpeg4 x", "mpeg4"),
    ],
)
def test_the_best_encoder_that_ffmpeg_has_is_taken(tmp_path: Path, listed: str, chosen: str) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text(f"#!/bin/sh\necho ' {listed}'\n")
    script.chmod(0o755)
    assert file_encoder(str(script)) == Encoder(str(script), chosen)


@pytest.mark.parametrize("encoder", ["libopenh264", "mpeg4"])
def test_the_other_encoders_work_too(folder: Path, ffmpeg: str, encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = subprocess.run([ffmpeg, "-hide_banner", "-encoders"], capture_output=True, check=True).stdout
    if f" {encoder} ".encode() not in listed:
        pytest.skip(f"this ffmpeg has no {encoder}")
    monkeypatch.setattr("vcam.output.encoded.file.file_encoder", lambda program: Encoder(program, encoder))
    output = VideoFileOutput(folder / "out.mp4")
    record(output, 10)
    output.close()
    assert probe(folder / "out.mp4").size == SIZE
    assert len(decode(folder / "out.mp4")) == 10
