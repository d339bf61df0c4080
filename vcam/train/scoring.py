"""How well a network finds people: intersection over union of each picture, beside what no network is needed for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vcam.train.losses import person_logit


@dataclass(slots=True)
class Scores:
    """Of pictures by their places among the entries: IoU of the person, and its mean with that of the background, 0..1.

    loss: the mean cross-entropy.
    """

    person: dict[int, float] = field(default_factory=dict)
    mean: dict[int, float] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)

    @property
    def iou(self) -> float:
        """The person's, over all pictures."""
        return _average(self.person)

    @property
    def miou(self) -> float:
        """Person's and background's, over all pictures."""
        return _average(self.mean)

    @property
    def loss(self) -> float:
        """The cross-entropy, over all pictures."""
        return _average(self.losses)

    def add(self, index: Tensor, found: Tensor, matte: Tensor, losses: Tensor) -> None:
        """Take a batch: bool (N, 1, H, W) of what was found, mattes 0..1 of the same shape, a loss for each."""
        true = matte >= 0.5
        both = (found & true).flatten(1).sum(1).double()
        either = (found | true).flatten(1).sum(1).double()
        pixels = float(true[0].numel())
        # what neither has counts as 1, as in vcam.measure.metrics.miou
        person = torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both))
        free = pixels - both
        other = torch.where(free > 0, (pixels - either) / free.clamp(min=1), torch.ones_like(both))
        for place, one, two, loss in zip(
            index.tolist(), person.tolist(), other.tolist(), losses.tolist(), strict=True
        ):  # fmt: skip
            self.person[place], self.mean[place], self.losses[place] = one, (one + two) / 2, loss

    def worst(self, count: int) -> list[int]:
        """The places of the worst pictures, the worst first."""
        return sorted(self.mean, key=lambda place: (self.mean[place], place))[:count]


def _average(values: dict[int, float]) -> float:
    # in one order, so that the sum is the same whoever added what
    return float(np.mean([values[place] for place in sorted(values)])) if values else 0.0


def score(net: nn.Module, batches: Iterable[dict[str, Tensor]], device: Any = "cpu") -> Scores:
    """The scores of a network that takes pictures (N, 3, H, W), RGB 0..1, and the mask before; its mode is kept."""
    training = {each: each.training for each in net.modules()}
    scores = Scores()
    try:
        net.eval()
        for batch in batches:
            logit = logit_of(net, batch, device)
            losses = nn.functional.binary_cross_entropy_with_logits(logit, batch["matte"], reduction="none")
            scores.add(batch["index"], logit >= 0, batch["matte"], losses.flatten(1).mean(1))
    finally:
        for each, mode in training.items():
            each.training = mode
    return scores


def logit_of(net: nn.Module, batch: dict[str, Tensor], device: Any) -> Tensor:
    """The person's logit, float32 (N, 1, H, W) on the CPU, of a batch's pictures."""
    prior = batch.get("prior")
    with torch.no_grad():
        out = net(batch["picture"].to(device), None if prior is None else prior.to(device))
        logit: Tensor = person_logit(out).cpu()
    return logit


def mean_mask(mattes: Iterable[Tensor]) -> Tensor:
    """The mean of mattes (N, 1, H, W), as one (1, 1, H, W): what is known without looking at a picture."""
    total, count = torch.zeros(()), 0
    for each in mattes:
        total = total + each.sum(0, keepdim=True)
        count += len(each)
    return total / max(count, 1)


def baseline(mean: Tensor, batches: Iterable[dict[str, Tensor]]) -> Scores:
    """The scores of answering with the mean of all masks, whatever the picture."""
    scores = Scores()
    for batch in batches:
        found = (mean >= 0.5).expand_as(batch["matte"])
        scores.add(batch["index"], found, batch["matte"], torch.zeros(len(found)))
    return scores
