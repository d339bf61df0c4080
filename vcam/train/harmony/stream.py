"""Samples in batches, without end, from a step on."""

from __future__ import annotations

import multiprocessing
import signal
import time
import warnings
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from vcam.errors import VcamError
from vcam.train.harmony.net import features
from vcam.train.harmony.samples import Samples
from vcam.train.processes import end_with_parent
from vcam.types import U8

Batch = dict[str, Tensor]
"""float16 "known" (N, FEATURES); uint8 "shown" and "true" (N, 3, PIXELS), samples of the person as the network sees
them and as they were; bool "person" (N,), whether there is one, and "changed" (N,), whether anything was disturbed."""

PIXELS = 128
"""Of the person, that stand for all of them."""


class _Numbers(Sampler[int]):
    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1


class Stream:
    """Batches of a training; the numbers of its samples follow from the step."""

    def __init__(self, samples: Samples, batch: int, workers: int, *, step: int = 0) -> None:
        self.broken: dict[str, str] = {}
        self.waited = 0.0
        # more workers than cores: somebody has asked for them
        warnings.filterwarnings("ignore", message=".*worker processes in total.*")
        self._loader = DataLoader(
            samples, batch, sampler=_Numbers(step * batch), num_workers=workers, collate_fn=_collated,
            prefetch_factor=3 if workers else None, worker_init_fn=_quiet,
            # a copy of this process might hold locks of threads that it has not
            multiprocessing_context=multiprocessing.get_context("forkserver") if workers else None,
        )  # fmt: skip
        self._batches: Iterator[Any] | None = None

    def next(self) -> Batch:
        """A batch, as `Batch` says. Raises what reading pictures raises."""
        began = time.monotonic()
        if self._batches is None:
            self._batches = iter(self._loader)
        found = next(self._batches)
        self.waited += time.monotonic() - began
        return as_batch(found, self.broken)

    def close(self) -> None:
        """End the workers."""
        self._batches = None


def _quiet(_: int) -> None:
    """A worker: it leaves Ctrl-C to the process that it works for, ends with it, and leaves the cores to the others."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _collated(samples: list[Any]) -> Any:
    """What is learnt from, made by the worker. An error comes instead of a batch."""
    for each in samples:
        if isinstance(each, VcamError):
            return each
    picture = torch.from_numpy(np.stack([each["picture"] for each in samples]))
    chosen = [_places(each["picture"][3], each["number"]) for each in samples]
    pixels = {}
    for name in ("picture", "true"):
        flat = [each[name][:3].reshape(3, -1)[:, places] for each, places in zip(samples, chosen, strict=True)]
        pixels[name] = torch.from_numpy(np.stack(flat))
    with torch.no_grad():
        known = features(picture.float() / 255)
    return {
        "known": known.half(), "shown": pixels["picture"], "true": pixels["true"],
        "person": torch.tensor([bool((each["picture"][3] > 128).any()) for each in samples]),
        "changed": torch.tensor([each["changed"] for each in samples]),
        "broken": [pair for each in samples for pair in each["broken"]],
    }  # fmt: skip


def _places(matte: U8, number: int) -> np.ndarray:
    """Pixels of the person that are looked at, by chance."""
    inside = np.flatnonzero(matte.ravel() > 128)
    return np.random.default_rng(number).choice(inside if len(inside) else matte.size, PIXELS)


def as_batch(found: Any, broken: dict[str, str]) -> Batch:
    """A batch without what could not be read, which goes to `broken`. Raises an error that came instead."""
    if isinstance(found, VcamError):
        raise found
    broken.update({str(path): why for path, why in found["broken"]})
    return {name: each for name, each in found.items() if name != "broken"}


def held(samples: Samples, count: int, batch: int) -> Batch:
    """The first so many samples."""
    broken: dict[str, str] = {}
    parts = [
        as_batch(_collated(samples.__getitems__(list(range(first, min(first + batch, count))))), broken)
        for first in range(0, count, batch)
    ]
    return {name: torch.cat([each[name] for each in parts]) for name in parts[0]}


class Bank:
    """The latest samples, to be learnt from several times: making one costs more than learning from it."""

    def __init__(self, most: int) -> None:
        self.most, self.count, self._next = most, 0, 0
        self._held: Batch = {}

    def add(self, batch: Batch) -> None:
        """Take samples in, in place of the oldest ones if it is full."""
        size = len(batch["known"])
        if not self._held:
            self._held = {name: each.new_empty((self.most, *each.shape[1:])) for name, each in batch.items()}
        places = (torch.arange(size) + self._next) % self.most
        for name, each in batch.items():
            self._held[name][places] = each
        self._next, self.count = (self._next + size) % self.most, min(self.count + size, self.most)

    def draw(self, size: int, generator: torch.Generator) -> Batch:
        """So many by chance, some perhaps twice."""
        places = torch.randint(self.count, (size,), generator=generator)
        return {name: each[places] for name, each in self._held.items()}
