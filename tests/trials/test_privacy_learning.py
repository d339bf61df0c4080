"""Promise 1 while the empty room is told, again and again, under every fault and with every way for it to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.trials.helpers import Trial
from tests.trials.scene import SIZE
from vcam.daemon.base import State
from vcam.daemon.lesson import Lesson
from vcam.daemon.outlets import Outlets
from vcam.errors import VcamError
from vcam.frames import Frame
from vcam.pipeline import Pipeline
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom

pytestmark = pytest.mark.usefixtures("quick")


def wishes() -> Iterator[tuple[str, object]]:
    """Most of them leave a lesson alone."""
    specs = "none", "blur", "none", "color:#204080"
    for key, values in (("camera.source", ("two", "nosuch", "one")), ("output.size", ("64x32", "128x64"))):
        for value in values:
            for _ in range(40):
                yield from (("background.spec", spec) for spec in specs)
                yield "matte.edge", 2
                yield "matte.edge", 0
            yield key, value


class Learns(Trial):
    """Somebody tells it the room without end: some have patience, some go, some pause the camera meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        # whoever asks for the room by the background none is not shown it while it is learnt
        self.screen.innocent = lambda: self.life.settings.background.spec != "none" or self.life.state is State.LEARNING
        self.ends: dict[str, int] = {}
        self._teaching = threading.Thread(target=self._teach)

    def pipeline(self, *given: Any) -> Pipeline:
        made = super().pipeline(*given)
        made.matting.exchange_room(RoomChoice(KeptRoom(SIZE, None, alone=False)))
        return made

    def _teach(self) -> None:
        chance = np.random.default_rng(3)
        while self.thread.is_alive():
            # who is in the picture all the while is told to be the room: the worst that can be learnt
            lesson = Lesson(float(chance.choice([0, 0.005])), force=bool(chance.integers(4)))
            self.life.learn(lesson)
            way = chance.integers(6)
            time.sleep(float(chance.uniform(0, 0.02)))
            if way == 0:
                self.life.break_off(lesson)
            elif way == 1:
                self.life.pause()
                self.life.resume()
            try:
                lesson.done.result(20)
                end = "learnt"
            except VcamError as error:
                end = error.message
            self.ends[end] = self.ends.get(end, 0) + 1

    def __enter__(self) -> Learns:
        super().__enter__()
        self.until(lambda: bool(self.life.timings and self.life.timings.frames))
        self._teaching.start()
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._teaching.join(30)


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.daemon.lesson.SECONDS", 0.005)
    monkeypatch.setattr("vcam.daemon.lesson.LONGEST", 0.5)
    # the person jumps about, and shall be learnt all the same
    monkeypatch.setattr("vcam.segment.emptyroom.telling.MUCH", 1.0)
    monkeypatch.setattr("vcam.segment.emptyroom.telling.ENOUGH", 0.0)


@pytest.mark.long
def test_the_room_is_told_without_end_and_seen_by_nobody() -> None:
    trial = Learns()
    assert trial.judge(3000, wishes=wishes) == 0
    assert trial.ends.pop("learnt") > 10
    for end in ("it was broken off", "vcam was paused", "unplugged", "somebody is in the picture"):
        assert any(end in said for said in trial.ends), (end, trial.ends)


class ShowsWhatItLooksAt(Pipeline):
    """Leaky: a frame that is for nobody is written like any other."""

    def unseen(self) -> Frame | None:
        frame = super().unseen()
        if frame is not None:
            for output in self.outputs:
                output.write(frame)
        return frame


class Leaky(Learns):
    pipeline_class = ShowsWhatItLooksAt


def test_a_frame_that_is_written_all_the_same_is_stopped_at_the_outputs() -> None:
    assert Leaky().judge(600, wishes=wishes) == 0


def test_the_same_trial_finds_it_if_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(outlets: Outlets, shut: bool) -> None:
        """It stays open."""

    monkeypatch.setattr(Outlets, "shut", property(lambda outlets: False, never), raising=False)
    assert Leaky().judge(3000, enough=1, wishes=wishes) > 0
