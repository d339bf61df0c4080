"""Pictures with their mattes as a network is trained on them: read, changed by chance, and put together to batches.

    samples = Samples(entries, (256, 256), augment=True, backdrops=None, prior=False, texture=False, seed=1)
    for epoch in range(100):
        samples.set_epoch(epoch)
        for batch in batches:        # batches = loader(samples, 16, workers=2, shuffle=True), made once
            batch["picture"], batch["matte"]

What a sample is depends on seed, epoch and its place among the entries alone, never on the worker that makes it.
"""

from __future__ import annotations

import multiprocessing
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from vcam.datasets.folder import scaled
from vcam.datasets.store import Entry, read_entry
from vcam.errors import InputError, UsageError, VcamError
from vcam.images import read_turned
from vcam.train.augment import Chance, before, cropped, filmed, shaken, warped
from vcam.train.backdrops import CutOut, cut_out, made_up, out_of_focus, peopled, room, surroundings
from vcam.train.processes import end_with_parent
from vcam.types import U8

SPARE = 1.25
"""Pictures are kept at this many times the network's size, so that a part of them is still sharp."""
KEPT = 768 << 20
"""Bytes of decoded pictures that are kept, over all workers."""

POOL = 96
"""Pictures of an epoch that others are taken from, people and surroundings: so few that they stay in memory."""

AS_THEY_ARE, NOBODY, SHAKEN = 0.65, 0.06, 0.06
"""Shares of the samples: people where they were photographed, rooms without people, motion blur."""
OWN_ASPECT = 0.35
"""Of those where they were photographed, how many keep the shape of their picture: whoever has portraits shows the
network portraits."""
MADE_UP = 0.25
"""Of the rooms that people are set into: pictures of nothing but chance."""

Sample: TypeAlias = dict[str, Any]
"""uint8 arrays "picture" (h, w, 3) RGB, "matte" (h, w), "prior" (h, w), "texture" (h, w, 3); "index"; "broken"."""


class Place(NamedTuple):
    """Which sample of a training: its epoch, its place among the entries, and whether it is to be small."""

    epoch: int
    entry: int
    small: bool = False


