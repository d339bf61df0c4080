"""What changes weights by their gradients: AdamW, and Muon for convolutions that mix channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vcam.errors import EngineError
from vcam.train.pytorch import is_out_of_memory
from vcam.train.recipe import Recipe

DECAY = 0.01
"""Of weights. With ten times as much `mobile-unet-v3` came to the same in five minutes of AdamW, with forty to less."""

MOMENTUM = 0.95
"""Of the gradient, in Muon."""

_STEPS, _LINEAR, _CUBIC, _QUINTIC = 5, 3.4445, -4.775, 2.0315
"""Of Newton and Schulz' iteration, the coefficients by Keller Jordan: after five steps all lie near 1, .7 to 1.2."""

_ROWS = 512
"""What has more in its first dimension is taken the other way round: the second transposed convolution of `mobile-unet`
would take a third of a step. Where it is cheap it is not done: `prisma-net`, with its fewer channels as rows, came to
80.3 mIoU in place of 81.6, each after 31 epochs of 90 portraits."""

_AS_ADAMW = 0.2
"""The root mean square of AdamW's steps, by the rate, so that one serves both: https://arxiv.org/abs/2502.16982."""


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal: each direction in which a layer can change is given the same length of step.

    Source: https://kellerjordan.github.io/posts/muon/. A weight (A, B, ...) is a matrix of A or B rows. PyTorch has one
    from 2.9 on, for parameters that are matrices and always in bf16, which is slow where matrices are small, and slower
    where the processor has no bf16.
    """

    def __init__(self, weights: list[Tensor], rate: float, *, exact: bool) -> None:
        """exact: computes in float32, else in bf16, which only large matrices gain by."""
        super().__init__(weights, {"lr": rate, "weight_decay": DECAY})
        self.exact = exact

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change all weights that have a gradient. closure: computes the loss anew, and the gradients."""
        loss = None if closure is None else closure()
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    if weight.grad is not None:
                        self._change(weight, weight.grad, group["lr"], group["weight_decay"])
        return loss

    def _change(self, weight: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        mean = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        # a look ahead, by Nesterov
        made = gradient.lerp(mean, MOMENTUM)
        turned = made.shape[0] > _ROWS
        made = made.transpose(0, 1) if turned else made
        matrix = orthogonal(made.flatten(1).to(torch.float32 if self.exact else torch.bfloat16))
        step = matrix.view(made.shape)
        weight.mul_(1 - rate * decay)
        weight.add_(step.transpose(0, 1) if turned else step, alpha=-rate * _AS_ADAMW * math.sqrt(max(matrix.shape)))


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all one, nearly: (A, B), of its dtype; a fresh one.

    They come to lie between .7 and 1.2, but for those under a hundredth of the largest ones, which remain smaller.
    """
    upright = matrix.shape[0] > matrix.shape[1]
    # of the smaller side, whose square is the cost; laid out anew, or bf16 would be slow
    x = (matrix.T if upright else matrix).contiguous()
    x = x / (x.norm() + 1e-7)
    for _ in range(_STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=_CUBIC, alpha=_QUINTIC), x, beta=_LINEAR)
    return (x.T if upright else x).contiguous()


def _mixes_channels(weight: Tensor) -> bool:
    """Whether Muon takes care of it; filters of one channel each, first and last layers are left to AdamW."""
    return bool(weight.ndim > 1 and min(weight.shape[:2]) > 4)


class Optimizers:
    """Those of one training, as one: AdamW for all, or for what Muon does not take."""

    def __init__(self, recipe: Recipe, net: nn.Module, fabric: Any) -> None:
        """fabric: on whose device the network is already."""
        taken = [each for each in net.parameters() if recipe.optimizer == "muon" and _mixes_channels(each)]
        ids = {id(each) for each in taken}
        rest = [each for each in net.parameters() if id(each) not in ids]
        # biases, slopes and norms do not decay
        groups = [
            {"params": [each for each in rest if each.ndim > 1], "weight_decay": DECAY},
            {"params": [each for each in rest if each.ndim <= 1], "weight_decay": 0.0},
        ]
        # https://arxiv.org/abs/1711.05101
        made: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=recipe.rate, fused=fabric.device.type in ("cpu", "cuda"))
        ]
        if taken:
            made.append(Muon(taken, recipe.rate, exact=recipe.precision == "float32"))
        self._all: list[Any] = [fabric.setup_optimizers(each) for each in made]

    @property
    def rate(self) -> float:
        """Of learning."""
        return float(self._all[0].param_groups[0]["lr"])

    @rate.setter
    def rate(self, rate: float) -> None:
        for each in self._all:
            for group in each.param_groups:
                group["lr"] = rate

    def forget(self) -> None:
        """Drop the gradients."""
        for each in self._all:
            each.zero_grad(set_to_none=True)

    def clip(self, module: nn.Module, longest: float) -> float:
        """Shorten the gradient, all as one vector, to `longest`; its length before, which may be no number.

        By PyTorch, since Fabric shortens what one optimizer changes; it would be the same without a scaled loss.
        """
        return float(torch.nn.utils.clip_grad_norm_(module.parameters(), longest))

    def step(self) -> None:
        """Change the weights. Raises `EngineError` where memory does not suffice, when some have changed already."""
        try:
            for each in self._all:
                each.step()
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise EngineError("there is not enough memory to change the weights", "a smaller network") from error
            raise

    def state(self) -> list[dict[str, Any]]:
        """For a file."""
        return [each.state_dict() for each in self._all]

    def restore(self, state: list[dict[str, Any]] | dict[str, Any]) -> None:
        """Put back what `state` gave; a dict is of a run from when there was one. Raises `ValueError` for others."""
        states = [state] if isinstance(state, dict) else state
        for mine, theirs in zip(self._all, states, strict=True):
            mine.load_state_dict(theirs)
