"""Pictures with their mattes as a network is trained on them: read, changed by chance, and put together to batches.

    samples = Samples(entries, (256, 256), augment=True, backdrops=None, prior=False, texture=False, seed=1)
    for epoch in range(100):
        samples.set_epoch(epoch)
        for batch in batches:        # batches = loader(samples, 16, workers=2, shuffle=True), made once
            batch["picture"], batch["matte"]

What a sample is depends on seed, epoch and its place among the entries alone, never on the worker that makes it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from vcam.datasets.store import Entry, read_entry
from vcam.errors import InputError
from vcam.types import U8

SPARE = 1.25
"""Pictures are kept at this many times the network's size, so that a part of them is still sharp."""
KEPT = 768 << 20
"""Bytes of decoded pictures that are kept, over all workers."""

Sample = dict[str, Any]
"""uint8 arrays "picture" (h, w, 3) RGB, "matte" (h, w), "prior" (h, w), "texture" (h, w, 3); "index"; "broken"."""


class Samples(Dataset[Sample]):
    """The entries of a data set as samples of one size."""

    def __init__(
        self, entries: Sequence[Entry], shape: tuple[int, int], *, augment: bool, backdrops: Sequence[Path] | None,
        prior: bool, texture: bool, seed: int,
    ) -> None:  # fmt: skip
        """shape: height and width of the network's picture. augment: change them by chance; without it each is the
        whole picture, stretched to the network's shape, as vcam shows it its frames.

        backdrops: pictures of rooms without people that people are set into; None: rooms are made up of the
        surroundings of the other pictures; an empty list: all stay where they are. prior: a mask of the frame before,
        as it may have been, empty for a third. texture: "picture" keeps its colours and "texture" is the changed form.
        Raises `InputError` if there are no entries.
        """
        if not entries:
            raise InputError("there are no pictures to train on", "vcam dataset check DATA tells what there is")
        self.entries, self.shape = list(entries), shape
        self.augment, self.backdrops = augment, None if backdrops is None else list(backdrops)
        self.prior, self.texture, self.seed = prior, texture, seed
        self.epoch = 0
        self.broken: dict[Path, str] = {}
        """Files that could not be used, with the reason; filled while batches are taken."""
        self.share = 1
        """How many processes keep pictures beside each other."""
        self._kept: OrderedDict[int, tuple[U8, U8]] = OrderedDict()
        self._bytes = 0

    def set_epoch(self, number: int) -> None:
        """What is taken next belongs to this epoch."""
        self.epoch = number

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int | tuple[int, int]) -> Sample:
        """The sample at a place of this epoch, or of (epoch, place). A broken picture is replaced by another one.

        Raises `InputError` if all are broken.
        """
        epoch, index = place if isinstance(place, tuple) else (self.epoch, place)
        broken: list[tuple[Path, str]] = []
        for step in range(len(self.entries)):
            other = (index + step) % len(self.entries)
            try:
                picture, matte = self._read(other)
            except InputError as error:
                broken.append((self.entries[other].picture, error.message))
                continue
            chance = np.random.default_rng([self.seed, epoch, index])
            return {**self._made(picture, matte, chance), "index": other, "broken": broken}
        raise InputError("none of the pictures can be read", broken[0][1])

    def _made(self, picture: U8, matte: U8, chance: np.random.Generator) -> Sample:
        height, width = self.shape
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(matte, (width, height), interpolation=cv2.INTER_AREA)
        sample: Sample = {"picture": cv2.cvtColor(small, cv2.COLOR_BGR2RGB), "matte": alpha}
        if self.prior:
            sample["prior"] = alpha if chance.random() > 1 / 3 else np.zeros_like(alpha)
        if self.texture:
            sample["texture"] = sample["picture"]
        return sample

    def _read(self, index: int) -> tuple[U8, U8]:
        """An entry at the size in which it is kept; raises `InputError`."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        pair = read_entry(self.entries[index], round(max(self.shape) * SPARE))
        self._kept[index] = pair
        self._bytes += sum(each.nbytes for each in pair)
        while self._bytes > KEPT // self.share and len(self._kept) > 1:
            self._bytes -= sum(each.nbytes for each in self._kept.popitem(last=False)[1])
        return pair


class _Order(Sampler[tuple[int, int]]):
    """The places of an epoch in their order, with the epoch, so that workers which live on know of it."""

    def __init__(self, samples: Samples, shuffle: bool, rank: int, world: int) -> None:
        self._samples, self._shuffle, self._rank, self._world = samples, shuffle, rank, world

    def __len__(self) -> int:
        # those of all processes have one length; else one would wait for the others' gradients for ever
        return -(-len(self._samples) // self._world)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, count = self._samples.epoch, len(self._samples)
        order = np.arange(count)
        if self._shuffle:
            np.random.default_rng([self._samples.seed, epoch, count]).shuffle(order)
        for place in range(self._rank, len(self) * self._world, self._world):
            yield epoch, int(order[place % count])


class Loader(DataLoader[Sample]):
    """Batches as the losses take them: float32, on the CPU.

    "picture" (N, 3, H, W) RGB 0..1 and "texture" the same, channels last in memory; "matte" and "prior" (N, 1, H, W),
    0..1; "index" int64 (N). Iterating also fills the samples' `broken`.
    """

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        samples = self.dataset
        assert isinstance(samples, Samples)
        for batch in super().__iter__():
            samples.broken.update(batch.pop("broken"))
            yield {name: _as_floats(name, values) for name, values in batch.items()}


def _as_floats(name: str, values: Tensor) -> Tensor:
    if name == "index":
        return values
    # workers hand over bytes: a quarter of the memory that is shared, which is scarce in containers
    return values.permute(0, 3, 1, 2).float().mul_(1 / 255)


def loader(
    samples: Samples, batch: int, workers: int, *, shuffle: bool, rank: int = 0, world: int = 1,
    order: Iterable[tuple[int, int]] | None = None,
) -> Loader:  # fmt: skip
    """Batches of samples, made by `workers` processes, 0 for this one. Make it once, and iterate it once an epoch.

    shuffle: another order in each epoch, and no last batch that is smaller, unless it is the only one. rank, world:
    this process's number among those that train together; each gets its share of every epoch. order: epochs and places
    in place of all that, for who keeps an order of their own.
    """
    samples.share = max(1, workers)
    own = _Order(samples, shuffle, rank, world)
    cuts = order is None and shuffle and len(own) > batch
    return Loader(
        samples, batch, sampler=order or own, drop_last=cuts, collate_fn=_together,
        num_workers=workers, persistent_workers=workers > 0, prefetch_factor=2 if workers else None,
        worker_init_fn=_quiet,
    )  # fmt: skip


def _quiet(_: int) -> None:
    """A worker: it leaves Ctrl-C to the process that it works for, and OpenMP's threads to the others."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _together(samples: list[Sample]) -> dict[str, Any]:
    batch: dict[str, Any] = {
        name: torch.from_numpy(np.stack([_with_channel(each[name]) for each in samples]))
        for name in samples[0]
        if name not in ("index", "broken")
    }
    batch["index"] = torch.tensor([each["index"] for each in samples])
    batch["broken"] = [pair for each in samples for pair in each["broken"]]
    return batch


def _with_channel(values: U8) -> U8:
    return values if values.ndim == 3 else values[..., np.newaxis]
