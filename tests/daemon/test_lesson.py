"""One try at learning the empty room, by a clock of its own: its steps, its words, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from vcam.daemon import lesson as module
from vcam.daemon.lesson import FRAMES, LONGEST, SECONDS, Lesson, Progress
from vcam.errors import CameraError, EngineError, UsageError, VcamError
from vcam.frames import Frame, Map
from vcam.matte.factory import make_matte
from vcam.matting import Matting
from vcam.segment.emptyroom.choice import OFF, RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.segment.emptyroom.telling import Told
from vcam.settings import Settings
from vcam.testing import FakeClock, FakeSegmenter

SIZE = (96, 64)
SETTINGS = Settings()


def empty_room(number: int = 0) -> Frame:
    """Of some texture, with its number."""
    frame = Frame.allocate(*SIZE)
    frame.y[...] = np.random.default_rng(1).integers(50, 95, frame.y.shape)
    frame.seq, frame.full_range = number, True
    return frame


def nobody(frame: Frame) -> Map:
    return Map.whole(np.zeros((SIZE[1], SIZE[0]), np.float32), frame)


def matting(room: RoomChoice | None = None, *, network: bool = True) -> Matting:
    room = room or RoomChoice(KeptRoom(SIZE, None, alone=False))
    return Matting(FakeSegmenter() if network else None, make_matte(SETTINGS.matte), room=room)


class Run:
    """A lesson that is carried out as the loop does it, a frame every 33 ms."""

    def __init__(self, wait: float = 5.0, *, force: bool = False, settings: Settings = SETTINGS) -> None:
        self.clock = FakeClock()
        self.told: list[Progress] = []
        self.lesson = Lesson(wait, force=force, tell=self.told.append)
        self.settings, self.matting, self.looked = settings, matting(), 0
        self.lesson.begin(settings, self.matting, self.clock())

    def go(
        self, seconds: float, look: Callable[[Frame], Map] = nobody, *, step: float = 1 / 30, frames: bool = True
    ) -> Any:
        """For so long, or until there is an outcome. Returns that."""
        end = self.clock() + seconds
        while self.clock() < end and self.lesson.outcome is None:
            self.clock.sleep(step)
            self.lesson.turn(self.settings, self.matting, self.clock())
            if frames and self.lesson.outcome is None:
                self.lesson.study(empty_room(), lambda frame: self._look(look, frame), self.clock())
        return self.lesson.outcome

    def _look(self, look: Callable[[Frame], Map], frame: Frame) -> Map:
        self.looked += 1
        return look(frame)


def test_its_way_is_told_step_by_step_and_stands_on_the_placeholder() -> None:
    run = Run(3.0)
    shown = [run.lesson.words]
    while run.go(1 / 30) is None:
        shown.append(run.lesson.words)
    assert isinstance(run.lesson.outcome, Told)
    assert list(dict.fromkeys(shown)) == [
        "step out of the picture: 3", "step out of the picture: 2", "step out of the picture: 1",
        "step out of the picture: the camera is starting", "stay out of the picture:\nvcam is learning the empty room",
    ]  # fmt: skip
    assert list(dict.fromkeys(told.step for told in run.told)) == ["countdown", "camera", "looking"]
    assert list(dict.fromkeys(told.left_s for told in run.told)) == [3, 2, 1, 0]
    assert run.told[-1].done >= 0.9
    # a few a second, not one for each frame
    assert len(run.told) < 30


def test_nothing_is_looked_at_before_the_countdown_is_over() -> None:
    run = Run(3.0)
    assert run.go(2.9) is None
    assert run.looked == 0
    assert isinstance(run.go(5), Told)
    assert run.clock() - 1000 == pytest.approx(3 + SECONDS, abs=0.2)


def test_without_a_countdown_it_looks_at_once() -> None:
    run = Run(0.0)
    assert isinstance(run.go(3), Told)
    assert run.clock() - 1000 == pytest.approx(SECONDS, abs=0.2)


def test_a_slow_camera_is_waited_for_until_there_are_enough_frames() -> None:
    run = Run(0.0)
    assert isinstance(run.go(30, step=0.4), Told)
    assert run.looked == FRAMES


def test_a_camera_that_is_too_slow_is_said() -> None:
    run = Run(0.0)
    error = run.go(30, step=1.0)
    assert isinstance(error, CameraError)
    assert "only" in error.message
    assert run.clock() - 1000 <= LONGEST + 3


def test_a_camera_that_never_sends_is_said() -> None:
    run = Run(2.0)
    error = run.go(60, frames=False)
    assert isinstance(error, CameraError)
    assert "sent nothing for 10 s" in error.message
    assert run.clock() - 1000 == pytest.approx(12, abs=0.2)


def test_a_network_that_fails_is_said_with_its_words() -> None:
    def look(frame: Frame) -> Map:
        raise EngineError("it is hot")

    run = Run(0.0)
    error = run.go(30, look)
    assert "it is hot" in error.message
    assert run.clock() - 1000 <= LONGEST + 1


def test_somebody_in_the_picture_ends_it_at_once() -> None:
    def look(frame: Frame) -> Map:
        return Map.whole(np.full((SIZE[1], SIZE[0]), 0.9, np.float32), frame)

    run = Run(0.0)
    error = run.go(30, look)
    assert error.message == "somebody is in the picture"
    assert run.looked < 8
    forced = Run(0.0, force=True)
    assert isinstance(forced.go(30, look), Told)


def test_a_network_s_hiccup_is_passed_over_and_a_bug_is_said_in_the_end() -> None:
    hiccups = [ZeroDivisionError("a bug"), MemoryError(), EngineError("hot")]

    def hiccup(frame: Frame) -> Map:
        if hiccups:
            raise hiccups.pop()
        return nobody(frame)

    assert isinstance(Run(0.0).go(30, hiccup), Told)

    def look(frame: Frame) -> Map:
        raise ZeroDivisionError("a bug")

    assert "cannot tell whether the room is empty: ZeroDivisionError('a bug')" in Run(0.0).go(30, look).message


def test_a_bug_in_the_judging_is_no_end_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.segment.emptyroom.telling.RoomTelling.finish", lambda self: 1 / 0)
    assert "unexpected ZeroDivisionError" in Run(0.0).go(10).message


@pytest.mark.parametrize(
    "change",
    [
        {"camera__mirror": True}, {"camera__source": "another"}, {"camera__exposure": "50"}, {"framing__auto": True},
        {"segment__model": "another"}, {"segment__room": "off"}, {"output__size": "640x480"},
    ],
)  # fmt: skip
def test_settings_that_make_it_another_picture_end_it(change: dict[str, Any]) -> None:
    run = Run(1.0)
    assert run.go(1.5) is None
    run.settings = SETTINGS.replace(**change)
    assert "settings were changed" in run.go(1).message


def test_other_settings_do_not() -> None:
    run = Run(0.5)
    assert run.go(1.0) is None
    run.settings = SETTINGS.replace(background__spec="green", matte__edge=3.0)
    assert isinstance(run.go(5), Told)


@pytest.mark.parametrize(
    ("settings", "said", "cure"),
    [
        ({"segment__backend": "subtraction"}, "learns the room by itself", "segment.relearn=true"),
        ({"framing__auto": True}, "must stand still", "framing.auto=false"),
    ],
)
def test_settings_that_do_not_allow_it_are_said_before_anything_else(
    settings: dict[str, Any], said: str, cure: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Run(settings=SETTINGS.replace(**settings))
    assert cure in caught.value.hint


@pytest.mark.parametrize(
    ("known", "said", "cure"),
    [
        (matting(network=False), "background none", "vcam background blur"),
        (matting(OFF), "segment.room is off", "segment.room=told"),
        (matting(RoomChoice(None, "the picture does not come from a camera")), "does not come from a camera", "camera"),
    ],
)
def test_what_cannot_learn_is_said_at_once_or_when_it_is_known(known: Matting, said: str, cure: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Lesson(5).begin(SETTINGS, known, 0.0)
    assert cure in caught.value.hint
    late = Lesson(5)
    late.begin(SETTINGS, None, 0.0)
    late.turn(SETTINGS, known, 0.1)
    assert isinstance(late.outcome, UsageError)


def test_after_the_verdict_nothing_is_looked_at_any_more() -> None:
    run = Run(0.0)
    run.go(10)
    looked = run.looked
    run.lesson.study(empty_room(), nobody, run.clock())
    assert run.looked == looked


def test_it_is_answered_once() -> None:
    run = Run(0.0)
    told = run.go(10)
    run.lesson.succeed(told, "rooms/one.png")
    run.lesson.fail(VcamError("too late"))
    assert run.lesson.done.result() == {"known": 100.0, "people": 0.0, "moving": 0.0, "file": "rooms/one.png"}
    other = Lesson(1)
    other.fail(VcamError("it was broken off"))
    other.fail(VcamError("and again"))
    assert str(other.done.exception()) == "it was broken off"


def test_the_frames_are_gone_when_it_is_over() -> None:
    done: Future[Any] = Run(0.0).lesson.done
    assert not done.done()
    assert module.SECONDS == 2
