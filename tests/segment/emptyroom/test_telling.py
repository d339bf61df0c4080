"""The empty room as it is told: what is believed, what is refused, and what is left unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from vcam.errors import EngineError, VcamError
from vcam.frames import Box, Frame, Map
from vcam.segment.emptyroom.memory import mean_room
from vcam.segment.emptyroom.picture import picture_size
from vcam.segment.emptyroom.telling import FEW, LEAST, RoomTelling, Told, is_moved
from vcam.types import F32, U8

SIZE = (640, 360)
COUNT = 30
_rng = np.random.default_rng(7)
GRAIN = [_rng.normal(0, 1, (SIZE[1], SIZE[0])).astype(np.float32) for _ in range(11)]


def furniture() -> U8:
    """The luma of a room: a wall with shelves, books and a plant."""
    luma = np.full((SIZE[1], SIZE[0]), 150, np.float32)
    luma += np.linspace(-20, 20, SIZE[0], dtype=np.float32)
    for x, y, wide, tall, level in zip(
        _rng.integers(0, 600, 70), _rng.integers(0, 320, 70), _rng.integers(8, 60, 70), _rng.integers(8, 60, 70),
        _rng.integers(50, 200, 70), strict=True,
    ):  # fmt: skip
        luma[y : y + tall, x : x + wide] = level
    return cv2.GaussianBlur(luma, (5, 5), 0).astype(np.uint8)


ROOM = furniture()


def frame(luma: U8 = ROOM, number: int = 0, *, noise: float = 2.0, full_range: bool = True) -> Frame:
    made = Frame.allocate(*SIZE)
    made.y[...] = cv2.scaleAdd(GRAIN[number % len(GRAIN)], noise, luma.astype(np.float32)).clip(0, 255)
    made.u[...], made.v[...] = 110, 140
    made.seq, made.full_range = number, full_range
    return made


def nobody(seen: Frame, number: int) -> F32:
    return np.zeros((144, 256), np.float32)


def standing(left: int, top: int, right: int, bottom: int, level: float = 0.98) -> Callable[[Frame, int], F32]:
    """Somebody in so many pixels of the map, with unsure borders, in every frame."""

    def seen(shown: Frame, number: int) -> F32:
        probability = nobody(shown, number)
        probability[top:bottom, left:right] = level
        return probability

    return seen


def tell(
    frames: Iterator[Frame] | list[Frame], sees: Callable[[Frame, int], F32] = nobody, *, full_range: bool = True,
    force: bool = False,
) -> Told:  # fmt: skip
    telling = RoomTelling(SIZE, full_range=full_range, force=force)
    for number, shown in enumerate(frames):
        telling.add(Map.whole(sees(shown, number), shown), shown)
    return telling.finish()


def still(luma: U8 = ROOM, count: int = COUNT, **more: Any) -> list[Frame]:
    return [frame(luma, number, **more) for number in range(count)]


def moved(luma: U8, x: float, y: float, scale: float = 1.0) -> U8:
    move = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), 0, scale)
    move[:, 2] += x, y
    return cv2.warpAffine(luma, move, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def with_patch(x: int, y: int, wide: int, tall: int, level: int, luma: U8 = ROOM) -> U8:
    changed = luma.copy()
    changed[y : y + tall, x : x + wide] = level
    return changed


@pytest.mark.parametrize("full_range", [True, False])
def test_an_empty_room_at_rest_is_the_mean_of_its_frames_and_known_all_over(full_range: bool) -> None:
    frames = still(full_range=full_range)
    told = tell(frames, full_range=full_range)
    assert (told.known, told.people, told.moving) == (1.0, 0.0, 0.0)
    expected = mean_room(frames)
    for mine, theirs in zip(told.room.frame.planes, expected.frame.planes, strict=True):
        assert np.array_equal(mine, theirs)
    assert told.room.frame.full_range is full_range
    assert told.room.frame.size == picture_size(SIZE)
    assert told.room.known.min() == 255


def test_somebody_is_told_at_once_and_nothing_more_is_wanted() -> None:
    telling = RoomTelling(SIZE, full_range=True)
    sees = standing(100, 60, 130, 144)
    shown = frame()
    for _ in range(FEW):
        telling.add(Map.whole(sees(shown, 0), shown), shown)
    with pytest.raises(VcamError, match="somebody is in the picture") as caught:
        telling.add(Map.whole(sees(shown, 0), shown), shown)
    assert "--force" in caught.value.hint
    assert telling.used == 0


@pytest.mark.parametrize(("wide", "tall"), [(12, 40), (18, 30), (256, 3)])
def test_somebody_far_away_is_somebody(wide: int, tall: int) -> None:
    # 1.3 to 2.1 per cent of the picture
    with pytest.raises(VcamError, match="somebody"):
        tell(still(), standing(0, 40, wide, 40 + tall))


def test_where_people_are_small_in_a_part_that_the_network_looked_at_the_part_counts_as_such() -> None:
    telling = RoomTelling(SIZE, full_range=True)
    box = Box(160, 90, 320, 180)
    for number in range(COUNT):
        shown = frame(number=number)
        probability = nobody(shown, number)
        # a fiftieth of the part, and an eight hundredth of the picture, in the middle of the part
        probability[62:82, 110:146] = 0.9
        telling.add(Map(probability, box, number, number), shown)
    told = telling.finish()
    assert 0 < told.people < 0.02
    unknown = np.argwhere(told.room.known == 0)
    middle = unknown.mean(0)
    assert np.abs(middle - (135 / 2, 240 / 2)).max() < 2


def test_a_little_ghost_is_left_unknown_with_what_is_around_it_and_forced_it_is_the_room() -> None:
    ghost = standing(200, 100, 215, 115)
    told = tell(still(), ghost)
    assert 0.006 < told.people < 0.03
    assert told.known == pytest.approx(1 - told.people)
    y, x = int(107 * 180 / 144), int(207 * 320 / 256)
    assert told.room.known[y, x] == 0
    assert told.room.known[y, x - 30] == 255
    forced = tell(still(), ghost, force=True)
    assert (forced.known, forced.people) == (1.0, 0.0)


def test_a_picture_of_a_person_can_be_forced() -> None:
    painting = standing(100, 30, 150, 90)
    with pytest.raises(VcamError, match="somebody"):
        tell(still(), painting)
    assert tell(still(), painting, force=True).known == 1.0


def test_unsure_borders_are_left_unknown_too() -> None:
    told = tell(still(), standing(200, 100, 215, 115, level=0.3))
    assert told.people > 0.006


def test_one_frame_in_which_the_network_flickers_is_left_out() -> None:
    def sees(shown: Frame, number: int) -> F32:
        return standing(60, 20, 200, 144)(shown, number) if number == 12 else nobody(shown, number)

    frames = still()
    told = tell(frames, sees)
    assert told.known == 1.0
    assert np.array_equal(told.room.frame.y, mean_room(frames[:12] + frames[13:]).frame.y)


def test_who_passes_through_is_somebody_though_it_takes_few_frames() -> None:
    def sees(shown: Frame, number: int) -> F32:
        return standing(60, 20, 120, 144)(shown, number) if 10 <= number < 10 + FEW else nobody(shown, number)

    # of twenty frames, four are too many
    with pytest.raises(VcamError, match="somebody"):
        tell(still(count=20), sees)


@pytest.mark.parametrize(("x", "y", "scale"), [(3, 0, 1.0), (0, -4, 1.0), (12, 9, 1.0), (0, 0, 1.04)])
def test_a_camera_that_is_moved_or_zooms_is_said(x: float, y: float, scale: float) -> None:
    frames = [
        frame(moved(ROOM, x * part, y * part, 1 + (scale - 1) * part), number)
        for number, part in enumerate(np.clip((np.arange(COUNT) - 8) / 10, 0, 1))
    ]
    with pytest.raises(VcamError, match="the camera was moved, or it zooms") as caught:
        tell(frames)
    assert "auto-framing" in caught.value.hint


def test_a_camera_that_trembles_by_less_than_matters_is_none_that_moves() -> None:
    frames = [frame(moved(ROOM, 0.15 * (-1) ** number, 0), number) for number in range(COUNT)]
    assert tell(frames).known > 0.97


def test_what_moves_a_little_is_left_unknown() -> None:
    frames = [frame(with_patch(400, 100, 60, 60, 60 + 10 * (number % 12)), number) for number in range(COUNT)]
    told = tell(frames)
    assert 0.01 < told.moving < 0.06
    assert told.room.known[65, 215] == 0
    assert told.room.known[65, 100] == 255
    assert told.people == 0


def test_what_comes_into_the_picture_unseen_by_the_network_is_left_unknown_or_refused() -> None:
    frames = [frame(with_patch(500, 160, 60, 60, 20) if number > 8 else ROOM, number) for number in range(COUNT)]
    assert tell(frames).room.known[95, 265] == 0
    frames = [frame(with_patch(300, 100, 300, 260, 20) if number > 8 else ROOM, number) for number in range(COUNT)]
    with pytest.raises(VcamError, match="something moves in the picture"):
        tell(frames)


def test_what_moves_from_the_first_frame_on_is_found_as_well() -> None:
    frames = [frame(with_patch(20 * number, 60, 60, 60, 20), number) for number in range(COUNT)]
    told = tell(frames)
    assert told.moving > 0.08
    known = cv2.resize(told.room.known, SIZE, interpolation=cv2.INTER_NEAREST) != 0
    assert np.abs(told.room.frame.y[known].astype(int) - ROOM[known]).max() < 8


def test_noise_of_a_poor_camera_is_no_movement() -> None:
    told = tell(still(noise=9.0))
    assert told.known == 1.0


def test_light_that_flickers_is_no_movement_and_light_that_changes_is_said() -> None:
    flicker = [frame(cv2.convertScaleAbs(ROOM, alpha=1 + 0.03 * (-1) ** n), n) for n in range(COUNT)]
    assert tell(flicker).known > 0.95
    fading = [frame(cv2.convertScaleAbs(ROOM, alpha=1 - 0.01 * n), n) for n in range(COUNT)]
    with pytest.raises(VcamError, match="light changes"):
        tell(fading)


@pytest.mark.parametrize("full_range", [True, False])
@pytest.mark.parametrize(
    ("gain", "offset", "said"),
    [
        (0.0, 0.0, "black"),
        (0.02, 2.0, "black"),
        (0.1, 5.0, "too dark"),
        (0.005, 128.0, "the same everywhere"),
        (2.5, 0.0, "overexposed"),
    ],
)
def test_light_in_which_no_room_can_be_told_is_said(gain: float, offset: float, said: str, full_range: bool) -> None:
    luma = ROOM * gain + offset
    if not full_range:
        luma = luma * 219 / 255 + 16
    with pytest.raises(VcamError, match=said) as caught:
        tell(still(np.clip(luma, 0, 255).astype(np.uint8), noise=0.5, full_range=full_range), full_range=full_range)
    assert caught.value.hint


def test_a_dim_room_is_enough() -> None:
    assert tell(still((ROOM * 0.3).astype(np.uint8))).known > 0.99


def test_too_few_frames_are_said() -> None:
    with pytest.raises(VcamError, match=f"only {LEAST - 1} frames"):
        tell(still(count=LEAST - 1))
    with pytest.raises(VcamError, match="only 0 frames"):
        RoomTelling(SIZE, full_range=True).finish()


def test_little_here_and_there_is_much_together() -> None:
    def sees(shown: Frame, number: int) -> F32:
        probability = nobody(shown, number)
        probability[8::16, 8::16] = 0.9
        return probability

    with pytest.raises(VcamError, match=r"only .* shows an empty room") as caught:
        tell(still(), sees)
    assert "--force" in caught.value.hint


def test_another_size_or_range_ends_it() -> None:
    telling = RoomTelling(SIZE, full_range=True)
    small = Frame.allocate(320, 180)
    small.full_range = True
    for other in (small, frame(full_range=False)):
        with pytest.raises(VcamError, match="changed its form"):
            telling.add(Map.whole(nobody(other, 0), other), other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seq": 3}, "none of this frame"),
        ({"box": Box(0, 0, 0, 0)}, "none of this frame"),
        ({"box": Box(320, 0, 960, 360)}, "none of this frame"),
        ({"probability": np.full((144, 256), np.nan, np.float32)}, "no probabilities"),
        ({"probability": np.full((144, 256), -1, np.float32)}, "no probabilities"),
        ({"probability": np.full((144, 256), 7, np.float32)}, "no probabilities"),
        ({"probability": np.zeros((1, 144, 256), np.float32)}, "no probabilities"),
        ({"probability": np.zeros((0, 256), np.float32)}, "no probabilities"),
        ({"probability": np.zeros((144, 256), np.uint8)}, "no probabilities"),
    ],
)
def test_what_is_no_map_of_the_frame_says_nothing_of_it(change: dict[str, Any], said: str) -> None:
    shown = frame()
    telling = RoomTelling(SIZE, full_range=True, force=True)
    with pytest.raises(EngineError, match=said):
        telling.add(replace(Map.whole(nobody(shown, 0), shown), **change), shown)
    assert telling.looked == 0


def test_memory_does_not_grow_with_the_frames() -> None:
    telling = RoomTelling(SIZE, full_range=True)

    def held() -> int:
        return sum(
            part.nbytes
            for value in vars(telling).values()
            for part in (value if isinstance(value, list) else [value])
            if isinstance(part, np.ndarray)
        )

    before = held()
    for number in range(COUNT):
        shown = frame(number=number)
        telling.add(Map.whole(nobody(shown, number), shown), shown)
    assert held() == before < 20 * SIZE[0] * SIZE[1]


def test_a_wall_without_texture_is_nothing_that_moves() -> None:
    plain = np.full((SIZE[1], SIZE[0]), 140, np.float32)
    one, other = (plain + np.random.default_rng(n).normal(0, 1, plain.shape).astype(np.float32) for n in (1, 2))
    assert not is_moved(one, other)
