"""Promise 1 with a known room: true or not, it shows nothing of the room, whatever fails and whatever is changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.trials.faults import FaultyRoom, RoomFaults
from tests.trials.helpers import SETTINGS, Trial, every_wish
from tests.trials.scene import AMPLITUDE, ROOM_COLOUR, SIZE, room
from vcam.errors import UsageError
from vcam.frames import Frame, Map
from vcam.segment.emptyroom.picture import RoomPicture

pytestmark = pytest.mark.usefixtures("quick")

FRAMES = 3000


def plate(kind: str) -> RoomPicture:
    """A room to be told: the true one, one with a person in it, and others."""
    frame = Frame.allocate(*SIZE)
    frame.copy_from(room(0))
    rows, columns = np.indices(frame.y.shape)
    if kind != "with a person":
        frame.y[...] = 120 + AMPLITUDE * np.where((rows + columns) % 2, 1, -1)
        frame.u[...], frame.v[...] = ROOM_COLOUR
    if kind == "the other phase":
        frame.y[...] = 240 - frame.y
    elif kind == "plain":
        frame.fill(120, 128, 128)
    elif kind == "noise":
        frame.y[...] = np.random.default_rng(0).integers(0, 256, frame.y.shape)
    return RoomPicture(frame, np.full(frame.u.shape, 255, np.uint8))


PLATES = ("true", "with a person", "the other phase", "plain", "noise")


def other_wishes() -> Iterator[tuple[str, object]]:
    """Every wish but those that would have no room known."""
    own = ("segment.room", "segment.private", "segment.backend", "framing.auto")
    return ((key, value) for key, value in every_wish() if key not in own)


class KnowsTheRoom(Trial):
    """Is told rooms while it runs, and learns on from them by itself."""

    settings = SETTINGS.replace(segment__room="auto")
    faults_class = RoomFaults
    plates: tuple[str, ...] = PLATES

    def __init__(self) -> None:
        super().__init__()
        self.told = 0
        self._plates = itertools.cycle([plate(kind) for kind in self.plates])

    def set(self, **changes: object) -> Any:
        pipeline = self.life.pipeline
        if pipeline:
            try:
                self.life.mailbox.post(lambda: pipeline.matting.told(next(self._plates))).result(10)
                self.told += 1
            except UsageError:
                # the size has been changed
                self.refused += 1
        return super().set(**changes)


@pytest.mark.long
def test_no_room_that_is_told_or_learnt_ever_shows_the_room() -> None:
    trial = KnowsTheRoom()
    assert trial.judge(FRAMES, wishes=other_wishes) == 0
    assert trial.screen.seen > 0.8 * FRAMES
    assert trial.complete > 0.5
    assert trial.told > 50
    assert FaultyRoom.used > 0.1 * FRAMES
    assert min(trial.faults.met[kind] for kind in ("room bug", "room no memory")) > 2


class ShowsAll(FaultyRoom):
    """Leaky: whoever is there, everything near and far is a person."""

    def correct(self, seen: Map, frame: Frame) -> Map:
        corrected = super().correct(seen, frame)
        return corrected if corrected is seen else replace(corrected, probability=np.ones_like(seen.probability))


class OneFrameOld(FaultyRoom):
    """Leaky: the map of a frame is the one before, corrected."""

    before: Map | None = None

    def correct(self, seen: Map, frame: Frame) -> Map:
        before, self.before = self.before, replace(seen, probability=seen.probability.copy())
        corrected = super().correct(seen, frame)
        return replace(corrected, probability=before.probability) if before and before.box == seen.box else corrected


@pytest.mark.parametrize("leaky", [ShowsAll, OneFrameOld])
def test_the_same_trial_finds_a_memory_that_shows_what_it_should_not(
    leaky: type[FaultyRoom], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Knows(KnowsTheRoom):
        plates = ("true",)

    monkeypatch.setattr("vcam.segment.emptyroom.keeping.RoomMemory", leaky)
    assert Knows().judge(3000, enough=1, wishes=other_wishes) > 0
