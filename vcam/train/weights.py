"""Puts weights that others have trained into a network built here.

Layers are matched by name where the file knows vcam's names, else in the order in which both networks run, and where
that does not fit, by shape: each takes the first of its shape that is left. A test holds each architecture to its
original.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from vcam.errors import ModelError
from vcam.printable import printable
from vcam.train.stored import Stored, StoredNorm
from vcam.train.weightfiles import read_weights

Way: TypeAlias = Literal["name", "order", "shape"]
"""How layers were matched."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many layers took weights, and by what they were matched.

    "shape" may be wrong without notice where a network has branches of the same shape beside each other: whoever loads
    so should look at what the network does.
    """

    layers: int
    by: Way


@dataclass(slots=True)
class Slot:
    """A layer that takes weights, its name in the network, and the batch norm that follows it, if one does."""

    name: str
    layer: nn.Conv2d | nn.ConvTranspose2d | nn.PReLU
    norm: nn.BatchNorm2d | None = None

    @property
    def kind(self) -> str:
        """As `Stored.kind`."""
        if isinstance(self.layer, nn.PReLU):
            return "prelu"
        return "transposed" if isinstance(self.layer, nn.ConvTranspose2d) else "conv"

    def fits(self, stored: Stored) -> bool:
        """Whether those are weights of this kind and shape."""
        return stored.kind in ("", self.kind) and tuple(self.layer.weight.shape) == stored.weight.shape


Pairs: TypeAlias = list[tuple[Slot, Stored]]


def slots(net: nn.Module, sample: Tensor) -> list[Slot]:
    """The layers of a network that have weights, in the order in which it runs on a sample (N, C, H, W).

    One that runs several times counts once, where it first does. The network's mode is as before afterwards.
    """
    names = {module: name for name, module in net.named_modules()}
    found: dict[nn.Module, Slot] = {}
    last: list[Slot] = []

    def note(module: nn.Module, _: Any, __: Any) -> None:
        if isinstance(module, nn.BatchNorm2d):
            if last and last[-1].kind != "prelu":
                last[-1].norm = module
        elif module not in found:
            found[module] = Slot(names[module], module)
            last.append(found[module])

    wanted = (nn.Conv2d, nn.ConvTranspose2d, nn.PReLU, nn.BatchNorm2d)
    hooks = [module.register_forward_hook(note) for module in names if isinstance(module, wanted)]
    training = net.training
    try:
        with torch.no_grad():
            net.eval()(sample)
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return list(found.values())


def load(net: nn.Module, path: Path, *, sample: Tensor | None = None, whole: bool = True) -> Loaded:
    """Put the weights of a file, see `vcam.train.weightfiles`, into a network, in place.

    sample: a picture (1, C, H, W) to find the layers' order with; by default a black one of the network's own size.
    whole: the file must hold nothing else. Without it, an encoder takes its part of a larger network.
    Batch norms of the file go into the network's own, or into its biases where it has none; where only the network has
    them they do nothing until they are trained, see `vcam.train.norms.calibrate`.

    The network stays as it was if this raises: `UsageError` if there is no such file, `ModelError` if it cannot be read
    or does not fit.
    """
    return put(net, read_weights(path), path, sample=sample, whole=whole)


def put(
    net: nn.Module, stored: Sequence[Stored], path: Path, *, sample: Tensor | None = None, whole: bool = True,
    parts: Sequence[nn.Module] = (),
) -> Loaded:  # fmt: skip
    """`load` of what has been read from that path. parts: of the network, which alone take weights; by default all do.

    They are what it runs first.
    """
    if sample is None:
        width, height = net.size
        sample = torch.zeros(1, net.channels, height, width)
    wanted = slots(net, sample)
    if parts:
        layers = {each for part in parts for each in part.modules()}
        wanted = [slot for slot in wanted if slot.layer in layers]
    by, pairs = _paired(wanted, stored, printable(str(path)), whole=whole)
    fitted = [(slot, *_fitted(slot, each)) for slot, each in pairs]
    with torch.no_grad():
        for values in fitted:
            _put(*values)
    return Loaded(len(pairs), by)


def _paired(wanted: Sequence[Slot], stored: Sequence[Stored], shown: str, *, whole: bool) -> tuple[Way, Pairs]:
    if len(wanted) > len(stored) or (whole and len(wanted) < len(stored)):
        raise ModelError(
            f"{shown} does not fit: it holds {len(stored)} layers, the network has {len(wanted)}",
            "choose the network that the file was made for",
        )
    if named := _by_name(wanted, stored):
        return "name", named
    in_order = list(zip(wanted, stored, strict=False))
    if all(slot.fits(each) for slot, each in in_order):
        return "order", in_order
    left, pairs = list(stored), []
    for slot in wanted:
        place = next((number for number, each in enumerate(left) if slot.fits(each)), None)
        if place is None:
            shape = "x".join(map(str, slot.layer.weight.shape))
            raise ModelError(
                f"{shown} does not fit: it has no weights of {shape} for {slot.name}",
                "choose the network that the file was made for",
            )
        pairs.append((slot, left.pop(place)))
    return "shape", pairs


def _by_name(wanted: Sequence[Slot], stored: Sequence[Stored]) -> Pairs:
    """All of them, each with the layer of its name; the file's names may have something before them. Empty if not."""
    by_name = {each.name: each for each in stored}
    first = wanted[0].name if wanted else ""
    for before in [name.removesuffix(first) for name in by_name if name == first or name.endswith(f".{first}")]:
        pairs = [(slot, by_name[before + slot.name]) for slot in wanted if before + slot.name in by_name]
        if len(pairs) == len(wanted) and all(slot.fits(each) for slot, each in pairs):
            return pairs
    return []


