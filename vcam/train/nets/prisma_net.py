"""Prisma-net: residual blocks of separable convolutions, additive skips, transposed convolutions.

Source: `prisma_segmentation.ipynb` of https://github.com/anilsathyan7/Portrait-Segmentation (MIT), after the
segmentation network that the app Prisma described. The original has no batch norms.
"""

from __future__ import annotations

from torch import Tensor, nn

from vcam.train.nets.layers import Activation, SameConv2d, SameConvTranspose2d, activation

_STAGES = (8, 32, 64, 128)
"""Channels at the whole size, at a half, a quarter and an eighth; the deepest has those of the eighth."""


class _Separable(nn.Sequential):
    """A filter for each channel, then a 1x1 convolution; the bias is the latter's."""

    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__(
            SameConv2d(channels, channels, 3, groups=channels, bias=False),
            SameConv2d(channels, channels, 1, bias=not norm),
            nn.BatchNorm2d(channels) if norm else nn.Identity(),
        )


class ResidualBlock(nn.Module):
    """x + separable(act(separable(act(x)))): (N, C, H, W) as it was."""

    def __init__(self, channels: int, norm: bool, act: Activation) -> None:
        super().__init__()
        self.body = nn.Sequential(
            activation(act, channels), _Separable(channels, norm), activation(act, channels), _Separable(channels, norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y


def _blocks(count: int, channels: int, norm: bool, act: Activation) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, norm, act) for _ in range(count)))


class PrismaNet(nn.Module):
    """(N, 3, H, W), RGB / 255, both sides multiples of 16, to logits (N, 1, H, W).

    norm: batch norms behind the separable convolutions, which the original (923,057 parameters) does not have; from
    scratch they make training quicker. act: of the residual blocks. width: factor for all channels.
    """

    def __init__(
        self, *, size: tuple[int, int] = (256, 256), channels: int = 3, norm: bool = False, act: Activation = "relu",
        width: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.channels = size, channels
        wide = [max(4, round(each * width)) for each in _STAGES]
        self.stem = SameConv2d(channels, wide[0], 3)
        self.encode = nn.ModuleList([
            _blocks(count, each, norm, act) for each, count in zip(wide, (1, 1, 1, 2), strict=True)
        ])  # fmt: skip
        self.down = nn.ModuleList(
            SameConv2d(each, after, 3, stride=2) for each, after in zip(wide, [*wide[1:], wide[-1]], strict=True)
        )
        self.deep = _blocks(6, wide[-1], norm, act)
        self.up = nn.ModuleList(
            SameConvTranspose2d(before, each, 3)
            for before, each in zip([wide[-1], *wide[:0:-1]], reversed(wide), strict=True)
        )
        self.decode = nn.ModuleList([_blocks(3, each, norm, act) for each in reversed(wide)])
        self.segment = SameConvTranspose2d(wide[0], 1, 1, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        skips = []
        for encode, down in zip(self.encode, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.deep(x)
        for up, decode in zip(self.up, self.decode, strict=True):
            x = decode(up(x) + skips.pop())
        logits: Tensor = self.segment(x)
        return logits
