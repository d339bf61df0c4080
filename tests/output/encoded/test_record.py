"""Recordings: files that play whatever happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import has_sound
from tests.output.encoded.helpers import children, psnr, until
from tests.places import ROOT
from vcam.compose.placeholder import placeholder
from vcam.errors import OutputError, UsageError
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg, local_url
from vcam.media.probe import probe
from vcam.media.reader import VideoReader
from vcam.output.encoded.encoding import ENCODERS, find_encoder
from vcam.output.encoded.record import RecordOutput, parse_split
from vcam.settings import StreamSettings

pytestmark = pytest.mark.process

SIZE = (320, 180)


def picture(number: int = 0) -> Frame:
    frame = Frame.allocate(*SIZE)
    frame.y[:] = np.linspace(30, 220, SIZE[0]).astype(np.uint8)
    frame.y[:16, number % 16 * 16 : number % 16 * 16 + 16] = 126
    frame.u[:], frame.v[:] = 100, 150
    return frame


def record(output: RecordOutput, seconds: float, fps: float = 30.0) -> int:
    """Frames at the pace of a camera, from the moment that the encoder runs."""
    output.open(SIZE, fps)
    until(lambda: output.status()["encoder"] and output._worker.session)
    return feed(output, seconds, fps)


def feed(output: RecordOutput, seconds: float, fps: float = 30.0) -> int:
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        frame = picture(number)
        frame.timestamp = time.monotonic()
        output.write(frame)
        number += 1
        time.sleep(max(0.0, begun + number / fps - time.monotonic()))
    return number


def frames_in(path: Path) -> list[Frame]:
    info = probe(path)
    with VideoReader(local_url(path), info.size, info.fps) as reader:
        return [Frame.wrap(frame.packed().copy(), *info.size) for frame in iter(reader.read, None)]


def settings(**values: object) -> StreamSettings:
    return StreamSettings(**{"keep_free": 0.0, **values})


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_a_recording_has_every_frame_in_its_colours_and_lasts_as_long_as_it_took(tmp_path: Path, suffix: str) -> None:
    output = RecordOutput(tmp_path / f"r{suffix}", settings(audio="silent"))
    written = record(output, 2.0) - output.dropped
    output.close()
    path = tmp_path / f"r{suffix}"
    assert os.listdir(tmp_path) == [path.name]
    info = probe(path)
    assert has_sound(info)
    assert info.duration == pytest.approx(2.0, abs=0.9)
    frames = frames_in(path)
    assert abs(len(frames) - written) <= 4
    assert psnr(frames[-1].y[40:], picture().y[40:]) > 30
    assert psnr(frames[-1].v, picture().v) > 30


def test_a_pause_is_recorded_as_the_placeholder_in_its_time(tmp_path: Path) -> None:
    output = RecordOutput(tmp_path / "r.mkv", settings(audio="silent"))
    card = placeholder(SIZE, "paused")
    output.open(SIZE, 30)
    until(lambda: output.status()["encoder"] and output._worker.session, 30)
    # there was no frame yet: that vcam is starting is nothing to keep
    output.show(card)
    begun = time.monotonic()
    feed(output, 0.6)
    show(output, card, 1.0)
    feed(output, 0.6)
    took = time.monotonic() - begun
    output.close()
    dark = [is_card(frame) for frame in frames_in(tmp_path / "r.mkv")]
    assert not dark[0]
    assert not dark[-1]
    assert [after for before, after in pairwise(dark) if before is not after] == [True, False]
    assert probe(tmp_path / "r.mkv").duration == pytest.approx(took, abs=0.5)


def test_a_recording_that_begins_in_a_pause_begins_with_the_placeholder(tmp_path: Path) -> None:
    output = RecordOutput(tmp_path / "r.mkv", settings(audio="silent"), cards_first=True)
    output.open(SIZE, 30)
    until(lambda: output.status()["encoder"] and output._worker.session, 30)
    show(output, placeholder(SIZE, "paused"), 0.3)
    output.close()
    assert all(map(is_card, frames_in(tmp_path / "r.mkv")))


def show(output: RecordOutput, card: Frame, seconds: float) -> None:
    """A placeholder as often as the daemon shows it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        card.timestamp = time.monotonic()
        output.show(card)
        time.sleep(0.1)


