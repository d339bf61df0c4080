"""Mobile-UNet: MobileNetV2 as encoder, a U-Net's decoder with concatenated skips.

Source: `train.py` of https://github.com/anilsathyan7/Portrait-Segmentation (MIT), which enlarges either by transposed
convolutions or by bilinear enlargement and convolution; U-Net: https://arxiv.org/abs/1505.04597. The encoder ends
before the layer that widens to 1280 channels, so weights for ImageNet fit it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vcam.train.nets.layers import Activation, ConvBlock, Corners, Enlarge, SameConvTranspose2d, UpConvBlock
from vcam.train.nets.mobilenet_v2 import MobileNetV2

_DECODER = (512, 256, 128, 64, 32)


class _EnlargeConv(nn.Sequential):
    """Bilinear enlargement, then a convolution."""

    def __init__(
        self, inputs: int, outputs: int, norm: bool, act: Activation, dropout: float, corners: Corners
    ) -> None:
        super().__init__(
            Enlarge(corners), ConvBlock(inputs, outputs, 3, norm=norm, act=act), nn.Dropout(dropout)
        )  # fmt: skip


class MobileUNet(nn.Module):
    """(N, 3, H, W), RGB / 255, both sides multiples of 32, to logits (N, 1, H, W).

    upsample: "transposed" convolutions, or "bilinear" enlargement and convolution; both have 3,620,617 parameters
    without norms at width 0.5. width: of the encoder. act: of the encoder; the decoder has ReLU. dropout: in the
    decoder but for its last stage; the original has 0.5, which a short training of augmented pictures is worse by.
    corners: of the bilinear enlargement; the original has TensorFlow's old default.
    symmetric: the encoder is padded as PyTorch does; give it for ImageNet weights that were trained there.
    """

    def __init__(
        self, *, size: tuple[int, int] = (128, 128), channels: int = 3, width: float = 0.5,
        upsample: Literal["transposed", "bilinear"] = "transposed", norm: bool = True, act: Activation = "relu6",
        dropout: float = 0.0, corners: Corners = "asymmetric", symmetric: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.channels = size, channels
        self.encoder = MobileNetV2(inputs=channels, width=width, norm=norm, act=act, symmetric=symmetric)
        self.up = nn.ModuleList()
        inputs = self.encoder.narrow[-1]
        for outputs, skip in zip(_DECODER, [*reversed(self.encoder.wide), 0], strict=True):
            share = dropout if skip else 0.0
            self.up.append(
                UpConvBlock(inputs, outputs, norm=norm, act="relu", dropout=share)
                if upsample == "transposed"
                else _EnlargeConv(inputs, outputs, norm, "relu", share, corners)
            )
            inputs = outputs + skip
        self.segment = SameConvTranspose2d(inputs, 1, 1, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        skips, (*_, x) = self.encoder(x)
        for up in self.up:
            x = up(x)
            if skips:
                x = torch.cat([x, skips.pop()], 1)
        logits: Tensor = self.segment(x)
        return logits
