"""A room that is learnt by itself: what was behind somebody is learnt when it is free, and nothing of her ever."""

from __future__ import annotations

import numpy as np
import pytest

from tests.segment.emptyroom.scenes import PERSON, SIZE, known, map_of, room, shot, with_person
from vcam.segment.emptyroom import memory
from vcam.segment.emptyroom.memory import RoomMemory
from vcam.types import U8

STEPS = memory.NEED + 2


@pytest.fixture
def remembers(monkeypatch: pytest.MonkeyPatch) -> RoomMemory:
    """One that learns more often, and so in fewer frames."""
    monkeypatch.setattr(memory, "EVERY", memory.TAKEN + 1)
    return RoomMemory(SIZE, full_range=False)


def watch(remembers: RoomMemory, place: int, steps: int = STEPS, *, jitter: int = 0, missed: int = 0) -> None:
    """Somebody so many pixels to the right, who sways by `jitter`; the network misses columns at her left."""
    picture, person = room(), np.random.default_rng(4).integers(60, 220, (114, 80, 3), np.uint8)
    rows, columns = PERSON
    for number in range(steps * memory.EVERY):
        left = columns.start + place + jitter * (number // memory.EVERY % 2)
        seen: U8 = picture.copy()
        seen[rows, left : left + 80] = person
        frame = shot(seen, number)
        said = map_of(frame, shelf=False)
        found = np.roll(said.probability, left - columns.start, 1)
        if missed:
            found = np.where(np.arange(SIZE[0]) < left + missed, np.roll(found, missed, 1), found)
        np.copyto(said.probability, found)
        remembers.correct(said, frame)


def test_what_was_behind_somebody_is_learnt_as_soon_as_it_is_free(remembers: RoomMemory) -> None:
    watch(remembers, 0)
    assert not remembers.room.known[30:, 40:80].any()
    watch(remembers, 12, 2 * STEPS, jitter=8)
    known = remembers.room.known[30:70]
    # from where she was, up to a few pixels from where she comes back to
    assert np.mean(known[:, 45:51] != 0) > 0.95
    assert not known[:, 54:80].any()
    plain = remembers.room.frame.y[60:140, 90:95].astype(int)
    assert np.abs(plain - shot(room()).y[60:140, 90:95]).mean() < 4


def test_what_the_network_misses_of_somebody_who_sits_there_is_not_learnt(remembers: RoomMemory) -> None:
    watch(remembers, 0, 2 * STEPS, jitter=1, missed=9)
    assert not remembers.room.known[30:70, 45:84].any()
    assert np.mean(remembers.room.known[:, :30] != 0) > 0.95


def test_nor_is_it_learnt_where_she_leant_a_moment_ago(remembers: RoomMemory) -> None:
    watch(remembers, -8, 3)
    watch(remembers, 0, 2 * STEPS, missed=9)
    assert not remembers.room.known[30:70, 45:80].any()


def test_what_was_behind_somebody_long_ago_is_not_learnt_close_to_her(
    remembers: RoomMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOMENT", memory.NEED - 2)
    watch(remembers, 0)
    watch(remembers, 12, 2 * STEPS, jitter=8)
    assert not remembers.room.known[30:70, 48:50].any()
    # it is where she touches it again and again
    assert remembers.room.known[30:70, 50].any()
    # far from her it is
    watch(remembers, 52)
    assert np.mean(remembers.room.known[30:70, 45:50] != 0) > 0.95


def sit(remembers: RoomMemory, steps: int, *, seen: bool, first: int = 0) -> None:
    """Somebody who sits still but for the head, whose left shoulder and arm the network misses, unless `seen`."""
    picture, chance = room(), np.random.default_rng(5)
    body = chance.integers(60, 220, (74, 110, 3), np.uint8)
    face = chance.integers(60, 220, (40, 36, 3), np.uint8)
    for number in range(first, first + steps * memory.EVERY):
        left = 110 + 6 * (number // memory.EVERY % 2)
        shown = picture.copy()
        shown[70:144, 75:185] = body
        shown[30:70, left : left + 36] = face
        frame = shot(shown, number)
        said = map_of(frame, shelf=False)
        said.probability[...] = 0
        said.probability[70:144, 75 if seen else 118 : 185] = 1
        said.probability[30:70, left : left + 36] = 1
        remembers.correct(said, frame)


SHOULDER = np.s_[38:72, 38:58]
"""What is missed, in pixels of what is known, without its outline."""


def test_a_shoulder_that_the_network_misses_all_the_time_is_not_learnt(remembers: RoomMemory) -> None:
    sit(remembers, 2 * STEPS, seen=False)
    assert not remembers.room.known[SHOULDER].any()
    # beside the head the room is
    assert np.mean(remembers.room.known[:34, :44] != 0) > 0.95


def test_nor_is_one_that_it_has_seen_before(remembers: RoomMemory) -> None:
    sit(remembers, 4, seen=True)
    sit(remembers, 2 * STEPS, seen=False, first=4 * memory.EVERY)
    assert not remembers.room.known[SHOULDER].any()


def test_her_body_is_as_wide_on_the_side_that_is_missed_and_has_shoulders_below_the_head() -> None:
    marks = np.zeros((40, 60), np.uint8)
    assert not memory.body(marks).any()
    marks[4:14, 25:35] = 1
    rows = [np.flatnonzero(row) for row in memory.body(marks)]
    assert [(row[0], row[-1]) if row.size else None for row in rows] == ([None] * 4 + [(25, 34)] * 15 + [(20, 39)] * 21)
    marks[20:40, 30:50] = 1
    assert [np.flatnonzero(row)[0] for row in memory.body(marks)[[19, 20, 39]]] == [20, 10, 10]


def test_a_hand_that_was_missed_is_no_room_any_more_once_it_is_seen(remembers: RoomMemory) -> None:
    picture = with_person(room())
    picture[60:120, 40:64] = np.random.default_rng(6).integers(60, 220, (60, 24, 3), np.uint8)
    for seen in (False, True):
        for number in range(STEPS * memory.EVERY):
            frame = shot(picture, number)
            said = map_of(frame, shelf=False)
            said.probability[60:120, 40:64] = seen
            remembers.correct(said, frame)
        part = remembers.room.known[33:57, 23:29]
        assert not part.any() if seen else np.mean(part != 0) > 0.95


def test_of_a_room_that_was_told_she_is_a_picture_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EVERY", memory.TAKEN + 1)
    picture = room()
    picture[60:120, 40:90] = np.random.default_rng(6).integers(60, 220, (60, 50, 3), np.uint8)
    told = RoomMemory(SIZE, full_range=False, room=known(picture), vouched=True)
    for number in range(STEPS * memory.EVERY):
        frame = shot(picture, number)
        said = map_of(frame, shelf=False)
        said.probability[...] = 0
        said.probability[60:120, 40:90] = 1
        corrected = told.correct(said, frame)
    assert told.room.known.all()
    assert corrected.probability[70:110, 50:80].mean() < 0.5
