"""What makes a film useless to learn from, told before any time is spent on it.

Nobody's face is recognised. So that somebody else sits in the film cannot be told, only that several people do, or that
who sits there in the second half looks quite different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.errors import InputError
from vcam.frames import Frame
from vcam.segment.emptyroom.telling import is_moved
from vcam.types import U8

SOMEBODY = 0.02
"""Share of a picture from which on a person in it is near enough to be learnt."""
MOSTLY = 0.6
"""Share of the frames that must show somebody."""
SECOND = 0.25
"""A second person is one whose share of the picture is so much of the first one's."""
SEVERAL = 0.2
"""Share of the frames that may show several people: a hand that leaves the body for a moment is none."""
DARK = 45.0
"""Luma, 0..255, that nearly all of a dark picture stays below."""
BRIGHTEST = 95
"""Per cent of the pixels."""
ALIKE = 0.35
"""Overlap of the colours of two halves, 0..1, below which somebody looks different."""
LOOKS = 12
"""Frames that are compared with the first for a camera that moves, at most."""
OFTEN = 0.25
"""Share of these in which it must have moved."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network saw in the frames of one film. mattes: uint8 (height, width) of each."""

    name: str
    frames: Sequence[Frame]
    mattes: Sequence[U8]


def check_frames(name: str, frames: Sequence[Frame]) -> None:
    """What can be told without a network. Raises `InputError` for a film from which nothing can be learnt."""
    if is_dark(frames):
        raise InputError(f"{name} is too dark to learn from", "switch the light on, as in your calls")
    if camera_moves(frames):
        raise InputError(f"the camera moves in {name}", "let it stand still, and switch its auto-framing off")


def check_film(seen: Seen) -> list[str]:
    """What a network is needed for: the same, and notes for people on a film that may be odd."""
    shares = [float(np.count_nonzero(matte >= 128)) / matte.size for matte in seen.mattes]
    there = sum(share >= SOMEBODY for share in shares)
    if not there:
        raise InputError(f"nobody is to be seen in {seen.name}", "sit before the camera as in a call")
    if there < MOSTLY * len(shares):
        raise InputError(
            f"somebody is to be seen in {there} of {len(shares)} frames of {seen.name} only",
            "stay in the picture, near the camera, as in a call",
        )
    crowded = sum(people(matte) > 1 for matte in seen.mattes)
    if crowded > SEVERAL * there:
        raise InputError(
            f"there are several people in {seen.name}, in {crowded} of {len(shares)} frames",
            "one at a time: the network is to learn you. What is no person, a picture on the wall, may be covered",
        )
    if likeness(seen) < ALIKE:
        return [
            f"who is in the second half of {seen.name} looks quite different from the first: another light, other "
            "clothes, or somebody else? vcam does not recognise faces"
        ]
    return []


def is_dark(frames: Sequence[Frame]) -> bool:
    """Whether hardly anything can be seen in most of the frames."""
    dark = [float(np.percentile(_luma(frame)[::4, ::4], BRIGHTEST)) < DARK for frame in frames]
    return sum(dark) > len(dark) / 2


def _luma(frame: Frame) -> np.typing.NDArray[np.float32]:
    """Luma from 0 to 255, whatever the range."""
    values = frame.y.astype(np.float32)
    return values if frame.full_range else np.clip((values - 16) * np.float32(255 / 219), 0, 255)


def people(matte: U8) -> int:
    """How many separate shapes there are that are as large as a second person would be."""
    mask = (matte >= 128).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).astype(np.uint8, copy=False)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = sorted((int(stats[number, cv2.CC_STAT_AREA]) for number in range(1, count)), reverse=True)
    if not areas:
        return 0
    least = max(SECOND * areas[0], SOMEBODY / 2 * mask.size)
    return 1 + sum(area >= least for area in areas[1:])


def camera_moves(frames: Sequence[Frame]) -> bool:
    """Whether the picture as a whole is elsewhere in later frames than in the first."""
    first = frames[0].y.astype(np.float32)
    places = np.linspace(1, len(frames) - 1, min(LOOKS, len(frames) - 1)).round().astype(int)
    moved = sum(is_moved(first, frames[place].y.astype(np.float32)) for place in places)
    return moved > OFTEN * len(places)


def likeness(seen: Seen) -> float:
    """How far the colours of the person in the two halves of a film overlap, 0..1."""
    half = len(seen.frames) // 2
    one, other = (_colours(seen.frames[part], seen.mattes[part]) for part in (slice(half), slice(half, None)))
    return float(np.minimum(one, other).sum())


_BINS = 12


def _colours(frames: Sequence[Frame], mattes: Sequence[U8]) -> np.typing.NDArray[np.float64]:
    """How often each colour is the person's, a histogram of Cb and Cr that sums up to 1."""
    total = np.zeros((_BINS, _BINS))
    for frame, matte in zip(frames, mattes, strict=True):
        inside = cv2.resize(matte, frame.u.shape[::-1], interpolation=cv2.INTER_AREA) >= 250
        if inside.any():
            found, _, _ = np.histogram2d(frame.u[inside], frame.v[inside], _BINS, [[64, 192], [64, 192]])
            total += found
    return np.asarray(cv2.GaussianBlur(total / max(total.sum(), 1), (3, 3), 0))
