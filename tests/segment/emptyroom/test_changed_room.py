"""A room that has changed is not shown: nudges, exposures and lamps, with somebody there and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.measurements.subtraction import CHANGES, TRY, Change, Trial, attempt, scenes, seen
from vcam.segment.emptyroom.change import ChangeFinder
from vcam.segment.emptyroom.subtraction import CHANGED

pytestmark = pytest.mark.long

METHODS = pytest.mark.parametrize("method", ["static", "mog2"])
MUCH = {"nudged 40 px", "exposure -40 %", "lamp on"}


@METHODS
@pytest.mark.parametrize("name", ["nudged 8 px", "exposure +25 %", *sorted(MUCH)])
def test_nothing_of_an_empty_room_that_has_changed_is_shown(method: str, name: str, tmp_path: Path) -> None:
    trial = attempt(method, CHANGES[name], tmp_path)
    assert trial.shown < 0.002
    # what is small is made up for, what is not is told
    assert trial.refused == TRY if name in MUCH else trial.refused < TRY / 2
    assert CHANGED in trial.notices or name not in MUCH


@pytest.mark.parametrize("name", ["nudged 40 px", "lamp on, small"])
def test_nor_is_it_with_somebody_there(name: str, tmp_path: Path) -> None:
    assert attempt("static", CHANGES[name], tmp_path, person=True).shown < 0.002


def test_a_shelf_on_a_bare_wall_that_goes_aside_is_no_person(tmp_path: Path) -> None:
    trial = attempt("static", CHANGES["nudged 40 px"], tmp_path, plain=True)
    assert trial.shown == 0
    assert trial.refused == TRY


@METHODS
def test_somebody_in_a_room_that_is_as_it_was_is_shown_in_every_frame(method: str, tmp_path: Path) -> None:
    trial = attempt(method, Change(), tmp_path, person=True)
    assert trial.refused == 0
    assert np.mean(trial.overlaps) > 0.85


@METHODS
@pytest.mark.parametrize("name", ["nudged 40 px", "lamp on"])
def test_once_the_room_is_back_somebody_is_shown_again(method: str, name: str, tmp_path: Path) -> None:
    trial: Trial = attempt(method, CHANGES[name], tmp_path, person=True, back=TRY)
    assert trial.shown < 0.002
    assert trial.refused < TRY / 2
    assert np.mean(trial.overlaps) > 0.85


def test_a_nudge_and_another_exposure_are_found_out() -> None:
    chance = np.random.default_rng(0)
    before, now = (
        _small(seen(scenes(False)(0), change, chance).y) for change in (Change(), Change((10, -5), gain=1.2))
    )
    change = ChangeFinder(before).find(now)
    assert change is not None
    assert (change.columns, change.rows) == pytest.approx((-4, 2), abs=0.4)
    # of limited range, whose black is no light
    assert np.allclose(change.gains, 1.2, atol=0.04)
    assert ChangeFinder(before).find(_small(seen(scenes(False)(0), Change((60, 60)), chance).y)) is None


def _small(luma: np.ndarray) -> np.ndarray:
    import cv2

    full = np.clip((luma.astype(np.float32) - 16) * 255 / 219, 0, 255)
    return cv2.merge([cv2.resize(full, (256, 144), interpolation=cv2.INTER_AREA).astype(np.uint8)] * 3)
