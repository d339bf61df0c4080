"""Planes made smaller by halves: which sizes are on the way, and what the samples are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.scaling import Odd, Reducer, enlarge, halve, halvings, halvings_apart
from vcam.types import U8, Size

WAYS = [
    ((1280, 720), (256, 144), Odd.CUT, [(640, 360), (320, 180)]),
    ((1280, 720), (320, 180), Odd.KEPT, [(640, 360), (320, 180)]),
    # an odd side ends it, is cut, or is rounded
    ((1366, 768), (170, 96), Odd.KEPT, [(683, 384)]),
    ((1366, 768), (170, 96), Odd.CUT, [(683, 384), (341, 192), (170, 96)]),
    ((1366, 768), (171, 96), Odd.UP, [(683, 384), (342, 192), (171, 96)]),
    ((101, 51), (25, 12), Odd.DOWN, [(50, 25), (25, 12)]),
    # both sides or neither
    ((640, 480), (128, 200), Odd.CUT, [(320, 240)]),
    ((64, 64), (64, 64), Odd.CUT, []),
    ((64, 64), (100, 100), Odd.UP, []),
    ((3, 1), (1, 1), Odd.UP, [(2, 1), (1, 1)]),
]


@pytest.mark.parametrize(("size", "target", "odd", "expected"), WAYS)
def test_sides_are_halved_as_often_as_both_can_be(size: Size, target: Size, odd: Odd, expected: list[Size]) -> None:
    assert list(halvings(size, target, odd)) == expected


APART = [
    ((1280, 720), (256, 144), [(640, 360), (320, 180)]),
    # each side until it is less than twice as long, and one that is nearly twice as long along with the other
    ((1280, 360), (160, 180), [(640, 180), (320, 180), (160, 180)]),
    ((1280, 720), (256, 400), [(640, 360), (320, 360)]),
    ((720, 1280), (400, 256), [(360, 640), (360, 320)]),
    ((1366, 768), (170, 96), [(683, 384), (683, 192), (683, 96)]),
    ((99, 101), (10, 10), []),
]


@pytest.mark.parametrize(("size", "target", "expected"), APART)
def test_each_side_is_halved_by_itself_where_that_is_exact(size: Size, target: Size, expected: list[Size]) -> None:
    assert list(halvings_apart(size, target)) == expected


def noise(size: Size, seed: int = 1) -> U8:
    """A plane that is a part of a wider one."""
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height, width + 5), dtype=np.uint8)[:, 2 : 2 + width]


def means(plane: U8) -> U8:
    rows, columns = (side // 2 for side in plane.shape)
    fours = plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).astype(int)
    return ((fours.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)


def reduced(plane: U8, target: Size, reducer: Reducer) -> U8:
    """What the reducer writes into a part of a larger plane, of which the rest must stay."""
    around = np.full((target[1] + 2, target[0] + 2), 7, np.uint8)
    reducer.reduce(plane, around[1:-1, 1:-1])
    inner = around[1:-1, 1:-1].copy()
    around[1:-1, 1:-1] = 7
    assert (around == 7).all()
    return inner


@pytest.mark.parametrize("odd", Odd)
def test_halves_are_means_of_four(odd: Odd) -> None:
    plane = noise((48, 32))
    assert np.array_equal(reduced(plane, (24, 16), Reducer(odd)), means(plane))
    assert np.array_equal(reduced(plane, (12, 8), Reducer(odd)), means(means(plane)))
    assert np.array_equal(halve(plane, np.empty((16, 24), np.uint8)), means(plane))


def test_of_an_odd_side_the_last_line_is_left_out_at_each_step() -> None:
    plane = noise((102, 47))
    assert np.array_equal(reduced(plane, (25, 11), Reducer(Odd.CUT)), means(means(plane)))
    changed = plane.copy()
    changed[46:] = 0
    assert np.array_equal(reduced(changed, (25, 11), Reducer(Odd.CUT)), means(means(plane)))


@pytest.mark.parametrize(("odd", "size"), [(Odd.UP, (27, 16)), (Odd.DOWN, (26, 15))])
def test_or_all_lines_are_spread_over_the_rounded_half(odd: Odd, size: Size) -> None:
    plane = noise((53, 31))
    expected = cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(reduced(plane, size, Reducer(odd)), expected)


@pytest.mark.parametrize("rest", [cv2.INTER_LINEAR, cv2.INTER_AREA])
@pytest.mark.parametrize("target", [(30, 20), (90, 70), (48, 32)])
def test_the_last_step_is_of_any_size(target: Size, rest: int) -> None:
    plane = noise((48, 32))
    expected = cv2.resize(plane, target, interpolation=rest)
    assert np.array_equal(reduced(plane, target, Reducer(Odd.KEPT, rest)), expected)


def test_fine_stripes_become_grey_however_far_down() -> None:
    stripes = np.zeros((720, 1280), np.uint8)
    stripes[:, ::2] = 200
    assert np.ptp(reduced(stripes, (150, 84), Reducer())) == 0


def test_planes_of_many_sizes_do_not_disturb_each_other() -> None:
    """Boxes change from frame to frame, and buffers are shared by all of them."""
    shared = Reducer()
    for turn in range(3):
        for seed in range(20):
            plane = noise((200 - 9 * seed, 150 - 7 * seed), seed + 100 * turn)
            target = (plane.shape[1] // 5 + 1, plane.shape[0] // 7 + 1)
            assert np.array_equal(reduced(plane, target, shared), reduced(plane, target, Reducer()))


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("size", [(32, 24), (33, 24), (8, 6), (9, 7)])
def test_a_small_plane_is_enlarged_bilinearly(size: Size) -> None:
    small, full = noise((8, 6)), np.empty(size[::-1], np.uint8)
    enlarge(small, full)
    expected = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    assert np.abs(full.astype(int) - expected).max() <= 1
