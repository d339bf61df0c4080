"""The network: what is known of the person's colours and of the background's, and what arguments follow from that.

What it knows is computed by fixed formulas, in the same graph: `features`. What is learnt is what follows from them.
So a training learns from many pictures in little time, and the network costs a fraction of a millisecond.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcam.colour import BLACK, CHROMA_SPAN, FULL, LUMA_SPAN, NEUTRAL, TO_RGB
from vcam.harmony import NAMES

SIDE = 48
"""Pixels of the picture that it takes, wide and high; the frame is squeezed to that."""

CHANNELS = 4
"""Y, Cb, Cr of the limited range, each divided by 255, and the matte, 0..1."""

_LEAST = 1e-3
"""Share of the picture's pixels below which a region's means sink to 0: nobody, or nothing but a person."""
_BANDS = 5
"""Of luma, in which chroma is looked at apart."""
_HEAD = 0.35
"""The uppermost share of a person that counts as head."""
_SKIN, _SKIN_WIDTH = (-0.14, 0.2), 0.16
"""Cb and Cr of skin in ordinary light, -1 to 1, and how far around it is looked for: light moves it by less."""
_DARK = 0.04
"""Light that is added before a logarithm is taken."""
_DROPPED, _NOISE = 0.1, 0.2
"""Share of what is felt that is left out in training, and what is added to it, of its spread."""
_VALUES = 9
_PAIRS = ((0, 4), (0, 5), (4, 5), (0, 2), (0, 3), (2, 3))
"""Of `_values`, by place: those of which it is known how they go together."""

FEATURES = 4 * (2 * _VALUES + len(_PAIRS)) + 3 * (3 * _BANDS + 5 + 5) + 2


def features(picture: Tensor) -> Tensor:
    """What is known of composites (N, 4, H, W), as `CHANNELS` says: (N, FEATURES), hardly any beyond -10..10.

    Of person, background, head and what may be her skin: mean and spread of `_values`, and how pairs go together. Of
    the first three: how much is how light, chroma in dark to light tones, and the means of what is lightest and of
    what is darkest. The size of the person, and how much of her may be skin. There are no histograms: with few places
    to learn from they tell which place it is, and the network knows by heart what was there.
    """
    planes, matte = picture[:, :3], picture[:, 3]
    values = _values(planes)
    y, cb, cr = values[:, 0], values[:, 4], values[:, 5]
    # what is mixed tells of neither
    person, behind = (2 * matte - 1).clamp(min=0), (1 - 2 * matte).clamp(min=0)
    above = torch.cumsum(person.sum(2), dim=1)
    share = above / (above[:, -1:] + _LEAST)
    head = person * ((_HEAD - share) * 8 + 0.5).clamp(0, 1)[:, :, None]
    places = planes.shape[2] * planes.shape[3]
    regions = torch.stack([person, behind, head], dim=1).flatten(2)
    far = ((cb - _SKIN[0]) ** 2 + (cr - _SKIN[1]) ** 2) / _SKIN_WIDTH**2
    skin = regions[:, 2] * torch.exp(-far) * ((y - 0.12) * 10).clamp(0, 1)
    regions = torch.cat([regions, skin[:, None]], dim=1)
    sizes = regions.mean(2)
    regions = regions / (sizes[:, :, None] + _LEAST) / places
    products = torch.stack([values[:, one] * values[:, other] for one, other in _PAIRS], dim=1)
    # (N, things, places) @ (N, places, regions)
    found = torch.cat([values, values**2, products], dim=1) @ regions.transpose(1, 2)
    mean, square, product = found.split([_VALUES, _VALUES, len(_PAIRS)], dim=1)
    spread = ((square - mean**2).clamp(min=0) + 1e-4).sqrt()
    covariance = product - torch.stack([mean[:, one] * mean[:, other] for one, other in _PAIRS], dim=1)
    three = regions[:, :3].transpose(1, 2)
    bands = _bands(y)
    amount = bands @ three
    toned = torch.cat([bands * cb[:, None], bands * cr[:, None]], dim=1) @ three
    toned = toned / (torch.cat([amount, amount], dim=1) + 0.03)
    light = _weighed(values[:, [0, 2, 3, 4, 5]], regions[:, :3], y**4)
    dark = _weighed(values[:, [0, 7, 8, 4, 5]], regions[:, :3], (1 - y) ** 6)
    return torch.cat([
        mean.flatten(1), spread.flatten(1), 3 * covariance.flatten(1), 2 * toned.flatten(1), amount.flatten(1),
        light.flatten(1), dark.flatten(1), sizes[:, :1], sizes[:, 3:] / (sizes[:, :1] + _LEAST),
    ], dim=1)  # fmt: skip


def _values(planes: Tensor) -> Tensor:
    """Of each pixel luma, its logarithm, those of R / G and of B / G, Cb, Cr, their length, R, B: (N, 9, places)."""
    samples = planes.flatten(2) * FULL
    y = ((samples[:, 0] - BLACK) / LUMA_SPAN).clamp(0, 1)
    cb, cr = ((samples[:, plane] - NEUTRAL) / (CHROMA_SPAN / 2) for plane in (1, 2))
    to_rgb = torch.from_numpy(TO_RGB.astype("float32")).to(planes)
    # chroma of -1 to 1 is a span of 2
    red, green, blue = (
        (y * to_rgb[0, colour] + (cb * to_rgb[1, colour] + cr * to_rgb[2, colour]) / 2).clamp(0, 1)
        for colour in range(3)
    )
    logarithms = [(each + _DARK).log() for each in (y, red, green, blue)]
    return torch.stack([
        y, logarithms[0], logarithms[1] - logarithms[2], logarithms[3] - logarithms[2], cb, cr,
        (cb**2 + cr**2 + 1e-4).sqrt(), red, blue,
    ], dim=1)  # fmt: skip


def _weighed(values: Tensor, regions: Tensor, weights: Tensor) -> Tensor:
    """Means of (N, C, places) in each region, by the weights of pixels as well: (N, C, regions)."""
    shares = regions * weights[:, None]
    return values @ (shares / (shares.sum(2, keepdim=True) + _LEAST)).transpose(1, 2)


def _bands(luma: Tensor) -> Tensor:
    """How much each of (N, places) from 0 to 1 belongs to each band, triangles that add up to 1: (N, bands, places)."""
    middles = torch.linspace(0, 1, _BANDS, device=luma.device, dtype=luma.dtype)[None, :, None]
    return (1 - (luma[:, None] - middles).abs() * (_BANDS - 1)).clamp(min=0)


class Harmoniser(nn.Module):
    """(N, 4, H, W) to (N, 8), the arguments, -1..1.

    A gate, 0..1, is multiplied with all arguments: the network has one place to say "it is right as it is".
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = 6 * width
        self.norm = nn.BatchNorm1d(FEATURES, eps=1e-4, affine=False)
        self.straight = nn.Linear(FEATURES, len(NAMES) + 1)
        self.first, self.second, self.last = nn.Linear(FEATURES, w), nn.Linear(w, w), nn.Linear(w, len(NAMES) + 1)
        self.drop = nn.Dropout(_DROPPED)
        for layer in (self.straight, self.last):
            nn.init.normal_(layer.weight, std=0.003)
            nn.init.zeros_(layer.bias)

    def forward(self, picture: Tensor) -> Tensor:
        """picture: as `CHANNELS` says."""
        return self.told(features(picture))

    def told(self, known: Tensor) -> Tensor:
        """The arguments that follow from features (N, FEATURES)."""
        # a feature that hardly ever moves is not to be blown up where it does
        felt = self.norm(known).clamp(-5, 5)
        if self.training:
            # no two places are alike to the last digit
            felt = felt + _NOISE * torch.randn_like(felt)
        deep = torch.relu(self.second(self.drop(torch.relu(self.first(self.drop(felt))))))
        out = self.straight(felt) + self.last(deep)
        answer: Tensor = torch.tanh(out[:, :-1]) * torch.sigmoid(out[:, -1:] + 1.5)
        return answer
