"""The refined matte is averaged where the map stands still, and only there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.frames import Box, Frame, Map
from vcam.matte import soft
from vcam.matte.average import CALM, MOVED, StillAverage
from vcam.matte.guided import GuidedFilter
from vcam.matte.soft import SoftMatte
from vcam.settings import MatteSettings
from vcam.types import F32, U8

pytestmark = pytest.mark.usefixtures("both_ways")

SMALL, WORKING = (36, 64), (90, 160)
WHOLE, WHOLE_SMALL = Box(0, 0, 160, 90), Box(0, 0, 64, 36)


def still_average() -> StillAverage:
    made = StillAverage(MatteSettings().temporal)
    made.allocate(SMALL, WORKING)
    return made


def show(made: StillAverage, seen: U8, matte: U8, *, begins: bool = False) -> U8:
    shown = matte.copy()
    made.look(seen, begins)
    made.apply(shown, WHOLE_SMALL, WHOLE)
    return shown


def flat(level: int, shape: tuple[int, int] = WORKING) -> U8:
    return np.full(shape, level, np.uint8)


def test_what_flickers_before_a_still_map_is_averaged() -> None:
    rng, made, seen, shown = np.random.default_rng(1), still_average(), flat(130, SMALL), []
    mattes = [np.clip(rng.normal(128, 40, WORKING), 0, 255).astype(np.uint8) for _ in range(30)]
    for number, matte in enumerate(mattes):
        # what the map's own noise is after the temporal filter
        shown.append(show(made, np.where(number % 2, seen, seen + CALM).astype(np.uint8), matte))
    before, after = (np.abs(np.diff(np.array(stack[5:], np.float32), axis=0)).mean() for stack in (mattes, shown))
    assert after < 0.3 * before


def test_where_the_map_moves_the_matte_is_taken_as_it_is() -> None:
    made, seen = still_average(), flat(100, SMALL)
    show(made, seen, flat(200))
    seen = seen.copy()
    seen[:, 30] += MOVED
    shown = show(made, seen, flat(50))
    # 2.5 pixels for each of the map's, from the middle of the neighbour on one side to that on the other
    assert (shown[:, 74:79] == 50).all()
    assert (shown[:, :65] > 150).all()
    assert (shown[:, 95:] > 150).all()


@pytest.mark.parametrize(("start", "end"), [(255, 0), (0, 255), (3, 0), (252, 255)])
def test_it_arrives_to_the_level(start: int, end: int) -> None:
    made, seen = still_average(), flat(90, SMALL)
    show(made, seen, flat(start))
    assert abs(int(show(made, seen, flat(end))[0, 0]) - start) < abs(end - start)
    for _ in range(30):
        shown = show(made, seen, flat(end))
    assert (shown == end).all()


@pytest.mark.parametrize("why", ["a cut", "a reset", "nobody in between"])
def test_nothing_of_another_scene_is_kept(why: str) -> None:
    made, seen = still_average(), flat(90, SMALL)
    show(made, seen, flat(255))
    if why == "a reset":
        made.reset()
    elif why == "nobody in between":
        made.look(seen, begins=False)
    assert (show(made, seen, flat(10), begins=why == "a cut") == 10).all()


def test_outside_of_the_box_is_nobody() -> None:
    made, seen = still_average(), flat(90, SMALL)
    show(made, seen, flat(255))
    box, source = Box(40, 20, 120, 60), Box(16, 8, 48, 24)
    made.look(seen, begins=False)
    made.apply(flat(255, (40, 80)), source, box)
    shown = show(made, seen, flat(255))
    assert (shown[20:60, 40:120] == 255).all()
    shown[20:60, 40:120] = 0
    assert 0 < shown.max() < 100


def person(left: float) -> F32:
    columns = np.arange(256, dtype=np.float32)
    return np.tile(np.clip((columns - left) / 6 + 0.5, 0, 1), (144, 1)).astype(np.float32)


def frames(size: tuple[int, int], count: int, noise: float = 0.0, shift: int = 0) -> list[Frame]:
    """A bright person on the right before a wall with stripes, which move by `shift` a frame."""
    rng, made = np.random.default_rng(2), []
    columns = np.arange(size[0])
    for number in range(count):
        wall = 90 + 40 * np.sin((columns + shift * number) / size[0] * 150)
        frame = Frame.allocate(*size)
        row = np.where(columns >= size[0] // 2, 190, wall)
        grain = cv2.GaussianBlur(rng.normal(0, noise, frame.y.shape), (0, 0), 0.5) if noise else 0
        np.copyto(frame.y, np.clip(row + grain, 16, 235), casting="unsafe")
        frame.seq = number
        made.append(frame)
    return made


def flicker(matte: SoftMatte, films: list[Frame]) -> float:
    shown = [matte.update(Map.whole(person(128), frame), frame).full.astype(np.float32).copy() for frame in films]
    return float(np.abs(np.diff(np.array(shown[5:]), axis=0)).mean())


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
def test_a_wall_that_moves_behind_a_still_person_does_not_move_the_matte(size: tuple[int, int]) -> None:
    films, without = frames(size, 20, shift=size[0] // 160), SoftMatte(MatteSettings())
    without._average = None
    assert flicker(SoftMatte(MatteSettings()), films) < 0.5 * flicker(without, films)


def test_the_noise_of_a_small_film_is_kept_out_of_the_matte(monkeypatch: pytest.MonkeyPatch) -> None:
    films = frames((640, 360), 20, noise=8.0)
    calm = flicker(SoftMatte(MatteSettings()), films)
    monkeypatch.setattr(soft, "GRAIN", 1e-3)
    assert calm < 0.9 * flicker(SoftMatte(MatteSettings()), films)


def test_somebody_who_walks_is_not_held_back() -> None:
    films, matte = frames((640, 360), 12), SoftMatte(MatteSettings())
    for number, frame in enumerate(films):
        left = 128 - 3 * number
        frame.y[:] = np.where(np.arange(640) >= 2.5 * left, 190, 90)
        shown = matte.update(Map.whole(person(left), frame), frame).full
    edge = int(np.argmax(shown[180] >= 128))
    assert abs(edge - 2.5 * left) <= 3


def test_a_colour_like_the_persons_further_off_is_not_shown() -> None:
    """A bar as bright as the person, beside it: within the windows' reach, but not the network's."""
    columns, matte = np.arange(256), np.zeros((144, 256), np.uint8)
    matte[:] = np.clip((columns - 128) * 40 + 128, 0, 255)
    luma = np.tile(np.repeat(np.where((columns >= 128) | ((columns >= 121) & (columns < 123)), 200, 60), 2), (288, 1))
    grey, target = np.full((144, 256), 128, np.uint8), np.zeros((288, 512), np.uint8)
    GuidedFilter().refine(matte, (luma.astype(np.uint8), grey, grey), target)
    assert target[144, 242:246].max() == 0
    assert target[144, 262:].min() == 255
