"""From what a network gives out to one probability: the output forms of model cards.

| form        | output                          | probability of a person                |
|-------------|---------------------------------|----------------------------------------|
| probability | one channel, 0..1               | itself                                 |
| logits      | one channel                     | its sigmoid                            |
| two-channel | two channels, 0..1              | the person's channel                   |
| softmax     | logits of two channels          | softmax, that is sigmoid of difference |
| classes     | logits of N channels            | softmax, the sum of the people's       |
| class-index | one channel of class numbers    | 1 where it is a person's, else 0       |

Where a card has a class `background`, people are all others. A `gain` g makes p^g / (p^g + (1-p)^g) of it, for networks
that never are sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from vcam.errors import EngineError
from vcam.infer.base import Tensor
from vcam.models.cards import ModelCard
from vcam.types import F32


class Head:
    """Decodes one network's output into a map of its own, which it reuses."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        width, height = card.output.size
        self._depth = card.output.depth
        self._last = card.output.layout == "NHWC"
        self._map: F32 = np.zeros((height, width), np.float32)
        self._total: F32 = np.empty_like(self._map)
        self._highest: F32 = np.empty_like(self._map)
        self._chosen: F32 = np.empty_like(self._map)
        self._label: npt.NDArray[np.bool_] = np.empty((height, width), np.bool_)
        self._decoder = {
            "probability": self._probability,
            "logits": self._logits,
            "two-channel": self._two_channel,
            "softmax": self._softmax,
            "classes": self._classes,
            "class-index": self._class_index,
        }[card.output.form]

    @property
    def map(self) -> F32:
        """The last map decoded; zeros before the first."""
        return self._map

    def decode(self, outputs: Sequence[Tensor]) -> F32:
        """The probability of a person, float32 (height, width), 0..1, valid until the next call.

        outputs: what an engine gives of the card's network. Raises `EngineError` if a value is not finite.
        """
        (raw,) = outputs
        with np.errstate(all="ignore"):
            self._decoder(raw)
            if self._card.output.gain != 1:
                self._sharpen()
        return self._map

    def reset(self) -> None:
        """Forget the last map."""
        self._map.fill(0)

    def _channel(self, raw: Tensor, number: int) -> F32:
        return cast(F32, raw[..., number] if self._last else raw[number])

    def _check(self, values: Tensor) -> None:
        # any NaN or infinity survives a sum, and a sum is the cheapest way to look at every value
        if not np.isfinite(values.sum(dtype=np.float32)):
            self._map.fill(0)
            raise EngineError(
                f"{self._card.name} gave values that are not numbers", "another device or backend may do better"
            )

    def _sigmoid(self) -> None:
        np.negative(self._map, out=self._map)
        np.exp(self._map, out=self._map)
        np.add(self._map, 1, out=self._map)
        np.reciprocal(self._map, out=self._map)

    def _sharpen(self) -> None:
        """p^g / (p^g + q^g) with q = 1 - p, as 1 / (1 + (q / p)^g): 0 and 1 stay, and so does a half."""
        np.subtract(1, self._map, out=self._total)
        np.divide(self._total, self._map, out=self._total)
        np.power(self._total, self._card.output.gain, out=self._total)
        np.add(self._total, 1, out=self._total)
        np.reciprocal(self._total, out=self._map)

    def _clip(self, channel: F32) -> None:
        self._check(channel)
        np.clip(channel, 0, 1, out=self._map)

    def _probability(self, raw: Tensor) -> None:
        self._clip(self._channel(raw, 0))

    def _two_channel(self, raw: Tensor) -> None:
        self._clip(self._channel(raw, *self._card.output.people))

    def _logits(self, raw: Tensor) -> None:
        channel = self._channel(raw, 0)
        self._check(channel)
        np.copyto(self._map, channel)
        self._sigmoid()

    def _softmax(self, raw: Tensor) -> None:
        (person,) = self._card.output.people
        np.subtract(self._channel(raw, person), self._channel(raw, 1 - person), out=self._map)
        self._check(self._map)
        self._sigmoid()

    def _classes(self, raw: Tensor) -> None:
        np.copyto(self._highest, self._channel(raw, 0))
        for number in range(1, self._depth):
            np.maximum(self._highest, self._channel(raw, number), out=self._highest)
        background = self._card.output.background
        # the sum of those that are wanted beside the sum of all
        wanted = self._card.output.people if background is None else (background,)
        self._total.fill(0)
        self._chosen.fill(0)
        for number in range(self._depth):
            np.subtract(self._channel(raw, number), self._highest, out=self._map)
            np.exp(self._map, out=self._map)
            np.add(self._total, self._map, out=self._total)
            if number in wanted:
                np.add(self._chosen, self._map, out=self._chosen)
        if background is not None:
            np.subtract(self._total, self._chosen, out=self._chosen)
        np.divide(self._chosen, self._total, out=self._map)
        self._check(self._map)

    def _class_index(self, raw: Tensor) -> None:
        channel = self._channel(raw, 0)
        self._check(channel)
        background = self._card.output.background
        if background is not None:
            np.not_equal(channel, background, out=self._label)
        else:
            first, *others = self._card.output.people
            np.equal(channel, first, out=self._label)
            for other in others:
                self._label |= channel == other
        np.copyto(self._map, self._label)
