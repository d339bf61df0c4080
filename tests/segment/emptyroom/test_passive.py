"""A room that is learnt by itself: what was behind somebody is learnt when it is free, and nothing of her ever."""

from __future__ import annotations

import numpy as np
import pytest

from tests.segment.emptyroom.test_memory import PERSON, SIZE, map_of, room, shot
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
    assert np.mean(remembers.room.known[:, :38] != 0) > 0.95


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
    watch(remembers, 40)
    assert np.mean(remembers.room.known[30:70, 45:50] != 0) > 0.95