def is_card(frame: Frame) -> bool:
    return bool(frame.y[-20:].mean() < 60)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_sigkill_leaves_a_file_that_plays(tmp_path: Path, suffix: str) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.output.encoded.test_record import RecordOutput, record, settings
output = RecordOutput({str(tmp_path / ("r" + suffix))!r}, settings())
record(output, 60)
"""
    child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        path = tmp_path / f"r{suffix}"
        until(lambda: path.exists() and path.stat().st_size > 2_000, 60)
        time.sleep(3)
        tasks = Path(f"/proc/{child.pid}/task").iterdir()
        ffmpeg = [pid for task in tasks for pid in (task / "children").read_text().split()]
        # both at once, so that neither can put anything in order
        os.kill(child.pid, signal.SIGSTOP)
        for pid in ffmpeg:
            os.kill(int(pid), signal.SIGKILL)
        child.kill()
    finally:
        child.kill()
        child.wait()
    assert len(frames_in(path)) >= 15


def test_a_recording_is_split_by_time_without_losing_a_frame(tmp_path: Path) -> None:
    output = RecordOutput(tmp_path / "r.mkv", settings(split="1s"))
    written = record(output, 5.0) - output.dropped
    output.close()
    assert [path.name for path in output.files[:2]] == ["r.mkv", "r-2.mkv"]
    assert abs(sum(len(frames_in(path)) for path in output.files) - written) <= 3 * len(output.files)


def test_an_encoder_that_is_slow_to_start_costs_no_frame_at_a_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "ffmpeg"
    slow.write_text(f'#!/bin/sh\nsleep 1\nexec {find_ffmpeg()} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("VCAM_FFMPEG", str(slow))
    find_ffmpeg.cache_clear()
    try:
        output = RecordOutput(tmp_path / "r.mkv", settings(split="2s"))
        written, end = record(output, 4.0), time.monotonic() + 60
        while len(output.files) < 2 and time.monotonic() < end:
            written += feed(output, 0.5)
        output.close()
    finally:
        find_ffmpeg.cache_clear()
    assert len(output.files) >= 2
    # one that is waited for costs thirty; a busy machine may cost some
    assert output.dropped < 10
    # reading at a constant rate may double some
    assert sum(len(frames_in(path)) for path in output.files) >= written - output.dropped


def test_a_recording_is_split_by_size(tmp_path: Path) -> None:
    # 8000 kbit/s of noise are 1 MB a second
    output = RecordOutput(tmp_path / "r.mp4", settings(split="0.2MB", bitrate=8000))
    output.open(SIZE, 30)
    noise, frame = np.random.default_rng(1), Frame.allocate(*SIZE)
    until(lambda: output._worker.session, 30)
    begun = time.monotonic()
    while len(output.files) < 3 and time.monotonic() - begun < 60:
        frame.y[:] = noise.integers(16, 235, frame.y.shape, np.uint8)
        frame.timestamp = time.monotonic()
        output.write(frame)
        time.sleep(0.02)
    output.close()
    assert len(output.files) >= 2
    assert output.files[0].stat().st_size >= 200_000
    assert frames_in(output.files[0])


def test_the_name_is_made_from_the_time_and_never_taken_twice(tmp_path: Path) -> None:
    template = str(tmp_path / "%Y" / "r-%Y.mkv")
    for _ in range(2):
        output = RecordOutput(template, settings())
        record(output, 0.5)
        output.close()
    year = time.strftime("%Y")
    assert sorted(os.listdir(tmp_path / year)) == [f"r-{year}-2.mkv", f"r-{year}.mkv"]


def test_a_folder_gets_a_file_named_by_the_time(tmp_path: Path) -> None:
    output = RecordOutput(tmp_path, settings())
    record(output, 0.5)
    output.close()
    assert [path.startswith("vcam-20") for path in os.listdir(tmp_path)] == [True]


def test_a_file_that_exists_is_kept_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists"):
        RecordOutput(path, settings()).open(SIZE, 30)
    assert path.read_bytes() == b"old"
    output = RecordOutput(path, settings(overwrite=True))
    record(output, 0.5)
    output.close()
    assert frames_in(path)


def test_no_recording_begins_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="MB are left"):
        RecordOutput(tmp_path / "r.mkv", settings(keep_free=1e9)).open(SIZE, 30)
    assert not os.listdir(tmp_path)


def test_a_disk_that_fills_up_ends_the_recording_with_a_file_that_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = RecordOutput(tmp_path / "r.mp4", settings(keep_free=100.0))
    monkeypatch.setattr("vcam.output.encoded.record.shutil.disk_usage", lambda path: type("Usage", (), {"free": 200e6}))
    written = record(output, 2.4)
    monkeypatch.setattr("vcam.output.encoded.record.shutil.disk_usage", lambda path: type("Usage", (), {"free": 50e6}))
    with pytest.raises(OutputError, match="50 MB are left"):
        feed(output, 10)
    output.abort()
    assert output.status()["state"] == "failed"
    # to the last frame: the encoder may finish
    assert len(frames_in(tmp_path / "r.mp4")) >= written - 4


def test_an_encoder_that_is_killed_is_replaced_and_goes_on_in_another_file(tmp_path: Path) -> None:
    output = RecordOutput(tmp_path / "r.mkv", settings())
    record(output, 1.5)
    os.kill(int(children()[0]), signal.SIGKILL)
    feed(output, 2.5)
    output.close()
    assert [path.name for path in output.files] == ["r.mkv", "r-2.mkv"]
    assert all(frames_in(path) for path in output.files)


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_other_codecs_are_recorded_where_ffmpeg_has_them(tmp_path: Path, codec: str) -> None:
    try:
        find_encoder(codec, "auto", SIZE, 30)
    except OutputError as error:
        pytest.skip(str(error))
    output = RecordOutput(tmp_path / "r.mp4", settings(codec=codec))
    record(output, 2.0)
    output.close()
    frames = frames_in(tmp_path / "r.mp4")
    assert len(frames) >= 10
    assert psnr(frames[-1].y[40:], picture().y[40:]) > 30
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-i", str(tmp_path / "r.mp4")]
    told = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stderr
    assert re.search(r"yuv420p\(tv, smpte170m/bt709/bt709", told), told
    assert output.status()["encoder"] in ENCODERS[codec]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("r.avi", "cannot record"), ("r", "cannot record"), ("nowhere/r.mkv", "no folder")],
)
def test_a_file_that_cannot_be_recorded_into_is_refused_at_once(tmp_path: Path, name: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        RecordOutput(tmp_path / name, settings()).open(SIZE, 30)


def test_a_kind_of_file_that_cannot_hold_the_codec_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mov file does not hold av1") as caught:
        RecordOutput(tmp_path / "r.mov", settings(codec="av1"))
    assert ".mkv" in caught.value.hint
    RecordOutput(tmp_path / "r.mov", settings(codec="hevc"))
    RecordOutput(tmp_path / "r.mp4", settings(codec="av1"))
    assert not os.listdir(tmp_path)


def test_a_folder_that_may_not_be_written_in_is_refused_at_once() -> None:
    with pytest.raises(OutputError, match="cannot write"):
        RecordOutput("/proc/r.mkv", settings()).open(SIZE, 30)


def test_a_recording_without_a_frame_leaves_no_file(tmp_path: Path) -> None:
    output = RecordOutput(tmp_path / "r.mkv", settings())
    output.open(SIZE, 30)
    output.close()
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "split"),
    [("", (None, None)), ("90s", (90.0, None)), ("10min", (600.0, None)), ("1.5GB", (None, 1.5e9))],
)
def test_splits_are_read(text: str, split: tuple[float | None, float | None]) -> None:
    assert parse_split(text) == split
