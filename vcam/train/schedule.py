"""How a training goes on in time: the rate of learning, the mean of weights, when the encoder thaws, when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_WARM_UP = 0.03
_LOWEST = 0.01


def cosine(done: float) -> float:
    """The factor of the rate of learning when a share of the training is done, 0..1.

    It rises for 3 % and then falls to a hundredth along half a cosine: SGDR without restarts,
    https://arxiv.org/abs/1608.03983.
    """
    if done < _WARM_UP:
        return max(done / _WARM_UP, _LOWEST)
    along = min((done - _WARM_UP) / (1 - _WARM_UP), 1.0)
    return _LOWEST + (1 - _LOWEST) * (1 + math.cos(math.pi * along)) / 2


def warm(done: float) -> float:
    """The factor without the fall: for a plateau, which lowers the rate by itself."""
    return max(min(done / _WARM_UP, 1.0), _LOWEST)


@dataclass(slots=True)
class Progress:
    """Whether it still gets better: the best score so far, and since which epoch."""

    best: float = -math.inf
    best_epoch: int = 0
    factor: float = 1.0
    lowered: int = 0

    def note(self, score: float, epoch: int, plateau: int) -> bool:
        """Take the score of an epoch; whether it is the best. After `plateau` epochs without, the rate falls."""
        if score > self.best:
            self.best, self.best_epoch, self.lowered = score, epoch, epoch
            return True
        if plateau and epoch - self.lowered >= plateau:
            self.factor, self.lowered = self.factor / 3, epoch
        return False

    def state(self) -> dict[str, Any]:
        """For a file."""
        return {"best": self.best, "best_epoch": self.best_epoch, "factor": self.factor, "lowered": self.lowered}


class Average:
    """The exponential mean of a network's weights and buffers, which does better than the weights of any one step.

    https://arxiv.org/abs/1803.05407 and its kin. In the first steps the mean is short, so that it does not remember the
    random weights: min(keep, (1 + step) / (10 + step)), as TensorFlow's ExponentialMovingAverage has it.
    """

    def __init__(self, net: nn.Module, keep: float) -> None:
        self.keep, self.steps = keep, 0
        # the network's own, which change in place; to look for them in each step would take longer than the mean
        theirs = net.state_dict()
        self.state = {name: each.detach().clone() for name, each in theirs.items()}
        self._pairs = [(each, theirs[name]) for name, each in self.state.items()]

    def update(self) -> None:
        """Take the weights of a step."""
        self.steps += 1
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps))
        floats = [pair for pair in self._pairs if pair[0].is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_([mine for mine, _ in floats], [theirs for _, theirs in floats], 1 - keep)
            for mine, theirs in self._pairs:
                if not mine.is_floating_point():
                    mine.copy_(theirs)


_ENCODERS: dict[str, tuple[str, ...]] = {
    "Selfie": ("stem", "quarter", "eighth", "deep"),
    "PrismaNet": ("stem", "encode", "down", "deep"),
    "SlimNet": ("stem", "eighth", "sixteenth", "deep"),
}


def encoder_parts(net: nn.Module) -> list[nn.Module]:
    """The modules that make up a network's encoder."""
    names = _ENCODERS.get(type(net).__name__, ("encoder",))
    return [getattr(net, name) for name in names if hasattr(net, name)]


def freeze(net: nn.Module, frozen: bool, *, settled: bool = False) -> None:
    """Put a network into training mode, its encoder as it stays: no gradients, and norms as they were learnt.

    settled: all norms keep their statistics. Those of augmented pictures, eight at a time, are not those of the
    pictures that it will see, and a network that knows something already is worse off with them at once.
    """
    net.train()
    if settled:
        for each in net.modules():
            if isinstance(each, nn.BatchNorm2d):
                each.eval()
    for part in encoder_parts(net):
        part.requires_grad_(not frozen)
        if frozen:
            part.eval()
