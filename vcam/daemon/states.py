"""The states of the virtual camera, and what leads from one to the next.

    starting   the network is being loaded                  placeholder
    idle       nobody watches; the camera is off            placeholder
    waiting    somebody watches, the camera is not on yet   placeholder
    live       composited frames
    degraded   somebody watches, but the camera is lost     placeholder that says why; the camera is tried again
               or the network fails again and again         the background without the person
    paused     a person wants it so; the camera is off      placeholder
    learning   a person tells vcam the empty room; the      placeholder
               camera is on, and its frames are looked at
    stopping   the last things are tidied up                nothing

`step` is a pure function: from where the life stands, what has happened, and the time, to where it stands then and what
is to be done. It has no thread, no clock and no device, so that every way through it can be written down in a table.
`vcam.daemon.live` carries out what it says. Each turn of the loop begins with a `Look`. If that asks for a frame, what
came of the frame is the next event: `Came`, `Stalled` or `Lost`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from vcam.camera.base import FIRST_FRAME
from vcam.daemon.base import State
from vcam.errors import CameraError, VcamError

LINGER = 2.0
"""Seconds that the camera stays on after the last reader has gone: one that comes back at once, as a reader does that
changes its resolution, finds it on."""

LEARNS = "the empty room is looked at, and shown to nobody"
"""The cause of that state."""

FAILING = 15
"""Frames in a row without a person after which it is no hiccup any more."""

_CAMERA_WANTED = (State.LIVE, State.DEGRADED)
"""States in which the camera is on, or is being tried again."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a life stands. Times are of the loop's clock, in seconds."""

    state: State
    cause: str
    """Why the state was entered, in words."""
    since: float
    """When it was entered."""
    paused: bool = False
    learning: bool = False
    """The empty room is being told. Never in a pause."""
    unwatched_since: float | None = None
    """When it was first seen that nobody wants the picture; None while somebody does."""
    stalled_since: float | None = None
    """When the camera first sent nothing; None once a frame has come, or the camera was lost."""

    @property
    def words(self) -> str:
        """The state and its cause, in one line."""
        return f"{self.state.value}: {self.cause}" if self.cause else self.state.value

    def entered(self, state: State, cause: str, now: float) -> Phase:
        """The same in a state. In the state that it is in it stays as it is: the cause is what led there."""
        return self if state is self.state else replace(self, state=state, cause=cause, since=now)


@dataclass(frozen=True, slots=True)
class Look:
    """What the loop sees before a frame."""

    wanted: bool
    """Somebody reads the virtual camera, or the settings want it on always."""
    loaded: bool
    """The network is there."""
    camera_on: bool
    camera_error: VcamError | None = None
    """What went wrong with the camera last; None once a frame has come."""


@dataclass(frozen=True, slots=True)
class Came:
    """A frame came and was shown, or looked at if the room is being learnt."""

    camera: str
    """The camera's description."""
    failed: int = 0
    """So many frames in a row, this one among them, were shown without the person."""
    error: Exception | None = None
    """Why the person could not be shown; None if they were."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """The camera is there but has sent nothing."""

    error: CameraError
    patience: float
    """Seconds for which that is bridged with the last picture."""
    opened: float | None = None
    """When the camera was switched on, if it has sent nothing at all since then; None if it has."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Reading the camera has failed."""

    error: CameraError


class Asked(Enum):
    """What a person wants."""

    PAUSE = auto()
    RESUME = auto()
    LEARN = auto()
    """Look at the empty room; nothing comes of it in a pause."""
    LEARNT = auto()
    """That is over, whatever has come of it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The loop has ended."""

    cause: str


Event: TypeAlias = Look | Came | Stalled | Lost | Asked | Ended


class Picture(Enum):
    """What is to be shown."""

    CARD = auto()
    """The placeholder for the state."""
    FRAME = auto()
    """A frame of the camera, composited. What comes of it is the next event."""
    UNSEEN = auto()
    """The placeholder; and a frame of the camera is read, which nobody sees. What comes of it is the next event."""
    LAST = auto()
    """The last picture once more, or else the placeholder."""
    NOTHING = auto()
    """What there was to show has been shown."""


class CameraAction(Enum):
    """What is to be done with the camera."""

    KEEP = auto()
    """It stays as it is, on or off."""
    OPEN = auto()
    """Have it opened, unless it is or has just failed."""
    RELEASE = auto()
    """Let it go: its light goes off."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where the life stands now, and what is to be done: the picture comes last, after the phase has been told of."""

    phase: Phase
    picture: Picture
    camera: CameraAction = CameraAction.KEEP
    lost: CameraError | None = None
    """Let the camera go as one that has failed with this, and try it again after a while."""
    forget: bool = False
    """Nothing of earlier frames may weigh in on later ones."""


