"""Mobile-UNet on MobileNetV3: its small, minimalistic form as encoder (no gates, no h-swish, 3x3 filters only).

Two decoders, each from a notebook of https://github.com/anilsathyan7/Portrait-Segmentation (MIT). "transposed"
(`portrait_segmentation_v3.ipynb`, 224x224): transposed convolutions, concatenated skips, dropout. "transition"
(`MobilenetV3/mnv3seg_tfsource.ipynb`, 256x256): transition blocks after PortraitNet's, bilinear enlargement, additive
skips, two channels out. MobileNetV3: https://arxiv.org/abs/1905.02244, table 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcam.train.nets.layers import Activation, ConvBlock, InvertedResidual, SameConvTranspose2d, UpConvBlock, enlarged

_BLOCKS = (
    (72, 24, 2), (88, 24, 1), (96, 40, 2), (240, 40, 1), (240, 40, 1), (120, 48, 1), (144, 48, 1),
    (288, 96, 2), (576, 96, 1), (576, 96, 1),
)  # fmt: skip
"""Channels between, channels, stride."""
_SKIPS = (288, 96, 72)
"""Channels of the widened maps at a sixteenth, an eighth and a quarter of the size."""


class MobileNetV3Small(nn.Module):
    """(N, inputs, H, W) to the deepest map, 576 channels at a thirty-second of the size, and the skips, largest first.

    Skips: 16 channels at a half, then the widened maps that are halved, 72, 96 and 288. width: factor for the channels
    between the blocks. last: the activation of the deepest map.
    """

    def __init__(
        self, *, inputs: int, width: float, norm: bool, act: Activation, last: Activation
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = ConvBlock(inputs, 16, 3, stride=2, norm=norm, act=act)
        channels = int(16 * width)
        self.first = InvertedResidual(16, channels, 16, stride=2, norm=norm, act=act, expand=False)
        self.blocks = nn.ModuleList()
        for wide, base, stride in _BLOCKS:
            outputs = int(base * width)
            self.blocks.append(InvertedResidual(channels, outputs, wide, stride=stride, norm=norm, act=act))
            channels = outputs
        self.last = ConvBlock(channels, 576, norm=norm, act=last)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        half = self.stem(x)
        x, skips = self.first(half), [half]
        for block in self.blocks:
            x, wide = block.with_expanded(x)
            if block.depthwise.conv.stride[0] == 2:
                skips.append(wide)
        return self.last(x), skips


class Transition(nn.Module):
    """Two separable convolutions beside a 1x1 one, added: (N, inputs, H, W) becomes (N, outputs, H, W).

    PortraitNet's D-block: https://doi.org/10.1016/j.cag.2019.03.007, figure 3. shortcut_last: in which order the two
    ways run, which counts for weights that are read in order.
    """

    def __init__(
        self, inputs: int, outputs: int, *, norm: bool, act: Activation = "relu", shortcut_last: bool = False
    ) -> None:
        super().__init__()
        self.shortcut_last = shortcut_last
        self.shortcut = ConvBlock(inputs, outputs, norm=norm)
        self.body = nn.Sequential(
            ConvBlock(inputs, inputs, 3, groups=inputs, norm=norm, act=act),
            ConvBlock(inputs, outputs, norm=norm, act=act),
            ConvBlock(outputs, outputs, 3, groups=outputs, norm=norm, act=act),
            ConvBlock(outputs, outputs, norm=norm),
        )
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        if self.shortcut_last:
            y = self.body(x)
            y = y + self.shortcut(x)
        else:
            y = self.shortcut(x)
            y = y + self.body(x)
        z: Tensor = self.act(y)
        return z


class MobileUNetV3(nn.Module):
    """(N, C, H, W), RGB / 255, both sides multiples of 32, to logits (N, 1, H, W).

    width: of the channels between the encoder's blocks and of the decoder; the original has 1.0 (2,552,241 parameters
    without norms) and 0.5 (1,192,213). act: of the encoder. dropout: in the decoder but for its last stage; the
    original has 0.5, which a short training of augmented pictures is worse by.
    """

    def __init__(
        self, *, size: tuple[int, int] = (224, 224), channels: int = 3, width: float = 1.0, norm: bool = True,
        act: Activation = "relu", dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.channels = size, channels
        self.encoder = MobileNetV3Small(inputs=channels, width=width, norm=norm, act=act, last=act)
        self.up = nn.ModuleList()
        inputs = 576
        for base, skip in zip((256, 128, 64, 32, 16), (*_SKIPS, 16, 0), strict=True):
            outputs = int(base * width)
            self.up.append(UpConvBlock(inputs, outputs, norm=norm, act="relu", dropout=dropout if skip else 0.0))
            inputs = outputs + skip
        self.segment = SameConvTranspose2d(inputs, 1, 1, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        x, skips = self.encoder(x)
        for up in self.up:
            x = up(x)
            if skips:
                x = torch.cat([x, skips.pop()], 1)
        logits: Tensor = self.segment(x)
        return logits


class MobileUNetV3Transition(nn.Module):
    """(N, C, H, W), RGB / 127.5 - 1, both sides multiples of 32, to logits (N, 2, H, W) of background and person.

    width: of the channels between the encoder's blocks; the original has 1.0, 940,122 parameters without norms. act: of
    the encoder.
    """

    def __init__(
        self, *, size: tuple[int, int] = (256, 256), channels: int = 3, width: float = 1.0, norm: bool = True,
        act: Activation = "relu",
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.channels = size, channels
        self.encoder = MobileNetV3Small(inputs=channels, width=width, norm=norm, act=act, last="none")
        self.transitions = nn.ModuleList(
            Transition(inputs, outputs, norm=norm)
            for inputs, outputs in zip((576, *_SKIPS), (*_SKIPS, 16), strict=True)
        )
        self.segment = ConvBlock(16, 2, norm=False)

    def forward(self, x: Tensor) -> Tensor:
        x, (_, *skips) = self.encoder(x)
        for transition in self.transitions:
            x = transition(x)
            if skips:
                x = enlarged(x) + skips.pop()
        # the original enlarges first; both are linear, and this way round costs a sixteenth
        return enlarged(enlarged(self.segment(x)))
