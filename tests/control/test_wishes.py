"""Smaller pictures, and fewer of them, for who asks for no more; the one after a change at once."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from tests.control.test_viewers import ROOM, SIZE, Served, served
from vcam.control.sharing import small_size
from vcam.control.viewers import HURRIES, _Viewer
from vcam.control.viewing import Viewer
from vcam.control.wishes import QUICKEST, Besides, Wish, wish_of
from vcam.frames import MAX_SIDE, Alpha, Box, Frame, MadeFrom
from vcam.testing import pattern_frame
from vcam.types import Size

__all__ = ["served"]


@pytest.mark.parametrize(
    "said",
    [
        "next 640", "next 641 15", "next 640 0", "next 14 15", "next 8194 15", "next 640 100", "next 0640 15",
        "next 640 15 ", "next room 640", "next 640 15 room", "next  640 15", "next 64000 15",
        "next -640 15", "next \u0666\u0664\u0660 15",
        "Next 640 15", "next 640 15\n", "\nnext", "next 1e3 15",
    ],
)  # fmt: skip
def test_nonsense_is_no_wish(said: str) -> None:
    assert wish_of(said.encode()) is None


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (800, 600)])
def test_a_smaller_picture_is_the_whole_one_made_smaller(served: Served, size: Size) -> None:
    frame = Frame.allocate(*size)
    across = np.linspace(16, 235, size[0])[None].repeat(size[1], 0)
    frame.y[:] = across
    frame.u[:], frame.v[:] = 90, across[::2, ::-2]
    small = 640, 640 * size[1] // size[0]
    with Viewer() as viewer:
        for wish in (Wish(wide=640), Wish(), Wish(wide=640, rate=99)):
            shown = served.wished(viewer, frame, wish)
            assert shown.frame.size == (small if wish.wide else size)
            for seen, plane in zip(shown.frame.planes, frame.planes, strict=True):
                wanted = cv2.resize(plane, seen.shape[::-1], interpolation=cv2.INTER_AREA)
                assert np.abs(seen.astype(int) - wanted).max() <= 1


def test_a_small_picture_is_not_made_larger(served: Served) -> None:
    with Viewer() as viewer:
        frame = pattern_frame(SIZE, 1)
        shown = served.wished(viewer, frame, Wish(wide=640, rate=99))
        np.testing.assert_array_equal(shown.frame.packed(), frame.packed())


@pytest.mark.parametrize(
    ("size", "small"),
    [((640, 360), (640, 360)), ((1920, 1080), (640, 360)), ((1280, 726), (640, 364)), ((8192, 16), (640, 16))],
)
def test_small_sizes_are_even_and_no_line(size: Size, small: Size) -> None:
    assert small_size(size, 640) == small
    assert small_size(size, 0) == size


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(Besides.ROOM), Wish(Besides.MATTE, 320, 9), Wish(wide=16), Wish(rate=30)]
)
def test_a_wish_is_understood_as_it_was_meant(wish: Wish) -> None:
    said = wish_of(wish.written)
    assert said is not None
    assert said.besides is wish.besides
    assert said.wide in (wish.wide, MAX_SIDE)
    assert said.rate in (wish.rate, QUICKEST)


class Paced:
    """A loop of 30 frames a second, and a viewer that asks anew as soon as it has been given a picture."""

    def __init__(self, rate: int) -> None:
        self.viewer, self.wish, self.now = _Viewer(None), Wish(rate=rate), 100.0  # type: ignore[arg-type]

    def frames(self, count: int, *, composited: bool = True) -> list[int]:
        """Which of so many frames it is given."""
        given = []
        for number in range(count):
            # none comes exactly when it should
            if self.viewer.is_due(self.wish, self.now + 0.003 * (number % 3 - 1), composited=composited):
                given.append(number)
            self.now += 1 / 30
        return given


@pytest.mark.parametrize(("rate", "each"), [(15, 2), (10, 3), (30, 1), (99, 1), (0, 1)])
def test_so_many_pictures_a_second_are_given_and_no_more(rate: int, each: int) -> None:
    given = Paced(rate).frames(300)
    assert len(given) == pytest.approx(300 / each, abs=2)
    assert {after - before for before, after in pairwise(given[3:])} == {each}


def test_the_picture_after_a_change_does_not_wait_but_not_again_and_again() -> None:
    paced = Paced(1)
    assert paced.frames(3)[0] == 0
    paced.viewer.hurry(paced.now)
    assert paced.frames(10) == [0]
    # too soon after the last time
    paced.viewer.hurry(paced.now - 1 / HURRIES)
    assert paced.frames(10) == []
    paced.viewer.hurry(paced.now)
    assert paced.frames(10) == [0]


def test_what_is_over_is_not_looked_at_until_the_next_turn() -> None:
    paced = Paced(1)
    paced.frames(3)
    # a change, and a pause right behind it, which is told as another change is, and too soon for one
    paced.viewer.hurry(paced.now)
    assert paced.frames(3) == [0]
    paced.viewer.hurry(paced.now)
    assert paced.frames(10, composited=False) == [0]
    assert paced.frames(10) == [0]
    # and no more of them than before
    assert paced.frames(60) == pytest.approx([20, 50], abs=1)


def test_a_higher_rate_counts_at_once_and_a_lower_one_from_the_last_picture() -> None:
    paced = Paced(1)
    assert paced.frames(6) == [0]
    paced.wish = Wish(rate=15)
    given = paced.frames(30)
    assert given[0] == 0
    assert len(given) == pytest.approx(15, abs=2)
    paced.wish = Wish(rate=2)
    assert paced.frames(35) == pytest.approx([14, 29], abs=2)


def test_the_room_and_the_matte_are_made_smaller_as_well(served: Served) -> None:
    size = 1280, 720
    frame = Frame.allocate(*size)
    frame.seq = 3
    whole = Frame.allocate(*size)
    whole.fill(ROOM, 90, 160)
    whole.seq, whole.full_range = 3, True
    # outside of the box it holds anything
    full = np.full((720, 1280), 99, np.uint8)
    full[100:300, 200:400] = 200
    served.source = MadeFrom(whole, Alpha(full, full[::2, ::2], full[:1, :1], Box(200, 100, 400, 300), 3))
    with Viewer() as viewer:
        for _ in range(2):
            shown = served.wished(viewer, frame, Wish(Besides.ROOM, 640, 99))
            assert shown.room is not None
            assert shown.room.size == (640, 360)
            assert shown.room.full_range
            assert [(int(plane.min()), int(plane.max())) for plane in shown.room.planes] == [
                (ROOM,) * 2,
                (90,) * 2,
                (160,) * 2,
            ]
            shown = served.wished(viewer, frame, Wish(Besides.MATTE, 640, 99))
            assert shown.matte is not None
            assert shown.matte.shape == (360, 640)
            assert shown.matte[50:150, 100:200].min() == 200
            assert shown.matte.astype(int).sum() == 200 * 100 * 100
        shown = served.wished(viewer, frame, Wish(Besides.NOTHING, 640, 99))
        assert (shown.room, shown.matte) == (None, None)
