"""Which of a camera's modes to use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from vcam.camera.layouts import GREY, RGB
from vcam.errors import UsageError
from vcam.frames import MAX_SIDE, MIN_SIDE, PixelFormat, even_size
from vcam.types import Size
from vcam.v4l2 import device
from vcam.v4l2.device import SizeRange

KNOWN = {format_.value: format_ for format_ in PixelFormat} | {"JPEG": PixelFormat.MJPEG}
"""Formats that vcam reads, by the drivers' codes; some call the same JPEG frames by the second name."""

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


_NAMES = {"JPEG": "MJPEG", "JPG": "MJPEG", "YUY2": "YUYV", "IYUV": "I420", "GRAY": "GREY"}
"""What other programs call the same formats."""


def parse_format(text: str) -> PixelFormat | None:
    """A format by vcam's name, the drivers' code or another usual name, in any case; None for "auto".

    Raises `UsageError` for one that vcam does not read.
    """
    name = text.strip().upper()
    if name == "AUTO":
        return None
    name = _NAMES.get(name, name)
    found = next((format_ for format_ in PixelFormat if name in (format_.name, format_.value)), None)
    if found is None:
        known = ", ".join(format_.name.lower() for format_ in PixelFormat)
        raise UsageError(f"camera.format cannot be {text!r}: vcam does not read that", f"auto, or one of {known}")
    return found


def list_formats(fd: int) -> list[str]:
    """The codes of the formats that a camera has; of a driver without a list, that of the format it holds."""
    found = list(device.enum_formats(fd))
    if not found:
        with suppress(OSError):
            found = [device.get_format(fd).code]
    # one that holds none has zeros there
    return [code for code in found if code.strip(" \0")]


def list_sizes(fd: int, code: str, size: Size) -> Iterator[SizeRange]:
    """The sizes of a format; of a driver without a list, the one that it would give for `size`."""
    listed = False
    for sizes in device.enum_sizes(fd, code):
        listed = True
        yield sizes
    if not listed and (given := _size_without_a_list(fd, code, size)) is not None:
        yield SizeRange(given, given)


def _size_without_a_list(fd: int, code: str, size: Size) -> Size | None:
    asks: tuple[Callable[[], device.PixelLayout], ...] = (
        lambda: device.try_format(fd, code, size),
        lambda: device.get_format(fd),
    )
    for ask in asks:
        with suppress(OSError):
            layout = ask()
            if layout.code == code and all(layout.size):
                return layout.size
    return None


def list_modes(fd: int, size: Size, fps: float) -> Iterator[Mode]:
    """The modes a camera has in formats that vcam reads; of a range, the size and rate nearest to the wish.

    Drivers of capture cards often have no list of sizes or rates: then what they would give counts.
    """
    for code in list_formats(fd):
        if code not in KNOWN:
            continue
        for sizes in list_sizes(fd, code, size):
            nearest = _nearest(sizes, size)
            if not _possible(nearest):
                continue
            rates = list(device.enum_rates(fd, code, nearest))
            for rate in rates:
                yield Mode(KNOWN[code], nearest, min(max(fps, rate.slowest), rate.fastest), code)
            if not rates:
                yield Mode(KNOWN[code], nearest, 0.0, code)


def _nearest(sizes: SizeRange, size: Size) -> Size:
    """The nearest size of a range, with even sides if its steps allow that: no picture has odd ones."""
    across, down = sizes.nearest(size)
    return (
        _even(across, sizes.minimum[0], sizes.maximum[0], sizes.step[0]),
        _even(down, sizes.minimum[1], sizes.maximum[1], sizes.step[1]),
    )


def _even(side: int, low: int, high: int, step: int) -> int:
    near = (side, side - step, side + step)
    return next((side for side in near if side % 2 == 0 and low <= side <= high), side)


def _possible(size: Size) -> bool:
    return size == even_size(size) and all(MIN_SIDE <= side <= MAX_SIDE for side in size)


def choose_mode(modes: list[Mode], size: Size, fps: float) -> Mode | None:
    """The cheapest mode that gives the wanted size and rate; None if there is no mode at all.

    In this order count: colour, a rate that is not choppy, the size (the wanted one, else the nearest larger, else the
    nearest smaller), the rate missing to the wanted one, and last what a frame costs.
    """
    return min(modes, key=lambda mode: _rank(mode, size, fps), default=None)


def in_turn(modes: list[Mode], size: Size, fps: float) -> list[Mode]:
    """The modes in the order in which to try them, each format and size once: `choose_mode`'s, and what may work if
    that one does not.

    A bus that has no room for the best mode may have room for JPEG of the same size, or for a smaller one.
    """
    best: dict[tuple[str, Size], Mode] = {}
    for mode in sorted(modes, key=lambda mode: _rank(mode, size, fps)):
        best.setdefault((mode.code, mode.size), mode)
    first, *others = best.values() or (None,)
    if first is None:
        return []
    area = first.size[0] * first.size[1]

    def need(mode: Mode) -> tuple[float, ...]:
        larger = mode.size[0] * mode.size[1] > area
        other = 0 if mode.size == first.size else 2 if larger else 1
        return (
            mode.format in GREY,
            other,
            *_rank(mode, size, fps)[:-3],
            mode.format is not PixelFormat.MJPEG,
            *_rank(mode, size, fps),
        )

    return [first, *sorted(others, key=need)]


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
