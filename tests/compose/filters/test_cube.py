"""What .cube files of many programs say, held to another interpolation than vcam's own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.compose.filters.helpers import H, W, compose, matte, plate
from vcam.compose.filters.cube import look_up, read_cube
from vcam.errors import InputError, UsageError
from vcam.frames import Frame
from vcam.images import bgr_to_frame, frame_to_bgr

F64 = npt.NDArray[np.float64]
Colours = Callable[[float, float, float], tuple[float, float, float]]


def warm(red: float, green: float, blue: float) -> tuple[float, float, float]:
    return min(1.0, red * 1.1), green, blue * 0.8


def table(side: int, colours: Colours, low: float = 0.0, high: float = 1.0) -> list[str]:
    """The lines of a table, red the fastest."""
    steps = np.linspace(low, high, side)
    return [
        " ".join(f"{value:.6f}" for value in colours(steps[red], steps[green], steps[blue]))
        for blue, green, red in itertools.product(range(side), repeat=3)
    ]


WARM = "\n".join(table(17, warm)) + "\n"
HEAD = 'TITLE "warm"\nLUT_3D_SIZE 17\nDOMAIN_MIN 0.0 0.0 0.0\nDOMAIN_MAX 1.0 1.0 1.0\n'
WIDE = "\n".join(table(17, lambda *rgb: tuple(min(1, max(0, value)) for value in warm(*rgb)), -1, 2)) + "\n"  # type: ignore[arg-type, return-value]


def independent(side: int, rows: Sequence[str], low: float, high: float, colour: F64) -> F64:
    """One colour through a table: along red, then green, then blue, each with NumPy's own interpolation."""
    grid = np.array([row.split() for row in rows], float).reshape(side, side, side, 3)
    knots = np.linspace(low, high, side)
    for value in colour:
        # red is the last axis before the channels, and goes first
        grid = np.apply_along_axis(lambda line, at=value: np.interp(at, knots, line), -2, grid)
    return grid


COLOURS = [np.array(levels) / 255 for levels in itertools.product((0, 37, 201, 255), repeat=3)][::3]


def same_as(path: Path, side: int, rows: Sequence[str], low: float = 0.0, high: float = 1.0) -> None:
    cube = read_cube(path)
    found = look_up(cube, np.array(COLOURS, np.float32))
    wanted = [independent(side, rows, low, high, colour) for colour in COLOURS]
    np.testing.assert_allclose(found, wanted, atol=0.2 / 255)


EXPONENTS = "".join(" ".join(f"{float(value):.7E}" for value in row.split()) + "\n" for row in WARM.splitlines())

SPELT = {
    "plain": (HEAD + WARM).encode(),
    "Windows": (HEAD + WARM).replace("\n", "\r\n").encode(),
    "old Mac": (HEAD + WARM).replace("\n", "\r").encode(),
    "mark and title": b"\xef\xbb\xbf" + (HEAD + WARM).encode(),
    "mark and comment": b"\xef\xbb\xbf" + ("# made by X\n" + HEAD + WARM).encode(),
    "mark and size": b"\xef\xbb\xbf" + ("LUT_3D_SIZE 17\n" + WARM).encode(),
    "UTF-16": (HEAD + WARM).encode("utf-16"),
    "a title in Latin-1": (HEAD.replace("warm", "w\u00e4rm") + WARM).encode("latin-1"),
    "a title with everything": (HEAD.replace("warm", 'a "b" # \u00fc\u2028\x0b0 0 0\x85') + WARM).encode(),
    "no quotes": (HEAD.replace('"warm"', "1 warm look") + WARM).encode(),
    "tabs": (HEAD + WARM).replace(" ", "\t").encode(),
    "spaces": "".join(f"  {line}  \n" for line in (HEAD + WARM).splitlines()).encode(),
    "comments": ("# a\n// b\n; c\n" + HEAD + WARM.replace("\n", " # d\n") + "\n \n# end\n").encode(),
    "small letters": (HEAD.lower() + WARM).encode(),
    "size after": ('TITLE "x"\n' + WARM + "LUT_3D_SIZE 17\n").encode(),
    "exponents": (HEAD + EXPONENTS).encode(),
    "Resolve": ("LUT_3D_SIZE 17\nLUT_3D_INPUT_RANGE 0.0 1.0\n" + WARM).encode(),
    "unknown words": (HEAD + "LUT_FUTURE 1 2 3\n_own 4\n" + WARM).encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPELT)
