"""Which part of the frame the network sees, driven by a network that sees exactly what is there."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.errors import EngineError
from vcam.frames import Box
from vcam.segment.region import ENTER, EVERY, PATIENCE, PAUSE, PERIODS, RESTS, RegionTracker
from vcam.segment.region import LARGE as LARGE_SHARE
from vcam.types import F32

SIZE = (1280, 720)
SIGHT = (256, 144)
WHOLE = Box(0, 0, *SIZE)
SMALL = Box(900, 420, 1060, 720)


class World:
    """People in a frame, and a network that sees them in whatever part it is shown; `lie` may change its map."""

    def __init__(self, *people: Box) -> None:
        self.people = list(people)
        self.tracker = RegionTracker(SIGHT)
        self.looks: list[Box] = []
        self.lie: Callable[[Box, F32], F32] = lambda part, seen: seen
        self.quiet: Callable[[Box], bool] = lambda region: False

    def look(self, part: Box) -> F32:
        self.looks.append(part)
        return self.lie(part, self.seen(part))

    def seen(self, part: Box) -> F32:
        columns = part.x0 + (np.arange(SIGHT[0]) + 0.5) * (part.x1 - part.x0) / SIGHT[0]
        rows = part.y0 + (np.arange(SIGHT[1]) + 0.5) * (part.y1 - part.y0) / SIGHT[1]
        probability = np.zeros(SIGHT[::-1], np.float32)
        for x0, y0, x1, y1 in self.people:
            inside = ((rows >= y0) & (rows < y1))[:, np.newaxis] & ((columns >= x0) & (columns < x1))
            probability[inside] = 1
        return probability

    def frame(self) -> Box:
        """One frame: what the map covers, after a check that it is the map of that part and no other."""
        probability, box = self.tracker.find(SIZE, self.look, lambda region: self.quiet(region))
        assert np.array_equal(probability, self.lie(box, self.seen(box)))
        return box

    def frames(self, count: int) -> list[Box]:
        return [self.frame() for _ in range(count)]


def holds(outer: Box, inner: Box) -> bool:
    return outer.union(inner) == outer


def share(box: Box) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0) / (SIZE[0] * SIZE[1])


def test_a_small_person_fills_the_network_s_picture_from_the_first_frame_on() -> None:
    region = World(SMALL).frame()
    assert holds(region, SMALL)
    assert share(region) < 0.3


def test_a_close_up_is_seen_whole_with_one_look_a_frame() -> None:
    world = World(Box(300, 60, 1000, 720))
    assert set(world.frames(100)) == {WHOLE}
    assert len(world.looks) == 100


def test_the_whole_frame_costs_one_look_in_fifteen() -> None:
    world = World(SMALL)
    assert len(set(world.frames(10 * EVERY))) == 1
    assert world.looks.count(WHOLE) <= 11
    assert len(world.looks) <= 10 * EVERY + 12


def test_while_nothing_changes_elsewhere_the_whole_frame_costs_one_look_in_135() -> None:
    world = World(SMALL)
    world.frames(2 * EVERY)
    world.looks.clear()
    world.quiet = lambda region: True
    frames = 4 * (RESTS + 1) * (EVERY + 1)
    boxes = world.frames(frames)
    assert len(set(boxes)) == 1
    assert world.looks.count(WHOLE) == 4
    assert len(world.looks) == frames + 4
    # whatever is said to be quiet, somebody who reaches the border is seen
    world.people[0] = Box(boxes[0].x0 - 20, SMALL.y0, SMALL.x1, SMALL.y1)
    assert holds(world.frame(), world.people[0])


def test_the_first_look_after_a_region_begins_is_never_left_out() -> None:
    world = World(SMALL)
    world.quiet = lambda region: True
    world.frames(EVERY + 2)
    assert world.looks.count(WHOLE) == 2


def test_an_empty_room_is_seen_whole() -> None:
    assert set(World().frames(50)) == {WHOLE}


def test_whoever_comes_in_elsewhere_is_in_the_region_within_half_a_second() -> None:
    world = World(SMALL)
    world.frames(20)
    newcomer = Box(400, 300, 520, 720)
    world.people.append(newcomer)
    boxes = world.frames(EVERY + 1)
    assert holds(boxes[-1], newcomer)
    assert holds(boxes[-1], SMALL)


def test_somebody_far_from_the_other_takes_the_whole_frame() -> None:
    world = World(SMALL)
    world.frames(20)
    world.people.append(Box(0, 100, 120, 720))
    assert world.frames(EVERY + 1)[-1] == WHOLE


def test_the_region_grows_on_the_very_frame_in_which_somebody_reaches_its_border() -> None:
    world = World(SMALL)
    region = world.frame()
    world.people[0] = Box(SMALL.x0 - 150, SMALL.y0, SMALL.x1, SMALL.y1)
    assert SMALL.x0 - 150 < region.x0
    assert holds(world.frame(), world.people[0])


@pytest.mark.parametrize("speed", [3, 12, 40])
def test_a_person_who_walks_is_never_cut_off(speed: int) -> None:
    world = World(SMALL)
    for step in range(0, 800, speed):
        world.people[0] = SMALL.moved(-step, 0)
        assert holds(world.frame(), world.people[0]), step


@pytest.mark.parametrize("quiet", [False, True])
def test_the_region_becomes_small_again_some_time_after_the_other_has_left(quiet: bool) -> None:
    world = World(SMALL, Box(500, 300, 620, 720))
    world.quiet = lambda region: quiet
    wide = world.frames(3)[-1]
    del world.people[1]
    assert set(world.frames((PERIODS - 1) * EVERY)) == {wide}
    assert share(world.frames(2 * (EVERY + 1))[-1]) < 0.6 * share(wide)


def test_the_region_does_not_follow_somebody_who_sways() -> None:
    world = World(SMALL)
    boxes = []
    for number in range(300):
        world.people[0] = SMALL.moved(round(-150 + 150 * math.cos(number * math.tau / 60)), 0)
        boxes.append(world.frame())
        assert holds(boxes[-1], world.people[0])
    assert len(set(boxes[60:])) == 1


def test_who_leaves_is_not_looked_for_in_the_region_any_more() -> None:
    world = World(SMALL)
    world.frame()
    world.people.clear()
    assert world.frame() == WHOLE


def test_a_cut_to_somebody_elsewhere_is_followed_at_once() -> None:
    world = World(SMALL)
    world.frame()
    world.people[0] = Box(200, 380, 360, 720)
    world.frame()
    assert holds(world.frames(PAUSE + EVERY)[-1], world.people[0])
    # part of the old region is taken: a jump, not a step
    near = World(SMALL)
    near.frame()
    near.people = [Box(890, 500, 960, 720), Box(600, 400, 700, 720)]
    assert holds(near.frame(), near.people[1])


def test_small_movements_do_not_change_the_region() -> None:
    world = World(SMALL)
    chance = np.random.default_rng(0)
    boxes = set()
    for _ in range(20 * EVERY):
        world.people[0] = SMALL.moved(int(chance.integers(-8, 9)), int(chance.integers(-4, 1)))
        boxes.add(world.frame())
    assert len(boxes) == 1


def test_what_the_network_sees_in_an_empty_corner_only_is_given_up() -> None:
    """Networks find a person in many a picture of furniture, once it fills their picture."""
    world = World(SMALL)
    world.frame()
    world.people.clear()
    ghost = np.zeros(SIGHT[::-1], np.float32)
    ghost[50:120, 90:170] = 1
    world.lie = lambda part, seen: seen if part == WHOLE else ghost
    boxes = world.frames((PATIENCE + 1) * EVERY)
    assert boxes[-1] == WHOLE
    assert world.frames(50)[-1] == WHOLE


LARGE = Box(400, 200, 800, 720)


def haunted(world: World, ghost: Box, share: float = 0.0) -> None:
    """From now on the network finds somebody at `ghost` in any part of the frame; in all of it, with this certainty."""

    def lie(part: Box, seen: F32) -> F32:
        there = World(ghost).seen(part) * np.float32(share if part == WHOLE else 1)
        return np.maximum(seen, there)

    world.lie = lie


def test_people_who_take_half_of_the_frame_have_a_region() -> None:
    region = World(LARGE).frame()
    assert holds(region, LARGE)
    assert LARGE_SHARE < share(region) <= ENTER


@pytest.mark.parametrize("when", ["from the first frame on", "later"])
def test_a_region_that_finds_people_in_the_room_is_given_up_for_longer_each_time(when: str) -> None:
    world = World(LARGE)
    if when == "later":
        assert WHOLE not in world.frames(3 * EVERY)
    haunted(world, Box(820, 400, 860, 640))
    shown = [box != WHOLE for box in world.frames(EVERY + 2 + 14 * PAUSE)]
    assert not any(shown[EVERY + 1 : EVERY + 1 + PAUSE - 1])
    # tried again after one pause, two and four, and given up on the same frame each time
    tries = [number for number, look in enumerate(world.looks) if look != WHOLE][-3:]
    assert np.diff(tries)[1] > 1.9 * np.diff(tries)[0] > 3 * PAUSE
    assert not any(shown[EVERY + 2 :])


def test_after_a_reset_a_region_that_finds_people_in_the_room_is_tried_as_at_first() -> None:
    world = World(LARGE)
    haunted(world, Box(820, 400, 860, 640))

    def pause() -> int:
        """From one try to the next."""
        world.looks.clear()
        world.frames(4 * PAUSE)
        first, second = [number for number, look in enumerate(world.looks) if look != WHOLE][:2]
        return second - first

    before = pause()
    world.tracker.reset()
    assert pause() == before


def test_what_the_whole_frame_shows_a_trace_of_is_no_ghost() -> None:
    world = World(LARGE)
    haunted(world, Box(820, 400, 860, 640), 0.3)
    assert WHOLE not in world.frames(3 * EVERY)


def test_a_few_pixels_are_no_ghosts() -> None:
    world = World(LARGE)
    haunted(world, Box(820, 400, 840, 500))
    assert WHOLE not in world.frames(3 * EVERY)


def test_of_small_people_the_region_may_show_what_the_whole_frame_does_not() -> None:
    world = World(SMALL)
    haunted(world, Box(1080, 500, 1110, 720))
    assert WHOLE not in world.frames(3 * EVERY)


def test_a_trace_in_the_whole_frame_is_enough_to_stay() -> None:
    world = World(SMALL)
    world.frame()
    world.lie = lambda part, seen: seen * np.float32(0.3) if part == WHOLE else seen
    assert WHOLE not in world.frames(10 * EVERY)


def test_somebody_whom_the_network_sees_only_from_afar_is_shown_as_seen_from_afar() -> None:
    world = World(SMALL)
    world.lie = lambda part, seen: seen if part == WHOLE else np.zeros_like(seen)
    assert set(world.frames(PAUSE)) == {WHOLE}
    assert len(world.looks) < PAUSE + 5


def test_a_look_that_fails_is_raised_and_the_next_frame_begins_anew() -> None:
    world = World(SMALL)
    world.frame()

    def broken(part: Box) -> F32:
        raise EngineError("gone")

    with pytest.raises(EngineError):
        world.tracker.find(SIZE, broken)
    world.looks.clear()
    world.frame()
    assert world.looks[0] == WHOLE


def test_another_size_of_frame_begins_anew() -> None:
    world = World(SMALL)
    world.frame()
    seen: list[Box] = []

    def look(part: Box) -> F32:
        seen.append(part)
        return np.zeros(SIGHT[::-1], np.float32)

    assert world.tracker.find((640, 480), look)[1] == Box(0, 0, 640, 480)
    assert seen == [Box(0, 0, 640, 480)]


people = st.lists(
    st.builds(
        lambda x, y, w, h: Box(x, y, min(x + w, SIZE[0]), min(y + h, SIZE[1])),
        st.integers(0, 1270), st.integers(0, 710), st.integers(1, 700), st.integers(1, 700),
    ),
    max_size=3,
)  # fmt: skip


@given(st.lists(st.tuples(people, st.integers(1, 20)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_the_map_is_that_of_the_box_and_the_box_lies_on_even_pixels(
    scenes: list[tuple[list[Box], int]],
) -> None:
    world = World()
    for crowd, count in scenes:
        world.people = crowd
        for box in world.frames(count):
            assert holds(WHOLE, box)
            assert all(edge % 2 == 0 for edge in box)
            assert box.x1 - box.x0 >= SIGHT[0]
            assert box.y1 - box.y0 >= SIGHT[1]
