"""The network as segmentation uses it: a small picture in, the probability of a person out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from vcam.errors import EngineError
from vcam.infer.choices import EngineChoice
from vcam.infer.runner import Runner
from vcam.models.cards import ModelCard
from vcam.segment.heads import Head
from vcam.segment.known import KnownPictures
from vcam.segment.repeats import RepeatCheck
from vcam.types import F32, U8

_HINT = "try another --backend, --device or --model; vcam doctor tells more"


class PersonNetwork:
    """A model on the first engine that works, and the head that its card asks for."""

    def __init__(
        self,
        card: ModelCard,
        choices: Sequence[EngineChoice],
        *,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """choices: the engines to try, best first; one whose answers to the known pictures are wrong is passed over.

        Raises what `vcam.infer.runner.Runner` raises.
        """
        self._head = Head(card)
        self._known = KnownPictures(card)
        self._runner = Runner(
            card.network(), choices, self._head.decode, trial=self._known.all, threads=threads, hint=_HINT, clock=clock
        )
        # what remembers never gives the same twice, and would forget if it were asked what is known
        self._repeats = None if card.remembers else RepeatCheck()
        # of a network that takes its last map as a fourth channel
        width, height = card.input.size
        self._with_mask: U8 | None = None
        if card.input.previous_mask:
            self._with_mask = np.zeros((height, width, card.input.depth), np.uint8)

    @property
    def description(self) -> str:
        """Model, runtime and device, for people."""
        return self._runner.description

    def find(self, picture: U8) -> F32:
        """The probability that each pixel is a person, float32 (height, width), 0..1, valid until the next call.

        picture: uint8 (height, width, 3) at the card's input size, RGB or BGR as the card says. Raises `EngineError`.
        """
        if self._with_mask is not None:
            np.copyto(self._with_mask[..., :3], picture)
            np.multiply(self._head.map, 255, out=self._with_mask[..., 3], casting="unsafe")
            picture = self._with_mask
        try:
            seen = self._runner.run(picture)
            if self._repeats and self._repeats.repeats(picture, seen):
                seen = self._find_again(picture)
            return seen
        except EngineError:
            # the engine that takes over begins with nothing
            self._head.reset()
            raise

    def _find_again(self, picture: U8) -> F32:
        """A second look where the first gave the map of the picture before: it may differ, or the engine must be right
        about what is known."""
        assert self._repeats is not None
        before = self._head.map.copy()
        seen = self._runner.run(picture)
        if np.array_equal(seen, before):
            self.examine(all_pictures=True)
        return seen

    def examine(self, *, all_pictures: bool = False) -> None:
        """Show the engine one of the known pictures, each in its turn, or all of them; the last map of `find` stays.

        What the network carries from frame to frame is lost. Raises `EngineError` if the answer is wrong; another
        engine comes next then.
        """
        self._runner.examine(self._known.all if all_pictures else self._known.next())

    def reset(self) -> None:
        """Forget earlier pictures."""
        self._head.reset()
        self._runner.reset()
        if self._repeats:
            self._repeats.forget()

    def close(self) -> None:
        """Free the engine. May be called twice."""
        self._runner.close()
