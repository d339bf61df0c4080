"""How far restored samples are from the true ones, and what a network's arguments come to over many."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vcam.colour import FULL, SPAN, TO_RGB
from vcam.train.harmony.arguments import apply
from vcam.train.harmony.net import Harmoniser
from vcam.train.harmony.stream import Batch

SMALL = 0.01
"""What the sum of the squares of the arguments weighs: of two ways to the same pixels the shorter one."""
HARM = 0.3
"""What a sample that became worse weighs besides."""

_KNEE = 5.0
"""Squared levels: errors far below it no longer pull, since nobody sees them."""


def squares(planes: Tensor, true: Tensor) -> Tensor:
    """Of each sample the mean squared error in levels of R, G and B, 0..255: (N, 3, P) Y, Cb, Cr to (N,)."""
    to_rgb = torch.from_numpy(TO_RGB * (FULL / SPAN)[:, None]).to(planes)
    return (torch.einsum("ncp,cd->ndp", planes - true, to_rgb) ** 2).mean((1, 2))


def restored(arguments: Tensor, batch: Batch) -> Tensor:
    """The person's pixels as the arguments leave them."""
    return apply(batch["shown"].float()[:, :, None], arguments)[:, :, 0]


def loss(arguments: Tensor, batch: Batch) -> Tensor:
    """The logarithm of the squared error over that before, so that each decibel weighs the same; a scalar."""
    true = batch["true"].float()
    before, after = squares(batch["shown"].float(), true), squares(restored(arguments, batch), true)
    off = ((after + _KNEE) / (before + _KNEE)).log()
    return ((off + HARM * off.clamp(min=0)) * batch["person"]).mean() + SMALL * (arguments**2).sum(1).mean()


@dataclass(slots=True)
class Judged:
    """Over the samples for validation: gain in dB over the disturbed ones and the share of these that became worse;
    the change of undisturbed ones, mean of levels; the loss."""

    gain: float
    worse: float
    change: float
    loss: float


def judged(net: Harmoniser, batch: Batch) -> Judged:
    """The network is put into eval mode and stays there."""
    net.eval()
    with torch.no_grad():
        arguments = net.told(batch["known"].float())
        true = batch["true"].float()
        before, after = (squares(each, true) for each in (batch["shown"].float(), restored(arguments, batch)))
        seen = batch["changed"] & batch["person"] & (before > 1)
        gain = 10 * (before[seen] / after[seen].clamp(min=0.1)).log10()
        change = after[~batch["changed"] & batch["person"]].sqrt()
        return Judged(_mean(gain), _mean((gain < 0).float()), _mean(change), float(loss(arguments, batch)))


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else 0.0
