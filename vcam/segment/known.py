"""Pictures whose answer is known: whether an engine finds the person is seen, and not taken from its word.

An engine may report success and be wrong: a driver that returns the memory of an earlier frame, a compiler that
breaks a layer. So each is shown a black picture, a room with somebody in it and the same room empty. What the network
finds there, as its card says, must come out on every device. They are shown in an order in which the answer to one is
wrong for the next. `vcam.segment.answers` writes them into cards.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from vcam.assets import asset
from vcam.errors import EngineError
from vcam.infer.choices import engine_choices
from vcam.infer.runner import Ask, Trial, try_each
from vcam.models.cards import Channels, Grid, ModelCard
from vcam.segment.heads import Head
from vcam.types import F32, U8, Size

BLACK, PERSON, ROOM = "black", "person", "room"
PICTURES = (BLACK, PERSON, ROOM)
"""In the order in which they are shown."""

SIDE = 4
"""Rows and columns of the grid for which a card says what is found."""

_WORDS = {BLACK: "a black picture", PERSON: "a picture of a person", ROOM: "a picture of an empty room"}
_CURE = "another --device or --backend may do better; docs/models.md says what the card's [known] is for"

LEAST, MOST = 0.01, 0.95
"""Shares of the picture of a person that are one, for a network whose card says nothing of it."""
EMPTY = 0.25
"""The largest share of the other two pictures that may be a person then."""


def picture(name: str, card: ModelCard) -> U8:
    """A known picture as the card's network takes it: uint8 (height, width, channels)."""
    return shown_as(name, card.input.size, card.input.depth, card.input.channels)


def shown_as(name: str, size: Size, depth: int, order: Channels) -> U8:
    """A known picture of `size` with so many channels, of which a fourth is empty: uint8 (height, width, depth)."""
    width, height = size
    shown = np.zeros((height, width, depth), np.uint8)
    if name != BLACK:
        small = cv2.resize(_stored(name), (width, height), interpolation=cv2.INTER_LINEAR)
        shown[..., :3] = small if order == "BGR" else small[..., ::-1]
    return shown


@cache
def _stored(name: str) -> U8:
    found = cv2.imread(str(asset(f"known-{name}.png")), cv2.IMREAD_COLOR)
    if found is None:
        raise EngineError(f"vcam's own picture {asset(f'known-{name}.png')} is missing", "install vcam anew")
    return found.astype(np.uint8, copy=False)


class KnownPictures:
    """What is known of one model; a head of its own, so that the map of the frame in hand stays."""

    def __init__(self, card: ModelCard) -> None:
        self._card, self._known = card, card.known
        self._head = Head(card)
        self._turn = 0

    def all(self, ask: Ask) -> None:
        """The trial of an engine that has just been opened. Raises `EngineError` if an answer is wrong.

        A network that is not to be checked must give numbers for a black picture.
        """
        if self._known.unchecked:
            self.answer(ask, BLACK)
            return
        for name in PICTURES:
            self._judge(name, self.answer(ask, name))

    def next(self) -> Trial:
        """A trial with one of the pictures, each in its turn; three in a row have shown all."""
        name = PICTURES[self._turn]
        self._turn = (self._turn + 1) % len(PICTURES)

        def trial(ask: Ask) -> None:
            if not self._known.unchecked:
                self._judge(name, self.answer(ask, name))

        return trial

    def answer(self, ask: Ask, name: str) -> F32:
        """The map of a known picture, float32 (height, width) 0..1, valid until the next. Raises `EngineError`."""
        self._head.reset()
        return self._head.decode(ask(picture(name, self._card)))

    def _judge(self, name: str, seen: F32) -> None:
        said: Grid | None = getattr(self._known, name)
        if said is None:
            self._judge_by_sense(name, seen)
            return
        found, wanted = grid(seen), np.array(said)
        apart = np.abs(found - wanted)
        if apart.max() > self._known.tolerance:
            raise EngineError(
                f"{self._card.name} finds {found.mean():.0f} % person in {_WORDS[name]}, where "
                f"{wanted.mean():.0f} % are right, and is off by {apart.max():.0f} % at worst: its answers are wrong",
                _CURE,
            )

    def _judge_by_sense(self, name: str, seen: F32) -> None:
        """What holds for every network that finds people."""
        share = float(np.count_nonzero(seen > 0.5)) / seen.size
        right = LEAST <= share <= MOST if name == PERSON else share <= EMPTY
        if not right:
            raise EngineError(
                f"{self._card.name} finds {100 * share:.0f} % person in {_WORDS[name]}: its answers are wrong",
                f'{_CURE}; if it is right so: [known] unchecked = "why" in {self._card.path.name}',
            )


def grid(seen: F32) -> F32:
    """The mean probability in percent of each cell, float32 (SIDE, SIDE)."""
    return (100 * cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA)).astype(np.float32, copy=False)


def try_engines(card: ModelCard, backend: str = "auto", device: str = "AUTO") -> dict[str, str]:
    """What every engine here says of a model, by its name: "ok", or why it will not be used.

    Raises `EngineError` if no runtime is installed.
    """
    network = card.network()
    return try_each(engine_choices(network, backend, device), network, KnownPictures(card).all)
