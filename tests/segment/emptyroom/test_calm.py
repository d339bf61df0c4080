"""What is known of a room makes no flicker: not of a network that is now surer and now less, nor of noise."""

from __future__ import annotations

import numpy as np
import pytest

from tests.segment.emptyroom.scenes import PERSON, SHELF, map_of, memory, room, shot, with_person
from vcam.segment.emptyroom import evidence


def test_a_network_that_is_now_surer_and_now_less_is_overruled_all_the_time() -> None:
    says = np.float32([[0.6, 0.95, 0.999, 1.0]])
    assert evidence.corrected(says, np.full_like(says, -3.3)).max() < 0.5
    assert evidence.corrected(1 - says, np.full_like(says, 3.3)).min() > 0.5
    # but not by little
    assert evidence.corrected(says[:, 1:], np.full_like(says[:, 1:], -2.0)).min() > 0.5


def flicker_of_hair() -> float:
    """How much the map changes from frame to frame where hair and wall are mixed, and the network is undecided."""
    picture = room()
    hair = np.s_[40:130, 170:173]
    mixed = picture.copy()
    mixed[PERSON] = (60, 180, 240)
    mixed[hair] = 0.6 * picture[hair] + 0.4 * np.float32([60, 180, 240])
    remembers, found = memory(picture), []
    for number in range(14):
        frame = shot(mixed, number, noise=4)
        said = map_of(frame, shelf=False)
        said.probability[hair] = 0.4
        found.append(remembers.correct(said, frame).probability[hair].copy())
    return float(np.abs(np.diff(np.stack(found[4:]), axis=0)).mean())


@pytest.mark.usefixtures("both_ways")
def test_the_noise_of_the_camera_is_damped_where_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = flicker_of_hair()
    monkeypatch.setattr(evidence, "CALM", 1.0)
    assert calm < 0.75 * flicker_of_hair()


def test_a_ghost_falls_at_once_and_rises_slowly_and_nobody_else_does() -> None:
    before, now = np.float32([[0.8, 0.2, 0.2, 0.2, 0.2]]), np.float32([[0.3, 0.4, 0.9, 0.4, 0.4]])
    said = np.float32([[-2, -2, -2, 0, 3]])
    assert evidence.without_ghosts(now, before, said)[0].tolist() == pytest.approx([0.3, 0.24, 0.69, 0.4, 0.4])


def flicker_of_a_ghost() -> float:
    """How much the map changes where the network takes a dark shelf for a person, now surely and now hardly."""
    picture = room()
    shelf = picture[SHELF]
    shelf[...] = np.random.default_rng(1).integers(0, 60, (*shelf.shape[:2], 1))
    remembers, found = memory(picture), []
    for number in range(20):
        frame = shot(with_person(picture), number)
        said = map_of(frame)
        said.probability[SHELF] = 0.95 if number % 2 else 0.6
        found.append(remembers.correct(said, frame).probability[SHELF].copy())
    return float(np.abs(np.diff(np.stack(found[4:]), axis=0)).mean())


@pytest.mark.usefixtures("both_ways")
def test_a_ghost_that_is_half_removed_is_no_flicker(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = flicker_of_a_ghost()
    monkeypatch.setattr(evidence, "STEADY", 1.0)
    assert calm < 0.6 * flicker_of_a_ghost()


@pytest.mark.usefixtures("both_ways")
def test_black_hair_before_a_dark_cupboard_stays_though_there_is_an_edge_beside_it() -> None:
    picture = room()
    cupboard, light, hair = np.s_[30:144, 150:171], np.s_[30:144, 171:200], np.s_[60:120, 150:170]
    picture[cupboard], picture[light] = 4, 200
    seen = picture.copy()
    seen[PERSON] = (60, 180, 240)
    seen[:, 150:200] = picture[:, 150:200]
    remembers = memory(picture)
    for number in range(4):
        frame = shot(seen, number)
        said = map_of(frame, shelf=False)
        said.probability[hair] = 0.9
        corrected = remembers.correct(said, frame)
    assert corrected.probability[70:110, 155:168].mean() > 0.8
