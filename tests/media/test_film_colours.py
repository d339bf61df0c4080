"""The colours of a film are those that its maker meant, whatever it says of them and whichever ffmpeg there is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.media.colours import GREYS, PATCHES, Floats, film, frame_colours, middles, samples, tags
from tests.media.films import use, wheel
from vcam.camera.file import VideoFile
from vcam.compose.backgrounds.moving import VideoBackground
from vcam.media import filters
from vcam.media import probe as probing
from vcam.media import reader as reading
from vcam.media.ffmpeg import local_url
from vcam.media.filters import has_filter, square_size
from vcam.media.probe import probe
from vcam.media.reader import VideoReader, tell

pytestmark = pytest.mark.process

SD, HD = (320, 192), (1280, 64)
NARROW = {"color_primaries": "bt709", "color_trc": "bt709"}


@pytest.fixture(params=["system", "wheel"], autouse=True)
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from use(wheel() if request.param == "wheel" else "", monkeypatch)


def shown(path: Path) -> Floats:
    info = probe(path)
    with VideoReader(local_url(path), square_size(info), info.fps, info=info) as reader:
        frame = reader.read()
        assert frame is not None
        return frame_colours(frame)


def exact(found: Floats, wanted: Floats = PATCHES, most: float = 2.0) -> None:
    assert np.abs(found - wanted).max() <= most
    assert np.ptp(found[GREYS], axis=1).max() < 1e-9, "a grey has a colour"


@pytest.mark.parametrize(
    ("matrix", "full", "pixel_format"),
    [
        *((matrix, full, "yuv420p") for matrix in ("bt709", "smpte170m", "fcc") for full in (False, True)),
        *((matrix, False, "yuv420p") for matrix in ("bt470bg", "smpte240m")),
        *(("bt709", full, name) for full in (False, True) for name in ("yuv422p10le", "yuv444p")),
        ("bt709", False, "yuv420p10le"),
        ("smpte170m", True, "yuv444p12le"),
    ],
)
def test_a_film_is_read_by_the_matrix_and_the_range_that_it_tells(
    matrix: str, full: bool, pixel_format: str, tmp_path: Path
) -> None:
    bits = {"10le": 10, "12le": 12}.get(pixel_format[-4:], 8)
    told = tags(colorspace=matrix, range="pc" if full else "tv", **NARROW)
    stored = samples(PATCHES / 255, matrix, full, bits)

    exact(shown(film(tmp_path / "film.mkv", stored, pixel_format, SD, *told, "-c:v", "ffv1")))


@pytest.mark.parametrize(("size", "matrix"), [(HD, "bt709"), (SD, "smpte170m"), ((768, 576), "smpte170m")])
def test_an_untagged_film_is_read_by_its_size_as_players_do(size: tuple[int, int], matrix: str, tmp_path: Path) -> None:
    exact(shown(film(tmp_path / "film.mkv", samples(PATCHES / 255, matrix), "yuv420p", size)))


def test_the_size_of_the_stored_frames_counts_for_that_and_not_the_turned_one(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", samples(PATCHES / 255, "smpte170m"), "yuv420p", (640, 480), "-c:v", "mpeg4")
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    rows = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in rows)
    path.write_bytes(data)
    info = probe(path)
    assert info.size == (480, 640)
    chain, _ = filters.film_filters(info, info.size)
    assert "bt709" not in chain


def test_a_grey_of_bt709_stays_the_same_grey(tmp_path: Path) -> None:
    stored = samples(np.full((16, 3), 125 / 255), "bt709")
    told = tags(colorspace="bt709", range="tv", **NARROW)
    assert np.abs(shown(film(tmp_path / "film.mkv", stored, "yuv420p", HD, *told, "-c:v", "ffv1")) - 125).max() <= 1


@pytest.mark.parametrize("size", [SD, HD])
@pytest.mark.parametrize("pixel_format", ["gbrp", "gbrp10le"])
def test_samples_of_rgb_need_no_matrix_to_be_read(pixel_format: str, size: tuple[int, int], tmp_path: Path) -> None:
    most = 1023 if pixel_format.endswith("10le") else 255
    stored = np.rint(PATCHES[:, [1, 2, 0]].T * most / 255)
    exact(shown(film(tmp_path / "film.mkv", stored, pixel_format, size)))


@pytest.mark.parametrize("options", [("-c:v", "png"), ("-c:v", "qtrle", "-pix_fmt", "argb")], ids=["png", "argb"])
def test_pictures_in_a_film_are_read_right(options: tuple[str, ...], tmp_path: Path) -> None:
    stored = PATCHES[:, [1, 2, 0]].T
    exact(shown(film(tmp_path / "film.mov", stored, "gbrp", HD, *options)))


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
def test_a_film_without_colours_keeps_its_greys(full: bool, tmp_path: Path) -> None:
    stored = samples(np.repeat(np.linspace(0, 1, 16)[:, None], 3, 1), "bt709", full)
    told = tags(range="pc" if full else "tv")
    path = film(tmp_path / "film.mkv", stored, "gray", HD, *told, "-c:v", "ffv1")
    exact(shown(path), np.repeat(np.linspace(0, 255, 16)[:, None], 3, 1), 1.2)


def linear(encoded: Floats) -> Floats:
    """Light of a signal of BT.709 (ITU-R BT.709-6, 1.2)."""
    return np.where(encoded < 0.081, encoded / 4.5, ((encoded + 0.099) / 1.099) ** (1 / 0.45))


def curved(light: Floats) -> Floats:
    return np.where(light < 0.018, light * 4.5, 1.099 * np.maximum(light, 1e-9) ** 0.45 - 0.099)


# BT.709's R, G, B by those of BT.2020 (ITU-R BT.2087), and by those of P3 with the white of D65 (SMPTE EG 432-1)
TO_WIDE = {
    "bt2020": np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
    "smpte432": np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]]),
}


@pytest.mark.parametrize(("primaries", "matrix"), [("bt2020", "bt2020nc"), ("smpte432", "bt709")])
def test_wide_primaries_become_those_of_bt709(primaries: str, matrix: str, tmp_path: Path) -> None:
    signal = np.clip(curved(linear(PATCHES / 255) @ TO_WIDE[primaries].T), 0, 1)
    told = tags(range="tv", colorspace=matrix, color_primaries=primaries, color_trc="bt709")
    stored = samples(signal, matrix, bits=10)
    exact(shown(film(tmp_path / "film.mkv", stored, "yuv420p10le", SD, *told, "-c:v", "ffv1")))


def srgb_light(encoded: Floats) -> Floats:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def pq(nits: Floats) -> Floats:
    """ITU-R BT.2100, table 4."""
    y = (np.maximum(nits, 0) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(nits: Floats) -> Floats:
    """ITU-R BT.2100, table 5: for a display of 1000 nits, whose system gamma is 1.2."""
    display = nits / 1000
    luminance = display @ np.array([0.2627, 0.6780, 0.0593])
    scene = display * np.where(luminance > 0, luminance, 1)[:, None] ** ((1 - 1.2) / 1.2)
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


def hdr(path: Path, curve: str, *, full: bool = False) -> Path:
    """The patches as SDR shows them, white at 203 nits; the last one is white at 1000 nits."""
    nits = srgb_light(PATCHES / 255) * 203
    nits[-1] = 1000
    light = nits @ TO_WIDE["bt2020"].T
    signal = np.clip((pq if curve == "smpte2084" else hlg)(light), 0, 1)
    told = tags(range="pc" if full else "tv", colorspace="bt2020nc", color_primaries="bt2020", color_trc=curve)
    return film(path, samples(signal, "bt2020nc", bits=10, full=full), "yuv420p10le", SD, *told, "-c:v", "ffv1")


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"], ids=["PQ", "HLG"])
def test_hdr_is_brought_to_sdr(curve: str, tmp_path: Path) -> None:
    if not (has_filter("zscale") and has_filter("tonemap")):
        pytest.skip("this ffmpeg cannot tone-map")
    found = shown(hdr(tmp_path / "film.mkv", curve))
    # what is darker than the knee keeps its colour, a face among them
    dark = [4, 5, 7, 8, 9, 10, 13]
    assert np.abs(found[dark] - PATCHES[dark]).max() <= 3
    # what is brighter is pressed together, up to the white of SDR
    assert 235 < found[6].min() <= found[6].max() < 252
    assert found[-1].min() > 252
    assert np.abs(found[:4] - PATCHES[:4]).max() < 20


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"], ids=["PQ", "HLG"])
def test_hdr_of_the_full_range_is_brought_to_sdr(curve: str, tmp_path: Path) -> None:
    if not (has_filter("zscale") and has_filter("tonemap")):
        pytest.skip("this ffmpeg cannot tone-map")
    found, dark = shown(hdr(tmp_path / "film.mkv", curve, full=True)), [4, 5, 7, 8, 9, 10, 13]
    assert np.abs(found[dark] - PATCHES[dark]).max() <= 2


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"], ids=["PQ", "HLG"])
def test_where_hdr_cannot_be_brought_to_sdr_that_is_said(
    curve: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    info = probe(hdr(tmp_path / "film.mkv", curve))
    real = has_filter
    monkeypatch.setattr(
        filters.to_frames, "__kwdefaults__", {"quick": False, "has": lambda name: name != "zscale" and real(name)}
    )
    with VideoReader(local_url(tmp_path / "film.mkv"), info.size, info.fps, info=info) as reader:
        frame = reader.read()
        assert frame is not None
        assert np.abs(middles(frame.u)[GREYS] - 128).max() == 0
        assert "HDR" in reader.note
    with caplog.at_level(logging.WARNING):
        tell(str(tmp_path), reader.note)
        tell(str(tmp_path), reader.note)
    assert [record.getMessage().startswith(str(tmp_path)) for record in caplog.records] == [True]


def test_a_film_as_a_background_has_its_colours_too(tmp_path: Path) -> None:
    told = tags(colorspace="bt709", range="tv", **NARROW)
    path = film(tmp_path / "film.mkv", samples(PATCHES / 255, "bt709"), "yuv420p", (640, 480), *told, "-c:v", "ffv1")
    background = VideoBackground(path, "stretch")
    background.prepare((320, 192))
    try:
        exact(frame_colours(background.without_person(0.0).frame))
    finally:
        background.close()


def test_a_film_as_a_camera_has_its_colours_too_and_says_once_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = film(tmp_path / "film.mkv", samples(PATCHES / 255, "bt709"), "yuv420p", HD, "-c:v", "ffv1")
    real = filters.film_filters
    monkeypatch.setattr(reading, "film_filters", lambda *args, **rest: (real(*args, **rest)[0], "lacks something"))
    for _ in range(2):
        camera = VideoFile(path, paced=True)
        camera.open()
        frame = camera.read()
        assert frame is not None
        exact(frame_colours(frame))
        camera.close()
    assert [record.getMessage() for record in caplog.records] == [f"{path} lacks something"]


def test_ffprobe_and_ffmpeg_tell_the_same_format_of_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = samples(PATCHES / 255, "bt709", bits=10)
    path = film(tmp_path / "film.mkv", stored, "yuv420p10le", SD)
    asked = probe(path).film
    monkeypatch.setattr(probing, "find_ffprobe", lambda program: None)
    assert probe(path).film == asked
    assert asked.pixel_format == "yuv420p10le"
