"""What the loop tells of itself: to the log, to the service manager, and to whoever observes it."""

from __future__ import annotations

import logging

from vcam.daemon.base import Observer, State
from vcam.daemon.notify import Notifier
from vcam.daemon.states import Phase

log = logging.getLogger(__name__)


class Announcer:
    """Tells of every new state once. For the loop's thread."""

    def __init__(self, notifier: Notifier, observers: list[Observer]) -> None:
        """observers: the caller's list; whoever is put into it is told from then on."""
        self._notifier, self._observers = notifier, observers
        self._broken: list[Observer] = []
        self._ready = False

    def entered(self, before: State, phase: Phase) -> None:
        """The state is another one than before."""
        log.info("%s -> %s: %s", before.value, phase.state.value, phase.cause)
        if phase.state is State.STOPPING:
            self._notifier.stopping()
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
