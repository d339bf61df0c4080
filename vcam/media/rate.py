"""Frame rates as exact fractions, those of NTSC among them."""

from __future__ import annotations

from fractions import Fraction

_NTSC = (12000, 15000, 24000, 30000, 48000, 60000, 120000)


def exact_rate(fps: float) -> Fraction:
    """The fraction that a frame rate in floating point stands for: 29.97 is 30000/1001, 12.5 is 25/2, 8.33 is 25/3.

    The rates of NTSC are written to two or three places more often than exactly, so what is nearer to one of them than
    such rounding is taken for it.
    """
    for numerator in _NTSC:
        if abs(fps - numerator / 1001) < 0.006:
            return Fraction(numerator, 1001)
    if fps > 1 and abs(3 * fps - round(3 * fps)) < 0.011:
        return Fraction(round(3 * fps), 3)
    return Fraction(fps).limit_denominator(1000)
