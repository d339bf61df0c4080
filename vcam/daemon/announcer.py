"""What the loop tells of itself: to the log, to the service manager, and to whoever observes it."""

from __future__ import annotations

import logging

from vcam.daemon.base import Observer, State
from vcam.daemon.notify import Notifier
from vcam.daemon.outlets import Outlets
from vcam.daemon.states import Phase
from vcam.output.base import OffersCamera

log = logging.getLogger(__name__)


WORDS = {
    State.STARTING: "starting: {}",
    State.IDLE: "the camera is off: nobody watches",
    State.WAITING: "waiting for the camera: {}",
    State.LIVE: "live: {}",
    State.DEGRADED: "you cannot be shown: {}",
    State.PAUSED: "paused: the camera is off",
    State.LEARNING: "learning the empty room: the others see a placeholder",
    State.STOPPING: "ending: {}",
}
"""What is logged of each state; its cause stands in the braces."""


def ready_words(outlets: Outlets) -> str:
    """The first words for whoever has started vcam: what to choose in a call, or where else the picture goes."""
    cameras = [f'"{output.camera_name}"' for output in outlets.outputs if isinstance(output, OffersCamera)]
    if named := [name for name in cameras if name != '""']:
        return f"ready: choose the camera {' or '.join(named)} in your call"
    if cameras:
        return "ready, and waiting for the virtual camera"
    return f"ready: the picture goes to {outlets.description or 'nothing yet'}"


class Announcer:
    """Tells of every new state once. For the loop's thread."""

    def __init__(self, notifier: Notifier, observers: list[Observer], outlets: Outlets) -> None:
        """observers: the caller's list; whoever is put into it is told from then on."""
        self._notifier, self._observers, self._outlets = notifier, observers, outlets
        self._broken: list[Observer] = []
        self._ready = False

    def entered(self, before: State, phase: Phase) -> None:
        """The state is another one than before."""
        if before is State.STARTING and phase.state is not State.STOPPING:
            log.info("%s", ready_words(self._outlets))
        log.info("%s", WORDS[phase.state].format(phase.cause))
        if phase.state is State.STOPPING:
            self._notifier.stopping()
        if self._ready:
            self._notifier.status(phase.words)
        self._tell(phase.state, phase.cause)

    def otherwise(self, phase: Phase) -> None:
        """The state is the same, for another cause."""
        if self._ready:
            self._notifier.status(phase.words)
        self._tell(phase.state, phase.cause)

    def stuck(self, words: str) -> None:
        """The loop hangs; for the watchdog's thread."""
        self._notifier.status(f"{State.STUCK.value}: {words}")
        self._tell(State.STUCK, words)

    def goes_on(self, phase: Phase) -> None:
        """It hangs no longer; for the watchdog's thread."""
        self._notifier.status(phase.words)
        self._tell(phase.state, phase.cause)

    def _tell(self, state: State, cause: str) -> None:
        for observer in self._observers:
            try:
                observer(state, cause)
            except Exception as error:
                self._failed(observer, error)

    def _failed(self, observer: Observer, error: Exception) -> None:
        """One that raises must not end the life of the virtual camera, nor fill its log."""
        if observer not in self._broken:
            self._broken.append(observer)
            log.warning("an observer of the state fails: %s: %s", type(error).__name__, error)
            log.debug("an observer", exc_info=True)

    def shown(self, phase: Phase) -> None:
        """A picture was shown, on every turn: with the first one the service manager may know that vcam is ready."""
        if not self._ready:
            self._ready = True
            self._notifier.ready(phase.words)
        self._notifier.alive()
