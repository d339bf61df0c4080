"""Auto-framing: it finds the person, keeps still when it should, and never leaves the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.camera.operator import CameraOperator, View
from vcam.frames import Alpha, Box, Frame
from vcam.settings import Settings
from vcam.testing import pattern_frame

SIZE = (320, 180)
MAP = (64, 36)


def an_operator(**changes: object) -> CameraOperator:
    keys = {f"framing__{key}": value for key, value in {"auto": True, **changes}.items()}
    return CameraOperator(Settings().replace(**keys).framing)


class Room:
    """People at places of the whole picture, seen through the view of the moment."""

    def __init__(self, operator: CameraOperator) -> None:
        self.operator, self.now = operator, 100.0
        self.frame = pattern_frame(SIZE)

    def step(self, *people: tuple[float, float, float, float]) -> Frame:
        """One thirtieth of a second; people are left, top, right, bottom in parts of the picture."""
        self.now += 1 / 30
        self.frame.timestamp = self.now
        shown = self.operator.frame(self.frame)
        part = self.operator.part(SIZE)
        small = np.zeros(SIZE[::-1], np.uint8)
        for left, top, right, bottom in people:
            small[round(top * SIZE[1]) : round(bottom * SIZE[1]), round(left * SIZE[0]) : round(right * SIZE[0])] = 255
        seen = small[part.y0 : part.y1, part.x0 : part.x1]
        rows = np.linspace(0, seen.shape[0] - 1, MAP[1]).round().astype(int)
        columns = np.linspace(0, seen.shape[1] - 1, MAP[0]).round().astype(int)
        alpha = Alpha(small, small[::2, ::2], np.ascontiguousarray(seen[np.ix_(rows, columns)]), Box(0, 0, *SIZE), 0)
        self.operator.saw(alpha, self.now)
        return shown


def run(room: Room, seconds: float, *people: tuple[float, float, float, float]) -> list[tuple[float, float, float]]:
    views = []
    for _ in range(round(30 * seconds)):
        room.step(*people)
        views.append(room.operator.view.values)
    return views


def test_off_it_gives_the_very_frame() -> None:
    room = Room(an_operator(auto=False))
    for _ in range(30):
        assert room.step((0.7, 0.4, 0.9, 1.0)) is room.frame


@pytest.mark.parametrize("left", [0.02, 0.3, 0.75])
def test_a_small_person_is_brought_closer_and_into_the_middle(left: float) -> None:
    room = Room(an_operator())
    run(room, 8, (left, 0.4, left + 0.2, 1.0))
    view = room.operator.view
    assert view.scale < 0.75
    middle = min(max(left + 0.1, view.scale / 2), 1 - view.scale / 2)
    assert view.x == pytest.approx(middle, abs=0.05)
    assert view.y - view.scale / 2 < 0.4


def test_the_limit_of_the_zoom_is_kept() -> None:
    room = Room(an_operator(zoom=1.25))
    assert min(view[2] for view in run(room, 8, (0.45, 0.5, 0.55, 0.7))) == pytest.approx(0.8, abs=0.02)


def test_a_group_is_kept_together() -> None:
    room = Room(an_operator())
    run(room, 8, (0.1, 0.4, 0.25, 1.0), (0.7, 0.45, 0.85, 1.0))
    part = room.operator.part(SIZE)
    assert part.x0 <= 0.1 * SIZE[0]
    assert part.x1 >= 0.85 * SIZE[0]


def test_small_movements_do_not_move_the_camera() -> None:
    room = Room(an_operator())
    run(room, 10, (0.4, 0.3, 0.6, 1.0))
    before = room.operator.view
    for index in range(60):
        sway = 0.015 * np.sin(index / 5)
        room.step((0.4 + sway, 0.3, 0.6 + sway, 1.0))
    assert room.operator.view == before


def test_the_speed_is_limited_and_the_view_stays_inside() -> None:
    room = Room(an_operator(speed=0.2))
    views = np.array(run(room, 3, (0.05, 0.4, 0.25, 1.0)) + run(room, 4, (0.75, 0.4, 0.95, 1.0)))
    assert np.abs(np.diff(views, axis=0)).max() <= 0.2 / 30 + 1e-9
    assert (views[:, 0] - views[:, 2] / 2 >= -1e-9).all()
    assert (views[:, 0] + views[:, 2] / 2 <= 1 + 1e-9).all()


def test_a_person_who_walks_out_of_the_view_is_followed() -> None:
    room = Room(an_operator(speed=1.0))
    run(room, 6, (0.1, 0.4, 0.3, 1.0))
    for index in range(240):
        left = 0.1 + 0.6 * min(1.0, index / 150)
        room.step((left, 0.4, left + 0.2, 1.0))
    part = room.operator.part(SIZE)
    assert part.x0 <= 0.7 * SIZE[0]
    assert part.x1 >= 0.9 * SIZE[0]


def test_what_is_shown_is_that_part_of_the_frame_scaled_up() -> None:
    room = Room(an_operator())
    run(room, 8, (0.6, 0.4, 0.8, 1.0))
    part = room.operator.part(SIZE)
    shown = room.operator.frame(room.frame)
    assert part.x1 - part.x0 < SIZE[0]
    for mine, theirs in zip(shown.planes, room.frame.view(part).planes, strict=True):
        scaled = cv2.resize(np.ascontiguousarray(theirs), mine.shape[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.abs(mine.astype(int) - scaled).max() <= 1


def test_when_nobody_is_there_the_whole_picture_returns() -> None:
    room = Room(an_operator())
    run(room, 6, (0.4, 0.4, 0.6, 1.0))
    assert room.operator.view.scale < 0.8
    run(room, 12)
    assert room.operator.part(SIZE) == Box(0, 0, *SIZE)


def test_switched_off_it_goes_back_to_the_whole_picture() -> None:
    room = Room(an_operator())
    run(room, 6, (0.4, 0.4, 0.6, 1.0))
    room.operator.use(Settings().framing)
    run(room, 8, (0.4, 0.4, 0.6, 1.0))
    assert room.step((0.4, 0.4, 0.6, 1.0)) is room.frame


def test_specks_and_a_person_who_fills_the_frame_leave_the_whole_picture() -> None:
    room = Room(an_operator())
    run(room, 3, (0.5, 0.5, 0.505, 0.505))
    assert room.operator.view == View()
    run(room, 3, (0.0, 0.0, 1.0, 1.0))
    assert room.operator.view == View()


def test_the_part_is_even_inside_and_carries_the_frame_s_stamp() -> None:
    room = Room(an_operator())
    for _ in range(90):
        room.frame.seq += 1
        room.frame.full_range = True
        shown = room.step((0.7, 0.4, 0.9, 1.0))
        part = room.operator.part(SIZE)
        assert not any(bound % 2 for bound in part)
        assert 0 <= part.x0 < part.x1 <= SIZE[0]
        assert 0 <= part.y0 < part.y1 <= SIZE[1]
        assert (shown.seq, shown.timestamp, shown.full_range) == (room.frame.seq, room.now, True)
        assert shown.size == SIZE