class Samples(Dataset[Sample]):
    """The entries of a data set as samples of one size."""

    def __init__(
        self, entries: Sequence[Entry], shape: tuple[int, int], *, augment: bool, backdrops: Sequence[Path] | None,
        prior: bool, texture: bool, seed: int, small: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        """shape: height and width of the network's picture; small: those of the pictures of a `Place` that is small,
        None for the same. augment: change them by chance; without it each is the whole picture, stretched to the
        network's shape, as vcam shows it its frames.

        backdrops: pictures of rooms without people that people are set into; None: rooms are made up of the
        surroundings of the other pictures; an empty list: all stay where they are. prior: a mask of the frame before,
        as it may have been, empty for a third. texture: "picture" keeps its colours and "texture" is the changed form.
        Raises `InputError` if there are no entries.
        """
        if not entries:
            raise InputError("there are no pictures to train on", "vcam dataset check DATA tells what there is")
        self.entries, self.shape, self.small = list(entries), shape, small or shape
        self.augment, self.backdrops = augment, None if backdrops is None else list(backdrops)
        self.prior, self.texture, self.seed = prior, texture, seed
        self.epoch = 0
        self.broken: dict[Path, str] = {}
        """Files that could not be used, with the reason; filled while batches are taken."""
        self.share = 1
        """How many processes keep pictures beside each other."""
        self._side = round(max(shape) * SPARE)
        self._kept: OrderedDict[int | Path, _Kept] = OrderedDict()
        self._failed: dict[int | Path, VcamError] = {}
        self._bytes = 0
        self._pooled: tuple[int, npt.NDArray[np.int64]] = -1, np.empty(0, np.int64)

    def __getstate__(self) -> dict[str, Any]:
        # a worker reads its own
        return {**self.__dict__, "_kept": OrderedDict(), "_bytes": 0}

    def set_epoch(self, number: int) -> None:
        """What is taken next belongs to this epoch."""
        self.epoch = number

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int | tuple[int, int] | Place) -> Sample:
        """The sample at a place of this epoch, or of a `Place`. A broken picture is replaced by another one.

        Raises `InputError` if all are broken.
        """
        epoch, index, small = Place(*place) if isinstance(place, tuple) else Place(self.epoch, place)
        shape = self.small if small else self.shape
        chance = np.random.default_rng([self.seed, epoch, index])
        broken: list[tuple[Path, str]] = []
        found, kept = self._next(index, broken)
        picture, matte = self._scene(kept, epoch, shape, chance, broken) if self.augment else self._whole(kept, shape)
        sample: Sample = {"picture": picture, "matte": matte, "index": found, "broken": broken}
        if self.prior:
            sample["prior"] = before(matte, chance)
        if self.texture:
            sample["texture"] = filmed(picture, chance)
        elif self.augment:
            sample["picture"] = filmed(picture, chance)
        for name in {"picture", "texture"} & set(sample):
            sample[name] = cv2.cvtColor(sample[name], cv2.COLOR_BGR2RGB)
        return sample

    def __getitems__(self, places: Sequence[tuple[int, int] | Place]) -> list[Sample | VcamError]:
        """Those of a batch, for PyTorch. What is raised is handed over, since a worker's error loses its words."""
        try:
            return [self[place] for place in places]
        except VcamError as error:
            return [error]

    @staticmethod
    def _whole(kept: _Kept, shape: tuple[int, int]) -> tuple[U8, U8]:
        picture, matte = (_stretched(each, shape) for each in (kept.picture, kept.matte))
        return picture, matte

    def _scene(
        self, kept: _Kept, epoch: int, shape: tuple[int, int], chance: Chance, broken: list[tuple[Path, str]]
    ) -> tuple[U8, U8]:  # fmt: skip
        """The people of a picture, or nobody, where they are or in another room."""
        kind = chance.random()
        if self.backdrops == [] or kind < AS_THEY_ARE or (kind < 1 - NOBODY and kept.cut_out is None):
            matrix = cropped(chance, (kept.matte.shape[1], kept.matte.shape[0]), shape, kept.box, OWN_ASPECT)
            picture, matte = (warped(each, matrix, shape) for each in (kept.picture, kept.matte))
        else:
            pool = self._pool(epoch)
            backdrop = out_of_focus(self._room(pool, shape, chance, broken), chance)
            if kind >= 1 - NOBODY or kept.cut_out is None:
                picture, matte = backdrop, np.zeros(shape, np.uint8)
            else:
                others = [self._next(int(chance.choice(pool)), broken)[1].cut_out for _ in range(_companions(chance))]
                picture, matte = peopled(backdrop, kept.cut_out, [each for each in others if each], chance)
        return shaken(picture, matte, chance) if chance.random() < SHAKEN else (picture, matte)

    def _pool(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._pooled[0] != epoch:
            places = np.random.default_rng([self.seed, epoch]).permutation(len(self.entries))
            self._pooled = epoch, places[:POOL]
        return self._pooled[1]

    def _room(
        self, pool: npt.NDArray[np.int64], shape: tuple[int, int], chance: Chance, broken: list[tuple[Path, str]]
    ) -> U8:  # fmt: skip
        kind = chance.random()
        if kind < MADE_UP:
            return made_up(chance, shape)
        if self.backdrops and kind < 0.85:
            path = self.backdrops[int(chance.integers(len(self.backdrops)))]
            try:
                return room(chance, self._backdrop(path), shape)
            except (InputError, UsageError) as error:
                broken.append((path, error.message))
                return made_up(chance, shape)
        return room(chance, self._next(int(chance.choice(pool)), broken)[1].surroundings, shape)

    def _next(self, index: int, broken: list[tuple[Path, str]]) -> tuple[int, _Kept]:
        """The first entry from a place on that can be read, and its place; the others are written down."""
        for step in range(len(self.entries)):
            other = (index + step) % len(self.entries)
            entry = self.entries[other]
            try:
                return other, self._keeping(other, partial(self._pair, entry))
            except InputError as error:
                broken.append((entry.picture, error.message))
        raise InputError("none of the pictures can be read", broken[0][1])

    def _pair(self, entry: Entry) -> _Kept:
        picture, matte = read_entry(entry, self._side)
        return _Kept(_no_strip(entry.picture, picture), matte)

    def _backdrop(self, path: Path) -> U8:
        """Raises `InputError` or `UsageError`."""

        def read() -> _Kept:
            picture, _ = read_turned(path, self._side)
            scale = min(1.0, self._side / min(picture.shape[:2]))
            size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
            return _Kept(_no_strip(path, scaled(picture, size)), np.zeros((1, 1), np.uint8))

        return self._keeping(path, read).picture

    def _keeping(self, key: int | Path, read: Callable[[], _Kept]) -> _Kept:
        """What is kept under a key, or else read and kept; what is broken is not tried again."""
        if key in self._failed:
            raise self._failed[key]
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            found = read()
        except (InputError, UsageError) as error:
            self._failed[key] = error
            raise
        self._kept[key] = found
        self._bytes += found.bytes
        while self._bytes > KEPT // self.share and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].bytes
        return found


def _no_strip(path: Path, picture: U8) -> U8:
    """The picture; raises `InputError` for one with a side that OpenCV cannot warp, 2^15 and more."""
    if max(picture.shape) >= 1 << 15:
        raise InputError(f"{path} is a strip, {picture.shape[1]}x{picture.shape[0]}", "cut it to what shows people")
    return picture


def _companions(chance: Chance) -> int:
    """How many more people there are: none in three of four rooms."""
    return int(chance.choice((0, 1, 2), p=(0.75, 0.19, 0.06)))


def _stretched(picture: U8, shape: tuple[int, int]) -> U8:
    """A picture or matte at (height, width), without aliasing."""
    larger = picture.shape[0] > shape[0] or picture.shape[1] > shape[1]
    way = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
    return cv2.resize(picture, shape[::-1], interpolation=way).astype(np.uint8, copy=False)


class _Kept:
    """A picture with its matte, and what is made of the two when it is first asked for."""

    def __init__(self, picture: U8, matte: U8) -> None:
        self.picture, self.matte = picture, matte
        self.bytes = picture.nbytes * 4
        """About what it takes with all that is made of it."""

    @cached_property
    def box(self) -> tuple[int, int, int, int] | None:
        """Of the people: x0, y0, x1, y1; None if there are none."""
        x, y, width, height = cv2.boundingRect(np.where(self.matte > 127, np.uint8(255), np.uint8(0)))
        return (x, y, x + width, y + height) if width else None

    @cached_property
    def cut_out(self) -> CutOut | None:
        return cut_out(self.picture, self.matte)

    @cached_property
    def surroundings(self) -> U8:
        return surroundings(self.picture, self.matte)


class _Order(Sampler[tuple[int, int]]):
    """The places of an epoch in their order, with the epoch, so that workers which live on know of it."""

    def __init__(self, samples: Samples, shuffle: bool) -> None:
        self._samples, self._shuffle = samples, shuffle

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, count = self._samples.epoch, len(self._samples)
        order = np.arange(count)
        if self._shuffle:
            np.random.default_rng([self._samples.seed, epoch, count]).shuffle(order)
        for place in order.tolist():
            yield epoch, place


_CURE = "give fewer --workers; in a container, give it more shared memory (--shm-size=1g)"


class Loader(DataLoader[Sample]):
    """Batches as the losses take them: float32, on the CPU.

    "picture" (N, 3, H, W) RGB 0..1 and "texture" the same, channels last in memory; "matte" and "prior" (N, 1, H, W),
    0..1; "index" int64 (N). Iterating also fills the samples' `broken`. It raises `InputError` if nothing can be read,
    `VcamError` if a worker is lost.
    """

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        samples = self.dataset
        assert isinstance(samples, Samples)
        batches = super().__iter__()
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                # what it had made may be known already, and cannot be fetched from it any more
                gone = "DataLoader worker" in str(error) or (self.num_workers and not isinstance(error, RuntimeError))
                if not gone:
                    raise
                raise VcamError(
                    "a process that prepares pictures has ended, mostly for want of memory", _CURE
                ) from error
            if isinstance(batch, VcamError):
                raise batch
            samples.broken.update(batch.pop("broken"))
            yield {name: _as_floats(name, values) for name, values in batch.items()}


def _as_floats(name: str, values: Tensor) -> Tensor:
    if name == "index":
        return values
    # workers hand over bytes: a quarter of the memory that is shared, which is scarce in containers
    return values.permute(0, 3, 1, 2).float().mul_(1 / 255)


def loader(
    samples: Samples, batch: int, workers: int, *, shuffle: bool, order: Iterable[tuple[int, int] | Place] | None = None
) -> Loader:  # fmt: skip
    """Batches of samples, made by `workers` processes, 0 for this one. Make it once, and iterate it once an epoch.

    shuffle: another order in each epoch, and no last batch that is smaller, unless it is the only one. order:
    epochs and places in place of all that, for who keeps an order of their own, as several processes do.
    """
    samples.share = max(1, workers)
    own = _Order(samples, shuffle)
    cuts = order is None and shuffle and len(own) > batch
    return Loader(
        samples, batch, sampler=order or own, drop_last=cuts, collate_fn=_together,
        num_workers=workers, persistent_workers=workers > 0, prefetch_factor=2 if workers else None,
        worker_init_fn=_quiet, multiprocessing_context=_processes() if workers else None,
        # of its own: PyTorch would take a number from the chance that dropout comes from
        generator=torch.Generator(),
    )  # fmt: skip


def _processes() -> BaseContext:
    """How workers are begun: by a process that has loaded this module and has no threads.

    A copy of this one might hold locks of threads that it has not: those of a teacher's engine, or of a progress bar.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _quiet(_: int) -> None:
    """A worker: it leaves Ctrl-C to the process that it works for, ends with it, and leaves OpenMP's threads alone."""
    import signal

    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _together(found: list[Sample | VcamError]) -> dict[str, Any] | VcamError:
    samples = [each for each in found if not isinstance(each, VcamError)]
    if len(samples) < len(found):
        return next(each for each in found if isinstance(each, VcamError))
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
