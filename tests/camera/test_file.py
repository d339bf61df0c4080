from __future__ import annotations

import os
import signal
import subprocess
import time
from fractions import Fraction

import numpy as np
import pytest

from vcam.camera.file import PictureFile, VideoFile, is_picture, open_file
from vcam.errors import CameraStalled, InputError, UsageError
from vcam.images import write_image
from vcam.media.ffmpeg import find_ffmpeg
from vcam.media.probe import nominal_rate, probe
from vcam.testing import FakeClock

pytestmark = pytest.mark.process


def raw_video(path, frames, size, fps=10, *options):
    """Write frames losslessly: each a list of (y, u, v) or of uint8 I420 bytes."""
    data = b"".join(bytes(frame) for frame in frames)
    command = [find_ffmpeg(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    command += ["-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "-", *options, "-c:v", "ffv1", str(path)]
    subprocess.run(command, input=data, check=True)


def grey(size, level):
    width, height = size
    chroma = 2 * ((width + 1) // 2) * ((height + 1) // 2)
    return np.concatenate([np.full(width * height, level, np.uint8), np.full(chroma, 128, np.uint8)])


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mkv"
    raw_video(path, [grey((64, 48), 30 + 20 * number) for number in range(5)], (64, 48))
    return path


def opened(camera):
    camera.open()
    return camera


def test_a_video_is_read_once_frame_by_frame(clip):
    camera = opened(VideoFile(clip))
    try:
        assert (camera.size, camera.fps, camera.frames, camera.live) == ((64, 48), 10.0, 5, False)
        seen = []
        while (frame := camera.read()) is not None:
            seen.append((frame.seq, round(frame.timestamp, 3), int(frame.y[5, 5])))
        assert seen == [(n, n / 10, 30 + 20 * n) for n in range(5)]
        assert camera.read() is None
    finally:
        camera.close()
        camera.close()


def test_a_paced_video_keeps_its_rate_and_starts_again(clip):
    clock = FakeClock(10.0)
    camera = opened(VideoFile(clip, paced=True, clock=clock, sleep=clock.sleep))
    try:
        frames = [(frame.seq, frame.timestamp, int(frame.y[0, 0])) for frame in (camera.read() for _ in range(12))]
    finally:
        camera.close()
    assert [seq for seq, _, _ in frames] == list(range(12))
    assert [stamp for _, stamp, _ in frames] == pytest.approx([10 + n / 10 for n in range(12)])
    assert frames[7][2] == frames[2][2] != frames[3][2]
    assert clock.slept == pytest.approx([0.1] * 11)


def test_a_paced_video_whose_disk_hangs_is_a_stalled_camera_that_comes_back(clip):
    camera = opened(VideoFile(clip, paced=True))
    camera.read()
    decoder = camera._reader._process.pid
    os.kill(decoder, signal.SIGSTOP)

    def read_on():
        while True:
            camera.read()

    began = time.monotonic()
    # what ffmpeg has written already is still read
    with pytest.raises(CameraStalled, match="cannot be read at the moment"):
        read_on()
    with pytest.raises(CameraStalled):
        camera.read()
    assert time.monotonic() - began < 60
    os.kill(decoder, signal.SIGCONT)
    for _ in range(50):
        try:
            frame = camera.read()
            break
        except CameraStalled:
            continue
    # nothing was lost in between, so planes are in their places
    assert len({int(value) for value in frame.y.ravel()}) == 1
    assert (frame.u == 128).all()
    camera.close()


def test_a_film_with_a_frame_every_few_seconds_keeps_nobody_waiting(tmp_path):
    path = tmp_path / "slow.mkv"
    raw_video(path, [grey((64, 48), 30 + 20 * number) for number in range(3)], (64, 48), 0.5)
    clock = FakeClock()
    camera = opened(VideoFile(path, paced=True, clock=clock, sleep=clock.sleep))
    assert camera.fps == 5
    began, lumas = clock.now, [int(camera.read().y[0, 0]) for _ in range(12)]
    # ffmpeg rounds where the next begins
    assert lumas[:9] == [lumas[0]] * 9
    assert lumas[11] != lumas[0]
    assert clock.now - began == pytest.approx(11 * 0.2)
    camera.close()


def test_a_video_can_be_opened_again(clip):
    camera = opened(VideoFile(clip))
    camera.read()
    camera.close()
    camera.open()
    assert camera.read().seq == 0
    camera.close()


def test_an_odd_video_repeats_its_last_row_and_column_and_keeps_the_rest(tmp_path):
    path = tmp_path / "odd.mkv"
    picture = np.random.default_rng(2).integers(16, 236, (35, 49)).astype(np.uint8)
    data = np.concatenate([picture.reshape(-1), np.full(2 * 25 * 18, 128, np.uint8)])
    raw_video(path, [data], (49, 35))
    camera = opened(VideoFile(path))
    try:
        assert camera.size == (50, 36)
        assert camera.notes == ("is 49x35, taken as 50x36: few players take odd sides",)
        assert np.array_equal(camera.read().y, np.pad(picture, ((0, 1), (0, 1)), "edge"))
    finally:
        camera.close()


def test_oblong_pixels_become_square(tmp_path):
    path = tmp_path / "wide.mkv"
    raw_video(path, [grey((64, 48), 90)], (64, 48), 10, "-vf", "setsar=3/2")
    camera = opened(VideoFile(path))
    assert camera.size == (96, 48)
    assert camera.read().y[20, 90] == 90
    camera.close()


def test_a_size_that_changes_midway_is_scaled_to_the_first(tmp_path):
    path, parts = tmp_path / "both.mjpeg", []
    for level, size in ((60, "64x48"), (180, "96x80")):
        part = tmp_path / f"{size}.mjpeg"
        source = f"color=c=0x{level:02x}{level:02x}{level:02x}:s={size}:r=10:d=0.3"
        command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuvj420p", str(part)]
        subprocess.run(command, check=True)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    camera = opened(open_file(path, 30, paced=False))
    levels = []
    while (frame := camera.read()) is not None:
        assert frame.size == (64, 48)
        levels.append(int(frame.y[20, 20]))
    camera.close()
    assert len(levels) >= 5
    assert abs(levels[0] - (16 + 60 * 219 / 255)) <= 2
    assert abs(levels[-1] - (16 + 180 * 219 / 255)) <= 2


def test_what_is_left_of_a_truncated_video_is_played(tmp_path):
    path = tmp_path / "whole.mkv"
    noise = np.random.default_rng(1).integers(16, 236, (20, 64 * 48 * 3 // 2)).astype(np.uint8)
    raw_video(path, noise, (64, 48))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    camera = opened(VideoFile(cut))
    count = 0
    while camera.read() is not None:
        count += 1
    camera.close()
    assert 5 <= count <= 12


BROKEN = {
    "empty.mp4": b"",
    "text.mp4": b"this is not a video, and it is long enough to be looked at\n" * 50,
    "zeros.mkv": bytes(10_000),
    "noframes.y4m": b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n",
}


@pytest.mark.parametrize("paced", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_files_without_a_frame_are_refused_at_open(tmp_path, name, paced):
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(InputError) as caught:
        VideoFile(path, paced=paced).open()
    assert name in caught.value.message


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        VideoFile(tmp_path / "none.mp4").open()
    with pytest.raises(UsageError, match="there is no file"):
        is_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="folder"):
        is_picture(tmp_path)


def test_kinds_are_told_by_content_not_by_name(tmp_path, clip):
    disguised = tmp_path / "picture.mp4"
    write_image(tmp_path / "a.jpg", np.zeros((32, 32, 3), np.uint8))
    disguised.write_bytes((tmp_path / "a.jpg").read_bytes())
    assert isinstance(open_file(disguised, 30, paced=False), PictureFile)
    assert isinstance(open_file(clip, 30, paced=False), VideoFile)
    unknown = tmp_path / "broken.png"
    unknown.write_bytes(b"no picture")
    assert is_picture(unknown)


def make(path, *arguments):
    """A file made by ffmpeg."""
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", *arguments, str(path)], check=True)
    return path


def test_the_number_of_a_codec_is_no_size(tmp_path):
    """ffmpeg writes MPEG-2 in a transport stream as `Video: mpeg2video (Main) ([2][0][0][0] / 0x0002), ... 320x192`."""
    path = make(tmp_path / "film.ts", "-f", "lavfi", "-i", "testsrc2=s=320x192:r=25:d=0.4", "-c:v", "mpeg2video")
    assert probe(path).size == (320, 192)


def test_a_film_of_uneven_frames_keeps_its_quickest_part(tmp_path):
    """Half of it has 30 frames a second, half of it 10; at their mean the quick half would lose frames."""
    source = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=30:d=2", "-vf", "select='lt(n,30)+not(mod(n,3))'"]
    path = make(tmp_path / "film.mp4", *source, "-fps_mode", "vfr")
    assert probe(path).fps == 30


def test_an_interlaced_film_has_as_many_frames_as_pairs_of_fields():
    assert nominal_rate(29.97, 59.94) == Fraction(30000, 1001)
    assert nominal_rate(29.83, 30) == 30
    assert nominal_rate(24, 90_000) == 24


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("sound.mp4", ["-f", "lavfi", "-i", "sine=d=0.5"], "holds sound, but no moving picture"),
        ("words.mkv", ["-f", "srt", "-i", "{}"], "holds no moving picture"),
    ],
)
def test_a_file_without_a_picture_says_so(name, arguments, said, tmp_path):
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    path = make(tmp_path / name, *(argument.format(words) for argument in arguments))
    with pytest.raises(InputError, match=said):
        probe(path)
