"""What tells that two pictures are the same one, or nearly: perceptual hashes, and who is near to whom.

The hash is pHash (Evan Klinger and David Starkweather, phash.org; as `imagehash.phash` has it): the picture as 32x32
greys, its cosine transform, of which the 8x8 lowest frequencies give a bit each, whether they are above their median.
A crop of a few pixels, another size, JPEG or a little light change a few bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.types import U8

_SIDE, _LOW = 32, 8

NEAR = 10
"""Bits that nearly the same pictures differ by at most. 120 portraits of different people differ by 14 and more, and a
fiftieth cut off on every side is 10 bits in 99 of 100. Two are compared that have one of the eight bytes in common, as
all have with up to 7 bits, and 97 of 100 with 10."""

_LIKENESS = 0.85
"""How much two small pictures have to correlate besides; those portraits do by 0.7 at most."""

_MOST_NEAR = 16
"""For one picture and one byte: stills cut from one film, thousands of them, are all alike."""

_AT_ONCE = 1024
"""Pictures that one is compared with before it is asked whether that is enough."""

_PLAIN = 1.0
"""Levels of standard deviation below which a picture is a plane, of which nothing can be said."""

_BITS = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """bits, mirrored: pHash of the picture, and of the picture in a mirror, uint8 (8,). small: uint8 (32, 32) greys."""

    bits: U8
    mirrored: U8
    small: U8


def fingerprint(picture: U8) -> Fingerprint:
    """The fingerprint of a BGR picture, uint8 (height, width, 3)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return Fingerprint(_hash(small), _hash(small[:, ::-1]), small)


def _hash(small: U8) -> U8:
    low = cv2.dct(small.astype(np.float32))[:_LOW, :_LOW]
    return np.packbits(low.ravel() > np.median(low))


def near_pairs(prints: Sequence[Fingerprint], clips: Sequence[str] | None = None) -> list[tuple[int, int]]:
    """The numbers of every two that are nearly the same, or are in a mirror; the smaller one first, in order.

    clips: of each print its film, "" for none; frames of one film are not compared. Of very many that are all alike
    each is told with some of the others only.
    """
    if len(prints) < 2:
        return []
    count = len(prints)
    names: dict[str, int] = {}
    # a picture of no film is one of its own, and is not compared with itself in a mirror
    films = np.array([names.setdefault(clip, count + len(names)) if clip else number
                      for number, clip in enumerate(clips or [""] * count)] * 2)  # fmt: skip
    bits = np.stack([each.bits for each in prints] + [each.mirrored for each in prints])
    found: set[tuple[int, int]] = set()
    for byte in range(_LOW):
        order = np.argsort(bits[:, byte], kind="stable")
        ends = np.flatnonzero(np.diff(bits[order, byte])) + 1
        for members in np.split(order, ends):
            for at, one in enumerate(members.tolist()):
                if one >= count:
                    # the rest are mirrored as well
                    break
                near: list[int] = []
                for first in range(at + 1, len(members), _AT_ONCE):
                    rest = members[first : first + _AT_ONCE]
                    apart = _BITS[bits[rest] ^ bits[one]].sum(axis=1)
                    near += rest[(apart <= NEAR) & (films[rest] != films[one])].tolist()
                    if len(near) >= _MOST_NEAR:
                        # or else thousands that are all alike take their square in time
                        break
                found.update((one, two) for two in near[:_MOST_NEAR])
    return sorted({(min(one, two % count), max(one, two % count)) for one, two in found if _alike(prints, one, two)})


def _alike(prints: Sequence[Fingerprint], one: int, two: int) -> bool:
    small = prints[two % len(prints)].small
    first = prints[one].small.ravel().astype(np.float32)
    second = (small[:, ::-1] if two >= len(prints) else small).ravel().astype(np.float32)
    first -= first.mean()
    second -= second.mean()
    powers = float(first @ first), float(second @ second)
    # of a plane nothing can be said
    return min(powers) >= _PLAIN**2 * first.size and float(first @ second) >= _LIKENESS * (powers[0] * powers[1]) ** 0.5


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """For each of `count` the smallest number that pairs lead to from it."""
    heads = list(range(count))

    def head(one: int) -> int:
        while heads[one] != one:
            heads[one] = heads[heads[one]]
            one = heads[one]
        return one

    for one, two in pairs:
        first, second = sorted((head(one), head(two)))
        heads[second] = first
    return [head(one) for one in range(count)]
