"""Which of a camera's modes to use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vcam.camera.layouts import GREY, RGB
from vcam.frames import MAX_SIDE, MIN_SIDE, PixelFormat, even_size
from vcam.types import Size
from vcam.v4l2 import device

KNOWN = {format_.value: format_ for format_ in PixelFormat} | {"JPEG": PixelFormat.MJPEG}
"""Formats that vcam reads, by the drivers' codes; some call the same JPEG frames by the second name."""

IN_COLOUR = {code: format_ for code, format_ in KNOWN.items() if format_ not in GREY}
"""Those that a camera for people has; an infrared sensor is grey."""

_F = PixelFormat
# What a frame costs to unpack. NV12 and I420 hand over luma as it is; JPEG must be decoded.
_COSTS = (
    (_F.NV12, _F.NV21),
    (_F.I420, _F.YV12),
    (_F.NV16, _F.NV61, _F.YUV422P),
    (_F.YUYV, _F.YVYU, _F.UYVY, _F.VYUY, _F.M420),
    tuple(RGB),
    (_F.MJPEG,),
    # not that it costs anything, but whatever has colour is better
    tuple(GREY),
)
_COST = {format_: cost for cost, formats in enumerate(_COSTS) for format_ in formats}

# A mode with less than this share of the wanted rate is choppy; with less than half of it, a slide show.
_SMOOTH = 0.8
# Calls run at 30 frames a second: a higher wish must not cost the picture its size.
_COMMON_RATE = 30.0


@dataclass(frozen=True, slots=True)
class Mode:
    """One way a camera can deliver frames; `fps` is 0 if the driver lists no rates, `code` what it calls the format."""

    format: PixelFormat
    size: Size
    fps: float
    code: str = ""

    def __str__(self) -> str:
        rate = f" at {self.fps:g} fps" if self.fps else ""
        return f"{self.size[0]}x{self.size[1]} {self.format.name}{rate}"


def list_modes(fd: int, size: Size, fps: float) -> Iterator[Mode]:
    """The modes a camera lists in formats that vcam reads; of a range, the size and rate nearest to the wish."""
    for code in device.enum_formats(fd):
        if code not in KNOWN:
            continue
        for sizes in device.enum_sizes(fd, code):
            nearest = sizes.nearest(size)
            if not _possible(nearest):
                continue
            rates = list(device.enum_rates(fd, code, nearest))
            for rate in rates:
                yield Mode(KNOWN[code], nearest, min(max(fps, rate.slowest), rate.fastest), code)
            if not rates:
                yield Mode(KNOWN[code], nearest, 0.0, code)


def _possible(size: Size) -> bool:
    return size == even_size(size) and all(MIN_SIDE <= side <= MAX_SIDE for side in size)


def choose_mode(modes: list[Mode], size: Size, fps: float) -> Mode | None:
    """The cheapest mode that gives the wanted size and rate; None if there is no mode at all.

    In this order count: colour, a rate that is not choppy, the size (the wanted one, else the nearest larger, else the
    nearest smaller), the rate missing to the wanted one, and last what a frame costs.
    """
    return min(modes, key=lambda mode: _rank(mode, size, fps), default=None)


def _rank(mode: Mode, size: Size, fps: float) -> tuple[float, ...]:
    rate = mode.fps or fps
    common = min(fps, _COMMON_RATE)
    choppy = 0 if rate >= _SMOOTH * common else 1 if rate >= _SMOOTH / 2 * common else 2
    # NTSC's 29.97 is as good as 30
    missing = max(0.0, fps - rate) if rate < 0.99 * fps else 0.0
    return mode.format in GREY, choppy, *_size_rank(mode.size, size), missing, _COST[mode.format], rate


def _size_rank(size: Size, wanted: Size) -> tuple[float, float, float]:
    if size == wanted:
        return 0, 0.0, 0.0
    across, down = size[0] / wanted[0], size[1] / wanted[1]
    # what is cut off or added to get the wanted shape is as bad as pixels too many or too few
    shape = max(across, down) / min(across, down)
    area = across * down
    if across >= 1 and down >= 1:
        return 1, area * shape, area
    return 2, shape / area, area
