"""What a picture of a matte holds is read right, or refused with a reason; never is something else scored."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from tests.datasets.helpers import read_matte
from vcam.datasets.folder import find_pairs, read_pair
from vcam.errors import InputError

PERSON = np.zeros((30, 40), bool)
PERSON[8:30, 10:22] = True
MATTE = np.where(PERSON, 255, 0).astype(np.uint8)
DAVIS = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
"""The first colours of the palette of DAVIS and PASCAL VOC."""


def photo(shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (*shape, 3), np.uint8)


def indexed(numbers: np.ndarray, colours: list[int]) -> Image.Image:
    picture = Image.fromarray(numbers.astype(np.uint8), "L").copy()
    picture.putpalette(colours)
    return picture


def soft() -> np.ndarray:
    return np.linspace(0, 255, 40).astype(np.uint8)[np.newaxis].repeat(30, 0)


def read(picture: Image.Image, folder: Path, name: str = "m.png", **options: object) -> np.ndarray:
    picture.save(folder / name, **options)
    return read_matte(folder / name)


RIGHT = {
    "grey": Image.fromarray(MATTE),
    "one bit": Image.fromarray(PERSON),
    "0 and 1": Image.fromarray(PERSON.astype(np.uint8)),
    "16 bits": Image.fromarray(MATTE.astype(np.uint16) * 257),
    "16 bits, 0 and 1": Image.fromarray(PERSON.astype(np.uint16)),
    "16 bits, 0 and 255": Image.fromarray(MATTE.astype(np.uint16)),
    "32 bits, 0 and 1": Image.fromarray(PERSON.astype(np.int32)),
    "RGB": Image.fromarray(MATTE).convert("RGB"),
    "opaque RGBA": Image.fromarray(MATTE).convert("RGBA"),
    "opaque grey and alpha": Image.fromarray(MATTE).convert("LA"),
    "DAVIS": indexed(PERSON, DAVIS),
    "DAVIS, another number": indexed(PERSON * 3, DAVIS),
    "palette of greys": indexed(PERSON, [0, 0, 0, 255, 255, 255]),
    "palette of greys, the other way": indexed(~PERSON, [255, 255, 255, 0, 0, 0]),
    "red on black": Image.fromarray(np.dstack([MATTE, MATTE * 0, MATTE * 0])),
    "cut-out": Image.fromarray(np.dstack([photo(), MATTE])),
    "cut-out on black": Image.fromarray(np.dstack([photo() * PERSON[..., None], MATTE])),
    "grey cut-out": Image.fromarray(np.dstack([photo()[..., 0], MATTE]), "LA"),
    "white with alpha": Image.fromarray(np.dstack([np.full((30, 40, 3), 255, np.uint8), MATTE])),
    "black with alpha": Image.fromarray(np.dstack([np.zeros((30, 40), np.uint8), MATTE]), "LA"),
    "grey that is its alpha": Image.fromarray(np.dstack([MATTE, MATTE]), "LA"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_matte_is_found_whichever_way_it_is_held(name: str, tmp_path: Path) -> None:
    suffix = "tif" if RIGHT[name].mode == "I" else "png"
    assert np.array_equal(read(RIGHT[name], tmp_path, f"m.{suffix}"), MATTE)


def test_floats_are_a_matte_as_well(tmp_path: Path) -> None:
    assert (
        np.abs(read(Image.fromarray(soft().astype(np.float32) / 255), tmp_path, "m.tif").astype(int) - soft()).max()
        <= 1
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_a_soft_matte_stays_soft(mode: str, tmp_path: Path) -> None:
    assert np.array_equal(read(Image.fromarray(soft()).convert(mode), tmp_path), soft())


def test_a_soft_cut_out_stays_soft(tmp_path: Path) -> None:
    assert np.array_equal(read(Image.fromarray(np.dstack([photo(), soft()])), tmp_path), soft())


def test_a_matte_of_a_jpeg_is_taken_for_grey_though_it_is_not_exact(tmp_path: Path) -> None:
    found = read(Image.fromarray(MATTE).convert("RGB"), tmp_path, "m.jpg", quality=90)
    assert np.abs(found.astype(int) - MATTE).mean() < 3


def test_a_profile_changes_no_matte(tmp_path: Path) -> None:
    from tests.images.test_profiles import SRGB, profile

    assert np.array_equal(read(Image.fromarray(soft()), tmp_path, icc_profile=profile(SRGB, 1.0, b"GRAY")), soft())


def test_several_objects_are_all_people_and_that_is_said(tmp_path: Path, caplog) -> None:
    numbers = PERSON.astype(np.uint8)
    numbers[:, 15:] *= 2
    for index, picture in enumerate((indexed(numbers, DAVIS), indexed(numbers, DAVIS).convert("RGB"))):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert np.array_equal(read(picture, tmp_path, f"{index}.png"), MATTE)
        assert "2 objects" in caplog.text


def test_nobody_is_nobody(tmp_path: Path) -> None:
    empty = np.zeros((30, 40), np.uint8)
    for index, picture in enumerate(
        (Image.fromarray(empty), indexed(empty, DAVIS), Image.fromarray(empty).convert("RGB"))
    ):
        assert not read(picture, tmp_path, f"{index}.png").any()


def blurred() -> np.ndarray:
    return np.asarray(Image.fromarray(MATTE).resize((20, 15), Image.Resampling.BOX).resize((40, 30)))


def corners() -> np.ndarray:
    alpha = np.full((30, 40), 255, np.uint8)
    alpha[:3, :3] = 0
    return alpha


REFUSED = {
    "a photo": (Image.fromarray(photo()), "picture in colours"),
    "a photo as JPEG": (Image.fromarray(photo()), "picture in colours"),
    "numbers of objects in grey": (Image.fromarray(PERSON.astype(np.uint8) * 2), "brighter than 2"),
    "two that differ": (Image.fromarray(np.dstack([255 - MATTE, np.roll(MATTE, 10, 1)]), "LA"), "two mattes"),
    "a soft one, and round corners": (Image.fromarray(np.dstack([blurred(), corners()]), "LA"), "two mattes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_matte_is_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    picture, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as caught:
        read(picture, tmp_path, "m.jpg" if "JPEG" in name else "m.png")
    assert "grey picture" in caught.value.hint


def test_pixels_that_nobody_decided_upon_are_no_background(tmp_path: Path) -> None:
    numbers = np.where(PERSON, 15, 0).astype(np.uint8)
    numbers[7, 10:22] = 255
    colours = [0] * 45 + [192, 128, 128] + [0] * (255 * 3 - 48) + [224, 224, 192]
    with pytest.raises(InputError, match="undecided"):
        read(indexed(numbers, colours), tmp_path)


def pair(folder: Path, stored: np.ndarray, how: int, matte: np.ndarray, matte_how: int = 1):
    (folder / "img").mkdir()
    (folder / "mask").mkdir()
    for name, samples, turn in (("img/a.png", stored, how), ("mask/a.png", matte, matte_how)):
        exif = Image.Exif()
        exif[0x0112] = turn
        Image.fromarray(samples).save(folder / name, exif=exif)
    (found,) = find_pairs(folder).pairs
    return found


def stored_as(samples: np.ndarray, how: int) -> np.ndarray:
    """What a camera stores of an upright picture that it notes orientation 6 or 3 for."""
    return np.ascontiguousarray({1: samples, 3: samples[::-1, ::-1], 6: np.rot90(samples, 1)}[how])


@pytest.mark.parametrize(("own", "matte_has"), [(6, 6), (6, 1), (1, 6), (3, 3), (6, "stored"), (3, "upright")])
def test_picture_and_matte_are_upright_each_by_its_own_exif(own: int, matte_has: object, tmp_path: Path) -> None:
    upright = np.dstack([MATTE] * 3) // 2 + 40
    picture = stored_as(upright, own)
    if matte_has == "stored":
        # made by a program that knows no EXIF: turned as the picture is, and silent of it
        found = pair(tmp_path, picture, own, stored_as(MATTE, own))
    else:
        turn = 1 if matte_has == "upright" else int(str(matte_has))
        found = pair(tmp_path, picture, own, stored_as(MATTE, turn), turn)
    ((frame, true),) = read_pair(found)
    assert np.array_equal(true, MATTE)
    assert np.abs(frame.y.astype(int) - np.where(PERSON, 16 + 167 * 219 / 255, 16 + 40 * 219 / 255)).max() <= 2


def test_a_matte_that_may_be_either_way_is_taken_upright_and_that_is_said(tmp_path: Path, caplog) -> None:
    found = pair(tmp_path, stored_as(np.dstack([MATTE] * 3), 3), 3, MATTE)
    with caplog.at_level(logging.WARNING):
        ((_, true),) = read_pair(found)
    assert np.array_equal(true, MATTE)
    assert "taken to be upright" in caplog.text


@pytest.mark.parametrize("shape", [(40, 40), (40, 30), (30, 80)])
def test_a_matte_of_another_shape_is_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    found = pair(tmp_path, photo(), 1, np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match="not the shape"):
        list(read_pair(found))


@pytest.mark.parametrize("shape", [(15, 20), (60, 80), (8, 10)])
def test_a_matte_of_the_same_shape_is_scaled(shape: tuple[int, int], tmp_path: Path) -> None:
    ((frame, true),) = read_pair(pair(tmp_path, photo(), 1, np.full(shape, 255, np.uint8)))
    assert true.shape == frame.y.shape
    assert true.min() == 255


def test_a_matte_may_have_any_format(tmp_path: Path) -> None:
    formats = ["gif", "bmp", "tif", "tga", *(name for name in ("webp",) if features.check(name))]
    for name in formats:
        options = {"lossless": True} if name == "webp" else {}
        assert np.array_equal(read(Image.fromarray(MATTE), tmp_path, f"m.{name}", **options), MATTE)
