"""Training on under the roundings of 8 bits, so that a network loses less when it is quantised afterwards.

Weights and maps are rounded in every forward pass, and gradients go straight through (Jacob et al., "Quantization and
Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", https://arxiv.org/abs/1712.05877). What
comes out is a network of floats for whichever quantiser: its weights lie well on a grid of 8 bits, and its maps survive
theirs. So there is one way to each form, with this or without. torchao's QAT would give a graph for ONNX alone.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from vcam.datasets.store import Entry
from vcam.errors import ModelError, UsageError
from vcam.infer.base import Picture
from vcam.train.fed import Fed
from vcam.train.nets.registry import Architecture
from vcam.train.samples import Samples, loader

BATCH, RATE = 8, 1e-4
LOOKS = 4
"""Batches whose maps give the ranges before anything is trained."""


class RoundedWeight(nn.Module):
    """Weights on a grid of -127 to 127 steps for each channel that comes out; `axis` is that channel's."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, weight: Tensor) -> Tensor:
        rest = [each for each in range(weight.ndim) if each != self.axis]
        scale = (weight.detach().abs().amax(rest) / 127).clamp(min=1e-12)
        zero = torch.zeros_like(scale, dtype=torch.int32)
        rounded: Tensor = torch.fake_quantize_per_channel_affine(weight, scale, zero, self.axis, -127, 127)
        return rounded


class RoundedMap(nn.Module):
    """Maps on a grid of 256 steps over the range that has been seen; 0 is one of them, as paddings need it.

    looking: the range follows what is given, and nothing is rounded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high, self.looking = 0.0, 0.0, True

    def forward(self, values: Tensor) -> Tensor:
        if self.looking:
            self.low = min(self.low, float(values.detach().amin()))
            self.high = max(self.high, float(values.detach().amax()))
            return values
        scale = max((self.high - self.low) / 255, 1e-12)
        zero = round(-self.low / scale)
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(values, scale, min(max(zero, 0), 255), 0, 255)
        return rounded


def tuned(
    net: nn.Module, kind: Architecture, way: Picture, entries: Sequence[Entry], minutes: float,
    tell: Callable[[str], None] = lambda words: None, seed: int = 0,
) -> nn.Module:  # fmt: skip
    """A copy of a network as `onnxfile.ready` gives it, trained on for so long; the one given stays as it is.

    It learns the mattes and, as much, what it found before. Raises `InputError` if no picture can be read, `ModelError`
    if the training diverges, `UsageError` for no time.
    """
    if minutes <= 0:
        raise UsageError("training on needs some time", "--minutes 5")
    width, height = way.size
    learner = copy.deepcopy(net.net)
    samples = Samples(
        entries, (height, width), augment=True, backdrops=None, prior=way.channels == 4, texture=False, seed=seed
    )  # fmt: skip
    feed = Fed(learner, kind)
    maps = _rounded(learner)
    optimiser = torch.optim.Adam(learner.parameters(), RATE)
    batches = loader(samples, BATCH, 0, shuffle=True)
    begun, steps, epoch = time.monotonic(), 0, 0
    end = begun + 60 * minutes
    while time.monotonic() < end:
        samples.set_epoch(epoch)
        epoch += 1
        for batch in batches:
            given = feed.given(batch["picture"], batch.get("prior"))
            if steps == LOOKS:
                for each in maps:
                    each.looking = False
            done = (time.monotonic() - begun) / (60 * minutes)
            for group in optimiser.param_groups:
                group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
            with torch.no_grad():
                before = net(given)
            loss = functional.binary_cross_entropy_with_logits(learner(given), 0.5 * (batch["matte"] + before))
            if not torch.isfinite(loss):
                raise ModelError("training for 8 bits diverges", "export without --qat")
            if steps >= LOOKS:
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            steps += 1
            left = max(0.0, end - time.monotonic())
            tell(f"training for 8 bits: step {steps}, loss {float(loss.detach()):.4f}, {left:.0f} s left")
            if time.monotonic() >= end:
                break
    twin = copy.deepcopy(net)
    _plain(learner)
    twin.net.load_state_dict(learner.state_dict())
    return twin.eval()


def _rounded(net: nn.Module) -> list[RoundedMap]:
    """Let the convolutions of a network round weights, inputs and outputs; returns what rounds the maps."""
    maps: list[RoundedMap] = []

    def round_maps(layer: nn.Module) -> None:
        taken, given = RoundedMap(), RoundedMap()
        maps.extend((taken, given))
        layer.register_forward_pre_hook(lambda _, inputs: (taken(inputs[0]), *inputs[1:]))
        layer.register_forward_hook(lambda _, __, output: given(output))

    for layer in list(net.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            axis = int(isinstance(layer, nn.ConvTranspose2d))
            parametrize.register_parametrization(layer, "weight", RoundedWeight(axis))
            round_maps(layer)
    return maps


def _plain(net: nn.Module) -> None:
    """Take the roundings off; the weights are those that were rounded."""
    for layer in list(net.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            layer._forward_hooks.clear()
            layer._forward_pre_hooks.clear()
