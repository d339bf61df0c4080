"""Planes made smaller, and small ones made larger: one way for the network's picture, the guide and the backgrounds.

On the way down a plane is halved as often as that goes, and what is left, mostly less than a factor of two, is done in
one bilinear step. The mean of two by two samples is the cheapest filter that does not alias; averaging over areas that
are no whole numbers of samples costs ten times as much, and bilinear steps over larger factors leave samples out.

Planes are uint8 (height, width) with dense rows, which may lie any distance apart. Sizes are (width, height).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from vcam import native
from vcam.types import U8, Size

NEARLY = 1.75
"""How many times the target's side still counts as twice, where the sides are halved each by itself."""

_PLANS = 8
"""Pairs of sizes for which a `Reducer` remembers its steps."""


class Odd(Enum):
    """What becomes of a plane with an odd side, of which there is no exact half."""

    KEPT = "it is not halved; the last step does the rest"
    CUT = "its last line is left out"
    DOWN = "its half is rounded down, and all of it spread over that, bilinear"
    UP = "its half is rounded up, and all of it spread over that, bilinear"


def halve(plane: U8, half: U8) -> U8:
    """Write the means of two by two samples into `half`, and return it.

    Where one side alone is half as long, they are means of two. If a half is rounded, the plane is spread over it.
    """
    size = (half.shape[1], half.shape[0])
    cv2.resize(plane, size, dst=half, interpolation=_way(plane.shape, size))
    return half


def _way(shape: tuple[int, ...], half: Size) -> int:
    # where AREA does not halve both sides, it is ten times as slow as LINEAR, which gives the same means of two
    return cv2.INTER_AREA if shape == (2 * half[1], 2 * half[0]) else cv2.INTER_LINEAR


def enlarge(small: U8, full: U8) -> None:
    """Write a small plane, bilinear, into one of any larger size."""
    kernels, factor = native.kernels(), full.shape[0] // small.shape[0]
    whole = full.shape == (factor * small.shape[0], factor * small.shape[1])
    if kernels is not None and whole and factor in kernels.magnified:
        kernels.magnify(small, full, factor)
    else:
        cv2.resize(small, full.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)


def halvings(size: Size, target: Size, odd: Odd) -> Iterator[Size]:
    """The sizes on the way from one to the other, both sides halved at once while neither falls below `target`."""
    width, height = size
    up = odd is Odd.UP
    while not (odd is Odd.KEPT and (width % 2 or height % 2)):
        half = (width + up) // 2, (height + up) // 2
        if half[0] < target[0] or half[1] < target[1] or half == (width, height):
            return
        yield half
        width, height = half


def halvings_apart(size: Size, target: Size) -> Iterator[Size]:
    """The sizes on the way down to less than twice `target`, each side by itself, exact halves only.

    A side that is nearly twice as long is halved along with the other: halving both is much the cheaper, and the few
    lines lost are fewer than those a network sees.
    """
    width, height = size
    while True:
        wide, tall = width / target[0], height / target[1]
        across, down = width % 2 == 0 and wide >= NEARLY, height % 2 == 0 and tall >= NEARLY
        if max(wide, tall) < 2 or not (across or down):
            return
        width, height = width // (1 + across), height // (1 + down)
        yield width, height


class _Step(NamedTuple):
    """What is cut off from the plane before, where a half of it goes (None: into the target), and OpenCV's way."""

    part: tuple[slice, slice] | None
    buffer: U8 | None
    size: Size
    way: int


class Reducer:
    """Brings planes of any size to another, by halves first. Its buffers grow to the largest plane and are reused."""

    def __init__(self, odd: Odd = Odd.CUT, rest: int = cv2.INTER_LINEAR) -> None:
        """rest: OpenCV's way for the last step, where halves do not arrive; by areas where that may be a long one."""
        self._odd, self._rest = odd, rest
        self._levels: list[U8] = []
        self._plans: dict[tuple[tuple[int, ...], tuple[int, ...]], list[_Step]] = {}

    def reduce(self, plane: U8, target: U8) -> None:
        """Write the plane into `target`; one that is larger is enlarged."""
        shapes = plane.shape, target.shape
        for part, buffer, size, way in self._plans.get(shapes) or self._plan(*shapes):
            if part is not None:
                plane = plane[part]
            step = target if buffer is None else buffer
            cv2.resize(plane, size, dst=step, interpolation=way)
            plane = step

    def _plan(self, source: tuple[int, ...], target: tuple[int, ...]) -> list[_Step]:
        if len(self._plans) >= _PLANS:
            # boxes change from frame to frame
            self._plans.clear()
        wanted, shape = (target[1], target[0]), source
        steps: list[_Step] = []
        for size in halvings((source[1], source[0]), wanted, self._odd):
            part = None
            if self._odd is Odd.CUT and (shape[0] % 2 or shape[1] % 2):
                part, shape = np.s_[: 2 * size[1], : 2 * size[0]], (2 * size[1], 2 * size[0])
            buffer = None if size == wanted else self._buffer(len(steps), *size)
            steps.append(_Step(part, buffer, size, _way(shape, size)))
            shape = (size[1], size[0])
        if not steps or steps[-1].buffer is not None:
            steps.append(_Step(None, None, wanted, self._rest))
        self._plans[source, target] = steps
        return steps

    def _buffer(self, level: int, width: int, height: int) -> U8:
        """Memory for a plane on the way, its content undefined."""
        count = width * height
        if level == len(self._levels):
            self._levels.append(np.empty(0, np.uint8))
        if self._levels[level].size < count:
            self._levels[level] = np.empty(count, np.uint8)
        return self._levels[level][:count].reshape(height, width)


Ladders = Sequence[Sequence[U8]]
"""For each of some planes the buffers on its way down. Each but the last is half as high as the one before, or half as
wide, or both; the last is of any size."""


def ladder_writer(shapes: Sequence[tuple[int, ...]], ladders: Ladders) -> Callable[[Sequence[U8]], None]:
    """What writes planes of these shapes, (height, width), into the steps of a ladder for each.

    That is the compiled loop where there is one, which differs by a level at most, and in the last step only. One
    thread at a time may call it.
    """
    kernels = native.kernels()
    return partial(write_ladders, ladders) if kernels is None else kernels.reducer(shapes, ladders)


def write_ladders(ladders: Ladders, planes: Sequence[U8]) -> None:
    """Write planes into the steps of a ladder for each, by OpenCV."""
    for plane, steps in zip(planes, ladders, strict=True):
        for step in steps[:-1]:
            plane = halve(plane, step)
        last = steps[-1]
        cv2.resize(plane, last.shape[::-1], dst=last, interpolation=cv2.INTER_LINEAR)
