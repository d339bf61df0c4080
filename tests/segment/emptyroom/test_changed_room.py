"""A room that has changed is not shown: nudges, exposures and lamps, with somebody there and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.measurements.subtraction import CHANGES, SIZE, TRY, Change, Trial, attempt, scenes, seen
from vcam.frames import Box, Planes
from vcam.segment.emptyroom.difference import clipped, common_light
from vcam.segment.emptyroom.light import Plate
from vcam.segment.emptyroom.memory import mean_room
from vcam.segment.emptyroom.subtraction import CHANGED
from vcam.segment.prepare import Preparer

pytestmark = pytest.mark.long

METHODS = pytest.mark.parametrize("method", ["static", "adaptive"])
MUCH = {"nudged 40 px", "exposure -70 %", "lamp on"}


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


@pytest.mark.parametrize("name", ["nudged 16 px", "nudged 60 px"])
def test_nor_is_that_shelf_with_somebody_before_it(name: str, tmp_path: Path) -> None:
    assert attempt("static", CHANGES[name], tmp_path, person=True, plain=True).shown < 0.002


@pytest.mark.parametrize("name", ["exposure +12 %", "nudged 8 px", "exposure +25 %"])
def test_somebody_is_found_as_well_after_a_small_change(name: str, tmp_path: Path) -> None:
    trial = attempt("static", CHANGES[name], tmp_path, person=True)
    assert trial.refused <= 2
    assert np.mean(trial.overlaps) > 0.85


@pytest.mark.parametrize("person", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_half_of_a_room_in_a_deep_shadow_is_not_shown(person: bool, plain: bool, tmp_path: Path) -> None:
    trial = attempt("static", CHANGES["half in deep shadow"], tmp_path, person=person, plain=plain)
    assert trial.shown < 0.002
    assert trial.refused == TRY


def plates(change: Change) -> tuple[Plate, Planes]:
    """The room as it was, and as a frame of it shows it changed, both at the map's size."""
    chance = np.random.default_rng(0)
    room = mean_room([seen(scenes(False)(0), Change(), chance)])
    preparer = Preparer((256, 144), "BGR")
    preparer.shrink(seen(scenes(False)(0), change, chance))
    return room.plate(Box(0, 0, *SIZE), SIZE, (144, 256)), preparer.pyramid[-1].planes


def test_the_light_that_most_of_the_room_follows_is_found_with_somebody_before_it() -> None:
    plate, planes = plates(Change(gain=1.2))
    for plane in planes:
        plane[:, : plane.shape[1] // 4] = 90
    light = common_light(planes, plate)
    assert light is not None
    (gains, offsets) = light
    # of limited range, whose black is no light
    assert gains[0] == pytest.approx(1.2, abs=0.05)
    assert gains[0] * 100 + offsets[0] == pytest.approx(16 + 1.2 * 84, abs=3)


def test_there_is_no_common_light_where_all_is_new() -> None:
    plate, planes = plates(Change())
    chance = np.random.default_rng(0)
    for plane in planes:
        plane[...] = chance.integers(40, 200, plane.shape)
    assert common_light(planes, plate) is None


def test_a_lit_wall_is_white_and_no_more_than_that() -> None:
    wall = [np.full((2, 2), level, np.float32) for level in (260, 120, 140)]
    lost = clipped(wall, full_range=False)
    rest = [float((plane - part)[0, 0]) for plane, part in zip(wall, lost, strict=True)]
    assert rest == pytest.approx([235, 128, 128], abs=0.1)
    inside = [np.full((2, 2), level, np.float32) for level in (120, 120, 140)]
    for full_range in (False, True):
        assert max(float(np.abs(part).max()) for part in clipped(inside, full_range=full_range)) < 1e-3
