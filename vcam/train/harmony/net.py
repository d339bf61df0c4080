"""The network: what is known of the person's colours and of the background's, and what arguments follow from that.

What it knows is computed by fixed formulas, in the same graph: `features`. What is learnt is what follows from them.
So a training learns from many pictures in little time, and the network costs a fraction of a millisecond.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcam.colour import BLACK, LUMA_SPAN, NEUTRAL
from vcam.harmony import NAMES

SIDE = 48
"""Pixels of the picture that it takes, wide and high; the frame is squeezed to that."""

CHANNELS = 4
"""Y, Cb, Cr of the limited range, each divided by 255, and the matte, 0..1."""

_LEAST = 1e-3
"""Share of the picture's pixels below which a region's means sink to 0: nobody, or nothing but a person."""
_BINS = 16
"""Of the histogram of a plane."""
_HUES = 8
"""Of Cb and of Cr in the histogram of both."""
_BANDS = 4
"""Of luma, in which chroma is looked at apart."""
_COLOUR = 6.0
"""Chroma keeps near its middle: so it is spread as luma is."""
_HEAD = 0.3
"""The uppermost share of a person that counts as head."""

FEATURES = 3 * (3 * _BINS + 3 + 3 + 2 + 3) + 2 * 3 * _BANDS + 3 * _HUES**2 + 2 * _HUES**2 + 2 + 2

_MOMENTS = 3 * (3 + 3 + 3 + 2)
_TONED = _MOMENTS + 3 * 3 * _BINS
PLAIN = _MOMENTS + 6 * _BANDS + 4
"""Features that are learnt from. The histograms are left out: with few places to learn from they tell which place it
is, and the network knows by heart what was there."""


def features(picture: Tensor) -> Tensor:
    """What is known of composites (N, 4, H, W), as `CHANNELS` says: (N, FEATURES), none of it beyond -10..10 or so.

    Of person, background and head: histogram, mean and spread of each plane, mean and spread of the strength of
    colours, and how planes go together. Of person and background: chroma in dark, middle and light tones; contrast from
    pixel to pixel; size. Of all three a histogram of Cb and Cr together, and of person and head how bright each of
    these colours is: skin is known by that.
    """
    planes, matte = picture[:, :3], picture[:, 3]
    luma = 2 * (planes[:, :1] * 255 - BLACK) / LUMA_SPAN - 1
    chroma = (planes[:, 1:] - NEUTRAL / 255) * _COLOUR
    values = torch.cat([luma, chroma], dim=1).clamp(-1, 1)
    edges = ((values[:, :1, :, 1:] - values[:, :1, :, :-1]).abs()).mean(1)
    # what is mixed tells of neither
    person, behind = (2 * matte - 1).clamp(min=0), (1 - 2 * matte).clamp(min=0)
    above = torch.cumsum(person.sum(2), dim=1)
    share = above / (above[:, -1:] + _LEAST)
    head = person * ((_HEAD - share) * 10 + 0.5).clamp(0, 1)[:, :, None]
    places = planes.shape[2] * planes.shape[3]
    regions = torch.stack([person, behind, head], dim=1).flatten(2)
    sizes = regions.mean(2)
    regions = (regions / (sizes[:, :, None] + _LEAST) / places).transpose(1, 2)
    pixels = values.flatten(2)
    y, cb, cr = pixels.unbind(1)
    strength = (cb**2 + cr**2 + 1e-6).sqrt()
    products = torch.stack([y * cb, y * cr, cb * cr, *(pixels**2).unbind(1), strength, strength**2], dim=1)
    tables = _bins(pixels, _BINS).flatten(1, 2)
    bands = _bins(pixels[:, :1], _BANDS)[:, 0]
    toned = torch.cat([bands, bands * cb[:, None], bands * cr[:, None]], dim=1)
    # where the colours of skin and of rooms lie
    blue = _bins((cb[:, None] * 1.5 + 0.2).clamp(-1, 1), _HUES)[:, 0]
    red = _bins((cr[:, None] * 1.5 - 0.25).clamp(-1, 1), _HUES)[:, 0]
    both = (blue[:, :, None] * red[:, None]).flatten(1, 2)
    # (N, things, places) @ (N, places, regions)
    found = torch.cat([pixels, products, tables], dim=1) @ regions
    mean, moment = found[:, :3], found[:, 3:11]
    covariance = torch.stack([
        moment[:, 0] - mean[:, 0] * mean[:, 1], moment[:, 1] - mean[:, 0] * mean[:, 2],
        moment[:, 2] - mean[:, 1] * mean[:, 2],
    ], dim=1)  # fmt: skip
    spread = ((moment[:, 3:6] - mean**2).clamp(min=0) + 1e-4).sqrt()
    colourful = torch.stack([moment[:, 6], ((moment[:, 7] - moment[:, 6] ** 2).clamp(min=0) + 1e-4).sqrt()], dim=1)
    hues = both @ regions
    bright = (both * y[:, None]) @ regions
    wide = regions.transpose(1, 2).reshape(-1, 3, planes.shape[2], planes.shape[3])[:, :2, :, 1:]
    rough = (wide * edges[:, None]).sum((2, 3))
    return torch.cat([
        mean.flatten(1), spread.flatten(1), covariance.flatten(1) * 4, colourful.flatten(1),
        found[:, 11:].flatten(1), (toned @ regions)[:, :, :2].flatten(1), hues.flatten(1),
        bright[:, :, ::2].flatten(1), rough * 4, sizes[:, :2],
    ], dim=1)  # fmt: skip


def _bins(values: Tensor, count: int) -> Tensor:
    """How much each of (N, C, P) from -1 to 1 belongs to each bin, triangles that add up to 1: (N, C, count, P)."""
    middles = torch.linspace(-1, 1, count, device=values.device, dtype=values.dtype)[None, None, :, None]
    return (1 - (values[:, :, None] - middles).abs() * ((count - 1) / 2)).clamp(min=0)


class Harmoniser(nn.Module):
    """(N, 4, H, W) to (N, 8), the arguments, -1..1.

    A gate, 0..1, is multiplied with all arguments: the network has one place to say "it is right as it is".
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        self.norm = nn.BatchNorm1d(PLAIN, eps=1e-4)
        self.head = nn.Sequential(
            nn.Linear(PLAIN, 4 * w), nn.ReLU(), nn.Dropout(0.2), nn.Linear(4 * w, 2 * w), nn.ReLU()
        )  # fmt: skip
        self.arguments = nn.Linear(2 * w, len(NAMES))
        self.gate = nn.Linear(2 * w, 1)
        nn.init.zeros_(self.arguments.bias)
        nn.init.normal_(self.arguments.weight, std=0.01)
        nn.init.constant_(self.gate.bias, 1.0)

    def forward(self, picture: Tensor) -> Tensor:
        """picture: as `CHANNELS` says."""
        return self.told(features(picture))

    def told(self, known: Tensor) -> Tensor:
        """The arguments that follow from features (N, FEATURES)."""
        # a feature that hardly ever moves is not to be blown up where it does
        plain = torch.cat([known[:, :_MOMENTS], known[:, _TONED : _TONED + 6 * _BANDS], known[:, -4:]], dim=1)
        felt = self.head(self.norm(plain).clamp(-6, 6))
        answer: Tensor = torch.tanh(self.arguments(felt)) * torch.sigmoid(self.gate(felt))
        return answer
