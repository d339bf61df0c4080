"""SlimNet: 512x512, made small at once, deep at a thirty-second of the size, enlarged inside the network.

Source: `slim512.ipynb` of https://github.com/anilsathyan7/Portrait-Segmentation (MIT). Bottlenecks with separable and
dilated convolutions as in ENet (https://arxiv.org/abs/1606.02147), PReLU throughout, no batch norms.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from vcam.train.nets.layers import Activation, ConvBlock, SameConv2d, SameConvTranspose2d, activation, enlarged

Middle: TypeAlias = Literal["pair", "five"] | int
"""What is between the 1x1 convolutions: two filters for each channel with a 1x1 between them, one of 5x5, or a dense
3x3 of this dilation."""

_DEEP: tuple[tuple[int, Middle], ...] = (
    (8, "pair"), (8, 2), (8, "five"), (8, 4), (8, "pair"), (8, 8),
    (8, "pair"), (8, 2), (8, "five"), (8, 4), (8, "pair"), (8, 8), (4, 1),
)  # fmt: skip
"""Narrow channels and middle of the bottlenecks at a thirty-second of the size."""


class _Bottleneck(nn.Module):
    """act(x) plus what narrowing, the middle and widening make of it; `stride` 2 halves the size.

    Gives the sum, act(x), and what the shortcut pooled.
    """

    def __init__(
        self, inputs: int, narrow: int, outputs: int, middle: Middle, *, stride: int, norm: bool, act: Activation
    ) -> None:
        super().__init__()
        self.act = activation(act, inputs)
        self.narrow = ConvBlock(inputs, narrow, stride, stride=stride, norm=norm)
        self.narrow_act = activation(act, narrow)
        self.shortcut = ConvBlock(inputs, outputs, norm=norm) if inputs != outputs else nn.Identity()
        self.stride = stride
        wide = narrow
        if isinstance(middle, int):
            wide = outputs
            layers = [ConvBlock(narrow, outputs, 3, dilation=middle, norm=norm, act=act)]
        else:
            kernel = 5 if middle == "five" else 3
            layers = [
                SameConv2d(narrow, narrow, kernel, groups=narrow, bias=False),
                ConvBlock(narrow, narrow, norm=norm, act=act),
            ]
            if middle == "pair":
                layers.append(ConvBlock(narrow, narrow, 3, groups=narrow, norm=norm, act=act))
        self.middle = nn.Sequential(*layers)
        self.widen = ConvBlock(wide, outputs, norm=norm)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.act(x)
        y = self.narrow(x)
        pooled = functional.max_pool2d(x, self.stride) if self.stride > 1 else x
        short = self.shortcut(pooled)
        return short + self.widen(self.middle(self.narrow_act(y))), x, pooled


class _Up(nn.Module):
    """Twice the size: a narrow transposed convolution beside an enlarged shortcut that gets the encoder's pooled map.

    skip: channels of the map that is put beside the result before it is refined, 0 for none.
    """

    def __init__(
        self, inputs: int, narrow: int, outputs: int, refined: int, skip: int, *, norm: bool, act: Activation
    ) -> None:
        super().__init__()
        self.act = activation(act, inputs)
        self.narrow = ConvBlock(inputs, narrow, norm=norm)
        self.shortcut = ConvBlock(inputs, outputs, norm=norm)
        self.narrow_act = activation(act, narrow)
        self.up = SameConvTranspose2d(narrow, 8, 3)
        self.up_act = activation(act, 8)
        self.widen = ConvBlock(8, outputs, norm=norm)
        self.mix_act = activation(act, outputs)
        self.mix_narrow = ConvBlock(outputs + skip, refined, norm=norm)
        self.mix_shortcut = ConvBlock(outputs + skip, outputs, norm=norm) if skip else nn.Identity()
        self.mix = nn.Sequential(
            activation(act, refined),
            ConvBlock(refined, refined, 3, norm=norm, act=act),
            ConvBlock(refined, outputs, norm=norm),
        )

    def forward(self, x: Tensor, pooled: Tensor, skip: Tensor | None) -> Tensor:
        x = self.act(x)
        y = self.narrow(x)
        # TensorFlow 1's enlargement of that day, corner to corner
        short = enlarged(self.shortcut(x) + pooled, "aligned")
        x = self.mix_act(short + self.widen(self.up_act(self.up(self.narrow_act(y)))))
        if skip is not None:
            x = torch.cat([x, skip], 1)
        y = self.mix_narrow(x)
        z: Tensor = self.mix_shortcut(x) + self.mix(y)
        return z


class SlimNet(nn.Module):
    """(N, 3, H, W), RGB / 255, both sides multiples of 32, to logits (N, 2, H, W) of background and person.

    norm: batch norms, which the original (347,570 parameters) does not have. act: everywhere; it has PReLU.
    """

    def __init__(
        self, *, size: tuple[int, int] = (512, 512), channels: int = 3, norm: bool = False, act: Activation = "prelu"
    ) -> None:
        super().__init__()
        self.size, self.channels = size, channels

        def bottleneck(inputs: int, narrow: int, outputs: int, middle: Middle, stride: int = 1) -> _Bottleneck:
            return _Bottleneck(inputs, narrow, outputs, middle, stride=stride, norm=norm, act=act)

        self.stem = nn.Sequential(
            ConvBlock(channels, 8, 2, stride=2, norm=norm, act=act), ConvBlock(8, 32, 2, stride=2, norm=norm)
        )
        self.eighth = nn.ModuleList(
            [bottleneck(32, 16, 64, "pair", 2), *(bottleneck(64, 16, 64, "pair") for _ in range(2))]
        )
        self.sixteenth = nn.ModuleList(
            [bottleneck(64, 32, 128, "pair", 2), *(bottleneck(128, 16, 128, "pair") for _ in range(4))]
        )
        self.deep = nn.ModuleList(
            [bottleneck(128, 16, 128, "pair", 2), *(bottleneck(128, narrow, 128, middle) for narrow, middle in _DEEP)]
        )
        self.up = nn.ModuleList([
            _Up(128, 8, 128, 8, 128, norm=norm, act=act),
            _Up(128, 8, 64, 4, 64, norm=norm, act=act),
            _Up(64, 4, 32, 4, 0, norm=norm, act=act),
        ])  # fmt: skip
        self.segment = nn.Sequential(
            activation(act, 32), SameConvTranspose2d(32, 8, 2), activation(act, 8), SameConvTranspose2d(8, 2, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        pooled: list[Tensor] = []
        skips: list[Tensor | None] = [None]
        for stage in (self.eighth, self.sixteenth, self.deep):
            for number, block in enumerate(stage):
                x, activated, small = block(x)
                if number == 0:
                    pooled.append(small)
                elif number == 1 and stage is not self.deep:
                    skips.append(activated)
        for up in self.up:
            x = up(x, pooled.pop(), skips.pop())
        logits: Tensor = self.segment(x)
        return logits
