"""What the parts of the daemon know of its life: the states, and what it offers to those who report on it or steer it.

`vcam.daemon.live.Live` is the one that there is. Status, streams and the methods of the control socket know only the
Protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from typing import Protocol

from vcam.daemon.changer import Changer
from vcam.daemon.keeper import CameraKeeper
from vcam.daemon.lesson import Lesson
from vcam.daemon.mailbox import Mailbox
from vcam.daemon.monitor import Monitor
from vcam.daemon.notify import Notifier
from vcam.daemon.outlets import Outlets
from vcam.pipeline import Pipeline
from vcam.settings import Settings
from vcam.timings import Timings


class State(Enum):
    """What is shown, and why; `vcam.daemon.states` says what leads from one to the next."""

    STARTING = "starting"
    IDLE = "idle"
    WAITING = "waiting"
    LIVE = "live"
    PAUSED = "paused"
    LEARNING = "learning"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STUCK = "stuck"
    """The loop shows nothing. It cannot say so itself: `vcam.daemon.watchdog` does, and the status."""


Observer = Callable[[State, str], None]
"""Told of a new state and its cause, in the loop's thread or, where that hangs, the watchdog's."""


class Life(Protocol):
    """One life of the virtual camera, as other threads see it.

    All of it may be read from any thread: the loop replaces one reference by another and leaves nothing half done.
    Nothing of it may be set from there. Who wants something to happen calls a method here, asks `changer`, or posts to
    `mailbox`; it happens between two frames then.
    """

    settings: Settings
    """Those in effect."""

    pipeline: Pipeline | None
    """None while the network is being loaded."""

    watched: bool
    """Whether somebody read the virtual camera when the loop looked last."""

    keeper: CameraKeeper
    """The camera, and whether it is on."""

    outlets: Outlets
    mailbox: Mailbox
    changer: Changer
    monitor: Monitor
    notifier: Notifier

    observers: list[Observer]
    """Who is told of every new state."""

    @property
    def state(self) -> State:
        """What is shown."""

    @property
    def cause(self) -> str:
        """Why the state was entered, in words."""

    @property
    def since(self) -> float:
        """When the state was entered, in seconds of the loop's clock."""

    @property
    def words(self) -> str:
        """The state and its cause, in one line."""

    @property
    def stuck(self) -> str:
        """What the loop hangs in, in words; empty as long as it turns."""

    @property
    def timings(self) -> Timings | None:
        """Those of the pipeline; None while it is being loaded."""

    def pause(self) -> Future[None]:
        """Switch the camera off and show a placeholder, whoever watches; done when the future is."""

    def resume(self) -> Future[None]:
        """End a pause; done when the future is."""

    def learn(self, lesson: Lesson) -> None:
        """Begin to learn the empty room; what has come of it is in the lesson."""

    def break_off(self, lesson: Lesson) -> None:
        """End a lesson before its time, if it has not ended; nothing is kept of it then."""

    def stop(self) -> None:
        """Let the life end after the frame in hand; callable from a signal handler, too."""
