"""What leads from one state to the next: as a table, and as stories of several steps."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from vcam.camera.base import FIRST_FRAME
from vcam.daemon import states
from vcam.daemon.base import State
from vcam.daemon.states import (
    FAILING,
    LEARNS,
    LINGER,
    Asked,
    Came,
    CameraAction,
    Ended,
    Event,
    Look,
    Lost,
    Phase,
    Picture,
    Stalled,
    Step,
    step,
)
from vcam.errors import CameraError, CameraStalled

NOW, EARLIER = 100.0, 90.0
GONE, BUSY, LATE = CameraError("gone", "plug it in"), CameraError("busy"), CameraStalled("late")
HOT = RuntimeError("it is hot")
CARD, FRAME, UNSEEN, LAST, NOTHING = Picture
OPEN, RELEASE = CameraAction.OPEN, CameraAction.RELEASE
PHASES = {state: Phase(state, "before", EARLIER) for state in State if state is not State.STUCK}
STARTING, IDLE, WAITING, LIVE, PAUSED, LEARNING, DEGRADED, _ = PHASES.values()
LEARNING = replace(LEARNING, learning=True)


def look(*, wanted: bool = True, loaded: bool = True, on: bool = False, error: CameraError | None = None) -> Look:
    return Look(wanted, loaded, on, error)


def entered(state: State, cause: str, **more: Any) -> Phase:
    """A phase that was entered just now."""
    return Phase(state, cause, NOW, **more)


def left(phase: Phase) -> Phase:
    """The same, just when nobody was seen to want the picture any more."""
    return replace(phase, unwatched_since=NOW)


TABLE: dict[str, tuple[Phase, Event, Step]] = {
    # nobody watches
    "while the network is loaded the camera stays off": (
        STARTING, look(wanted=False, loaded=False), Step(left(STARTING), CARD, RELEASE)),
    "once the network is there it is idle": (
        STARTING, look(wanted=False), Step(entered(State.IDLE, "nobody watches", unwatched_since=NOW), CARD, RELEASE)),
    "idle it stays": (
        replace(IDLE, unwatched_since=5), look(wanted=False), Step(replace(IDLE, unwatched_since=5), CARD, RELEASE)),
    "a reader that goes before the camera is on is not waited for": (
        WAITING, look(wanted=False), Step(entered(State.IDLE, "nobody watches", unwatched_since=NOW), CARD, RELEASE)),
    "a reader that has just gone may come back": (LIVE, look(wanted=False, on=True), Step(left(LIVE), FRAME)),
    "and so it may to a camera that is being tried again": (
        DEGRADED, look(wanted=False, error=GONE), Step(left(DEGRADED), CARD, OPEN)),
    "one that stays away long enough switches the camera off": (
        replace(LIVE, unwatched_since=NOW - LINGER), look(wanted=False, on=True),
        Step(entered(State.IDLE, "nobody watches", unwatched_since=NOW - LINGER), CARD, RELEASE, forget=True)),
    "and ends the trying": (
        replace(DEGRADED, unwatched_since=NOW - LINGER), look(wanted=False, error=GONE),
        Step(entered(State.IDLE, "nobody watches", unwatched_since=NOW - LINGER), CARD, RELEASE, forget=True)),
    # somebody watches
    "a reader has the camera opened": (
        IDLE, look(), Step(entered(State.WAITING, "somebody watches"), CARD, OPEN)),
    "one that comes back is not counted as away": (
        replace(LIVE, unwatched_since=NOW - 1), look(on=True), Step(LIVE, FRAME)),
    "one that waits goes on waiting": (WAITING, look(), Step(WAITING, CARD, OPEN)),
    "the camera is opened while the network is being loaded": (
        STARTING, look(loaded=False), Step(STARTING, CARD, OPEN)),
    "a camera that is on before the network is not read": (
        STARTING, look(loaded=False, on=True), Step(STARTING, CARD, OPEN)),
    "a camera that is on is read": (WAITING, look(on=True), Step(WAITING, FRAME)),
    "one that is on after a fault as well": (DEGRADED, look(on=True, error=GONE), Step(DEGRADED, FRAME)),
    "one that cannot be opened is tried again, and the words say why": (
        WAITING, look(error=GONE), Step(entered(State.DEGRADED, "gone (plug it in)"), CARD, OPEN)),
    "also while the network is being loaded": (
        STARTING, look(loaded=False, error=BUSY), Step(entered(State.DEGRADED, "busy"), CARD, OPEN)),
    "another fault on top is the same state": (DEGRADED, look(error=BUSY), Step(DEGRADED, CARD, OPEN)),
    # frames
    "the first frame makes it live": (
        WAITING, Came("the camera"), Step(entered(State.LIVE, "the camera"), NOTHING)),
    "further ones change nothing": (LIVE, Came("before"), Step(LIVE, NOTHING)),
    "one of another camera names that": (LIVE, Came("another"), Step(replace(LIVE, cause="another"), NOTHING)),
    "a frame ends a stall": (replace(LIVE, stalled_since=NOW - 1), Came("before"), Step(LIVE, NOTHING)),
    "a complete frame ends a fault": (
        DEGRADED, Came("the camera"), Step(entered(State.LIVE, "the camera"), NOTHING)),
    "a frame without the person is a hiccup": (LIVE, Came("before", FAILING - 1, HOT), Step(LIVE, NOTHING)),
    "and no reason not to be live": (
        WAITING, Came("the camera", 1, HOT), Step(entered(State.LIVE, "the camera"), NOTHING)),
    "many of them in a row are a fault": (
        LIVE, Came("the camera", FAILING, HOT),
        Step(entered(State.DEGRADED, "the person cannot be shown: it is hot"), NOTHING)),
    "one of them does not end a fault": (DEGRADED, Came("the camera", 1, HOT), Step(DEGRADED, NOTHING)),
    "a stall is bridged": (LIVE, Stalled(LATE, 2.0), Step(replace(LIVE, stalled_since=NOW), LAST)),
    "as long as its time has not run out": (
        replace(LIVE, stalled_since=NOW - 1.9), Stalled(LATE, 2.0), Step(replace(LIVE, stalled_since=NOW - 1.9), LAST)),
    "then the camera is lost": (
        replace(LIVE, stalled_since=NOW - 2), Stalled(LATE, 2.0), Step(LIVE, CARD, lost=LATE, forget=True)),
    "the first frame of a camera is waited for longer, with the placeholder": (
        replace(WAITING, stalled_since=NOW - 9.9), Stalled(LATE, 2.0, NOW - 15),
        Step(replace(WAITING, stalled_since=NOW - 9.9), CARD)),
    "but not for ever": (
        replace(WAITING, stalled_since=NOW - FIRST_FRAME), Stalled(LATE, 2.0, NOW - 15),
        Step(WAITING, CARD, lost=LATE, forget=True)),
    "and longer still for who has more patience": (
        replace(WAITING, stalled_since=NOW - 19), Stalled(LATE, 20.0, NOW - 25),
        Step(replace(WAITING, stalled_since=NOW - 19), CARD)),
    "another camera that was put in its place is starting": (
        replace(LIVE, stalled_since=NOW - 2.9), Stalled(LATE, 3.0, NOW - 0.2),
        Step(entered(State.WAITING, "the camera is starting", stalled_since=NOW), CARD)),
    "a network that is loaded before the first frame is not waited for any more": (
        STARTING, Stalled(LATE, 3.0, NOW - 0.2),
        Step(entered(State.WAITING, "the camera is starting", stalled_since=NOW), CARD)),
    "a camera that fails is lost at once": (
        replace(LIVE, stalled_since=NOW - 1), Lost(GONE), Step(LIVE, CARD, lost=GONE, forget=True)),
    # what people want
    "a pause switches the camera off whoever watches": (
        LIVE, Asked.PAUSE, Step(entered(State.PAUSED, "on request", paused=True), CARD, RELEASE, forget=True)),
    "a pause while the camera is tried again": (
        DEGRADED, Asked.PAUSE, Step(entered(State.PAUSED, "on request", paused=True), CARD, RELEASE, forget=True)),
    "a pause ends a stall, so that one after it is bridged anew": (
        replace(LIVE, stalled_since=NOW - 1), Asked.PAUSE,
        Step(entered(State.PAUSED, "on request", paused=True), CARD, RELEASE, forget=True)),
    "a pause while it is idle": (
        IDLE, Asked.PAUSE, Step(entered(State.PAUSED, "on request", paused=True), CARD, RELEASE)),
    "a pause in a pause": (
        replace(PAUSED, paused=True), Asked.PAUSE, Step(replace(PAUSED, paused=True), CARD, RELEASE)),
    "a pause lasts": (
        replace(PAUSED, paused=True), look(on=True), Step(replace(PAUSED, paused=True), CARD, RELEASE)),
    "a pause counts how long nobody has been there": (
        replace(PAUSED, paused=True), look(wanted=False), Step(left(replace(PAUSED, paused=True)), CARD, RELEASE)),
    "its end is no state of its own": (replace(PAUSED, paused=True), Asked.RESUME, Step(PAUSED, CARD)),
    "after it the camera is opened for who watches": (
        PAUSED, look(), Step(entered(State.WAITING, "somebody watches"), CARD, OPEN)),
    "or stays off": (
        PAUSED, look(wanted=False), Step(entered(State.IDLE, "nobody watches", unwatched_since=NOW), CARD, RELEASE)),
    "or the network is not there yet": (
        PAUSED, look(loaded=False), Step(entered(State.STARTING, "somebody watches"), CARD, OPEN)),
    "nor anybody": (
        PAUSED, look(wanted=False, loaded=False),
        Step(entered(State.STARTING, "loading the network", unwatched_since=NOW), CARD, RELEASE)),
    # the empty room
    "who tells the room has the camera opened, and the placeholder shown": (
        replace(LIVE, stalled_since=NOW - 1), Asked.LEARN,
        Step(entered(State.LEARNING, LEARNS, learning=True), CARD, OPEN, forget=True)),
    "nobody has to watch": (
        IDLE, Asked.LEARN, Step(entered(State.LEARNING, LEARNS, learning=True), CARD, OPEN, forget=True)),
    "a pause keeps the camera off": (
        replace(PAUSED, paused=True), Asked.LEARN, Step(replace(PAUSED, paused=True), CARD, RELEASE)),
    "until the camera is on, the placeholder is all": (
        LEARNING, look(wanted=False), Step(left(LEARNING), CARD, OPEN)),
    "or the network is there": (LEARNING, look(loaded=False, on=True), Step(LEARNING, CARD, OPEN)),
    "then frames are looked at, whoever watches": (LEARNING, look(on=True), Step(LEARNING, UNSEEN, OPEN)),
    "one that was in trouble as well": (LEARNING, look(on=True, error=GONE), Step(LEARNING, UNSEEN, OPEN)),
    "a frame that was looked at does not make it live": (LEARNING, Came("the camera"), Step(LEARNING, NOTHING)),
    "whatever is wrong with the network": (LEARNING, Came("the camera", FAILING, HOT), Step(LEARNING, NOTHING)),
    "a stall is bridged by no picture": (
        LEARNING, Stalled(LATE, 2.0), Step(replace(LEARNING, stalled_since=NOW), CARD)),
    "nor before the first frame": (
        LEARNING, Stalled(LATE, 2.0, NOW - 1), Step(replace(LEARNING, stalled_since=NOW), CARD)),
    "a long one ends it": (
        replace(LEARNING, stalled_since=NOW - 2), Stalled(LATE, 2.0),
        Step(replace(LEARNING, learning=False), CARD, lost=LATE, forget=True)),
    "as does a camera that is lost": (
        LEARNING, Lost(GONE), Step(replace(LEARNING, learning=False), CARD, lost=GONE, forget=True)),
    "or cannot be had": (LEARNING, look(error=BUSY), Step(entered(State.DEGRADED, "busy"), CARD, OPEN)),
    "also for nobody": (
        LEARNING, look(wanted=False, error=BUSY),
        Step(entered(State.IDLE, "nobody watches", unwatched_since=NOW), CARD, RELEASE, forget=True)),
    "a pause ends it": (
        LEARNING, Asked.PAUSE, Step(entered(State.PAUSED, "on request", paused=True), CARD, RELEASE, forget=True)),
    "a pause that was over before does not": (LEARNING, Asked.RESUME, Step(LEARNING, CARD)),
    "what comes after it is no state of its own": (
        LEARNING, Asked.LEARNT, Step(entered(State.WAITING, "the room has been looked at"), CARD, forget=True)),
    "it ends with all": (LEARNING, Ended("done"), Step(entered(State.STOPPING, "done"), NOTHING)),
    "the end": (LIVE, Ended("done"), Step(entered(State.STOPPING, "done"), NOTHING)),
}  # fmt: skip


@pytest.mark.parametrize(("phase", "event", "expected"), TABLE.values(), ids=TABLE)
def test_a_step(phase: Phase, event: Event, expected: Step) -> None:
    assert step(phase, event, NOW) == expected


Story = list[tuple[float, Event, State, Picture]]

STORIES: dict[str, Story] = {
    "a reader changes its resolution": [
        (0.0, look(on=True), State.WAITING, FRAME),
        (0.0, Came("camera"), State.LIVE, NOTHING),
        (1.0, look(wanted=False, on=True), State.LIVE, FRAME),
        (2.9, look(wanted=False, on=True), State.LIVE, FRAME),
        (2.95, look(on=True), State.LIVE, FRAME),
        (4.0, look(wanted=False, on=True), State.LIVE, FRAME),
        (5.9, look(wanted=False, on=True), State.LIVE, FRAME),
        (6.0, look(wanted=False, on=True), State.IDLE, CARD),
    ],
    "a camera hangs twice": [
        (0.0, look(on=True), State.WAITING, FRAME),
        (0.0, Stalled(LATE, 1.0), State.WAITING, LAST),
        (0.9, Stalled(LATE, 1.0), State.WAITING, LAST),
        (0.95, Came("camera"), State.LIVE, NOTHING),
        (1.5, Stalled(LATE, 1.0), State.LIVE, LAST),
        (2.5, Stalled(LATE, 1.0), State.LIVE, CARD),
        (2.6, look(error=LATE), State.DEGRADED, CARD),
        (3.0, look(on=True, error=LATE), State.DEGRADED, FRAME),
        (3.0, Stalled(LATE, 1.0), State.DEGRADED, LAST),
    ],
    "a camera takes its time for the first frame, twice, and hangs": [
        (0.0, look(on=True), State.WAITING, FRAME),
        (0.2, Stalled(LATE, 3.0, NOW), State.WAITING, CARD),
        (9.9, Stalled(LATE, 3.0, NOW), State.WAITING, CARD),
        (10.2, Stalled(LATE, 3.0, NOW), State.WAITING, CARD),
        (10.3, look(error=LATE), State.DEGRADED, CARD),
        (10.6, look(on=True, error=LATE), State.DEGRADED, FRAME),
        (10.8, Stalled(LATE, 3.0, NOW + 10.6), State.DEGRADED, CARD),
        (20.0, Stalled(LATE, 3.0, NOW + 10.6), State.DEGRADED, CARD),
        (20.1, Came("camera"), State.LIVE, NOTHING),
        (20.3, Stalled(LATE, 3.0), State.LIVE, LAST),
        (23.3, Stalled(LATE, 3.0), State.LIVE, CARD),
        (23.4, look(error=LATE), State.DEGRADED, CARD),
    ],
    "a network fails, with a hiccup of the camera in between": [
        *((n / 30, Came("camera", n, HOT), State.LIVE, NOTHING) for n in range(1, FAILING)),
        (0.5, Came("camera", FAILING, HOT), State.DEGRADED, NOTHING),
        (0.6, Came("camera", FAILING + 1, HOT), State.DEGRADED, NOTHING),
        (0.7, Lost(GONE), State.DEGRADED, CARD),
        (0.8, look(error=GONE), State.DEGRADED, CARD),
        (1.0, Came("camera", 1, HOT), State.DEGRADED, NOTHING),
        (1.1, Came("camera"), State.LIVE, NOTHING),
        (1.2, Came("camera", 1, HOT), State.LIVE, NOTHING),
    ],
    "the room is told while nobody watches": [
        (0.0, look(wanted=False), State.IDLE, CARD),
        (1.0, Asked.LEARN, State.LEARNING, CARD),
        (1.1, look(wanted=False), State.LEARNING, CARD),
        (1.5, look(wanted=False, on=True), State.LEARNING, UNSEEN),
        (1.5, Came("camera"), State.LEARNING, NOTHING),
        (5.0, Asked.LEARNT, State.WAITING, CARD),
        (5.0, look(wanted=False, on=True), State.IDLE, CARD),
    ],
    "and while somebody does": [
        (0.0, Came("camera"), State.LIVE, NOTHING),
        (1.0, Asked.LEARN, State.LEARNING, CARD),
        (1.1, look(on=True), State.LEARNING, UNSEEN),
        (1.1, Came("camera"), State.LEARNING, NOTHING),
        (1.2, look(wanted=False, on=True), State.LEARNING, UNSEEN),
        (5.0, Asked.LEARNT, State.WAITING, CARD),
        (5.0, look(on=True), State.WAITING, FRAME),
        (5.0, Came("camera"), State.LIVE, NOTHING),
    ],
    "who leaves during a pause is not waited for after it": [
        (0.0, Came("camera"), State.LIVE, NOTHING),
        (1.0, Asked.PAUSE, State.PAUSED, CARD),
        (1.1, look(wanted=False), State.PAUSED, CARD),
        (1.2, Asked.RESUME, State.PAUSED, CARD),
        (1.2, look(wanted=False), State.IDLE, CARD),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_story(story: Story) -> None:
    phase = WAITING
    for at, event, state, picture in story:
        done = step(phase, event, NOW + at)
        phase = done.phase
        assert (phase.state, done.picture) == (state, picture), (at, event)


def every_step() -> list[tuple[Phase, Event, Step]]:
    phases = [
        replace(phase, paused=paused, unwatched_since=unwatched, stalled_since=stalled)
        for phase, paused, unwatched, stalled in itertools.product(
            PHASES.values(), (False, True), (None, NOW - 1, NOW - 3), (None, NOW - 1)
        )
    ]
    phases += [replace(phase, learning=True) for phase in phases if phase.state is State.LEARNING and not phase.paused]
    looks = [Look(*seen) for seen in itertools.product((False, True), (False, True), (False, True), (None, GONE))]
    events: list[Event] = [*looks, Came("camera"), Came("camera", FAILING, HOT), Stalled(LATE, 0.5), Lost(GONE), *Asked]
    events += [Stalled(LATE, 0.5, NOW - 0.2), Stalled(LATE, 0.5, NOW - 5)]
    return [(phase, event, step(phase, event, NOW)) for phase, event in itertools.product(phases, events)]


def test_wherever_it_stands_some_things_hold() -> None:
    for phase, event, done in every_step():
        told = (phase, event, done)
        assert (done.phase.since == NOW) == (done.phase.state is not phase.state), told
        assert done.phase.state is phase.state or done.phase.cause, told
        if done.picture is FRAME:
            # the only way for a frame to be shown
            assert isinstance(event, Look), told
            assert event.loaded, told
            assert event.camera_on, told
            assert not phase.paused, told
            assert event.wanted or phase.state in (State.LIVE, State.DEGRADED), told
            assert not phase.learning, told
        if done.picture is LAST:
            assert isinstance(event, Stalled), told
            assert not phase.learning, told
        if done.picture is UNSEEN:
            assert done.phase.learning, told
        if done.phase.learning:
            assert done.picture in (CARD, UNSEEN, NOTHING), told
            assert (done.phase.state, done.phase.paused) == (State.LEARNING, False), told
        if phase.learning != done.phase.learning:
            # nothing that was seen before it may weigh in on what is seen in it, or after it
            assert done.forget or isinstance(event, Look | Ended), told
        if done.phase.paused and isinstance(event, Look):
            assert (done.phase.state, done.picture, done.camera) == (State.PAUSED, CARD, RELEASE), told
        if done.camera is RELEASE or done.lost:
            # else a picture of before could be shown after the camera was off
            assert done.forget or phase.state not in (State.LIVE, State.DEGRADED, State.LEARNING), told


def test_a_phase_in_words() -> None:
    assert LIVE.words == "live: before"
    assert Phase(State.STARTING, "", 0.0).words == "starting"


def test_the_camera_stays_on_for_as_long_as_the_constant_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "LINGER", 7.0)
    phase = replace(LIVE, unwatched_since=NOW)
    assert step(phase, look(wanted=False, on=True), NOW + 6.9).picture is FRAME
    assert step(phase, look(wanted=False, on=True), NOW + 7.0).picture is CARD
