"""A network that is there already, taught a little more, and held to what it said before on other pictures.

tuning = FineTuning("selfie-landscape", path)
for done in shares:
    tuning.step(pictures, targets, others, done)
tuning.write(folder, share=1.0)          # a run, as `vcam train` leaves one behind
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vcam.train import runs
from vcam.train.fed import Fed
from vcam.train.losses import edges, person_logit
from vcam.train.nets.registry import architecture
from vcam.train.runs import values_of, write_state
from vcam.train.schedule import Average, cosine
from vcam.train.weights import load
from vcam.types import F32, U8

RATE = 2e-4
"""Of learning."""
CALMER = 3.0
"""By what the logits are divided before anything is learnt."""
KEEP = 0.99
"""How much of the mean of weights stays in a step."""
CLIP = 5.0
"""The longest gradient."""
EDGES = 2.0
"""How much more a pixel at the edge counts in what is learnt."""

_OPTIONS = {"norm": False}
"""Norms are folded into the weights: a few pictures of one room would give them the statistics of that room."""


class FineTuning:
    """One network at work. Not thread safe.

    The logits of the published networks go to several hundreds: next to no pixel has a gradient but those that are
    wrong, and what is sharper than any label can only be unlearnt. So they are divided by `CALMER` first, which moves
    no edge and makes it as soft as the labels' edges are.
    """

    def __init__(
        self, network: str, start: Path, *, rate: float = RATE, seed: int = 0, threads: int = 1
    ) -> None:  # fmt: skip
        """network: its architecture; start: the file of its weights. Raises `UsageError` and `ModelError` as
        `vcam.train.weights.load` does."""
        self.kind, self.network, self._rate = architecture(network), network, rate
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        net: nn.Module = self.kind.build(**_OPTIONS)
        load(net, start)
        with torch.no_grad():
            for each in net.segment.parameters():
                each /= CALMER
        self._origin = Fed(copy.deepcopy(net).eval().requires_grad_(False), self.kind)
        self._net = net.to(memory_format=torch.channels_last)
        self._fed = Fed(net, self.kind).train()
        self._optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.0)
        self._average = Average(net, KEEP)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of what it is given."""
        return self.kind.size[1], self.kind.size[0]

    def step(self, pictures: U8, targets: F32, others: U8, done: float) -> float:
        """One step; the loss.

        pictures: uint8 (N, height, width, 3) RGB with the probabilities that are to be learnt, float32 (N, height,
        width). others: pictures on which it shall say what it said before, uint8 (M, height, width, 3). done: 0..1,
        the share of the training, by which the rate falls.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * cosine(done)
        own, before = _given(pictures), _given(others)
        with torch.no_grad():
            kept = person_logit(self._origin(before)).sigmoid()
        wanted = torch.cat([torch.from_numpy(targets)[:, None], kept])
        logits = person_logit(self._fed(torch.cat([own, before]).contiguous(memory_format=torch.channels_last)))
        losses = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        weights = torch.ones_like(losses)
        weights[: len(own)] += EDGES * edges(wanted[: len(own)])
        loss = (losses * weights).mean()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._net.parameters(), CLIP)
        self._optimizer.step()
        self._average.update()
        return float(loss.detach())

    def _mixed(self, share: float) -> dict[str, Tensor]:
        """So much of what was learnt, and the rest of what it was; 0 is the original."""
        before = self._origin.net.state_dict()
        return {name: torch.lerp(before[name], each, share) for name, each in self._average.state.items()}

    def answers(self, pictures: U8, share: float) -> F32:
        """What it says with so much of what was learnt, float32 (N, height, width), 0..1; 0 is the original."""
        now = {name: each.clone() for name, each in self._net.state_dict().items()}
        try:
            self._net.load_state_dict(self._mixed(share))
            with torch.no_grad():
                parts = [person_logit(self._fed(_given(each))).sigmoid() for each in _parts(pictures)]
        finally:
            self._net.load_state_dict(now)
        found: F32 = torch.cat(parts)[:, 0].numpy()
        return found

    def write(self, folder: Path, share: float) -> None:
        """Write it as the best of a run, into a folder that is there. Raises `OutputError`."""
        state = {
            "network": self.network, "options": dict(_OPTIONS), "size": list(self.kind.size), "prior": False,
            "values": list(values_of(self.kind)), "model": self._mixed(share), "epoch": 0, "score": 0.0,
        }  # fmt: skip
        write_state(folder / runs.BEST, state)


_MOST = 16
"""Pictures that are looked at together."""


def _parts(pictures: U8) -> list[U8]:
    return [pictures[first : first + _MOST] for first in range(0, len(pictures), _MOST)]


def _given(pictures: U8) -> Tensor:
    """(N, 3, height, width), 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().mul_(1 / 255)
