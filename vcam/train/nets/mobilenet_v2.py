"""MobileNetV2 as an encoder: inverted residuals, linear bottlenecks. https://arxiv.org/abs/1801.04381, table 2."""

from __future__ import annotations

from torch import Tensor, nn

from vcam.train.nets.layers import Activation, ConvBlock, InvertedResidual, divisible

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Factor of the widening, channels, blocks, stride of the first block."""


class MobileNetV2(nn.Module):
    """(N, inputs, H, W) to the maps that a decoder takes.

    width: factor for the channels, rounded to multiples of 8. expand_first: the first block widens too, by 1, as
    PortraitNet has it. symmetric: padded as PyTorch does, else as TensorFlow. `wide` and `narrow` hold the channels of
    what `forward` gives.
    """

    def __init__(
        self, *, inputs: int = 3, width: float = 1.0, norm: bool = True, act: Activation = "relu6",
        expand_first: bool = False, symmetric: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        channels = divisible(32 * width)
        self.stem = ConvBlock(inputs, channels, 3, stride=2, norm=norm, act=act, symmetric=symmetric)
        self.blocks = nn.ModuleList()
        self.wide: list[int] = []
        self.narrow: list[int] = []
        for factor, base, count, stride in STAGES:
            outputs = divisible(base * width)
            for number in range(count):
                step = stride if number == 0 else 1
                if step == 2:
                    self.wide.append(channels * factor)
                    self.narrow.append(channels)
                self.blocks.append(InvertedResidual(
                    channels, outputs, channels * factor, stride=step, norm=norm, act=act,
                    expand=factor > 1 or expand_first, symmetric=symmetric,
                ))  # fmt: skip
                channels = outputs
        self.narrow.append(channels)

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The widened maps that are halved next, and the narrow ones before those and at the end; largest first.

        Widened: at a half, a quarter, an eighth and a sixteenth of the size. Narrow: the same and a thirty-second.
        """
        x = self.stem(x)
        wide, narrow = [], []
        for block in self.blocks:
            before = x
            x, expanded = block.with_expanded(x)
            if block.depthwise.conv.stride[0] == 2:
                wide.append(expanded)
                narrow.append(before)
        return wide, [*narrow, x]