def _fitted(slot: Slot, stored: Stored) -> tuple[Any, Any, StoredNorm | None]:
    """Weight, bias and norm as the slot has them. Raises `ModelError` if it has no place for a bias."""
    weight, bias, norm = np.asarray(stored.weight, np.float64), stored.bias, stored.norm
    if slot.kind == "prelu":
        return weight, None, None
    outputs = weight.shape[1 if slot.kind == "transposed" else 0]
    offset = np.zeros(outputs) if bias is None else np.asarray(bias, np.float64)
    if norm is not None and slot.norm is None:
        factor = norm.scale / np.sqrt(np.asarray(norm.variance, np.float64) + norm.eps)
        weight = weight * factor.reshape((1, -1, 1, 1) if slot.kind == "transposed" else (-1, 1, 1, 1))
        offset, norm = (offset - norm.mean) * factor + norm.shift, None
    if slot.norm is not None:
        if norm is None:
            one = np.ones(outputs)
            norm = StoredNorm(one * np.sqrt(1 + slot.norm.eps), offset, 0 * one, one, slot.norm.eps)
        else:
            scale = norm.scale * np.sqrt((norm.variance + slot.norm.eps) / (norm.variance + norm.eps))
            norm = StoredNorm(scale, norm.shift, norm.mean - offset, norm.variance, slot.norm.eps)
        return weight, None if slot.layer.bias is None else np.zeros(outputs), norm
    if slot.layer.bias is None and offset.any():
        raise ModelError(f"the file has a bias for {slot.name}, which has none", "choose the network it was made for")
    return weight, None if slot.layer.bias is None else offset, norm


def _put(slot: Slot, weight: Any, bias: Any, norm: StoredNorm | None) -> None:
    slot.layer.weight.copy_(torch.from_numpy(weight))
    if bias is not None:
        slot.layer.bias.copy_(torch.from_numpy(bias))
    if norm is not None and slot.norm is not None:
        for mine, value in (
            (slot.norm.weight, norm.scale), (slot.norm.bias, norm.shift),
            (slot.norm.running_mean, norm.mean), (slot.norm.running_var, norm.variance),
        ):  # fmt: skip
            mine.copy_(torch.from_numpy(np.asarray(value, np.float64)))
