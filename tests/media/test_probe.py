"""What a film holds: the same whether ffprobe says it or ffmpeg's own text, and never what its metadata say."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media.films import PICTURE, SOUND, has_sound, make, need_ffprobe
from vcam.errors import InputError
from vcam.media import probe as module
from vcam.media.colours import ColourTags
from vcam.media.dump import read_dump
from vcam.media.ffmpeg import MediaInfo
from vcam.media.probe import nominal_rate, probe, read_json

pytestmark = pytest.mark.process

BOTH = (*PICTURE, *SOUND, "-map", "0", "-map", "1", "-shortest")
WORDS = (
    "Audio: Rode NT1",
    ": Audio: aac",
    "turned by a rotation of 90 degrees",
    "displaymatrix: rotation of -90.00 degrees",
    "a\n    Side data:\n      displaymatrix: rotation of -90.00 degrees",
    "a\n  Stream #0:0: Video: h264, yuv420p, 1x1, 7 fps, 7 tbr (default)\n  Stream #0:7: Audio: aac",
    "a\r\n  Duration: 01:00:00.00, start: 0.000000, bitrate: 5 kb/s\v\f\u2028  Stream #0:1: Audio: aac",
    "[info]   Stream #0:0: Video: h264, yuv420p, 1x1",
    "a\nInput #0, matroska, from 'x':\n  Duration: N/A\n\nAt least one output file must be specified",
)


@pytest.fixture(params=["ffprobe", "ffmpeg"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], MediaInfo]:
    if request.param == "ffprobe":
        need_ffprobe()
    else:
        monkeypatch.setattr(module, "find_ffprobe", lambda program: None)
    return probe


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov"])
def test_words_in_a_film_are_no_facts(suffix: str, tmp_path: Path, way: Callable[[Path], MediaInfo]) -> None:
    keys = ("title", "artist", "album", "comment", "copyright", "description", "genre", "grouping", "lyrics")
    tags = [word for key, words in zip(keys, WORDS, strict=True) for word in ("-metadata", f"{key}={words}")]
    tags += ["-metadata:s:v", f"title={WORDS[5]}", "-metadata:s:v", f"handler_name={WORDS[4]}"]
    chapters, text = tmp_path / "chapters", ";FFMETADATA1\n"
    for number, words in enumerate(WORDS):
        title = "".join(f"\\{letter}" if letter in "=;#\\\n" else letter for letter in words)
        text += f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={number * 100}\nEND={number * 100 + 100}\ntitle={title}\n"
    chapters.write_text(text)
    path = tmp_path / f"a rotation of 90 degrees: Audio: x, 1x1.{suffix}"
    film = make(path, *PICTURE, "-i", str(chapters), "-map", "0", *tags)
    info = way(film)
    assert (info.size, info.fps, has_sound(info), info.duration) == ((64, 48), 25, False, 1.0)
    assert [track.kind for track in info.tracks][:1] == ["video"]


def test_a_name_with_lines_in_it_is_no_fact_either(tmp_path: Path, way: Callable[[Path], MediaInfo]) -> None:
    name = "a\n  Stream #0:0: Video: h264, 2x2, 7 fps\n    Side data:\n      displaymatrix: rotation of 90 degrees"
    info = way(make(tmp_path / f"{name}.mkv", *PICTURE))
    assert (info.size, info.fps) == ((64, 48), 25)


def test_the_language_of_a_track_is_no_fact_either(tmp_path: Path, way: Callable[[Path], MediaInfo]) -> None:
    language = "eng: Audio: x), 1x1, 7 fps"
    info = way(make(tmp_path / "film.mkv", *PICTURE, "-metadata:s:v", f"language={language}"))
    assert (info.size, info.fps, has_sound(info)) == ((64, 48), 25, False)


def tagged(range_: str, matrix: str, primaries: str, transfer: str) -> tuple[str, ...]:
    """Options that old and new ffmpegs tell the colours by."""
    filters = f"setparams=range={range_}:colorspace={matrix}:color_primaries={primaries}:color_trc={transfer}"
    options = ("-color_range", range_, "-colorspace", matrix, "-color_primaries", primaries, "-color_trc", transfer)
    return ("-vf", f"format=yuv420p,{filters}", "-pix_fmt", "yuv420p", *options)


FILMS = {
    "plain.mp4": BOTH,
    "ntsc.mkv": (*BOTH, "-vf", "fps=30000/1001"),
    "film.mkv": (*BOTH, "-vf", "fps=24000/1001"),
    "quick.mp4": (*PICTURE, "-vf", "fps=60000/1001"),
    "slow_motion.mp4": (*PICTURE, "-vf", "fps=240", "-t", "0.2"),
    "lapse.mp4": ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=1:d=3"),
    "thirds.mkv": (*PICTURE, "-vf", "fps=25/3"),
    "uneven.mp4": (*PICTURE, "-vf", "select='lt(n,12)+not(mod(n,3))'", "-fps_mode", "vfr"),
    "wide.mp4": (*PICTURE, "-vf", "setsar=32/27"),
    "tagged.mp4": (*PICTURE, *tagged("tv", "bt709", "bt709", "bt709")),
    "mixed.mkv": (*PICTURE, *tagged("pc", "bt2020nc", "bt2020", "smpte2084"), "-c:v", "ffv1"),
    "primaries.mkv": (*PICTURE, *tagged("unspecified", "unknown", "bt709", "unknown"), "-c:v", "ffv1"),
    "fields.mkv": (*PICTURE, "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-flags", "+ilme+ildct",
                   "-vf", "setfield=tff"),
    "film.ts": (*BOTH, "-c:v", "mpeg2video", "-c:a", "mp2"),
    "film.avi": (*BOTH, "-c:v", "mpeg4", "-c:a", "mp2"),
    "film.gif": PICTURE,
    "late.mkv": (*PICTURE, "-itsoffset", "0.4", *SOUND, "-map", "0", "-map", "1"),
    "browser.webm": (*PICTURE, "-c:v", "libvpx", "-live", "1"),
    "film.mjpeg": (*PICTURE, "-pix_fmt", "yuvj420p"),
    "sounds.mkv": (*BOTH, "-map", "1", "-c:a:1", "flac", "-disposition:a:1", "default"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILMS)
def test_ffprobe_and_ffmpeg_say_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_ffprobe()
    film = make(tmp_path / name, *FILMS[name])
    asked = probe(film)
    monkeypatch.setattr(module, "find_ffprobe", lambda program: None)
    assert probe(film) == asked


def test_what_the_films_hold(tmp_path: Path, way: Callable[[Path], MediaInfo]) -> None:
    def look(name: str) -> MediaInfo:
        return way(make(tmp_path / name, *FILMS[name]))

    assert has_sound(look("plain.mp4"))
    assert look("ntsc.mkv").fps == Fraction(30000, 1001)
    assert look("film.mkv").fps == Fraction(24000, 1001)
    assert look("quick.mp4").fps == Fraction(60000, 1001)
    assert look("slow_motion.mp4").fps == 240
    assert look("lapse.mp4").fps == 1
    assert look("thirds.mkv").fps == Fraction(25, 3)
    assert look("wide.mp4").aspect == Fraction(32, 27)
    assert look("tagged.mp4").colour == ColourTags("bt709", "bt709", "bt709", False)
    assert look("mixed.mkv").colour == ColourTags("bt2020nc", "bt2020", "smpte2084", True)
    primaries = look("primaries.mkv").colour
    assert (primaries.matrix, primaries.primaries, primaries.transfer) == ("", "bt709", "")
    assert look("fields.mkv").field_order in ("tt", "tb")
    browser = look("browser.webm")
    assert (browser.fps, browser.duration) == (25, None)
    assert [track.codec for track in look("sounds.mkv").tracks if track.kind == "audio"] == ["vorbis", "flac"]


def matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix (of whole turns) into the head of the only picture of an MP4 file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    rows = (a * one // 100, b * one // 100, 0, c * one // 100, d * one // 100, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in rows)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        ((100, 0, 0, 100), (64, 48)),
        ((0, 100, -100, 0), (48, 64)),
        ((0, -100, 100, 0), (48, 64)),
        ((-100, 0, 0, -100), (64, 48)),
        ((-100, 0, 0, 100), (64, 48)),
        ((0, 100, 100, 0), (48, 64)),
        ((0, -100, -100, 0), (48, 64)),
        ((96, 26, -26, 96), (64, 48)),
    ],
    ids=["none", "90", "-90", "180", "mirrored", "mirrored 90", "mirrored -90", "15"],
)
def test_a_film_is_turned_by_its_matrix(
    rows: tuple[int, int, int, int], size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = matrix(make(tmp_path / "film.mp4", *PICTURE), *rows)
    asked = probe(film)
    monkeypatch.setattr(module, "find_ffprobe", lambda program: None)
    assert probe(film) == asked
    assert asked.size == size


def test_the_picture_that_is_to_be_shown_is_taken_and_a_cover_is_none(
    tmp_path: Path, way: Callable[[Path], MediaInfo]
) -> None:
    small = make(tmp_path / "small.mkv", "-f", "lavfi", "-i", "testsrc2=s=32x32:r=10:d=1")
    shown = ("-map", "0", "-map", "1", "-disposition:v:0", "0", "-disposition:v:1", "default")
    two = make(tmp_path / "two.mp4", "-i", str(small), *PICTURE, *shown)
    assert (way(two).size, way(two).fps, way(two).track) == ((64, 48), 25, 1)
    png = make(tmp_path / "cover.png", "-i", str(small), "-frames:v", "1")
    covered = ("-map", "0", "-map", "1", "-c:v:0", "png", "-disposition:v:0", "attached_pic")
    info = way(make(tmp_path / "cover.mp4", "-i", str(png), *PICTURE, *covered))
    assert (info.size, sum(track.still for track in info.tracks)) == ((64, 48), 1)


def test_a_track_that_ffmpeg_does_not_know_is_no_sound(tmp_path: Path, way: Callable[[Path], MediaInfo]) -> None:
    film = make(tmp_path / "film.mov", *BOTH)
    film.write_bytes(film.read_bytes().replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))
    info = way(film)
    assert [(track.kind, track.codec, track.tag) for track in info.tracks][1] == ("audio", "", "zzzz")
    assert (info.size, has_sound(info)) == ((64, 48), False)


HEAD = "[info] Input #0, matroska,webm, from 'file:x':\n[info]   Duration: N/A, start: 0.000000, bitrate: N/A\n"
LINE = "[info]   Stream #0:0(eng): Video: h264 (High), yuv420p, 64x48, 25 fps, 25 tbr, 1k tbn (default)\n"


def test_a_track_that_is_told_of_twice_is_believed_only_if_it_is_the_same() -> None:
    programs = read_dump(HEAD + "[info]   Program 1\n" + LINE + "[info]   Program 2\n" + LINE)
    assert programs is not None
    assert [track.size for track in programs.tracks] == [(64, 48)]
    for forged in (LINE.replace("64x48", "1x1"), LINE.split("eng")[0] + "x\n"):
        with pytest.raises(InputError) as caught:
            read_dump(HEAD + forged + LINE)
        assert caught.value.hint


def test_what_is_below_a_heading_belongs_to_it() -> None:
    tag = (
        "[info]     Stream #0:3: Video: h264, yuv420p, 1x1 : x\n[info]       displaymatrix: rotation of 90.00 degrees\n"
    )
    turned = "[info]     Side data:\n[info]       Display Matrix: rotation of -90.00 degrees\n"
    contents = read_dump(
        HEAD.split("\n")[0] + "\n[info]   Metadata:\n" + tag + LINE + "[info]     Metadata:\n" + turned
    )
    assert contents is not None
    assert [(track.index, track.rotation) for track in contents.tracks] == [(0, -90.0)]


def test_no_answer_is_no_contents() -> None:
    assert read_dump("[error] file:x: Invalid data found\n") is None
    assert read_json("") is read_json("{}") is read_json("[]") is read_json('{"streams": [{}], "format": {}}') is None


def test_an_interlaced_film_has_as_many_frames_as_pairs_of_fields() -> None:
    assert nominal_rate(29.97, 59.94) == Fraction(30000, 1001)
    assert nominal_rate(0, 1000) is None
