"""The network that vcam ships: MediaPipe's selfie segmentation, for 256x256 and 256x144.

A MobileNetV3 of small maps with gates as encoder, a head that weighs channels by the whole picture (LR-ASPP), and a
decoder whose skips are gated by what comes from below. Source: the graph of `selfie_segmentation.tflite`,
npm @mediapipe/selfie_segmentation (Apache-2.0); MobileNetV3 and LR-ASPP: https://arxiv.org/abs/1905.02244.
"""

from __future__ import annotations

from torch import Tensor, nn

from vcam.train.nets.layers import Activation, ConvBlock, Gate, Gated, InvertedResidual, SameConvTranspose2d, enlarged

_DEEP = ((96, 24, 2), (128, 32, 1), (128, 32, 1), (96, 24, 1), (96, 24, 1))
"""Channels between, channels in the gate, stride of the blocks at a sixteenth of the size."""


class _Up(nn.Module):
    """A decoder's stage: half the size and `inputs` channels, to the skip's size and `channels`."""

    def __init__(self, inputs: int, channels: int, norm: bool) -> None:
        super().__init__()
        self.narrow = ConvBlock(inputs, channels, norm=norm)
        self.gate = Gate(channels, channels)
        self.mix = ConvBlock(channels, channels, norm=norm, act="relu")
        self.depthwise = ConvBlock(channels, channels, 3, groups=channels, norm=norm, act="relu")

    def forward(self, low: Tensor, skip: Tensor) -> Tensor:
        # the original enlarges first; both are linear, and this way round costs a quarter
        low = self.narrow(low)
        # enlarging leaves the mean as it is, too, and that is all that the gate looks at
        gate = self.gate(skip.mean((2, 3), keepdim=True) + low.mean((2, 3), keepdim=True))
        low = enlarged(low)
        x = self.mix(skip * gate + low)
        y: Tensor = x + self.depthwise(x)
        return y


class Selfie(nn.Module):
    """(N, 3, H, W), RGB / 255, both sides multiples of 16, to logits (N, 1, H, W).

    norm: batch norms, as the original was trained with; without them it is the folded form, 106,401 parameters.
    act: of the stem and the deep blocks. size: the width and height that it is meant for.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int] = (256, 256),
        channels: int = 3,
        norm: bool = True,
        act: Activation = "hard-swish",
    ) -> None:
        super().__init__()
        self.size, self.channels = size, channels
        self.stem = ConvBlock(channels, 16, 3, stride=2, norm=norm, act=act)
        self.quarter = InvertedResidual(16, 16, 16, stride=2, norm=norm, gate=Gated(16, 8))
        self.eighth = nn.Sequential(
            InvertedResidual(16, 24, 72, stride=2, norm=norm), InvertedResidual(24, 24, 88, norm=norm)
        )
        self.deep = nn.Sequential(*(
            InvertedResidual(
                24 if stride == 2 else 32, 32, wide, kernel=5, stride=stride, norm=norm, act=act, gate=Gated(wide, gate)
            )
            for wide, gate, stride in _DEEP
        ))  # fmt: skip
        self.head = ConvBlock(32, 128, norm=norm, act="relu")
        self.head_gate = Gate(32, 0, 128)
        self.up3 = _Up(128, 24, norm)
        self.up2 = _Up(24, 16, norm)
        self.up1 = _Up(16, 16, norm)
        self.segment = SameConvTranspose2d(16, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        half = self.stem(x)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        deep = self.deep(eighth)
        y = self.head(deep) * self.head_gate(deep)
        logits: Tensor = self.segment(self.up1(self.up2(self.up3(y, eighth), quarter), half))
        return logits
