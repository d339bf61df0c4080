"""A picture stands upright, in whichever of the eight ways and formats EXIF says that it is turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from vcam.images import read_image, read_rgba
from vcam.images.samples import turned_samples

UPRIGHT = np.zeros((24, 40, 3), np.uint8)
UPRIGHT[:12, :20], UPRIGHT[:12, 20:], UPRIGHT[12:, :20] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
"""Red, green, blue and black in its four corners."""

STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.swapaxes(0, 1),
    6: UPRIGHT[::-1].swapaxes(0, 1)[::-1, ::-1],
    7: UPRIGHT[::-1, ::-1].swapaxes(0, 1),
    8: UPRIGHT[::-1].swapaxes(0, 1),
}
"""What a camera stores that notes each orientation: TIFF 6.0, where the first row and column of the file are shown."""

FORMATS = [
    name
    for name, needs in {"jpg": "", "png": "", "tif": "", "mpo": "", "webp": "webp", "avif": "avif"}.items()
    if not needs or features.check(needs)
]


def corners(read: np.ndarray) -> list[list[int]]:
    return [read[y, x].tolist() for y in (4, 20) for x in (6, 34)]


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_is_upright(suffix: str, how: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = how
    options: dict[str, object] = {"webp": {"lossless": True}, "avif": {"quality": 95}}.get(suffix, {})
    options |= {"quality": 95} if suffix in ("jpg", "mpo") else {}
    Image.fromarray(np.ascontiguousarray(STORED[how])).save(tmp_path / f"p.{suffix}", exif=exif, **options)
    for read in (read_image(tmp_path / f"p.{suffix}")[..., ::-1], read_rgba(tmp_path / f"p.{suffix}")[..., :3]):
        assert read.shape == UPRIGHT.shape
        assert np.abs(np.array(corners(read)) - np.array(corners(UPRIGHT))).max() <= 12


@pytest.mark.parametrize("how", STORED)
def test_samples_are_turned_as_pictures_are(how: int) -> None:
    assert np.array_equal(turned_samples(STORED[how], how), UPRIGHT)


@pytest.mark.parametrize("how", [0, 9, 65535])
def test_an_orientation_that_means_nothing_turns_nothing(how: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = how
    Image.fromarray(UPRIGHT).save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "p.png")[..., ::-1], UPRIGHT)


def test_damaged_exif_leaves_the_picture_as_it_is_stored(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).save(tmp_path / "p.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(read_image(tmp_path / "p.png")[..., ::-1], UPRIGHT)
