"""Batches without a break: one order through all epochs, so that workers are never idle between two of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor
from torch.utils.data import Sampler

from vcam.train.samples import Place, Samples, loader

HELD = 1 << 30
"""Bytes of pictures for validation that are kept ready; more are read anew each time."""

Batch = dict[str, Tensor]


IsSmall: TypeAlias = Callable[[int, int], bool]
"""Whether the pictures of an epoch's batch are small."""


class Endless(Sampler[Place]):
    """Places from one epoch to the next, for ever: each epoch a permutation of its own, cut to whole batches.

    Each process gets every `world`-th place of a batch. start: the epoch and the batch in it to begin with. small:
    asked of each batch when its first place is taken.
    """

    def __init__(
        self, count: int, batch: int, seed: int, *, rank: int, world: int, start: tuple[int, int],
        small: IsSmall = lambda epoch, batch: False,
    ) -> None:  # fmt: skip
        self.count, self.batch, self.seed = count, batch, seed
        self.rank, self.world, self.start, self.small = rank, world, start, small

    @property
    def steps(self) -> int:
        """Batches in an epoch, at least one."""
        return max(self.count // (self.batch * self.world), 1)

    def __iter__(self) -> Iterator[Place]:
        epoch, first = self.start
        while True:
            order = np.random.default_rng([self.seed, epoch, self.count]).permutation(self.count)
            for step in range(first, self.steps):
                small = self.small(epoch, step)
                for place in range(step * self.batch * self.world, (step + 1) * self.batch * self.world):
                    if place % self.world == self.rank:
                        # fewer pictures than one batch takes: some come twice
                        yield Place(epoch, int(order[place % self.count]), small)
            epoch, first = epoch + 1, 0


@dataclass(slots=True)
class Waited:
    """Seconds that were spent on waiting for batches."""

    seconds: float = 0.0


class Stream:
    """The batches of a training, endless, from an epoch and a batch on."""

    def __init__(
        self, samples: Samples, batch: int, workers: int, *, rank: int = 0, world: int = 1,
        start: tuple[int, int] = (0, 0), small: IsSmall = lambda epoch, batch: False,
    ) -> None:  # fmt: skip
        self.samples, self.workers = samples, workers
        self.waited = Waited()
        self.order = Endless(len(samples), batch, samples.seed, rank=rank, world=world, start=start, small=small)
        self._batches: Iterator[Batch] | None = None
        self._batch = batch

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self.order.steps

    def next(self) -> Batch:
        """The next batch. Raises what reading pictures raises."""
        began = time.monotonic()
        if self._batches is None:
            self._batches = iter(loader(self.samples, self._batch, self.workers, shuffle=True, order=self.order))
        batch = next(self._batches)
        self.waited.seconds += time.monotonic() - began
        return batch

    def close(self) -> None:
        """End the workers."""
        self._batches = None


class Held:
    """The pictures for validation, as they are, in batches; kept in memory where they fit."""

    def __init__(self, samples: Samples, batch: int, workers: int, *, rank: int = 0, world: int = 1) -> None:
        self.samples, self.batch, self.workers = samples, batch, workers
        self._mine = [(0, place) for place in range(rank, len(samples), world)]
        height, width = samples.shape
        planes = 4 + samples.prior
        self._keeps = len(self._mine) * height * width * planes * 4 <= HELD
        self._kept: list[Batch] = []

    def __iter__(self) -> Iterator[Batch]:
        if self._kept:
            yield from self._kept
            return
        # workers for what is read once would start and end for nothing
        workers = 0 if self._keeps else self.workers
        found: list[Batch] = []
        for batch in loader(self.samples, self.batch, workers, shuffle=False, order=self._mine):
            if self._keeps:
                found.append(batch)
            yield batch
        self._kept = found


def names_of(samples: Samples, batch: Any) -> list[str]:
    """The names of a batch's pictures."""
    return list(dict.fromkeys(samples.entries[int(place)].name for place in batch["index"]))
