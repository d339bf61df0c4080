"""3D LUT files: exact where they can be, and refused in words where they are broken."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.compose.filters.helpers import H, W, compose, extremes, matte, plate, write_cube
from vcam.assets import asset
from vcam.compose.filters.registry import parse_filter
from vcam.errors import InputError
from vcam.images import bgr_to_frame

pytestmark = pytest.mark.usefixtures("both_ways")


@pytest.mark.parametrize("side", [2, 17, 33])
def test_an_identity_lut_leaves_every_sample(side: int, tmp_path: Path) -> None:
    path = write_cube(tmp_path / "identity.cube", side)
    frame, full = extremes(False), matte(np.full((H, W), 255, np.uint8))
    out = compose([f"lut:{path}"], frame, full, plate())
    np.testing.assert_array_equal(out.packed(), frame.packed())


@pytest.mark.parametrize(
    "curve",
    [
        lambda c: (c[0] ** 0.8, c[1], c[2] ** 1.2),
        lambda c: (0.9 * c[0] + 0.1, c[1], 0.7 * c[2] + 0.1),
        lambda c: (0.5 * (c[0] + c[1]), 0.5 * (c[1] + c[2]), 0.5 * (c[2] + c[0])),
    ],
    ids=["curves", "tint", "mix"],
)
def test_a_lut_is_near_its_exact_values(curve, tmp_path: Path) -> None:
    path = write_cube(tmp_path / "look.cube", 17, curve)
    room = cv2.imread(str(asset("room.jpg")))
    picture = cv2.resize(room, (W, H), interpolation=cv2.INTER_AREA)
    rgb = picture[..., ::-1] / 255.0
    exact = np.dstack(curve(tuple(np.moveaxis(rgb, 2, 0))))[..., ::-1] * 255
    wanted = bgr_to_frame(np.rint(exact.clip(0, 255)).astype(np.uint8))
    out = compose(
        [f"lut:{path}"], bgr_to_frame(picture.astype(np.uint8)), matte(np.full((H, W), 255, np.uint8)), plate()
    )
    for plane, goal in zip(out.planes, wanted.planes, strict=True):
        error = np.abs(plane.astype(int) - goal)
        assert error.mean() < 1.5
        assert np.percentile(error, 99) <= 8


BROKEN = {
    "empty": ("", "no line LUT_3D_SIZE"),
    "short": ("LUT_3D_SIZE 2\n0 0 0\n", "1 lines of colours"),
    "long": ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 9, "more than the 8"),
    "words": ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 0 zero\n", "colour 8"),
    "columns": ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 0\n", "colour 8"),
    "nan": ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 0 nan\n", "colour 8"),
    "nan first": ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "nan 0 0\n", "line 9"),
    "huge side": ("LUT_3D_SIZE 4096\n", "from 2 to 129"),
    "no side": ("LUT_3D_SIZE many\n", "from 2 to 129"),
    "one dimension": ("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n", "one dimension"),
    "domain": ("LUT_3D_SIZE 2\nDOMAIN_MIN 1 1 1\n" + "0 0 0\n" * 8, "DOMAIN_MIN"),
    "binary": ("\0\1\2" * 99, "not a .cube file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_lut_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    text, message = BROKEN[kind]
    path = tmp_path / "broken.cube"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        parse_filter(f"lut:{path}")
    assert caught.value.hint


def test_a_huge_lut_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.cube"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(InputError, match="64 MB"):
        parse_filter(f"lut:{path}")
