"""What the page is sent of the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vcam.control.viewers import Besides
from vcam.control.viewing import Shown
from vcam.frames import Frame
from vcam.web import look as module
from vcam.web.look import BOTH, MATTE, PLACEHOLDER, SHOWN, Look, View, small_size

SIZE = (1280, 720)


def grey(luma: int) -> Frame:
    frame = Frame.allocate(*SIZE)
    frame.fill(luma, 128, 128)
    return frame


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A vcam that shows light grey, before a room of dark grey with a person in its right half."""

    class Viewer:
        asked: list[Besides] = []  # noqa: RUF012
        composited = True

        def __init__(self, name: str) -> None:
            pass

        def next(self, timeout: float, besides: Besides) -> Shown:
            self.asked.append(besides)
            matte, room = np.zeros((720, 1280), np.uint8), grey(16 + 219 // 4)
            matte[:, 640:] = 255
            there = self.composited
            return Shown(
                grey(16 + 219 * 3 // 4), there, matte if there and besides is Besides.MATTE else None,
                room if there and besides is Besides.ROOM else None,
            )  # fmt: skip

        def close(self) -> None:
            pass

    monkeypatch.setattr(module, "Viewer", Viewer)
    monkeypatch.setattr(module, "RATE", 1e9)
    Viewer.asked = []
    return Viewer


def decoded(told: bytes | None) -> tuple[int, np.ndarray]:
    assert told is not None
    picture = cv2.imdecode(np.frombuffer(told[1:], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return told[0], picture


def test_others_see_one_picture_and_nothing_else_is_asked_for(looks: Any) -> None:
    kind, picture = decoded(Look("control").picture())
    assert (kind, picture.shape) == (SHOWN, (360, 640))
    assert abs(int(picture.mean()) - 191) < 3
    assert looks.asked == [Besides.NOTHING]


def test_the_matte_is_black_and_white(looks: Any) -> None:
    kind, picture = decoded(Look("control").picture(view=View.MATTE))
    assert (kind, picture.shape) == (MATTE, (360, 640))
    assert picture[:, :300].max() < 4
    assert picture[:, 340:].min() > 251


def test_the_room_stands_left_of_what_others_see(looks: Any) -> None:
    look = Look("control")
    for _ in range(2):
        kind, picture = decoded(look.picture(view=View.BOTH))
        assert (kind, picture.shape) == (BOTH, (360, 1280))
        assert abs(int(picture[:, :620].mean()) - 63) < 3
        assert abs(int(picture[:, 660:].mean()) - 191) < 3


@pytest.mark.parametrize("view", list(View))
def test_a_placeholder_is_one_whatever_is_asked_for(looks: Any, view: View) -> None:
    looks.composited = False
    kind, picture = decoded(Look("control").picture(view=view))
    assert (kind, picture.shape) == (PLACEHOLDER, (360, 640))


@pytest.mark.parametrize(
    ("size", "small"),
    [((640, 360), (640, 360)), ((1920, 1080), (640, 360)), ((1280, 726), (640, 364)), ((8192, 16), (640, 2))],
)
def test_small_sizes_are_even(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert small_size(size) == small


def test_after_a_change_the_picture_comes_at_once_but_not_again_and_again(
    looks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RATE", 1 / 3600)
    look = Look("control")
    look.picture()
    # without this it would be an hour
    look.hurry()
    assert look.picture() is not None
    look.hurry()
    assert not look._hurry.is_set()