def step(phase: Phase, event: Event, now: float) -> Step:
    """What an event leads to at the time `now`, in seconds of the clock that the phase is of."""
    match event:
        case Look():
            return _look(phase, event, now)
        case Came():
            return Step(_came(phase, event, now), Picture.NOTHING)
        case Stalled():
            return _stalled(phase, event, now)
        case Lost():
            return _lost(phase, event.error)
        case Asked.PAUSE:
            return _rest(replace(phase, paused=True, learning=False), State.PAUSED, "on request", now)
        case Asked.LEARN:
            if phase.paused:
                return _rest(phase, State.PAUSED, "on request", now)
            phase = replace(phase, learning=True, stalled_since=None)
            return Step(phase.entered(State.LEARNING, LEARNS, now), Picture.CARD, CameraAction.OPEN, forget=True)
        case Asked.LEARNT:
            phase = replace(phase, learning=False, stalled_since=None)
            # what comes next, the next look tells
            return Step(phase.entered(State.WAITING, "the room has been looked at", now), Picture.CARD, forget=True)
        case Asked.RESUME:
            # what comes next, the next look tells
            return Step(replace(phase, paused=False), Picture.CARD)
        case Ended():
            phase = replace(phase, learning=False)
            return Step(phase.entered(State.STOPPING, event.cause, now), Picture.NOTHING)


def _look(phase: Phase, seen: Look, now: float) -> Step:
    phase = _watched(phase, seen.wanted, now)
    if phase.paused:
        return _rest(phase, State.PAUSED, "on request", now)
    if phase.learning:
        if seen.camera_on or seen.camera_error is None:
            ready = seen.camera_on and seen.loaded
            return Step(phase, Picture.UNSEEN if ready else Picture.CARD, CameraAction.OPEN)
        # nothing can be learnt by a camera that cannot be had
        phase = replace(phase, learning=False)
    if not (seen.wanted or _lingers(phase, now)):
        if seen.loaded:
            return _rest(phase, State.IDLE, "nobody watches", now)
        return _rest(phase, State.STARTING, "loading the network", now)
    if seen.camera_on and seen.loaded:
        return Step(phase, Picture.FRAME)
    if seen.camera_error is not None:
        phase = phase.entered(State.DEGRADED, str(seen.camera_error), now)
    else:
        phase = phase.entered(State.WAITING if seen.loaded else State.STARTING, "somebody watches", now)
    return Step(phase, Picture.CARD, CameraAction.OPEN)


def _watched(phase: Phase, wanted: bool, now: float) -> Phase:
    if wanted:
        return phase if phase.unwatched_since is None else replace(phase, unwatched_since=None)
    return phase if phase.unwatched_since is not None else replace(phase, unwatched_since=now)


def _lingers(phase: Phase, now: float) -> bool:
    since = phase.unwatched_since
    return since is not None and phase.state in _CAMERA_WANTED and now - since < LINGER


def _rest(phase: Phase, state: State, cause: str, now: float) -> Step:
    """The camera is not wanted."""
    forget = phase.state in (*_CAMERA_WANTED, State.LEARNING)
    if phase.stalled_since is not None:
        # a stall after the rest is another one
        phase = replace(phase, stalled_since=None)
    return Step(phase.entered(state, cause, now), Picture.CARD, CameraAction.RELEASE, forget=forget)


def _came(phase: Phase, frame: Came, now: float) -> Phase:
    if phase.stalled_since is not None:
        phase = replace(phase, stalled_since=None)
    if phase.learning:
        return phase
    if frame.failed >= FAILING:
        return phase.entered(State.DEGRADED, f"the person cannot be shown: {frame.error}", now)
    if phase.state is State.LIVE:
        # the camera may be another one since
        return phase if phase.cause == frame.camera else replace(phase, cause=frame.camera)
    if frame.error is None or phase.state is not State.DEGRADED:
        return phase.entered(State.LIVE, frame.camera, now)
    return phase


def _stalled(phase: Phase, stall: Stalled, now: float) -> Step:
    """A short hang is bridged with the last picture, a long one is a lost camera.

    One that has yet to send its first frame is waited for longer, and there is no last picture of it.
    """
    since, opened = phase.stalled_since, stall.opened
    if since is None or (opened is not None and since < opened):
        # a stall from before it was switched on was that of another camera
        since = now
    if now - since >= (stall.patience if opened is None else max(stall.patience, FIRST_FRAME)):
        return _lost(phase, stall.error)
    phase = replace(phase, stalled_since=since)
    if phase.learning:
        return Step(phase, Picture.CARD)
    if opened is None:
        return Step(phase, Picture.LAST)
    if phase.state is not State.DEGRADED:
        phase = phase.entered(State.WAITING, "the camera is starting", now)
    return Step(phase, Picture.CARD)


def _lost(phase: Phase, error: CameraError) -> Step:
    # the state follows with the next look, which finds the camera off and its error
    return Step(replace(phase, learning=False, stalled_since=None), Picture.CARD, lost=error, forget=True)
