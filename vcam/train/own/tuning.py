"""A network taught one person and one room, within a time: frames, labels and pictures of others in, a network out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vcam.datasets.store import Entry
from vcam.train.own.finetune import FineTuning
from vcam.train.own.scenes import Mine, Others, Taught
from vcam.train.scoring import Scores
from vcam.types import F32, U8

STEPS = 600
"""A minute and a half of one core at 256x256."""
BATCH = 8
"""Pictures a step, half of them of others."""
GUARD = 96
"""Scenes of others that it is judged by."""
SHARES = (1.0, 0.75, 0.5)
"""How much of what was learnt is tried, the rest being the network as it was."""
FORGETS = 0.002
"""mIoU, 0..1, that it may lose on others."""

Tell = Callable[[float], None]


@dataclass(slots=True)
class Material:
    """What is learnt from. pictures: BGR uint8 (height, width, 3). mattes: uint8 (height, width) of each. plate:
    the empty room, BGR, or None. others, guard: pictures with mattes, to learn with and to judge by; empty for scenes
    that vcam makes of what it brings along."""

    pictures: Sequence[U8]
    mattes: Sequence[U8]
    plate: U8 | None = None
    others: Sequence[Entry] = ()
    guard: Sequence[Entry] = ()


@dataclass(slots=True)
class Tuned:
    """What came out. share: how much of what was learnt was kept. steps: that were made. others: mIoU on the scenes of
    others by share, 0 being the network as it was, 0..1. stopped: whether it was broken off."""

    tuning: FineTuning
    share: float
    steps: int
    others: dict[float, float] = field(default_factory=dict)
    stopped: bool = False


def tune(
    network: str, start: Path, material: Material, *, minutes: float, seed: int = 0, threads: int = 1,
    steps: int = STEPS, tell: Tell = lambda done: None, stop: Callable[[], bool] = lambda: False,
) -> Tuned:  # fmt: skip
    """Teach it. `tell` is told the share that is done, `stop` asked before each step.

    Raises `UsageError` or `ModelError` for weights that do not fit, `InputError` for pictures that cannot be read.
    """
    tuning = FineTuning(network, start, seed=seed, threads=threads)
    shape = tuning.shape
    taught = [Taught(*pair) for pair in zip(material.pictures, material.mattes, strict=True)]
    mine = Mine(taught, shape, seed=seed, plate=material.plate)
    others = Others(material.others, shape, judging=False, seed=seed)
    half = BATCH // 2

    def batch(number: int) -> tuple[U8, F32, U8]:
        own = [mine.sample(number * half + place) for place in range(half)]
        shown = [others.scene(number * half + place)[0] for place in range(BATCH - half)]
        return np.stack([each for each, _ in own]), np.stack([each for _, each in own]), np.stack(shown)

    ends = time.monotonic() + 60 * minutes
    began, made, stopped = time.monotonic(), 0, False
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(batch, 0)
        done = 0.0
        while done < 1:
            if stop():
                stopped = True
                break
            ready, ahead = ahead.result(), pool.submit(batch, made + 1)
            tuning.step(*ready, done)
            made += 1
            # whichever ends first sets the rate
            done = max(made / steps, (time.monotonic() - began) / (ends - began))
            tell(min(done, 1.0))
    if stopped:
        return Tuned(tuning, 0.0, made, stopped=True)
    judged = Others(material.guard, shape, judging=True, seed=seed + 1)
    scenes = [judged.scene(number) for number in range(GUARD)]
    scores = {share: _miou(tuning, scenes, share) for share in (0.0, *SHARES)}
    kept = next((share for share in SHARES if scores[share] >= scores[0.0] - FORGETS), SHARES[-1])
    return Tuned(tuning, kept, made, scores)


def _miou(tuning: FineTuning, scenes: Sequence[tuple[U8, U8]], share: float) -> float:
    import torch

    answers = tuning.answers(np.stack([picture for picture, _ in scenes]), share)
    scores = Scores()
    found = torch.from_numpy(answers)[:, None] >= 0.5
    true = torch.from_numpy(np.stack([matte for _, matte in scenes]))[:, None].float() / 255
    scores.add(torch.arange(len(scenes)), found, true, torch.zeros(len(scenes)))
    return scores.miou
