"""When the network that harmonises is asked, and how its arguments follow: no picture is needed for that."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.compose.filters.course import AGAIN, CALM, EVERY, PAUSE, Changes, Course
from vcam.frames import Frame

W, H = 160, 96
STEP = 1 / 30
ONE, TWO = np.full(8, 0.5, np.float32), np.full(8, -0.5, np.float32)


class Film:
    """Frames of a course one after the other; asked at once where it is due."""

    def __init__(self, smooth: float = 1.0, *, still: bool = False) -> None:
        self.course = Course(smooth, still=still)
        self.now = 0.0
        self.asked: list[int] = []
        self.answer: np.ndarray | None = ONE
        self.frames = 0

    def frame(self, *, new: bool = False, cut: bool = False, gap: float = STEP) -> np.ndarray | None:
        self.now += gap
        self.course.frame(self.now, new=new or not self.frames, cut=cut)
        if self.course.due:
            self.asked.append(self.frames)
            self.course.asked()
            self.course.heard(self.answer, self.course.scene)
        self.frames += 1
        return self.course.follow()


def test_every_tenth_frame_is_asked_for() -> None:
    film = Film()
    for _ in range(35):
        film.frame()
    assert film.asked == [0, EVERY, 2 * EVERY, 3 * EVERY]


def test_where_there_was_nothing_to_show_it_is_tried_again_soon() -> None:
    course, tried = Course(1.0), []
    for number in range(2 * AGAIN + 1):
        course.frame(number * STEP, new=not number, cut=False)
        if course.due:
            tried.append(number)
            course.asked(in_vain=True)
    assert tried == [0, AGAIN, 2 * AGAIN]


def test_the_first_answer_counts_at_once_and_later_ones_are_followed() -> None:
    film = Film(smooth=0.5)
    np.testing.assert_array_equal(film.frame(), ONE)
    film.answer = TWO
    seen = [film.frame() for _ in range(EVERY + 30)]
    np.testing.assert_array_equal(seen[EVERY - 2], ONE)
    # one second after, of which e^-2 is left
    values = np.array([float(each[0]) for each in seen[EVERY - 1 :]])
    assert (np.diff(values) < 0).all()
    assert values[29] == pytest.approx(-0.5 + np.exp(-2), abs=0.005)


def test_without_smoothing_each_answer_counts_at_once() -> None:
    film = Film(smooth=0)
    film.frame()
    film.answer = TWO
    for _ in range(EVERY):
        last = film.frame()
    np.testing.assert_array_equal(last, TWO)


@pytest.mark.parametrize("what", [{"new": True}, {"cut": True}, {"gap": PAUSE + 0.1}, {"gap": -3.0}], ids=str)
def test_another_scene_is_asked_for_and_counts_at_once(what: dict[str, float]) -> None:
    film = Film(smooth=10)
    for _ in range(int(CALM / STEP) + 4):
        film.frame()
    before = len(film.asked)
    film.answer = TWO
    np.testing.assert_array_equal(film.frame(**what), TWO)
    assert film.asked[before:] == [film.frames - 1]


def test_a_film_that_is_nothing_but_cuts_neither_costs_more_nor_flashes() -> None:
    film = Film(smooth=10)
    jumps, last = 0, None
    for number in range(60):
        film.answer = ONE if number % 2 else TWO
        state = film.frame(cut=True)
        jumps += last is not None and float(np.abs(state - last).max()) > 0.1
        last = state
    # two seconds, two scenes
    assert jumps <= 2
    assert len(film.asked) <= 60 / EVERY + 3


def test_backgrounds_that_are_changed_quickly_all_count() -> None:
    film = Film(smooth=10)
    for answer in (ONE, TWO, ONE, TWO):
        film.answer = answer
        np.testing.assert_array_equal(film.frame(new=True), answer)


def test_an_answer_to_an_earlier_scene_is_not_listened_to() -> None:
    course = Course(1.0)
    course.frame(0.0, new=True, cut=False)
    first = course.scene
    course.frame(STEP, new=True, cut=False)
    course.heard(ONE, first)
    assert course.follow() is None
    course.heard(TWO, course.scene)
    np.testing.assert_array_equal(course.follow(), TWO)


def test_after_a_failure_the_arguments_rest_in_their_own_scene_and_fade_in_another() -> None:
    film = Film(smooth=0.2)
    film.frame()
    film.answer = None
    for _ in range(3 * EVERY):
        last = film.frame()
    np.testing.assert_array_equal(last, ONE)
    states = [film.frame(new=True), *(film.frame() for _ in range(60))]
    assert float(np.abs(states[0] - ONE).max()) < 0.1
    assert float(np.abs(states[-1]).max()) < 1e-3


def test_a_network_that_fails_from_the_start_leaves_the_person_as_she_is() -> None:
    film = Film()
    film.answer = None
    for _ in range(20):
        state = film.frame()
    assert not state.any()


def test_of_pictures_of_their_own_each_is_asked_for() -> None:
    film = Film(smooth=10, still=True)
    for number in range(4):
        film.answer = ONE if number % 2 else TWO
        np.testing.assert_array_equal(film.frame(gap=0.0), film.answer)
    assert film.asked == [0, 1, 2, 3]


def test_a_course_that_takes_over_begins_where_the_other_was() -> None:
    film = Film()
    film.frame()
    course = Course(1.0)
    course.take_over(film.course)
    course.frame(film.now + STEP, new=True, cut=False)
    assert course.due
    np.testing.assert_array_equal(course.follow(), ONE)


def picture(level: int) -> Frame:
    frame = Frame.allocate(W, H)
    frame.y[...] = level
    return frame


def test_a_new_background_and_cuts_are_told_and_movement_is_none() -> None:
    changes = Changes()
    assert changes.look(picture(50), picture(90), (1, 0)) == (True, False)
    assert changes.look(picture(60), picture(200), (1, 0)) == (False, False)
    # a plate that is another now, as in a film
    assert changes.look(picture(60), picture(100), (1, 1)) == (False, False)
    assert changes.look(picture(60), picture(200), (1, 2)) == (False, True)
    assert changes.look(picture(160), picture(200), (1, 2)) == (False, True)
    assert changes.look(picture(160), picture(20), (2, 2)) == (True, False)
    moved = picture(160)
    moved.y[:, : W // 4] = 20
    assert changes.look(moved, picture(20), (2, 2)) == (False, True)
    moved.y[:, : W // 4] = 120
    assert changes.look(moved, picture(20), (2, 2)) == (False, False)


def test_pictures_of_the_smallest_size_are_compared() -> None:
    changes, small = Changes(), Frame.allocate(16, 16)
    for _ in range(2):
        new, cut = changes.look(small, small, (0, 0))
    assert (new, cut) == (False, False)


def test_of_still_pictures_none_gets_what_was_said_of_another() -> None:
    course = Course(1.0, still=True)
    course.frame(0.0, new=True, cut=False)
    course.asked()
    course.heard(ONE, course.scene)
    assert course.follow() is not None
    course.frame(0.0, new=False, cut=False)
    course.asked(in_vain=True)
    assert course.follow() is None
