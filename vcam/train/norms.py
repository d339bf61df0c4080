"""Batch norms of a network: folded away for running, and given their bearings for training on from folded weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from vcam.train.nets.layers import ConvBlock, UpConvBlock

Block = ConvBlock | UpConvBlock


def folded(net: nn.Module) -> nn.Module:
    """A copy of a network whose batch norms are part of its convolutions; it computes the same as the original in eval.

    The one given stays as it is. The copy is in eval mode.
    """
    twin = copy.deepcopy(net).eval()
    with torch.no_grad():
        for block in _blocks(twin):
            norm, old = block.norm, block.conv
            factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            transposed = isinstance(old, nn.ConvTranspose2d)
            old.weight.mul_(factor.reshape((1, -1, 1, 1) if transposed else (-1, 1, 1, 1)))
            offset = 0 if old.bias is None else old.bias
            old.bias = nn.Parameter((offset - norm.running_mean) * factor + norm.bias)
            block.norm = nn.Identity()
    return twin


def calibrate(net: nn.Module, pictures: Tensor, parts: Sequence[nn.Module] = ()) -> None:
    """Set the batch norms of a network by pictures (N, C, H, W) so that training starts where it computes the same.

    Weights with folded norms leave norms of mean 0 and variance 1, which do nothing in eval. In training they would
    normalise by what the batch really has, and undo what was learnt. Here each is given the mean and variance that the
    pictures have there, and the scale and shift that undo them: in eval the network computes what it did before, and
    on such pictures in training nearly the same. Norms that have a mean already stay as they are. In place; the mode is
    as before afterwards. 32 pictures are enough. parts: of the network, whose norms alone are set; by default all are.
    """
    norms = [each for part in parts or [net] for each in part.modules() if isinstance(each, nn.BatchNorm2d)]
    idle = [each for each in norms if not each.running_mean.any()]
    if not idle:
        return
    training = net.training
    hooks = []

    def settle(norm: nn.BatchNorm2d) -> None:
        def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(given[0], (0, 2, 3), correction=0)
            before = torch.sqrt(norm.running_var + norm.eps)
            # y = (x - m) / s * scale + shift, with other m and s
            norm.bias.add_((mean - norm.running_mean) / before * norm.weight)
            norm.weight.mul_(torch.sqrt(variance + norm.eps) / before)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)

        hooks.append(norm.register_forward_pre_hook(look))

    for each in idle:
        settle(each)
    try:
        with torch.no_grad():
            net.eval()(pictures)
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()


def _blocks(net: nn.Module) -> Iterator[Block]:
    return (
        each for each in list(net.modules()) if isinstance(each, Block) and isinstance(each.norm, nn.BatchNorm2d)
    )  # fmt: skip
