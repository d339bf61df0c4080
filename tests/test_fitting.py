"""Pictures of one shape in another: where they lie, and what is cut off."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcam.fitting import contain, cover
from vcam.frames import MIN_SIDE, Box
from vcam.types import Size

SIDES = st.integers(1, 5000)
SIZES = st.tuples(SIDES, SIDES)
EVEN = st.tuples(st.integers(8, 2500), st.integers(8, 2500)).map(lambda size: (2 * size[0], 2 * size[1]))


@pytest.mark.parametrize(
    ("inner", "outer", "unit", "expected"),
    [
        ((640, 480), (1280, 720), 2, Box(0, 60, 640, 420)),
        ((1280, 720), (640, 480), 2, Box(160, 0, 1120, 720)),
        ((1920, 1080), (1280, 720), 2, Box(0, 0, 1920, 1080)),
        ((720, 1280), (1280, 720), 2, Box(0, 438, 720, 842)),
        # the same with odd bounds
        ((720, 1280), (1280, 720), 1, Box(0, 437, 720, 842)),
        ((101, 50), (50, 50), 1, Box(25, 0, 75, 50)),
        # a line is at least one unit wide
        ((5000, 2), (2, 5000), 2, Box(2498, 0, 2500, 2)),
    ],
)
def test_cover_keeps_the_middle(inner: Size, outer: Size, unit: int, expected: Box) -> None:
    assert cover(inner, outer, unit=unit) == expected


@pytest.mark.parametrize(
    ("inner", "outer", "unit", "expected"),
    [
        ((1280, 720), (640, 360), 2, Box(0, 0, 640, 360)),
        ((640, 480), (1280, 720), 2, Box(160, 0, 1120, 720)),
        ((1280, 720), (640, 480), 2, Box(0, 60, 640, 420)),
        ((64, 32), (50, 50), 2, Box(0, 12, 50, 36)),
        ((64, 32), (50, 50), 1, Box(0, 12, 50, 37)),
        ((320, 180), (1000, 360), 1, Box(180, 0, 820, 360)),
        ((320, 180), (320, 1000), 1, Box(0, 410, 320, 590)),
        # a window that has been made as small as can be
        ((320, 180), (1, 1), 1, Box(0, 0, 1, 1)),
        # exactly between two even heights: the one that is a multiple of four
        ((2208, 138), (176, 144), 2, Box(0, 66, 176, 78)),
    ],
)
def test_contain_shows_all_of_it_between_bars(inner: Size, outer: Size, unit: int, expected: Box) -> None:
    assert contain(inner, outer, unit=unit) == expected


def test_pixels_that_are_not_square_count_with_their_shape() -> None:
    assert contain((720, 576), (1280, 720), aspect=Fraction(64, 45), unit=2) == Box(0, 0, 1280, 720)
    assert contain((720, 576), (1280, 720), aspect=Fraction(16, 15), unit=2) == Box(160, 0, 1120, 720)


@pytest.mark.parametrize("inner", [(1, 8000), (8000, 1)])
def test_a_mere_line_is_made_as_wide_as_a_frame_must_be(inner: Size) -> None:
    box = contain(inner, (1280, 720), unit=2, least=MIN_SIDE)
    assert min(box.size) == MIN_SIDE
    assert not any(bound % 2 for bound in box)


@given(SIZES, EVEN, st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(16, 11)]))
def test_what_is_contained_is_inside_in_the_middle_and_touches_two_borders(
    inner: Size, outer: Size, aspect: Fraction
) -> None:
    box = contain(inner, outer, aspect=aspect, unit=2, least=MIN_SIDE)
    assert not any(bound % 2 for bound in box)
    assert Box(0, 0, *outer).union(box) == Box(0, 0, *outer)
    assert abs(box.x0 - (outer[0] - box.x1)) <= 2
    assert abs(box.y0 - (outer[1] - box.y1)) <= 2
    assert box.size[0] == outer[0] or box.size[1] == outer[1]


@given(SIZES, SIZES)
def test_what_covers_is_inside_in_the_middle_and_touches_two_borders(inner: Size, outer: Size) -> None:
    box = cover(inner, outer)
    assert Box(0, 0, *inner).union(box) == Box(0, 0, *inner)
    assert abs(box.x0 - (inner[0] - box.x1)) <= 1
    assert abs(box.y0 - (inner[1] - box.y1)) <= 1
    assert box.size[0] == inner[0] or box.size[1] == inner[1]
    # within half a pixel of the wanted shape
    assert abs(box.size[0] * outer[1] - box.size[1] * outer[0]) <= max(outer) or min(box.size) == 1
