"""What the keys do that are pressed at an output: each is a change of settings, as `vcam set` makes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeAlias

from vcam.daemon.changer import Wish
from vcam.daemon.changes import Change
from vcam.folders import expand
from vcam.images import pictures_in
from vcam.output.base import Output, TakesKeys
from vcam.settings import Settings

log = logging.getLogger(__name__)

TOGGLES = ("color-transfer", "harmonise", "seamless-clone", "smoothstep")
STEP = 0.1
_WORDS = ("blur", "pixelate", "green")

Ask: TypeAlias = Callable[[Wish], Future[Change]]
"""Asks for other settings, as `Changer.change` does."""


def listen(outputs: Iterable[Output], change: Ask, first: str) -> None:
    """Have keys that are pressed at these outputs carried out. change, first: as for `Keys`."""
    for output in outputs:
        if isinstance(output, TakesKeys):
            output.on_key = Keys(change, first, output.say).press


class Keys:
    """Turns the names of keys into changes; see `vcam.output.window.KEYS`."""

    def __init__(self, change: Ask, first: str, tell: Callable[[str], None] = lambda words: None) -> None:
        """first: the background that vcam began with; its neighbours in the folder are what B goes through. tell: says
        in words what has come of a key, in whatever thread."""
        self._change, self._say = change, tell
        self._backgrounds = backgrounds(first)

    def press(self, name: str) -> None:
        """Ask for the change and return at once; what has come of it is told later, a failure in the log as well."""
        if name in TOGGLES:
            wish = self._toggle(name)
        elif name == "background":
            wish = self._next_background
        elif name in ("smoother", "livelier"):
            wish = self._smooth(STEP if name == "smoother" else -STEP)
        elif name == "frame-skip":
            wish = _toggle_skip
        else:
            return
        self._change(wish).add_done_callback(self._tell)

    def _tell(self, future: Future[Change]) -> None:
        if future.cancelled():
            return
        if error := future.exception():
            log.warning("%s", error)
            self._say(str(error))
        elif changed := future.result().changed:
            self._say(", ".join(words_of(key, value) for key, value in changed.items()))

    @staticmethod
    def _toggle(name: str) -> Wish:
        def wish(settings: Settings) -> Settings:
            chain = settings.filters.chain
            without = tuple(text for text in chain if text.partition(":")[0] != name)
            return settings.replace(filters__chain=without if without != chain else (*chain, name))

        return wish

    @staticmethod
    def _smooth(step: float) -> Wish:
        return lambda settings: settings.replace(
            matte__temporal=round(min(max(settings.matte.temporal + step, 0.0), 1.0), 3)
        )

    def _next_background(self, settings: Settings) -> Settings:
        present = settings.background.spec
        index = self._backgrounds.index(present) + 1 if present in self._backgrounds else 0
        return settings.replace(background__spec=self._backgrounds[index % len(self._backgrounds)])


def backgrounds(first: str) -> list[str]:
    """What the key B goes through: the pictures beside `first`, itself among them, and words."""
    path = expand(first)
    if not path.is_file():
        return [first, *(word for word in _WORDS if word != first)]
    try:
        names = [other.name for other in pictures_in(path.parent)]
    except OSError:
        names = []
    # as it was written, so that it is found again
    beside = [first if name == path.name else str(path.with_name(name)) for name in names]
    return [*(beside if first in beside else [first, *beside]), *_WORDS]


def _toggle_skip(settings: Settings) -> Settings:
    """While nothing moves the network may rest, or may not any more."""
    return settings.replace(segment__skip_still=not settings.segment.skip_still)


def words_of(key: str, value: object) -> str:
    """A setting that a key has changed, in words."""
    if key == "filters.chain" and isinstance(value, tuple):
        return f"filters: {', '.join(value)}" if value else "no filters"
    if key == "background.spec":
        return f"background: {Path(str(value)).name}"
    if key == "matte.temporal":
        return f"smoothing: {value:g}"
    if key == "segment.skip_still":
        return f"frame skip: {'on, while nothing moves' if value else 'off'}"
    return f"{key}: {value}"
