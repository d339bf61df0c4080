"""How the eight arguments of `harmonise` act on samples: the one definition, for the filter and for what trains it.

A network that harmonises gives no picture but arguments (Ke, Sun, Zhu, Xu and Lau, "Harmonizer: Learning to Perform
White-Box Image and Video Harmonization", ECCV 2022). Each is -1 to 1, and 0 leaves alone. With E from 0 to 1 the luma,
P and Q the chroma around 0 (see `vcam.colour`), and b, c, s, t, m, h, d, g the arguments in the order of `NAMES`:

    E1 = E ^ (GAMMA ^ -g)                                     g > 0 is lighter in the middle
    E2 = E1 + TONE (d E1 (1 - E1)^2 + h E1^2 (1 - E1))        shadows and highlights, the most at 1/3 and 2/3
    E3 = LIGHT ^ b E2                                         as if exposed for longer
    E' = 1/2 + CONTRAST ^ c (E3 - 1/2), from 0 to 1

    P' = SATURATION ^ s P + PER_BLUE E (TINT m - WARM t)      t > 0 is warmer, m > 0 towards magenta
    Q' = SATURATION ^ s Q + PER_RED E (TINT m + WARM t)

The first four lines never fall, so that no tone is turned round. The last two are red times 1 + WARM t + TINT m and
blue times 1 - WARM t + TINT m of a grey at unchanged luma: light of another colour, which leaves black alone. E is the
luma before, and for chroma of half the size the mean of its four.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vcam.colour import BLACK, CHROMA_SPAN, HIGHEST, LOWEST, LUMA_SPAN, NEUTRAL, PER_BLUE, PER_RED
from vcam.types import F32

NAMES: Final = ("brightness", "contrast", "saturation", "temperature", "tint", "highlights", "shadows", "gamma")
"""What each argument is, in the network's order."""

LIGHT: Final = 2 ** (0.6 / 2.2)
"""0.6 stops of exposure, of samples with a gamma of 2.2."""
CONTRAST: Final = 1.35
SATURATION: Final = 1.5
WARM: Final = 0.25
TINT: Final = 0.12
TONE: Final = 0.8
"""Below 1, or the curve would fall at its ends."""
GAMMA: Final = 1.4


def curve(light: npt.ArrayLike, arguments: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """E' of luma E, both 0 (black) to 1 (white), float64 of the same shape; what lies beyond counts as the end."""
    brightness, contrast, _, _, _, highlights, shadows, gamma = _numbers(arguments)
    out = np.clip(np.asarray(light, np.float64), 0, 1) ** GAMMA**-gamma
    out = out + TONE * out * (1 - out) * (shadows * (1 - out) + highlights * out)
    out = LIGHT**brightness * out
    return np.asarray(np.clip(0.5 + CONTRAST**contrast * (out - 0.5), 0, 1), np.float64)


def luma(arguments: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Y' of each of the 256 samples Y, limited range, unrounded: float64 (256,), 16 to 235, never falling."""
    return BLACK + LUMA_SPAN * curve((np.arange(256) - BLACK) / LUMA_SPAN, arguments)


def chroma(arguments: npt.ArrayLike) -> tuple[float, float, float]:
    """Gain, and the shares of Cb and Cr: C' = gain (C - 128) + 128 + share (Y - 16), limited range.

    Y is limited to 16 to 235 there, and C' to 16 to 240.
    """
    _, _, saturation, temperature, tint, _, _, _ = _numbers(arguments)
    blue, red = TINT * tint - WARM * temperature, TINT * tint + WARM * temperature
    per_step = CHROMA_SPAN / LUMA_SPAN
    return float(SATURATION**saturation), float(PER_BLUE * per_step * blue), float(PER_RED * per_step * red)


def apply(y: F32, cb: F32, cr: F32, arguments: npt.ArrayLike) -> tuple[F32, F32, F32]:
    """Y', Cb' and Cr', fresh, float32, of samples from 0 to 255 in the limited range; arguments: (8,).

    y: (h, w); cb and cr: the same, or half as high and wide, h and w even.
    """
    gain, *shares = chroma(arguments)
    steps = np.clip(np.asarray(y, np.float64) - BLACK, 0, LUMA_SPAN)
    lit = BLACK + LUMA_SPAN * curve(steps / LUMA_SPAN, arguments)
    if cb.shape != y.shape:
        steps = steps.reshape(cb.shape[0], 2, cb.shape[1], 2).mean(axis=(1, 3))
    blue, red = (
        np.clip(gain * (np.asarray(plane, np.float64) - NEUTRAL) + NEUTRAL + share * steps, LOWEST, HIGHEST)
        for plane, share in zip((cb, cr), shares, strict=True)
    )
    return lit.astype(np.float32), blue.astype(np.float32), red.astype(np.float32)


def _numbers(arguments: npt.ArrayLike) -> npt.NDArray[Any]:
    """The eight, kept within -1 to 1."""
    return np.clip(np.asarray(arguments, np.float64).reshape(len(NAMES)), -1, 1)
