"""A network on whichever engine works.

An engine counts once it has been tried: it must run, and whoever uses the network may ask it what is known beforehand.
Engines are tried best first, at the start and again when one fails while running: what it failed on has no result, the
next engine does what comes next. When none is left, all are tried again after a pause that grows, because what failed
may come back: an accelerator after suspend, memory after a rush.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from vcam.backoff import Backoff
from vcam.errors import EngineError, VcamError
from vcam.infer.base import Engine, Network, Tensor
from vcam.infer.choices import EngineChoice
from vcam.types import U8

_log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until all engines are tried again after each has failed; doubled each time."""

Result = TypeVar("Result")


Ask = Callable[..., Sequence[Tensor]]
"""What a network gives out for pictures that have nothing to do with what it was shown before: see `Engine.infer`."""
Trial = Callable[[Ask], None]
"""Asks an engine what is known beforehand. Raises `EngineError` if the answer is wrong."""


def asking(engine: Engine) -> Ask:
    """The way to put questions to an engine that carries nothing from earlier frames; nor does it after an answer."""

    def ask(*pictures: U8) -> Sequence[Tensor]:
        given = engine.infer(*pictures)
        engine.reset()
        return given

    return ask


def open_engine(choice: EngineChoice, network: Network, trial: Trial, threads: int = 1) -> Engine:
    """Open an engine and put it on trial.

    Raises what `choice.open`, `Engine.infer` and `trial` raise; nothing stays open then.
    """
    engine = choice.open(network, threads)
    try:
        trial(asking(engine))
    except BaseException:
        engine.close()
        raise
    return engine


def try_each(choices: Sequence[EngineChoice], network: Network, trial: Trial) -> dict[str, str]:
    """What becomes of each engine that is opened and put on trial, by its name: "ok", or why it will not do."""
    said = {}
    for choice in choices:
        try:
            open_engine(choice, network, trial).close()
            said[choice.name] = "ok"
        except VcamError as error:
            said[choice.name] = str(error)
    return said


class Runner(Generic[Result]):
    """One network, run by the first engine that works; another takes over when that one fails. Not thread safe."""

    def __init__(
        self,
        network: Network,
        choices: Sequence[EngineChoice],
        read: Callable[[Sequence[Tensor]], Result],
        *,
        trial: Trial | None = None,
        threads: int = 1,
        hint: str = "vcam doctor tells more",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """choices: the engines to try, best first. `threads` counts on the CPU.

        read: makes of the network's outputs, which are the engine's own until the next run, what the user wants. It
        raises `EngineError` for values that cannot be, such as those that are not numbers: the engine has failed then.
        trial: what an engine must pass before it is used; by default `read` must take what it makes of black pictures.
        `hint` is the cure that is told if no engine works at the start; `clock` stands in for the true one.

        An engine has run once when this returns. Raises `EngineError` if none runs the network, `ModelError` if
        network and description are unusable or do not fit each other.
        """
        self._network, self._choices, self._read = network, list(choices), read
        self._trial: Trial = trial or self._see_work
        self._threads = threads
        self._pause = Backoff(FIRST_PAUSE, LONGEST_PAUSE, clock=clock)
        self._warned: set[str] = set()
        self._next = 0
        self._running = ""
        self._engine: Engine | None = None
        if problems := self._open(hide_model_errors=False):
            raise EngineError(f"no engine runs the model {network.name}: {'; '.join(problems)}", hint)

    @property
    def description(self) -> str:
        """Network, runtime and device, for people."""
        if self._engine is None:
            return f"{self._network.name}, no engine works"
        return f"{self._network.name}, {self._engine.name} on {self._engine.device}"

    def run(self, *pictures: U8) -> Result:
        """What `read` makes of the network's outputs for these pictures, given as `Network.pictures` lists them.

        Raises `EngineError` if the engine fails, or none works at present: the next call may fare better.
        """
        engine = self._engine or self._revive()
        try:
            result = self._infer(engine, pictures)
        except EngineError as error:
            self._fail(engine, error)
            raise
        self._pause.reset()
        return result

    def _infer(self, engine: Engine, pictures: Sequence[U8]) -> Result:
        try:
            return self._read(engine.infer(*pictures))
        except EngineError:
            if not self._network.states:
                raise
        # it may be what it carries from frame to frame that has gone bad, and not the engine
        engine.reset()
        return self._read(engine.infer(*pictures))

    def examine(self, trial: Trial) -> None:
        """Put the engine on trial between two runs; what is carried from frame to frame is lost.

        Raises `EngineError` if it fails, and goes on with another as when a run fails. Does nothing while none works.
        """
        if self._engine is None:
            return
        engine = self._engine
        engine.reset()
        try:
            trial(asking(engine))
        except EngineError as error:
            self._fail(engine, error)
            raise

    def reset(self) -> None:
        """Forget what the network carries from frame to frame."""
        if self._engine is not None:
            self._engine.reset()

    def close(self) -> None:
        """Free the engine. May be called twice."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _see_work(self, ask: Ask) -> None:
        self._read(ask(*self._network.blank()))

    def _open(self, *, hide_model_errors: bool) -> list[str]:
        """Open the next engine that works, or return why none does."""
        problems: list[str] = []
        while self._next < len(self._choices):
            choice = self._choices[self._next]
            self._next += 1
            try:
                self._engine = open_engine(choice, self._network, self._trial, self._threads)
                self._running = choice.name
                if problems:
                    _log.warning("%s takes over", choice.name)
                return []
            except EngineError as error:
                reason = error.message
            except VcamError as error:
                if not hide_model_errors:
                    raise
                reason = error.message
            problems.append(reason)
            self._warn(choice.name, reason)
        return problems or ["none is left"]

    def _warn(self, name: str, reason: str) -> None:
        """Once an engine: a device that keeps failing must not fill the journal."""
        level = logging.DEBUG if name in self._warned else logging.WARNING
        self._warned.add(name)
        _log.log(level, "%s failed: %s", name, reason)

    def _fail(self, engine: Engine, error: EngineError) -> None:
        self._drop(engine)
        self._warn(self._running, error.message)

    def _drop(self, engine: Engine) -> None:
        engine.close()
        self._engine = None
        if self._next >= len(self._choices):
            self._give_up()

    def _give_up(self) -> None:
        """All engines have failed: begin anew, but not at once."""
        self._next = 0
        self._pause.failed()

    def _revive(self) -> Engine:
        """The next engine that works. Raises `EngineError` if there is none, or it is too early to try."""
        if self._next == 0 and not self._pause.due:
            raise EngineError(f"no engine runs the model {self._network.name}", "they are tried again shortly")
        problems = self._open(hide_model_errors=True)
        if self._engine is None:
            self._give_up()
            raise EngineError(f"no engine runs the model {self._network.name}: {'; '.join(problems)}")
        _log.info("now on %s", self.description)
        return self._engine
