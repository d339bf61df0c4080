"""Which of ffmpeg's filters a film gets, by what is known of it and by what this ffmpeg has."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import make, use, wheel
from vcam.media.colours import UNTAGGED, ColourTags, is_hd, is_rgb
from vcam.media.ffmpeg import MediaInfo, local_url
from vcam.media.filters import Chain, deinterlace, even_sides, film_filters, square_size, to_frames
from vcam.media.probe import probe
from vcam.media.reader import VideoReader
from vcam.types import U8

SD, HD = (640, 480), (1280, 720)


def every(name: str) -> bool:
    return True


def none(name: str) -> bool:
    return False


def but(*missing: str) -> Callable[[str], bool]:
    return lambda name: name not in missing


def test_a_plain_sd_film_gets_the_one_filter_it_always_had() -> None:
    asked: list[str] = []
    chain = to_frames(UNTAGGED, "yuv420p", SD, SD, has=lambda name: not asked.append(name))
    scale = "scale=640:480:flags=bicubic:in_color_matrix=bt601:out_color_matrix=bt601:out_range=tv"
    assert chain == Chain((scale, "format=yuv420p"))
    assert not asked


def test_a_stream_of_which_nothing_is_known_is_left_to_its_own_tags() -> None:
    scale = "scale=640:480:flags=bicubic:out_color_matrix=bt601:out_range=tv,format=yuv420p"
    assert film_filters(None, SD, "crop=2:2") == (f"crop=2:2,{scale}", "")


@pytest.mark.parametrize(
    ("size", "hd"),
    [
        ((1280, 720), True), ((1920, 1080), True), ((1280, 534), True), ((960, 720), True), ((1080, 1920), True),
        ((480, 854), True), ((640, 480), False), ((720, 576), False), ((720, 480), False), ((1024, 576), False),
    ],
)  # fmt: skip
def test_what_players_take_for_hd(size: tuple[int, int], hd: bool) -> None:
    assert is_hd(size) is hd
    assert UNTAGGED.matrix_for(size) == ("bt709" if hd else "smpte170m")
    assert ColourTags("bt709").matrix_for(SD) == "bt709"
    assert ColourTags("bt470bg").matrix_for(HD) == "smpte170m"


def test_the_matrix_is_changed_at_the_size_of_the_frames_and_after_all_else() -> None:
    *_, scale, layout, change = to_frames(UNTAGGED, "yuv420p", HD, SD, has=every).filters
    assert scale.startswith("scale=640:480:")
    assert layout.startswith("format=yuv420p")
    assert change.startswith("colorspace=ispace=bt709:")


def test_an_ffmpeg_without_the_filter_for_matrices_takes_the_slow_exact_way() -> None:
    scale, _ = to_frames(UNTAGGED, "yuv420p", HD, SD, has=none).filters
    assert "in_color_matrix=bt709" in scale
    assert "accurate_rnd+full_chroma_int" in scale


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("missing", ["zscale", "tonemap"])
def test_hdr_that_cannot_be_tone_mapped_keeps_its_matrix_right_and_is_told_of(transfer: str, missing: str) -> None:
    tags = ColourTags("bt2020nc", "bt2020", transfer, False)
    assert not to_frames(tags, "yuv420p10le", HD, HD, has=every).note
    chain = to_frames(tags, "yuv420p10le", HD, HD, has=but(missing))
    assert "washed out" in chain.note
    assert "ispace=bt2020nc" in chain.filters[-1]


def test_who_has_to_keep_up_with_hlg_gets_the_rough_formula() -> None:
    tags = ColourTags("bt2020nc", "bt2020", "arib-std-b67", False)
    assert "agamma=false" in ",".join(to_frames(tags, "yuv420p10le", HD, HD, has=every).filters)
    assert "agamma" not in ",".join(to_frames(tags, "yuv420p10le", HD, HD, quick=True, has=every).filters)


@pytest.mark.parametrize(
    ("name", "rgb"),
    [
        ("rgb24", True), ("bgra", True), ("gbrp10le", True), ("0rgb", True), ("pal8", True), ("x2rgb10le", True),
        ("yuv420p", False), ("nv12", False), ("gray", False), ("", False), ("yuva444p12le", False),
    ],
)  # fmt: skip
def test_which_samples_are_of_rgb(name: str, rgb: bool) -> None:
    assert is_rgb(name) is rgb


def known(size: tuple[int, int], aspect: Fraction) -> MediaInfo:
    return MediaInfo(size, Fraction(25), 1.0, aspect)


@pytest.mark.parametrize(
    ("size", "aspect", "square"),
    [
        ((720, 480), Fraction(32, 27), (854, 480)),
        ((480, 720), Fraction(27, 32), (404, 720)),
        ((720, 480), Fraction(8, 9), (640, 480)),
        ((720, 576), Fraction(64, 45), (1024, 576)),
        ((720, 576), Fraction(16, 15), (768, 576)),
        ((1440, 1080), Fraction(4, 3), (1920, 1080)),
        ((351, 287), Fraction(1), (352, 288)),
        ((352, 287), Fraction(12, 11), (384, 288)),
        ((640, 480), Fraction(1), (640, 480)),
    ],
)
def test_frames_have_square_pixels_and_even_sides(
    size: tuple[int, int], aspect: Fraction, square: tuple[int, int]
) -> None:
    assert square_size(known(size, aspect)) == square


def test_only_odd_sides_are_made_even() -> None:
    assert even_sides(SD) == ""
    assert "right=1:bottom=0" in even_sides((351, 288))


@pytest.mark.parametrize(
    ("order", "codec", "expected"),
    [
        ("progressive", "h264", ()),
        ("", "vp9", ()),
        ("", "dvvideo", ("bwdif=mode=send_frame:deint=interlaced",)),
        ("tt", "h264", ("bwdif=mode=send_frame:deint=interlaced",)),
        ("bb", "mpeg2video", ("bwdif=mode=send_frame:deint=interlaced",)),
        ("tb", "png", ("bwdif=mode=send_frame:parity=tff:deint=all",)),
        ("bt", "mjpeg", ("bwdif=mode=send_frame:parity=bff:deint=all",)),
    ],
)
def test_a_film_is_deinterlaced_if_it_or_its_frames_say_so(order: str, codec: str, expected: tuple[str, ...]) -> None:
    assert deinterlace(order, codec, every) == Chain(expected)


def test_without_the_better_filter_the_other_one_is_taken_and_without_both_that_is_told() -> None:
    assert deinterlace("tt", "h264", but("bwdif")) == Chain(("yadif=mode=send_frame:deint=interlaced",))
    assert "combed" in deinterlace("tt", "h264", none).note
    assert deinterlace("", "h264", none) == Chain(())


MOVING = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=50:d=0.4")
WOVEN = "tinterlace=mode={},setfield={}"
FIELDS = ("-flags", "+ilme+ildct")
TOP, BOTTOM = WOVEN.format("interleave_top", "tff"), WOVEN.format("interleave_bottom", "bff")
INTERLACED = {
    "top.mpg": (*MOVING, "-vf", TOP, "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-q:v", "2", *FIELDS),
    "bottom.mkv": (*MOVING, "-vf", BOTTOM, "-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-q:v", "2", *FIELDS),
    "silent.avi": (*MOVING, "-vf", TOP, "-pix_fmt", "yuv420p", "-c:v", "mpeg4", "-q:v", "2", *FIELDS),
    "pictures.mov": (*MOVING, "-vf", BOTTOM, "-c:v", "png"),
}


def comb(luma: U8) -> float:
    """The share of pixels that differ from both neighbours in their column, which are alike."""
    rows = luma.astype(np.int32)
    from_both, between = np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]), np.abs(rows[:-2] - rows[2:])
    return float(np.mean((from_both > 40) & (between < 10)))


@pytest.mark.process
@pytest.mark.parametrize("program", ["system", "wheel"])
@pytest.mark.parametrize("name", INTERLACED)
def test_no_frame_of_an_interlaced_film_is_combed(
    name: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in use(wheel() if program == "wheel" else "", monkeypatch):
        try:
            film = make(tmp_path / name, *INTERLACED[name])
        except subprocess.CalledProcessError:
            pytest.skip("this ffmpeg cannot make such a film")
        info = probe(film)
        with VideoReader(local_url(film), info.size, info.fps) as reader:
            woven = [comb(frame.y) for frame in iter(reader.read, None)]
        with VideoReader(local_url(film), info.size, info.fps, info=info) as reader:
            whole = [comb(frame.y) for frame in iter(reader.read, None)]
        assert len(whole) == len(woven)
        assert np.mean(whole) < np.mean(woven) / 3


@pytest.mark.process
def test_a_progressive_film_stays_as_it_is_to_the_last_sample(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mkv", *MOVING, "-pix_fmt", "yuv420p", "-c:v", "ffv1")
    info = probe(film)
    with (
        VideoReader(local_url(film), info.size, info.fps) as plain,
        VideoReader(local_url(film), info.size, info.fps, info=info) as reader,
    ):
        for one in iter(plain.read, None):
            other = reader.read()
            assert other is not None
            assert all(map(np.array_equal, one.planes, other.planes))
