"""The network that harmonises: asked for its arguments in line, or in a thread beside the loop."""

from __future__ import annotations

import difflib
import logging
import shlex
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, Protocol

import numpy as np

from vcam.errors import EngineError, ModelError, UsageError
from vcam.harmony import NAMES
from vcam.infer.base import Tensor
from vcam.infer.choices import EngineChoice, engine_choices
from vcam.infer.runner import Ask, Runner, try_each
from vcam.models.cards import SUFFIXES, ModelCard
from vcam.models.find import card_paths, find_model
from vcam.printable import printable
from vcam.types import F32, U8

_log = logging.getLogger(__name__)

OWN = "harmonise"
"""What vcam's own network is called."""

_BEYOND = 1.001
"""What is further from 0 is no argument, but the answer of an engine that is wrong."""


def find_card(name: str) -> ModelCard:
    """The card of a network that harmonises, by its name in the model folders.

    Raises `UsageError` if there is none of that name, or it is for something else, `ModelError` if it is unusable.
    """
    known = [path.stem for path in card_paths()]
    if name not in known:
        raise _unknown(name)
    return find_model(name, (256, 256), task="harmonise")


def _unknown(name: str) -> UsageError | ModelError:
    if name == OWN:
        return ModelError(
            "the network of harmonise is not installed",
            "install vcam anew, or take color-transfer in its place",
        )
    if "/" in name or name.startswith("~") or name.endswith((*SUFFIXES, ".toml")):
        return UsageError(
            f"harmonise: model={printable(name)} is a path",
            f"vcam models add {shlex.quote(name)}, and give the name that it gets",
        )
    meant = sorted({path.stem for path in card_paths("harmonise")})
    close = difflib.get_close_matches(name, meant, 1, 0.5)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(meant) or 'none'}"
    return UsageError(f"harmonise: there is no network {name!r} that harmonises", hint)


def read(outputs: Sequence[Tensor]) -> F32:
    """The arguments, float32 (8,), -1 to 1, an array of its own. Raises `EngineError` for what are none."""
    given = np.asarray(outputs[0], np.float32).reshape(-1)
    # NaN compares as false
    if given.shape != (len(NAMES),) or not (np.abs(given) <= _BEYOND).all():
        raise EngineError("the network that harmonises gave no arguments, which are numbers from -1 to 1")
    return np.clip(given, -1, 1)


class Adviser:
    """One network that harmonises, on the first engine that works. For any thread, one at a time."""

    def __init__(self, card: ModelCard) -> None:
        """Raises what `vcam.infer.runner.Runner` raises."""
        network = card.network()
        # it is small, and asked three times a second: no accelerator is worth its start for that
        choices = sorted(engine_choices(network, device="CPU"), key=_dear)
        self._runner = Runner(network, choices, read, hint="vcam models verify tells more")
        self._one_at_a_time = threading.Lock()

    def advise(self, picture: U8) -> F32:
        """The arguments for a composite, uint8 (height, width, 4): Y, Cb, Cr and the matte. Raises `EngineError`."""
        with self._one_at_a_time:
            return self._runner.run(picture)


def _dear(choice: EngineChoice) -> tuple[bool, bool]:
    """The less the better: a runtime that is loaded already, or the one that takes 50 MB less than the other."""
    return choice.runtime not in sys.modules, choice.runtime != "onnxruntime"


_open: weakref.WeakValueDictionary[tuple[Path, str], Adviser] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def open_adviser(card: ModelCard) -> Adviser:
    """The network of a card; one that is in use already is shared. Raises as `Adviser` does."""
    key = card.path, card.sha256
    with _opening:
        adviser = _open.get(key)
        if adviser is None:
            adviser = _open[key] = Adviser(card)
        return adviser


def try_engines(card: ModelCard, backend: str = "auto", device: str = "CPU") -> dict[str, str]:
    """What every engine here says of a network that harmonises, by its name: "ok", or why it will not be used.

    Raises `EngineError` if no runtime is installed.
    """
    network = card.network()

    def trial(ask: Ask) -> None:
        for level in (0, 128, 255):
            read(ask(*(np.full_like(picture, level) for picture in network.blank())))

    return try_each(engine_choices(network, backend, device), network, trial)


class Answer(NamedTuple):
    """What the network said. arguments: float32 (8,), None if it failed; scene: what it was asked for."""

    arguments: F32 | None
    scene: int


class Asked(Protocol):
    """A way to ask the network."""

    @property
    def busy(self) -> bool:
        """Whether it has not answered yet: it cannot be asked, and the picture must stay as it is."""

    def ask(self, picture: U8, scene: int) -> None:
        """Ask for the arguments of a picture; it must stay as it is until `busy` is False."""

    def take(self) -> Answer | None:
        """The answer, once; None if there is no new one."""

    def wait(self, seconds: float) -> None:
        """Until it has answered; no longer than that."""


class InLine:
    """Asks at once: for films and pictures in files, where the same shall come out every time."""

    busy = False

    def __init__(self, advise: Callable[[U8], F32]) -> None:
        self._asking = _Careful(advise)
        self._answer: Answer | None = None

    def ask(self, picture: U8, scene: int) -> None:
        self._answer = self._asking(picture, scene)

    def take(self) -> Answer | None:
        answer, self._answer = self._answer, None
        return answer

    def wait(self, seconds: float) -> None:
        """It always has."""


class _Desk:
    """What a thread that asks shares with whoever wants the answers; it knows nothing of them."""

    def __init__(self) -> None:
        self.todo: SimpleQueue[tuple[U8, int] | None] = SimpleQueue()
        self.answer: Answer | None = None
        self.idle = threading.Event()
        self.idle.set()

    def work(self, asking: _Careful) -> None:
        """Answer one after the other; None ends it."""
        while asked := self.todo.get():
            self.answer = asking(*asked)
            # last of all: what was asked may be changed from here on
            self.idle.set()


class Beside:
    """Asks in a thread of its own: whoever asks never waits. The thread ends when nobody has this object any more.

    A network that hangs is not asked again.
    """

    def __init__(self, advise: Callable[[U8], F32]) -> None:
        desk = self._desk = _Desk()
        thread = threading.Thread(target=desk.work, args=(_Careful(advise),), name="vcam-harmonise", daemon=True)
        try:
            # here, where nobody waits: a thread that is started is waited for
            thread.start()
        except RuntimeError as error:
            raise EngineError(f"harmonise cannot work beside the loop: {error}", "end other programs") from error
        weakref.finalize(self, desk.todo.put, None)

    @property
    def busy(self) -> bool:
        return not self._desk.idle.is_set()

    def ask(self, picture: U8, scene: int) -> None:
        self._desk.idle.clear()
        self._desk.todo.put((picture, scene))

    def take(self) -> Answer | None:
        if self.busy:
            return None
        answer, self._desk.answer = self._desk.answer, None
        return answer

    def wait(self, seconds: float) -> None:
        """Until it has answered; no longer than that."""
        self._desk.idle.wait(seconds)


class _Careful:
    """Asks the network, and says once that it fails, and that it works again."""

    def __init__(self, advise: Callable[[U8], F32]) -> None:
        self._advise, self._failing = advise, False

    def __call__(self, picture: U8, scene: int) -> Answer:
        try:
            arguments = self._advise(picture)
        except Exception as error:
            # whatever it is, the picture goes on
            if not self._failing:
                _log.warning("harmonise rests: %s", error)
            self._failing = True
            return Answer(None, scene)
        if self._failing:
            _log.info("harmonise goes on")
        self._failing = False
        return Answer(arguments, scene)
