"""How a picture of one shape goes with one of another.

cover: all of the other, cutting off what sticks out. contain: all of the picture, with bars. stretch: both, distorted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

from vcam.frames import Box
from vcam.types import Size

Fit: TypeAlias = Literal["cover", "contain", "stretch"]


def cover(inner: Size, outer: Size, *, unit: int = 1) -> Box:
    """The largest part in the middle of a picture of size `inner` that has the shape of `outer`.

    Its sides are multiples of `unit`, and so are its bounds; the side that nothing is cut from stays as it is.
    """
    (width, height), (across, down) = inner, outer
    if width * down > height * across:
        width = max(unit, _rounded(height * across, down, unit))
    else:
        height = max(unit, _rounded(width * down, across, unit))
    return _centred((width, height), inner, unit)


def contain(inner: Size, outer: Size, *, aspect: Fraction = Fraction(1), unit: int = 1, least: int = 1) -> Box:
    """Where a picture of size `inner`, its pixels `aspect` times as wide as high, lies whole and centred in `outer`.

    The bounds are multiples of `unit`, if `outer` is one. No side is shorter than `least`, though that distort a mere
    line.
    """
    wide, high = inner[0] * aspect.numerator, inner[1] * aspect.denominator
    if wide * outer[1] > high * outer[0]:
        width, height = outer[0], _rounded(high * outer[0], wide, unit)
    else:
        width, height = _rounded(wide * outer[1], high, unit), outer[1]
    return _centred((max(least, min(width, outer[0])), max(least, min(height, outer[1]))), outer, unit)


def cover_filter(outer: Size) -> str:
    """The cut of `cover` as a filter of ffmpeg, for films: it keeps the middle that has the shape of `outer`."""
    shape = f"{outer[0]}/{outer[1]}"
    return f"crop=w='max(2,min(iw,ih*{shape}/max(sar,0.001)))':h='max(2,min(ih,iw*max(sar,0.001)/({shape})))'"


def _rounded(dividend: int, divisor: int, unit: int) -> int:
    """The multiple of `unit` that is nearest to the quotient; of two, the even one."""
    return unit * round(dividend / (divisor * unit))


def _centred(part: Size, whole: Size, unit: int) -> Box:
    x, y = ((length - side) // (2 * unit) * unit for side, length in zip(part, whole, strict=True))
    return Box(x, y, x + part[0], y + part[1])
