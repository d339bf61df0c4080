"""What the architectures are made of: convolutions padded as TensorFlow pads them, enlargements, activations.

Tensors are float32 (N, C, H, W) throughout.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation: TypeAlias = Literal["none", "relu", "relu6", "prelu", "hard-swish", "swish"]
"""What follows a convolution; "swish" is x * sigmoid(x), which PyTorch calls SiLU."""

Corners: TypeAlias = Literal["half-pixel", "asymmetric", "aligned"]
"""Where an enlargement finds its samples: TensorFlow's half_pixel_centers, neither option (its old default), and
align_corners."""


def activation(name: Activation, channels: int) -> nn.Module:
    """A layer of that name; PReLU has one slope for each of the channels. Raises `ValueError` for other names."""
    match name:
        case "none":
            return nn.Identity()
        case "relu":
            return nn.ReLU()
        case "relu6":
            return nn.ReLU6()
        case "prelu":
            return nn.PReLU(channels)
        case "hard-swish":
            return nn.Hardswish()
        case "swish":
            return nn.SiLU()
    raise ValueError(f"there is no activation {name}")


def divisible(channels: float, by: int = 8) -> int:
    """The nearest multiple of `by` that is not under nine tenths of a number of channels, and at least `by`.

    MobileNetV2's rule: https://arxiv.org/abs/1801.04381, `_make_divisible` in the authors' code.
    """
    nearest = max(by, int(channels + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * channels else nearest


def same_pads(side: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Zeros before and after a side for TensorFlow's SAME: ceil(side / stride) come out, the odd zero goes after."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-side // stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


def dense(x: Tensor) -> Tensor:
    """A map by itself, channels last, where it is learnt from: a batch norm of a part of another takes four times as
    long on a CPU."""
    return x.contiguous(memory_format=torch.channels_last) if _is_learning(x) else x


def _is_learning(x: Tensor) -> bool:
    """Whether gradients are wanted. What is exported stays made of the fewest operators."""
    return x.requires_grad and not torch.compiler.is_compiling()


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: asymmetric where the stride is not 1.

    (N, C, H, W) becomes (N, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1,
        bias: bool = True,
    ) -> None:  # fmt: skip
        # with a stride of 1 and odd kernels, all that the nets here have, the padding is the same on all sides
        padding = dilation * (kernel - 1) // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, dilation, groups, bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            height, width = x.shape[-2:]
            vertical = same_pads(height, self.kernel_size[0], self.stride[0], self.dilation[0])
            horizontal = same_pads(width, self.kernel_size[1], self.stride[1], self.dilation[1])
            if any((*vertical, *horizontal)):
                x = functional.pad(x, (*horizontal, *vertical))
        return super().forward(x)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution with TensorFlow's SAME padding: (N, C, H, W) becomes (N, outputs, H*stride, W*stride).

    It is the gradient of a convolution with that padding, so what sticks out is cut off where that one pads.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 2, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        height, width = (side * self.stride[0] for side in x.shape[-2:])
        top, _ = same_pads(height, self.kernel_size[0], self.stride[0], 1)
        left, _ = same_pads(width, self.kernel_size[1], self.stride[1], 1)
        return dense(super().forward(x)[..., top : top + height, left : left + width])


class ConvBlock(nn.Module):
    """A convolution, its batch norm, its activation: (N, inputs, H, W) becomes (N, outputs, H / stride, W / stride).

    norm: without one the convolution has a bias in its place, which is also what a folded batch norm leaves.
    symmetric: as many zeros on each side, PyTorch's usual, instead of TensorFlow's SAME; they differ where stride > 1.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, dilation: int = 1, groups: int = 1,
        norm: bool = True, act: Activation = "none", symmetric: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if symmetric:
            padding = dilation * (kernel - 1) // 2
            self.conv: nn.Conv2d = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, not norm)
        else:
            self.conv = SameConv2d(
                inputs, outputs, kernel, stride=stride, dilation=dilation, groups=groups, bias=not norm
            )
        self.norm = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.act = activation(act, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.norm(self.conv(x)))
        return y


