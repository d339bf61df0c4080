"""The arguments of `vcam.harmony` on samples, in PyTorch: the same numbers, and gradients through them."""

from __future__ import annotations

import torch
from torch import Tensor

from vcam.colour import BLACK, CHROMA_SPAN, HIGHEST, LOWEST, LUMA_SPAN, NEUTRAL, PER_BLUE, PER_RED
from vcam.harmony import CONTRAST, GAMMA, LIGHT, SATURATION, TINT, TONE, WARM

_DARK = 1e-6
"""The least luma that a power is taken of: the derivative of 0 ^ x is no number."""


def apply(planes: Tensor, arguments: Tensor) -> Tensor:
    """As `vcam.harmony.apply`: planes (N, 3, H, W) of Y, Cb, Cr, 0..255, and arguments (N, 8), -1..1; a fresh tensor.

    Where samples meet an end of the range they carry no gradient.
    """
    brightness, contrast, saturation, temperature, tint, highlights, shadows, gamma = (
        each[:, None, None] for each in arguments.clamp(-1, 1).unbind(1)
    )
    y, cb, cr = planes.unbind(1)
    light = ((y - BLACK) / LUMA_SPAN).clamp(0, 1)
    out = light.clamp(min=_DARK) ** GAMMA**-gamma
    out = out + TONE * out * (1 - out) * (shadows * (1 - out) + highlights * out)
    out = LIGHT**brightness * out
    out = (0.5 + CONTRAST**contrast * (out - 0.5)).clamp(0, 1)
    per_step = CHROMA_SPAN / LUMA_SPAN
    gain, steps = SATURATION**saturation, LUMA_SPAN * light
    blue = PER_BLUE * per_step * (TINT * tint - WARM * temperature)
    red = PER_RED * per_step * (TINT * tint + WARM * temperature)
    chroma = [
        (gain * (plane - NEUTRAL) + NEUTRAL + share * steps).clamp(LOWEST, HIGHEST)
        for plane, share in ((cb, blue), (cr, red))
    ]
    return torch.stack([BLACK + LUMA_SPAN * out, *chroma], dim=1)