def test_a_lut_means_the_same_however_it_is_spelt(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    path.write_bytes(SPELT[kind])
    same_as(path, 17, WARM.splitlines())


@pytest.mark.parametrize(
    "head", ["LUT_3D_INPUT_RANGE -1.0 2.0\n", "DOMAIN_MIN -1 -1 -1\nDOMAIN_MAX 2 2 2\n"], ids=["Resolve", "Adobe"]
)
def test_a_table_counts_over_the_range_it_is_made_for(head: str, tmp_path: Path) -> None:
    path = tmp_path / "wide.cube"
    path.write_text("LUT_3D_SIZE 17\n" + head + WIDE)
    same_as(path, 17, WIDE.splitlines(), -1, 2)


@pytest.mark.parametrize("side", [2, 3, 33])
def test_tables_of_all_sizes_are_read(side: int, tmp_path: Path) -> None:
    rows = table(side, warm)
    path = tmp_path / "look.cube"
    path.write_text(f"LUT_3D_SIZE {side}\n" + "\n".join(rows) + "\n")
    cube = read_cube(path)
    for colour in COLOURS[::5]:
        wanted = independent(side, rows, 0, 1, colour)
        np.testing.assert_allclose(look_up(cube, np.array(colour, np.float32)), wanted, atol=2 / 255)


@pytest.mark.long
def test_the_largest_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    path.write_text("LUT_3D_SIZE 129\n" + "0 0.5 1\n" * 129**3)
    np.testing.assert_array_equal(look_up(read_cube(path), np.full((1, 3), 0.3, np.float32)), [[0, 0.5, 1]])


def test_a_shaper_goes_before_the_table(tmp_path: Path) -> None:
    steps = np.linspace(-0.5, 1.5, 33)
    curves = [np.sqrt(np.clip(steps, 0, 1)) * 2 - 1, np.clip(steps, 0, 1), np.clip(steps, 0, 1) ** 2 * 2]
    lines = "".join(f"{red:.6f} {green:.6f} {blue:.6f}\n" for red, green, blue in zip(*curves, strict=True))
    path = tmp_path / "shaper.cube"
    head = "LUT_1D_SIZE 33\nLUT_1D_INPUT_RANGE -0.5 1.5\nLUT_3D_SIZE 17\nLUT_3D_INPUT_RANGE -1 2\n"
    path.write_text(head + lines + WIDE)
    cube = read_cube(path)
    for colour in COLOURS[::3]:
        shaped = np.array([np.interp(value, steps, curve) for value, curve in zip(colour, curves, strict=True)])
        wanted = independent(17, WIDE.splitlines(), -1, 2, shaped)
        np.testing.assert_allclose(look_up(cube, np.array(colour, np.float32)), wanted, atol=0.5 / 255)


def test_a_table_for_the_range_of_video_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "video.cube"
    identity = "\n".join(table(2, lambda *rgb: rgb)) + "\n"
    path.write_text("LUT_3D_SIZE 2\nLUT_IN_VIDEO_RANGE\nLUT_OUT_VIDEO_RANGE\n" + identity)
    rgb = np.array(COLOURS, np.float32)
    np.testing.assert_allclose(look_up(read_cube(path), rgb), rgb, atol=1e-5)
    path.write_text("LUT_3D_SIZE 2\nLUT_IN_VIDEO_RANGE\n" + identity)
    np.testing.assert_allclose(look_up(read_cube(path), rgb), (64 + 876 * rgb) / 1023, atol=1e-5)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("kind", ["mark and title", "wide"])
def test_a_picture_gets_the_right_colours(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    wide = b"LUT_3D_SIZE 17\nLUT_3D_INPUT_RANGE -1.0 2.0\n" + WIDE.encode()
    path.write_bytes(wide if kind == "wide" else SPELT[kind])
    rows, low, high = (WIDE, -1, 2) if kind == "wide" else (WARM, 0, 1)
    for colour in ((90, 60, 40), (128, 128, 128), (200, 180, 160), (30, 90, 150)):
        frame: Frame = bgr_to_frame(np.full((H, W, 3), colour[::-1], np.uint8))
        out = frame_to_bgr(compose([f"lut:{path}"], frame, matte(np.full((H, W), 255, np.uint8)), plate()))
        wanted = 255 * independent(17, rows.splitlines(), low, high, np.array(colour) / 255)
        # what the way to planes and back alone costs
        there = cv2.cvtColor(frame.packed().reshape(H * 3 // 2, W), cv2.COLOR_YUV2BGR_I420)[0, 0, ::-1]
        slack = np.abs(there.astype(float) - colour).max()
        assert np.abs(out[H // 2, W // 2, ::-1] - wanted).max() <= 2 + slack


BROKEN = {
    "range of one": ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0\n" + "0 0 0\n" * 8, "two numbers"),
    "range of three": ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0 1 2\n" + "0 0 0\n" * 8, "two numbers"),
    "range down": ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 1 0\n" + "0 0 0\n" * 8, "goes down"),
    "range of nothing": ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 1 1\n" + "0 0 0\n" * 8, "goes down"),
    "range without end": ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0 inf\n" + "0 0 0\n" * 8, "two numbers"),
    "domain of nan": ("LUT_3D_SIZE 2\nDOMAIN_MAX 1 1 nan\n" + "0 0 0\n" * 8, "three numbers"),
    "inf": ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 0 1e99\n", "colour 8"),
    "size 1": ("LUT_3D_SIZE 1\n0 0 0\n", "from 2 to 129"),
    "size 130": ("LUT_3D_SIZE 130\n0 0 0\n", "from 2 to 129"),
    "decimal size": ("LUT_3D_SIZE 17.0\n0 0 0\n", "from 2 to 129"),
    "shaper too short": ("LUT_1D_SIZE 4\nLUT_3D_SIZE 2\n" + "0 0 0\n" * 11, "11 lines of colours"),
    "shaper too long": ("LUT_1D_SIZE 2\nLUT_3D_SIZE 2\n" + "0 0 0\n" * 11, "more than the 10"),
    "broken after a shaper": ("LUT_1D_SIZE 2\nLUT_3D_SIZE 2\n" + "0 0 0\n" * 9 + "0 0\n", "colour 10"),
    "too many after all": ("0 0 0\n" * 9 + "LUT_3D_SIZE 2\n", "9 lines of colours"),
    "four": ("LUT_3D_SIZE 2\n" + "0 0 0 1\n" * 8, "colour 1"),
    "decimal commas": ("LUT_3D_SIZE 2\n" + "0,5 0,5 0,5\n" * 8, "colour 1"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_lut_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    text, message = BROKEN[kind]
    path = tmp_path / "broken.cube"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_cube(path)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "no file"])
def test_what_is_no_file_is_told_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cube"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    with pytest.raises(UsageError, match=kind):
        read_cube(path)