class UpConvBlock(nn.Module):
    """A transposed convolution of stride 2, its batch norm, dropout, activation: twice as high and as wide."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, norm: bool = True, act: Activation = "none",
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = SameConvTranspose2d(inputs, outputs, kernel, bias=not norm)
        self.norm = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.act = activation(act, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.dropout(self.norm(self.conv(x))))
        return y


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen by 1x1, filter each channel, narrow by 1x1; added to its input where the shapes agree.

    https://arxiv.org/abs/1801.04381, figure 4. expanded: channels between; `expand=False` leaves the widening out.
    gate: put between the filter and the narrowing, as MobileNetV3 does.
    """

    def __init__(
        self, inputs: int, outputs: int, expanded: int, *, kernel: int = 3, stride: int = 1, norm: bool = True,
        act: Activation = "relu", expand: bool = True, gate: nn.Module | None = None, symmetric: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.expand = ConvBlock(inputs, expanded, norm=norm, act=act) if expand else nn.Identity()
        self.depthwise = ConvBlock(
            expanded, expanded, kernel, stride=stride, groups=expanded, norm=norm, act=act, symmetric=symmetric
        )
        self.gate = gate or nn.Identity()
        self.project = ConvBlock(expanded, outputs, norm=norm)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.with_expanded(x)[0]

    def with_expanded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and what the widening gives, which decoders take as a skip."""
        wide = self.expand(x)
        y = self.project(self.gate(self.depthwise(wide)))
        return (x + y if self.residual else y), wide


class Gate(nn.Module):
    """Squeeze and excitation: a factor 0..1 for each channel, from all their means: (N, C, H, W) to (N, outputs, 1, 1).

    https://arxiv.org/abs/1709.01507. `hidden` of 0: one layer instead of two.
    """

    def __init__(self, channels: int, hidden: int, outputs: int | None = None) -> None:
        super().__init__()
        self.reduce = ConvBlock(channels, hidden, norm=False, act="relu") if hidden else nn.Identity()
        self.expand = ConvBlock(hidden or channels, outputs or channels, norm=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.expand(self.reduce(x.mean((2, 3), keepdim=True))))


class Gated(nn.Module):
    """A map times its own gate."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gate = Gate(channels, hidden)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.gate(x)
        return y


def enlarged(x: Tensor, corners: Corners = "half-pixel") -> Tensor:
    """Twice as high and as wide, bilinear."""
    if corners == "asymmetric" and _is_learning(x):
        return _doubled(x)
    if corners == "asymmetric":
        # 0, 1/2, 1, ... and the last sample twice: an aligned enlargement of one row and one column more
        height, width = x.shape[-2:]
        wider = functional.pad(x, (0, 1, 0, 1), mode="replicate")
        y = functional.interpolate(wider, (2 * height + 1, 2 * width + 1), mode="bilinear", align_corners=True)
        return y[..., : 2 * height, : 2 * width]
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=corners == "aligned")


def _doubled(x: Tensor) -> Tensor:
    """`enlarged` "asymmetric" of means and copies: more operators, but with its gradient a quarter of the time."""
    y = x.permute(0, 2, 3, 1)
    for side in (2, 1):
        last = y.shape[side] - 1
        after = torch.cat([y.narrow(side, min(1, last), last), y.narrow(side, last, 1)], side)
        y = torch.stack([y, torch.lerp(y, after, 0.5)], side + 1).flatten(side, side + 1)
    return y.permute(0, 3, 1, 2)


class Enlarge(nn.Module):
    """`enlarged` as a layer."""

    def __init__(self, corners: Corners = "half-pixel") -> None:
        super().__init__()
        self.corners: Corners = corners

    def forward(self, x: Tensor) -> Tensor:
        return enlarged(x, self.corners)


def probability(logits: Tensor) -> Tensor:
    """The person's probability, (N, 1, H, W) in 0..1, of logits (N, 1, H, W) or (N, 2, H, W): background, person."""
    if logits.shape[1] == 1:
        return logits.sigmoid()
    return logits.softmax(1)[:, 1:]


class WithProbability(nn.Module):
    """A network that gives 0..1 instead of logits, as it is exported."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return probability(self.net(x))
