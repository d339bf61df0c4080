"""PortraitNet: MobileNetV2 as encoder, depthwise residual blocks and transposed convolutions, additive skips.

Paper: https://doi.org/10.1016/j.cag.2019.03.007; source: `model/model_mobilenetv2_seg_small.py` of
https://github.com/dong-x16/PortraitNet. The form for films takes the mask of the frame before as a fourth channel. A
second head finds boundaries while it is trained, which makes the features sharper there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcam.train.nets.layers import Activation, divisible
from vcam.train.nets.mobile_unet_v3 import Transition
from vcam.train.nets.mobilenet_v2 import MobileNetV2

_DECODER = (96, 32, 24, 16, 8)


def _enlarging(channels: int) -> nn.ConvTranspose2d:
    """A transposed convolution, no norm behind it, that begins as bilinear enlargement of each channel."""
    layer = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(torch.eye(channels)[:, :, None, None] * line[:, None] * line)
    return layer


class PortraitNet(nn.Module):
    """(N, C, H, W) to logits (N, 2, H, W) of background and person; both sides multiples of 32.

    channels: 3, BGR normalised, or 4, the last being the previous frame's mask, 0..1, or zeros for the first.
    width: of encoder and decoder. act: of the encoder. boundary: with it, and in training mode only, the result is the
    pair of those logits and the boundary's (N, 2, H, W); in eval mode that head is not run.
    2,064,048 parameters with four channels, without norms and boundary head.
    """

    def __init__(
        self, *, size: tuple[int, int] = (224, 224), channels: int = 3, width: float = 1.0, norm: bool = True,
        act: Activation = "relu", boundary: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.channels = size, channels
        self.encoder = MobileNetV2(
            inputs=channels, width=width, norm=norm, act=act, expand_first=True, symmetric=True
        )  # fmt: skip
        self.transitions, self.up = nn.ModuleList(), nn.ModuleList()
        # the last enlargement has no skip; the others meet the encoder's maps, whose channels they must have
        decoder = [*reversed(self.encoder.narrow[1:-1]), self.encoder.narrow[0], divisible(_DECODER[-1] * width)]
        inputs = self.encoder.narrow[-1]
        for outputs in decoder:
            self.transitions.append(Transition(inputs, outputs, norm=norm, shortcut_last=True))
            self.up.append(_enlarging(outputs))
            inputs = outputs
        self.segment = nn.Conv2d(inputs, 2, 3, padding=1, bias=False)
        self.boundary = nn.Conv2d(inputs, 2, 3, padding=1, bias=False) if boundary else None

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        _, (_, *skips, x) = self.encoder(x)
        for transition, up in zip(self.transitions, self.up, strict=True):
            x = up(transition(x))
            if skips:
                x = x + skips.pop()
        logits: Tensor = self.segment(x)
        if self.boundary is not None and self.training:
            return logits, self.boundary(x)
        return logits
