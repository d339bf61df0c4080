"""What is known of a room makes no flicker: not of a network that is now surer and now less, nor of noise."""

from __future__ import annotations

import numpy as np
import pytest

from tests.segment.emptyroom.scenes import PERSON, map_of, memory, room, shot
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
