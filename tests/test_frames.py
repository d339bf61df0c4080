from __future__ import annotations

import numpy as np
import pytest

from vcam.errors import UsageError
from vcam.frames import NOTHING, Box, Frame, check_size, even_size
from vcam.testing import pattern_frame


def test_a_wrapped_buffer_is_i420_in_the_order_y_u_v() -> None:
    buffer = np.arange(64 * 32 * 3 // 2, dtype=np.uint32).astype(np.uint8)
    frame = Frame.wrap(buffer, 64, 32)
    assert frame.size == (64, 32)
    assert np.array_equal(np.concatenate([plane.ravel() for plane in frame.planes]), buffer)
    assert np.shares_memory(frame.v, buffer)


def test_a_view_shares_samples_of_all_planes() -> None:
    frame = Frame.allocate(64, 32)
    part = frame.view(Box(10, 4, 30, 20))
    assert part.size == (20, 16)
    part.fill(200, 90, 100)
    assert (frame.y == 200).sum() == 20 * 16
    assert (frame.u == 90).sum() == (frame.v == 100).sum() == 10 * 8
    assert frame.y[4, 10] == 200
    assert frame.y[3, 10] == 16


def test_copies_between_packed_and_strided_frames_keep_everything() -> None:
    source = pattern_frame((64, 32), 5, full_range=True)
    strided = Frame.allocate(128, 64).view(Box(0, 0, 64, 32))
    strided.copy_from(source)
    back = Frame.allocate(64, 32)
    back.copy_from(strided)
    assert np.array_equal(back.packed(), source.packed())
    assert (back.seq, back.full_range, back.timestamp) == (5, True, source.timestamp)
    assert np.array_equal(strided.packed(), source.packed())


@pytest.mark.parametrize("size", [(0, 0), (15, 16), (8194, 720), (1281, 720), (1280, 721), (14, 200)])
def test_sizes_that_i420_cannot_hold_are_refused_with_a_cure(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError) as caught:
        check_size(*size)
    assert caught.value.hint


def test_even_size_trims() -> None:
    assert even_size((1281, 721)) == (1280, 720)


def test_boxes_join_and_halve() -> None:
    a, b = Box(2, 4, 10, 8), Box(6, 0, 20, 6)
    assert a.union(b) == Box(2, 0, 20, 8)
    assert a.union(NOTHING) == a == NOTHING.union(a)
    assert a.half() == Box(1, 2, 5, 4)
    assert NOTHING.empty
