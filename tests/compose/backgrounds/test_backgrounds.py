"""Colours and pictures as backgrounds; which word or file means what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.compose.backgrounds.helpers import SIZE, animate, film, luma, parse, plate
from vcam.compose.backgrounds.fit import fit_picture
from vcam.compose.backgrounds.moving import VideoBackground
from vcam.compose.backgrounds.slides import SlideShow
from vcam.compose.backgrounds.static import GREEN, ColorBackground, ImageBackground
from vcam.compose.placeholder import placeholder
from vcam.errors import InputError, UsageError
from vcam.images import frame_to_bgr


def test_colours_come_out_as_bt601_limited() -> None:
    for spec, expected in {
        "color:#ffffff": (235, 128, 128),
        "color:#f00": (82, 90, 240),
        "color:navy": (29, 184, 119),
        "green": (145, 54, 34),
    }.items():
        frame = plate(parse(spec))
        for plane, value in zip(frame.planes, expected, strict=True):
            assert plane.min() == plane.max()
            assert abs(int(plane[0, 0]) - value) <= 1


def test_green_is_the_pure_green_that_chroma_keys_expect() -> None:
    assert GREEN == (0, 255, 0)
    np.testing.assert_array_equal(plate(parse("green")).packed(), plate(ColorBackground((0, 255, 0))).packed())


def test_a_plate_that_stays_keeps_its_version(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), "teal").save(tmp_path / "a.png")
    for background in (ColorBackground((1, 2, 3)), ImageBackground(tmp_path / "a.png")):
        background.prepare(SIZE)
        first = background.without_person(0.0)
        assert background.without_person(9.0).version == first.version
        background.prepare((80, 64))
        assert background.without_person(9.0).frame.size == (80, 64)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16", "CMYK", "P", "1", "LA"])
@pytest.mark.parametrize("size", [(33, 21), (200, 151)])
def test_pictures_of_every_kind_and_odd_sizes_become_plates(tmp_path: Path, mode: str, size) -> None:
    path = tmp_path / "picture.tif"
    if mode == "I;16":
        Image.fromarray(np.full(size[::-1], 30000, np.uint16)).save(path)
    else:
        image = Image.new("RGB", size, (200, 40, 40))
        (image.convert("RGBA") if mode == "RGBA" else image.convert(mode)).save(path)
    background = parse(path)
    assert isinstance(background, ImageBackground)
    frame = plate(background)
    assert frame.size == SIZE
    assert frame.y.min() >= 16
    assert frame.y.max() <= 235
    if mode == "I;16":
        assert abs(int(frame.y[10, 10]) - luma(117)) <= 1


def halves() -> np.ndarray:
    """A tall picture: white above, black below."""
    picture = np.zeros((400, 100, 3), np.uint8)
    picture[:200] = 255
    return picture


def test_cover_fills_the_frame_and_cuts_the_rest() -> None:
    result = fit_picture(halves(), (160, 90), "cover")
    assert (result[:40] == 255).all()
    assert (result[50:] == 0).all()


def test_stretch_shows_all_of_the_picture_distorted() -> None:
    result = fit_picture(halves(), (160, 90), "stretch")
    assert (result[:44] == 255).all()
    assert (result[46:] == 0).all()


def test_contain_shows_the_whole_picture_between_dark_bars() -> None:
    result = fit_picture(np.full((400, 100, 3), 200, np.uint8), (160, 90), "contain")
    bright = np.flatnonzero((result[..., 0] == 200).all(axis=0))
    assert len(bright) in (22, 24)
    assert abs((bright[0] + bright[-1]) - 159) <= 3
    assert result[:, :40].max() < 100
    assert result[:, :40].min() > 20


def test_a_truncated_picture_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.effect_noise((300, 200), 90).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"cut\.jpg is damaged"):
        parse(path).prepare(SIZE)


@pytest.mark.process
def test_the_content_of_a_file_decides_what_it_is(tmp_path: Path) -> None:
    still = tmp_path / "still.mp4"
    Image.new("RGB", (40, 30)).save(still, "JPEG")
    assert isinstance(parse(still), ImageBackground)
    moving = film(tmp_path / "moving.mkv").rename(tmp_path / "moving.jpg")
    assert isinstance(parse(moving), VideoBackground)
    assert isinstance(parse(animate(tmp_path / "a.gif", duration=100)), VideoBackground)
    assert isinstance(parse(animate(tmp_path / "one.gif", greys=(50,))), ImageBackground)
    assert isinstance(parse(animate(tmp_path / "a.png", duration=100)), VideoBackground)
    assert isinstance(parse(animate(tmp_path / "pages.tif")), ImageBackground)
    assert isinstance(parse(tmp_path), SlideShow)


@pytest.mark.parametrize("content", [b"", b"hello\n" * 50, b"\x00" * 5000])
def test_a_file_that_is_no_picture_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"thing\.bin") as caught:
        parse(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("blurr", "did you mean blur?"),
        ("Grene", "did you mean green?"),
        ("pixelated", "did you mean pixelate?"),
        ("beach", "blur[:STRENGTH], pixelate[:N]"),
        ("beach.jpg", "check the path"),
        ("/no/such/folder", "check the path"),
        ("#203040", "color:#203040"),
        ("https://example.org/a.jpg", "download it"),
        ("blur:0", "a number from 1 to 100"),
        ("blur:", "a number from 1 to 100"),
        ("blur:nan", "a number from 1 to 100"),
        ("blur:strong", "a number from 1 to 100"),
        ("pixelate:3", "a number from 4 to 128"),
        ("pixelate:1e9", "a number from 4 to 128"),
        ("color:reddish", "#RRGGBB"),
        ("color:#12345", "#RRGGBB"),
        ("color:#11223344", "#RRGGBB"),
        ("color", "color:#203040"),
        ("green:3", "write green"),
        ("none:x", "write none"),
        ("/dev/null", "the path of a picture"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_with_a_cure(spec: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(spec)
    assert hint in caught.value.hint


def test_words_make_their_backgrounds() -> None:
    for spec in ("blur:50", "blur:7.5", "pixelate:24", "none", "color:#203040"):
        assert parse(spec).description == spec
    assert parse("BLUR").description == "blur:50"
    assert parse("pixelate").description == "pixelate:24"
    assert parse("colour:#fff").description == "color:#ffffff"


def test_the_screen_needs_an_x_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UsageError, match="X display"):
        parse("screen")
    # there the desktop's portal is asked, once it is to be shown
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(UsageError, match="portal cannot be reached"):
        parse("screen").prepare((64, 48))


def test_the_placeholder_is_dark_and_carries_its_words() -> None:
    plain, words = placeholder((320, 180)), placeholder((320, 180), "Paused\nvcam resume")
    assert plain.y.max() < 80
    assert words.y.max() > 150
    where = np.argwhere(words.y != plain.y)
    assert abs(where[:, 1].mean() - 160) < 20
    assert abs(where[:, 0].mean() - 90) < 12
    long = placeholder((320, 180), "a very long sentence " * 3)
    assert (long.y[:, :8] == plain.y[:, :8]).all()
    assert frame_to_bgr(words).shape == (180, 320, 3)
