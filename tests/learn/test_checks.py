"""What is told of a film before time is spent on it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.learn.films import SIZE, film, mask
from vcam.errors import InputError
from vcam.frames import Frame
from vcam.learn.checks import Seen, camera_moves, check_film, check_frames, is_dark, likeness, people
from vcam.learn.footage import HELD, SHORTEST, split


def seen(mattes=None, **changes) -> Seen:
    made, true = film(**changes)
    return Seen("me.mkv", made.frames, true if mattes is None else mattes)


def test_a_film_of_one_person_in_a_room_that_stands_still_is_taken():
    assert check_film(seen()) == []


def test_nobody_is_told_and_somebody_who_is_seldom_there():
    nobody = np.zeros(SIZE[::-1], np.uint8)
    with pytest.raises(InputError, match=r"nobody is to be seen in me\.mkv"):
        check_film(seen([nobody] * 60))
    with pytest.raises(InputError, match="somebody is to be seen in 30 of 60 frames"):
        check_film(seen([nobody, mask(100)] * 30))
    # a face on the wall far away is nobody
    tiny = nobody.copy()
    tiny[:20, :20] = 255
    with pytest.raises(InputError, match="nobody"):
        check_film(seen([tiny] * 60))


def test_a_second_person_is_told_and_a_hand_is_none():
    two = mask(110) | mask(10)
    two[:, 100:110] = 0
    assert people(two) == 2
    with pytest.raises(InputError, match=r"several people in me.mkv, in 30 of 60"):
        check_film(seen([two, mask(110)] * 30))
    hand = mask(110)
    hand[60:75, 40:55] = 255
    assert people(hand) == 1
    assert people(np.zeros_like(hand)) == 0
    # for a moment, as when an arm is hidden
    assert check_film(seen([two] * 6 + [mask(110)] * 54)) == []


def test_darkness_is_told_by_the_light_and_not_by_the_range():
    made, _ = film()
    for frame in made.frames:
        frame.y[...] = 16 + (frame.y - 16.0) * 0.12
    assert is_dark(made.frames)
    with pytest.raises(InputError, match="too dark"):
        check_frames("me.mkv", made.frames)
    assert not is_dark(film()[0].frames)


def test_a_camera_that_moves_is_told_and_a_person_who_moves_is_none():
    made, _ = film()
    check_frames("me.mkv", made.frames)
    assert not camera_moves(made.frames)
    for number, frame in enumerate(made.frames):
        if number > 15:
            frame.y[...] = np.roll(frame.y, 9, 1)
    assert camera_moves(made.frames)
    with pytest.raises(InputError, match=r"the camera moves in me\.mkv"):
        check_frames("me.mkv", made.frames)


def test_somebody_who_looks_different_is_a_note_and_no_refusal():
    made, true = film()
    assert likeness(Seen("me.mkv", made.frames, true)) > 0.8
    for frame, matte in zip(made.held, true[30:], strict=True):
        frame.u[matte[::2, ::2] > 0] = 170
    (note,) = check_film(Seen("me.mkv", made.frames, true))
    assert "looks quite different" in note
    assert "does not recognise faces" in note


def test_a_film_is_cut_into_what_is_learnt_and_what_is_measured_by():
    def frames(count):
        for number in range(count):
            frame = Frame.allocate(64, 48)
            frame.y[0, 0], frame.seq = 16 + number % 200, number
            yield frame

    # a short one in full, a long one thinned where it is learnt from
    short = split(frames(60), "a", 60, 30.0)
    assert [len(short.learnt), len(short.held)] == [30, 30]
    assert [frame.seq for frame in short.frames] == list(range(60))
    long = split(frames(900), "a", 900, 30.0)
    assert [frame.seq for frame in long.learnt][:3] == [0, 3, 6]
    assert [frame.seq for frame in long.held] == list(range(450, 450 + HELD))
    assert SHORTEST // 2 <= 30


def test_a_film_that_stands_still_is_refused_and_full_range_becomes_limited():
    still = Frame.allocate(64, 48)
    with pytest.raises(InputError, match="the same picture"):
        split([still] * 60, "a", 60, 30.0)
    white = Frame.allocate(64, 48)
    white.full_range = True
    changing = []
    for number in range(60):
        frame = Frame.allocate(64, 48)
        frame.copy_from(white)
        frame.y[...] = 255
        frame.y[0, 0] = number
        changing.append(frame)
    made = split(changing, "a", 60, 30.0)
    assert made.learnt[0].y[20, 20] == 235
    assert not made.learnt[0].full_range
