"""The compiled loops of filters give what their passes of OpenCV give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.filters.helpers import write_cube
from tests.native.helpers import difference, noise
from vcam.compose.filters.cube import PlanarLut
from vcam.compose.filters.light import LowLight
from vcam.compose.filters.planes import BLACK, HIGHEST, LOWEST, WHITE, Shade
from vcam.compose.filters.registry import parse_filter
from vcam.frames import Box, Frame


@pytest.fixture(scope="module")
def plain_filters(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlanarLut, LowLight, Shade]:
    """What the compiled loops stand for, in OpenCV."""
    path = write_cube(tmp_path_factory.mktemp("cube") / "identity.cube", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VCAM_NATIVE", "0")
        lut, lighter = parse_filter(f"lut:{path}").filter, parse_filter("low-light").filter
        assert isinstance(lut, PlanarLut)
        assert isinstance(lighter, LowLight)
        return lut, lighter, Shade()


TABLES = np.random.default_rng(6)
# what no .cube gives: neighbours that have nothing in common
REST = TABLES.integers(0, 1 << 32, 1 << 18, dtype=np.uint32)
CURVES = TABLES.integers(0, 256, (3, 256), dtype=np.uint8)
TERMS = {"bits": 6, "none": 128, "luma": (BLACK, WHITE), "chroma": (LOWEST, HIGHEST)}
LIGHT = {"most": 3.0, "black": BLACK, "white": WHITE}


@given(height=st.integers(1, 12), width=st.integers(1, 150), seed=st.integers(0, 99), margin=st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_a_table_of_colours_gives_what_opencv_gives(
    kernels, plain_filters, height: int, width: int, seed: int, margin: int
) -> None:
    lut = plain_filters[0]
    lut._curves, lut._rest = CURVES, REST
    size = (2 * width, 2 * height)
    wide = [noise(seed + i, (2, 1, 1)[i] * height, (2, 1, 1)[i] * width, margin=margin) for i in range(3)]
    wide[0][0, 0], wide[1][-1, -1], wide[2][0, -1] = 0, 255, 255
    picture = Frame(*(plane.copy() for plane in wide))
    lut.prepare(size)
    lut.change(picture, Box(0, 0, *size), None)
    around = [plane.base.copy() for plane in wide]
    kernels.lut(tuple(wide), CURVES, REST, **TERMS)
    for mine, before, expected, most in zip(wide, around, picture.planes, (235, 240, 240), strict=True):
        assert difference(mine, expected) <= 1
        assert 16 <= mine.min() <= mine.max() <= most
        before[:, margin : margin + mine.shape[1]] = mine
        assert (before == mine.base).all()


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_a_table_may_have_any_bits_and_limits(kernels, bits: int) -> None:
    # one colour, so that luma's left-over is the same everywhere
    y, u, v = (np.full(size, level, np.uint8) for size, level in (((4, 6), 200), ((2, 3), 90), ((2, 3), 30)))
    at = [level >> (8 - bits) for level in (200, 90, 30)]
    rest = np.zeros((1 << bits,) * 3, np.uint32)
    rest[*at] = np.array([120, 30, 90, 7], np.uint8).view(np.uint32)[0]
    curves = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    terms = {"bits": bits, "none": 100, "luma": (0, 210), "chroma": (40, 255)}
    kernels.lut((y, u, v), curves, rest.reshape(-1), **terms)
    assert (y == 210).all()
    assert (u == 40).all()
    assert (v == 40).all()
    kernels.lut((y, u, v), curves, np.full_like(rest, 0x5A5A5A5A).reshape(-1), **terms)
    assert (y == 210 + 0x5A - 100).all()
    assert (u == 40).all()


@given(height=st.integers(1, 5), width=st.integers(1, 200), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_gains_are_those_of_opencv(kernels, plain_filters, height: int, width: int, seed: int) -> None:
    gain, lift, sample = (noise(seed + i, height, width) for i in range(3))
    sample[0, 0], gain[0, 0], lift[0, 0] = 255, 255, 255
    expected, mine = sample.copy(), sample.copy()
    plain_filters[2].apply(gain, lift, expected)
    kernels.shade(gain, lift, mine)
    assert difference(mine, expected) <= 1
    expected, mine = sample.copy(), sample.copy()
    plain_filters[1].prepare((2 * width, 2 * height))
    plain_filters[1]._lighten(gain, expected)
    kernels.lighten(gain, mine, **LIGHT)
    assert difference(mine, expected) <= 1


def test_a_gain_of_one_leaves_every_legal_sample(kernels) -> None:
    levels = np.arange(16, 236, dtype=np.uint8).reshape(1, -1)
    one, other = levels.copy(), levels.copy()
    kernels.lighten(np.full_like(levels, 85), one, **LIGHT)
    kernels.shade(np.full_like(levels, 255), np.zeros_like(levels), other)
    assert (one == levels).all()
    assert (other == levels).all()


@pytest.mark.parametrize("most", [1.0, 2.0, 2.5, 3.0, 3.9])
def test_the_largest_gain_and_the_range_are_the_callers(kernels, most: float) -> None:
    gain, luma = np.meshgrid(*[np.arange(256, dtype=np.uint8)] * 2)
    exact = np.clip(most * gain / 255 * np.maximum(luma.astype(float) - 40, 0) + 40, 40, 200)
    kernels.lighten(gain, luma, most=most, black=40, white=200)
    # three is what low-light has, and what is rounded exactly
    assert np.abs(luma - exact).max() <= (0.5 if most == 3 else 0.52)


def test_planes_and_tables_that_do_not_fit_are_refused(kernels) -> None:
    y, u = noise(1, 8, 12), noise(2, 4, 6)
    before = y.copy()
    for planes, curves, rest in (
        ((y, u, u[:, 1:]), CURVES, REST),
        ((y[2:], u, u), CURVES, REST),
        ((y, u, u), CURVES[:2], REST),
        ((y, u, u), CURVES.astype(np.uint16), REST),
        ((y, u, u), CURVES[:, ::-1], REST),
        ((y, u, u), CURVES, REST[1:]),
        ((y, u, u), CURVES, REST.astype(np.uint64)),
    ):
        with pytest.raises(ValueError, match=r"instead of|no tables"):
            kernels.lut(planes, curves, rest, **TERMS)
    for bits in (0, 5, 9):
        with pytest.raises(ValueError, match="no tables"):
            kernels.lut((y, u, u), CURVES, REST, **TERMS | {"bits": bits})
    for gain, lift in ((u, y), (y, u)):
        with pytest.raises(ValueError, match="instead of"):
            kernels.shade(gain, lift, y)
    with pytest.raises(ValueError, match="instead of"):
        kernels.lighten(u, y, **LIGHT)
    for most in (0.9, 4.0):
        with pytest.raises(ValueError, match="no gain"):
            kernels.lighten(y, y, **LIGHT | {"most": most})
    assert (y == before).all()
