"""The empty room is learnt while the loop runs: nobody sees it, and whatever happens, the picture goes on."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from tests.daemon.helpers import SETTINGS, SIZE, Screen
from tests.daemon.learning import CHROMA, ROOM, Learning, furnish, is_card, refused, shows_room
from vcam.compose.placeholder import placeholder
from vcam.daemon.base import State
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import Frame
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.segment.emptyroom.telling import RoomTelling, Told

pytestmark = pytest.mark.usefixtures("brief")


def test_the_placeholder_is_shown_all_the_while_and_then_the_picture_goes_on() -> None:
    with Learning() as daemon:
        daemon.until(lambda: daemon.life.state is State.LIVE)
        states: list[tuple[State, int]] = []
        daemon.life.observers.append(lambda state, cause: states.append((state, len(daemon.screen.frames))))
        result = daemon.learn(0.3).done.result(10)
        assert result == {"known": 100.0, "people": 0.0, "moving": 0.0, "file": ""}
        assert daemon.known == 1.0
        daemon.until(lambda: daemon.life.state is State.LIVE)
        daemon.more()
        assert [state for state, _ in states] == [State.LEARNING, State.WAITING, State.LIVE]
        shown = list(daemon.pictures())
        learning, after = shown[states[0][1] : states[1][1]], shown[states[2][1] :]
        assert len(learning) > 20
        assert all(map(is_card, learning))
        assert not any(map(is_card, after))
        assert daemon.cameras[0].opened == 1
        mine = daemon.kept._known
        assert mine is not None
        assert np.array_equal(mine.frame.y, ROOM)


def test_the_countdown_stands_on_the_placeholder() -> None:
    with Learning() as daemon:
        daemon.learn(2.0).done.result(10)
        shown = daemon.screen.frames
        for words in ("step out of the picture: 2", "step out of the picture: 1"):
            card = placeholder(SIZE, words).packed()
            assert any(np.array_equal(card, picture) for picture in shown), words


def test_nobody_has_to_watch_and_the_camera_goes_off_after_it() -> None:
    with Learning() as daemon:
        daemon.screen.watchers = False
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.until(lambda: not daemon.cameras[0].is_open)
        before = daemon.cameras[0].opened
        daemon.learn(0.1).done.result(10)
        assert daemon.life.state is State.IDLE
        daemon.until(lambda: not daemon.cameras[0].is_open)
        assert daemon.cameras[0].opened == before + 1
        assert daemon.known == 1.0


def test_somebody_in_the_picture_is_refused_and_what_was_known_stays() -> None:
    with Learning() as daemon:
        daemon.learn().done.result(10)
        before = daemon.kept._known
        furnish(daemon.cameras[0], person=True)
        error = refused(daemon.learn())
        assert (error.message, error.exit_status) == ("somebody is in the picture", 1)
        assert "--force" in error.hint
        assert daemon.kept._known is before
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.learn(force=True).done.result(10)["known"] == 100.0
        assert daemon.kept._known is not before
        # else the person, whom the network sees, would be checked for showing the room
        furnish(daemon.cameras[0])
        daemon.more()


def test_one_that_is_broken_off_leaves_nothing_and_the_picture_goes_on() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.life.break_off(lesson)
        assert "broken off" in refused(lesson).message
        daemon.until(lambda: daemon.life.state is State.LIVE, 1.0)
        assert daemon.known == 0.0
        # once more does nothing, nor to the next one
        other = daemon.begun()
        daemon.life.break_off(lesson)
        daemon.more()
        assert daemon.life.state is State.LEARNING
        daemon.life.break_off(other)


def test_a_verdict_that_comes_after_it_was_broken_off_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, goes_on = threading.Event(), threading.Event()
    real = RoomTelling.finish

    def finish(telling: RoomTelling) -> Told:
        hangs.set()
        assert goes_on.wait(10)
        return real(telling)

    monkeypatch.setattr(RoomTelling, "finish", finish)
    with Learning() as daemon:
        lesson = daemon.learn()
        assert hangs.wait(10)
        daemon.life.break_off(lesson)
        goes_on.set()
        assert "broken off" in refused(lesson).message
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.known == 0.0


def test_only_one_at_a_time() -> None:
    with Learning() as daemon:
        first = daemon.begun(1.0)
        assert "already" in refused(daemon.learn()).message
        assert daemon.life.state is State.LEARNING
        assert first.done.result(10)["known"] == 100.0
        assert daemon.learn().done.result(10)["known"] == 100.0


def test_a_pause_ends_it_and_the_camera_stays_off() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.life.pause().result(5)
        assert daemon.life.state is State.PAUSED
        assert "paused" in refused(lesson).message
        daemon.until(lambda: not daemon.cameras[0].is_open)
        assert "vcam resume" in refused(daemon.learn()).hint
        assert not daemon.cameras[0].is_open
        daemon.life.resume().result(5)
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_the_end_of_vcam_ends_it() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.life.stop()
        assert "stopping" in refused(lesson).message
        daemon.thread.join(5)
        assert "stopping" in refused(daemon.learn()).message


def test_another_camera_ends_it() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.set(camera__source="two")
        assert "settings were changed" in refused(lesson).message
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_another_background_or_size_meanwhile_shows_no_room() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.set(background__spec="color:#c02020", matte__edge=3.0)
        assert all(map(is_card, daemon.more(10)))
        assert daemon.life.state is State.LEARNING
        daemon.life.break_off(lesson)
        refused(lesson)


def test_an_output_that_comes_meanwhile_gets_placeholders_too() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        other = Screen()
        daemon.life.mailbox.post(lambda: daemon.life.outlets.add(other)).result(5)
        daemon.until(lambda: len(other.frames) > 5)
        assert all(is_card(Frame.wrap(packed, *SIZE)) for packed in other.frames[:5])
        # whoever writes: nothing of the room gets through
        frame = Frame.allocate(*SIZE)
        frame.u.fill(CHROMA)
        daemon.life.mailbox.post(lambda: daemon.life.outlets.write(frame)).result(5)
        daemon.life.break_off(lesson)
        refused(lesson)
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert not any(shows_room(Frame.wrap(packed, *SIZE)) for packed in other.frames)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (CameraError("it was unplugged", "plug it in"), "it was unplugged"),
        (ZeroDivisionError("a bug"), "unexpected ZeroDivisionError"),
        (None, "has ended"),
    ],
    ids=["lost", "bug", "end"],
)
def test_a_camera_that_is_lost_ends_it_and_comes_back(fault: Exception | None, said: str) -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        camera = daemon.cameras[0]
        read = camera.read

        def fails() -> Frame | None:
            camera.read = read  # type: ignore[method-assign]
            if fault is not None:
                raise fault
            return None

        camera.read = fails  # type: ignore[method-assign]
        error = refused(lesson)
        assert isinstance(error, CameraError)
        assert said in error.message
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.known == 0.0


def test_a_camera_that_hangs_shows_no_last_picture() -> None:
    with Learning(SETTINGS.replace(camera__timeout=0.3)) as daemon:
        daemon.live()
        lesson = daemon.begun()
        camera = daemon.cameras[0]
        read = camera.read

        def hangs() -> Frame:
            time.sleep(0.02)
            raise CameraStalled("late")

        camera.read = hangs  # type: ignore[method-assign,assignment]
        shown = daemon.more(4)
        assert all(map(is_card, shown))
        assert isinstance(refused(lesson), CameraStalled)
        camera.read = read  # type: ignore[method-assign]
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.life.monitor.repeated == 0


def test_a_camera_that_cannot_be_had_is_said_at_once() -> None:
    with Learning() as daemon:
        daemon.screen.watchers = False
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.cameras[0].fault = CameraError("it is in use by zoom", "close zoom")
        error = refused(daemon.learn(30.0))
        assert (error.message, error.exit_status) == ("it is in use by zoom", 69)
        daemon.until(lambda: daemon.life.state is State.IDLE)


def test_without_a_network_it_is_refused() -> None:
    with Learning(SETTINGS.replace(background__spec="none")) as daemon:
        assert isinstance(refused(daemon.learn()), UsageError)
        # what this shows is the room: a person wants it so
        daemon.life.pause().result(5)
        daemon.screen.frames.clear()


def test_what_was_seen_meanwhile_does_not_weigh_in_on_what_comes_after() -> None:
    with Learning() as daemon:
        daemon.live()
        resets = daemon.networks[0].resets
        daemon.learn().done.result(10)
        assert daemon.networks[0].resets == resets + 2


def test_a_room_that_cannot_be_taken_over_is_said() -> None:
    with Learning() as daemon:

        def told(room: Any) -> None:
            raise RuntimeError("no room for it")

        daemon.kept.told = told  # type: ignore[method-assign]
        assert "no room for it" in refused(daemon.learn()).message
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_while_the_network_is_loaded_it_is_waited_for() -> None:
    go, daemon = threading.Event(), Learning()
    opens, daemon.slow = daemon.life._open_pipeline, True

    def slowly(*given: Any) -> Any:
        go.wait(10)
        pipeline = opens(*given)
        pipeline.matting.exchange_room(RoomChoice(KeptRoom(SIZE, None, alone=False)))
        return pipeline

    daemon.life._open_pipeline = slowly
    with daemon:
        lesson = daemon.learn()
        daemon.until(lambda: daemon.life.state is State.LEARNING and len(daemon.screen.frames) > 5)
        go.set()
        assert lesson.done.result(10)["known"] == 100.0
