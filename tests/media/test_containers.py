"""Kinds of video file: what is said of each is what ffmpeg does with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcam.media.containers import CONTAINERS, MATROSKA, MOV, MP4, VIDEO_SUFFIXES
from vcam.media.ffmpeg import ask, ffmpeg_programs, run_once

BARS = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:d=0.5", "-pix_fmt", "yuv420p")
ENCODERS = {
    "h264": ("libx264", "-preset", "ultrafast"),
    "hevc": ("libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
    "av1": ("libaom-av1", "-cpu-used", "8"),
}


def test_every_suffix_is_of_one_kind() -> None:
    assert {".mp4", ".m4v", ".mov", ".mkv"} == VIDEO_SUFFIXES
    assert CONTAINERS[".m4v"] is CONTAINERS[".mp4"] is MP4
    assert MATROSKA.tag("hevc") == MP4.tag("h264") == ()
    assert MP4.tag("hevc") == MOV.tag("hevc") == ("-tag:v", "hvc1")


@pytest.mark.process
@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize("container", [MP4, MOV, MATROSKA], ids=lambda container: container.muxer)
def test_a_kind_of_file_holds_the_codecs_that_it_is_said_to_hold(tmp_path: Path, container: object, codec: str) -> None:
    name, *options = ENCODERS[codec]
    program = next((program for program in ffmpeg_programs() if f" {name} " in ask(program, "-encoders")), None)
    if program is None:
        pytest.skip(f"no ffmpeg here has {name}")
    for way in (container.whole, container.growing):
        file = ["-y", *BARS, "-c:v", name, *options, *container.tag(codec), *way, "-f", container.muxer]
        failure = run_once(program, [*file, f"file:{tmp_path / 'film'}"], patience=30)
        assert (failure is None) == (codec in container.codecs), failure
