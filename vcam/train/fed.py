"""A network that takes pictures as samples are, whatever values and order of channels its architecture wants."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcam.train.nets.registry import Architecture


class Fed(nn.Module):
    """`net` behind the scaling of its architecture: pictures (N, 3, H, W), RGB 0..1, to what the network gives.

    The prior, (N, 1, H, W) in 0..1, becomes the last channel of a network that has four; without one it is empty.
    """

    def __init__(self, net: nn.Module, kind: Architecture) -> None:
        super().__init__()
        self.net = net
        self.channels = int(net.channels)
        self.flips = kind.order == "BGR"
        scale = torch.tensor(kind.scale) / 255
        self.register_buffer("low", (torch.tensor(kind.mean) / 255 / scale).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("factor", (1 / scale).reshape(1, 3, 1, 1), persistent=False)
        self.scales = kind.mean != (0, 0, 0) or kind.scale != (255, 255, 255)

    def forward(self, picture: Tensor, prior: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        out: Tensor | tuple[Tensor, Tensor] = self.net(self.given(picture, prior))
        return out

    def given(self, picture: Tensor, prior: Tensor | None = None) -> Tensor:
        """What the network itself is given, (N, 3 or 4, H, W)."""
        x = picture.flip(1) if self.flips else picture
        if self.scales:
            x = x * self.factor - self.low
        if self.channels == 4:
            x = torch.cat([x, x.new_zeros(x[:, :1].shape) if prior is None else prior], 1)
        return x
