"""Whole films through `vcam apply`, without a background: what a player shows of the result is what the film meant."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.media.colours import GREYS, PATCHES, file_colours, film, samples, tags
from tests.media.films import make, use, wheel
from vcam.batch import Batch, Done, plan
from vcam.media import filters
from vcam.media.colours import ColourTags
from vcam.media.ffmpeg import find_ffmpeg
from vcam.media.probe import probe
from vcam.settings import Settings

pytestmark = [pytest.mark.process, pytest.mark.engine]

SD, HD = (640, 480), (1280, 720)
ODD = "crop=351:287:0:0:exact=1"


@pytest.fixture(params=["system", "wheel"], autouse=True)
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from use(wheel() if request.param == "wheel" else "", monkeypatch)


def apply(source: Path, *, mattes: bool = False) -> tuple[Path, Done]:
    target = source.with_name("result.mp4")
    with Batch(Settings().replace(background__spec="none"), mattes=mattes) as batch:
        return target, batch.run(plan(source, target, mattes=mattes)[0], lambda done, of: None)


def stream(path: Path) -> str:
    """ffmpeg's line on the picture."""
    done = subprocess.run([find_ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, check=False)
    return next(line for line in done.stderr.decode().splitlines() if "Video:" in line)


@pytest.mark.parametrize(
    ("size", "matrix", "told"),
    [(HD, "bt709", True), (HD, "bt709", False), (SD, "smpte170m", False), (HD, "smpte170m", True), (SD, "bt709", True)],
)
def test_colours_come_out_as_they_went_in(size: tuple[int, int], matrix: str, told: bool, tmp_path: Path) -> None:
    names = {"range": "tv", "colorspace": matrix, "color_primaries": "bt709", "color_trc": "bt709"} if told else {}
    stored = samples(PATCHES / 255, matrix)
    target, done = apply(film(tmp_path / "film.mkv", stored, "yuv420p", size, *tags(**names), "-c:v", "ffv1"))
    assert done.notes == []
    # the matrix that players take by the tags, and without them by the size
    written = "bt709" if size == HD else "smpte170m"
    assert probe(target).colour == ColourTags(written, "bt709", "bt709", False)
    found = file_colours(target, size, written)
    assert np.abs(found - PATCHES).max() <= 3
    assert np.mean(np.abs(found - PATCHES)) < 0.8
    assert np.ptp(found[GREYS], axis=1).max() < 1e-9, "a grey has a colour"
    assert np.abs(found[GREYS] - PATCHES[GREYS]).max() <= 1.2


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (("-f", "lavfi", "-i", "testsrc2=s=720x480:r=30000/1001:d=0.2", "-vf", "setsar=32/27"), (854, 480)),
        (("-f", "lavfi", "-i", "testsrc2=s=400x300:r=25:d=0.2", "-vf", f"format=yuv420p,{ODD}"), (352, 288)),
        (("-f", "lavfi", "-i", "testsrc2=s=400x300:r=25:d=0.2", "-vf", f"format=yuv444p,{ODD}"), (352, 288)),
    ],
    ids=["NTSC", "odd", "odd 4:4:4"],
)
def test_the_result_has_even_sides_square_pixels_and_chroma_that_players_take(
    options: tuple[str, ...], size: tuple[int, int], tmp_path: Path
) -> None:
    target, done = apply(make(tmp_path / "film.mkv", *options, "-c:v", "ffv1"))
    info = probe(target)
    assert (info.size, info.aspect, info.film.pixel_format) == (size, 1, "yuv420p")
    assert "SAR 1:1" in stream(target)
    assert [("odd" in note) for note in done.notes] == ([True] if size == (352, 288) else [])


def test_an_interlaced_film_comes_out_whole_and_at_its_rate(tmp_path: Path) -> None:
    fields = ("-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ilme+ildct")
    source = make(
        tmp_path / "film.mpg", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=50:d=0.4",
        *fields, "-pix_fmt", "yuv420p", "-c:v", "mpeg2video",
    )  # fmt: skip
    target, done = apply(source)
    info = probe(target)
    assert (info.field_order, info.fps, done.frames) == ("progressive", 25, 10)


def test_hdr_that_stays_washed_out_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"range": "tv", "colorspace": "bt2020nc", "color_primaries": "bt2020", "color_trc": "smpte2084"}
    stored = samples(PATCHES / 400, "bt2020nc", bits=10)
    source = film(tmp_path / "film.mkv", stored, "yuv420p10le", SD, *tags(**names), "-c:v", "ffv1")
    real = filters.to_frames
    monkeypatch.setattr(filters, "to_frames", lambda *args, **rest: real(*args, **rest, has=lambda name: False))
    _, done = apply(source)
    assert len(done.notes) == 1
    assert "HDR" in done.notes[0]
    assert str(source) in done.notes[0]


def test_a_matte_of_hd_is_grey(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mkv", samples(PATCHES / 255, "bt709"), "yuv420p", HD)
    target, _ = apply(source, mattes=True)
    assert np.ptp(file_colours(target, HD, "bt709"), axis=1).max() < 1e-9
