"""Weights of an encoder that others have trained, made fit for a network here: for what it is given, and its layers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from vcam.errors import ModelError
from vcam.printable import printable
from vcam.train.nets.layers import ConvBlock
from vcam.train.nets.mobilenet_v2 import MobileNetV2
from vcam.train.nets.registry import ARCHITECTURES, Architecture
from vcam.train.recipe import EncoderInput
from vcam.train.runs import read_state
from vcam.train.schedule import encoder_parts
from vcam.train.stored import Array, Stored
from vcam.train.weightfiles import read_weights
from vcam.train.weights import put, slots


class Given(NamedTuple):
    """A network is given (value - mean) / scale for values 0..255, three channels in `order`."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    order: str = "RGB"


_KNOWN = {
    "0..1": Given((0.0,) * 3, (255.0,) * 3),
    "-1..1": Given((127.5,) * 3, (127.5,) * 3),
    "imagenet": Given((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}


def given_to(path: Path, kind: Architecture, said: EncoderInput) -> Given:
    """What the encoder in a file was given in its training; path: a file that was read as weights already.

    auto: runs of vcam and their ONNX files say so themselves; other files of PyTorch and ONNX are taken for
    torchvision's way, the rest for TensorFlow's, -1..1.
    """
    if said == "same":
        return _of(kind)
    if said != "auto":
        return _KNOWN[said]
    if (network := _network_in(path)) in ARCHITECTURES:
        return _of(ARCHITECTURES[network])
    return _KNOWN["imagenet" if path.suffix.lower() in (".pt", ".pth", ".onnx") else "-1..1"]


def _network_in(path: Path) -> str:
    """The architecture that vcam wrote into a file, "" for others."""
    if path.suffix.lower() in (".pt", ".pth"):
        return str(read_state(path).get("network", ""))
    if path.suffix.lower() == ".onnx":
        import onnx

        model = onnx.load(path, load_external_data=False)
        return str(model.graph.name) if model.producer_name == "vcam" else ""
    return ""


def _of(kind: Architecture) -> Given:
    return Given(kind.mean, kind.scale, kind.order)


def load_encoder(net: nn.Module, path: Path, kind: Architecture, said: EncoderInput = "auto") -> None:
    """Put the weights of an encoder into that of a network, in place.

    Its first convolution is changed so that it computes from what this network is given what it did from what it was
    trained with; but for the outermost pixels, beside which zeros are another colour. A mask of the frame before has no
    weight at first, unless the encoder has learnt from one. An encoder that only networks of this kind have is taken
    out of such a network.

    Raises `UsageError` if there is no such file, `ModelError` if they do not fit.
    """
    encoder = getattr(net, "encoder", None)
    # else it is that of a network of the same kind, and a part of what there is to read
    theirs = isinstance(encoder, nn.Module)
    sample = torch.zeros(1, net.channels, 64, 64)
    stored, stem = read_weights(path), slots(net, sample)[0].layer
    shapes = [(stem.out_channels, channels, *stem.kernel_size) for channels in (3, 4)]
    place = next((at for at, each in enumerate(stored) if each.weight.shape in shapes), None)
    if place is None and said != "auto":
        raise ModelError(
            f"{printable(str(path))} has no first convolution of {shapes[0]}, which could be changed for another input",
            "choose the network that the file was made for",
        )
    if place is not None:
        given = given_to(path, kind, said) if theirs or said != "auto" else _of(kind)
        first = stored[place] = _given_other(stored[place], given, _of(kind), stem.in_channels)
        if isinstance(encoder, MobileNetV2) and isinstance(encoder.blocks[0].expand, ConvBlock):
            _let_through(stored, place, first, stem.out_channels)
    parts = () if theirs else encoder_parts(net)
    put(encoder if theirs else net, stored, path, sample=sample, whole=False, parts=parts)


def _given_other(layer: Stored, theirs: Given, mine: Given, channels: int) -> Stored:
    """A first convolution for what this network is given. A channel beyond the three keeps its weights, or gets zeros;
    one that this network has not is left out.

    theirs = (mine * own scale + own mean - their mean) / their scale, channel by channel.
    """
    made = copy.copy(layer)
    weight: Array = np.zeros((len(layer.weight), channels, *layer.weight.shape[2:]), np.float64)
    both = min(channels, layer.weight.shape[1])
    weight[:, :both] = layer.weight[:, :both]
    offset: Array = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias.astype(np.float64)
    for channel, name in enumerate(theirs.order):
        own = mine.order.index(name)
        weight[:, own] = layer.weight[:, channel] * (mine.scale[own] / theirs.scale[channel])
        offset = offset + layer.weight[:, channel].sum((1, 2), dtype=np.float64) * (
            (mine.mean[own] - theirs.mean[channel]) / theirs.scale[channel]
        )
    made.weight, made.bias = weight.astype(np.float32), offset.astype(np.float32)
    return made


def _let_through(stored: list[Stored], place: int, first: Stored, channels: int) -> None:
    """PortraitNet's first block has a 1x1 convolution more than MobileNetV2: where the file has none, one that does
    nothing."""
    shape = (channels, channels, 1, 1)
    if place + 1 < len(stored) and stored[place + 1].weight.shape == shape:
        return
    name = f"{first.name.removesuffix('stem.conv')}blocks.0.expand.conv"
    stored.insert(place + 1, Stored(name, "conv", np.eye(channels, dtype=np.float32).reshape(shape)))
