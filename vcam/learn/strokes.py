"""What the user says of a few frames: "this is me" in green, "this is not me" in red, drawn over them.

Three frames are written where the labels are in doubt. Strokes come back as a picture with a transparent ground, under
the name of its frame. Each is grown to the thing that it was drawn on (GrabCut, https://doi.org/10.1145/1015706.1015720)
and holds in the other frames wherever these look the same at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from vcam.errors import InputError, UsageError
from vcam.frames import Frame
from vcam.images import frame_to_bgr, read_rgba, write_image
from vcam.learn.footage import Footage
from vcam.types import U8

Mask = npt.NDArray[np.bool_]

COUNT = 3
"""Frames that are written to be drawn on."""
DOUBT = 0.01
"""Share of a frame that must be in doubt before anybody is asked to draw."""
SMALL = 320
"""Width at which strokes are grown."""
ROUNDS = 3
SAME = 14.0
"""Levels by which a pixel of another frame may differ from where it was drawn, to be the same thing."""
DRAWN = 128
"""Alpha from which a pixel was drawn on."""
STRONG, WEAK = 140, 110
"""Levels of the one colour, at least, and of the two others, at most."""

_NAME = re.compile(r"^(?P<film>.*)-(?P<frame>\d{5,})(?!\d)")


@dataclass(frozen=True, slots=True)
class Strokes:
    """film, frame: the name of the film without its suffix, and the number of the frame. me, other: bool (height,
    width), where was drawn, at the picture's size."""

    film: str
    frame: int
    me: Mask
    other: Mask
    source: Path


def read_strokes(path: Path) -> Strokes:
    """Raise `UsageError` or `InputError` for a picture that is none, or shows nothing that was drawn."""
    found = _NAME.match(path.stem)
    if found is None:
        raise UsageError(
            f"{path.name} does not say which frame it was drawn on", "keep the name that the frame had, NAME-00123.png"
        )
    painted = read_rgba(path)
    drawn = painted[..., 3] >= DRAWN
    if drawn.all():
        raise InputError(
            f"{path.name} has no transparent ground", "save the strokes alone: a layer of its own, without the frame"
        )
    red, green, blue = (painted[..., channel].astype(int) for channel in (0, 1, 2))
    me = drawn & (green >= STRONG) & (red <= WEAK) & (blue <= WEAK)
    other = drawn & (red >= STRONG) & (green <= WEAK) & (blue <= WEAK)
    if not me.any() and not other.any():
        raise InputError(f"nothing red or green is drawn in {path.name}", "red: not me; green: me")
    return Strokes(found["film"], int(found["frame"]), me, other, path)


def matched(strokes: Sequence[Strokes], films: Sequence[Footage]) -> list[tuple[int, Frame, Strokes]]:
    """Each with the number of its film, and its frame. Raises `UsageError` for one that fits no frame."""
    found = []
    for each in strokes:
        for number, film in enumerate(films):
            frame = next((one for one in film.learnt if one.seq == each.frame), None)
            if frame is not None and (len(films) == 1 or Path(film.name).stem == each.film):
                found.append((number, frame, each))
                break
        else:
            raise UsageError(
                f"{each.source.name} was drawn on no frame of these films",
                "give the film that the frame came from: --clip FILE",
            )
    return found


def grown(frame: Frame, matte: U8, strokes: Strokes) -> tuple[Mask, Mask]:
    """What the strokes mean in their own frame: where I am, and where I am not; bool (height, width) of the frame.

    matte: what is known of the frame, uint8 (height, width).
    """
    height, width = frame.y.shape
    scale = min(1.0, SMALL / width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    picture = cv2.resize(frame_to_bgr(frame), size, interpolation=cv2.INTER_AREA)
    before = cv2.resize(matte, size, interpolation=cv2.INTER_AREA) >= 128
    # any touch of a thin stroke counts
    me, other = (
        cv2.resize(mask.view(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 40
        for mask in (strokes.me, strokes.other)
    )
    seeds = np.where(before, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    # what is sure far from every stroke stays so, for the colours to be told by
    inner = cv2.erode(before.view(np.uint8), np.ones((9, 9), np.uint8)) != 0
    near = cv2.dilate((other | me).view(np.uint8), np.ones((31, 31), np.uint8)) != 0
    seeds[inner & ~near] = cv2.GC_FGD
    seeds[me], seeds[other] = cv2.GC_FGD, cv2.GC_BGD
    if not np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).any() or not np.isin(seeds, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        after = me
    else:
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cut, _, _ = cv2.grabCut(picture, seeds.astype(np.uint8), None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
        after = np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD))
    gained = _touched(after & ~before, me) | me
    lost = _touched(before & ~after, other) | other
    return _enlarged(gained & ~lost, (width, height)), _enlarged(lost, (width, height))


def _touched(mask: Mask, by: Mask) -> Mask:
    """The connected parts of a mask that something touches."""
    near = cv2.dilate(by.view(np.uint8), np.ones((3, 3), np.uint8)) != 0
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    return np.asarray(np.isin(labels, np.unique(labels[near & mask])) & mask)


def _enlarged(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(cv2.resize(mask.view(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) >= 128)


def same_there(frame: Frame, drawn: Frame) -> Mask:
    """Where a frame looks as another one does, bool (height, width)."""
    one, other = (cv2.GaussianBlur(frame_to_bgr(each), (5, 5), 0).astype(np.int16) for each in (frame, drawn))
    return np.asarray(np.abs(one - other).max(axis=2) <= SAME)


def doubtful(film: Footage, doubts: Sequence[Mask], count: int = COUNT) -> list[Frame]:
    """The frames of a film in which most is in doubt, apart in time. doubts: of each frame that is learnt from."""
    shares = [float(mask.mean()) for mask in doubts]
    apart = max(1, len(shares) // (2 * count))
    chosen: list[int] = []
    for place in sorted(range(len(shares)), key=lambda place: -shares[place]):
        if shares[place] >= DOUBT and all(abs(place - other) >= apart for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return [film.learnt[place] for place in sorted(chosen)]


def write_frames(folder: Path, film: Footage, frames: Sequence[Frame]) -> list[Path]:
    """The frames as pictures for their owner alone, under names by which strokes find them. Raises `OutputError`."""
    paths = []
    for frame in frames:
        path = folder / f"{Path(film.name).stem}-{frame.seq:05d}.png"
        write_image(path, frame_to_bgr(frame), mode=0o600)
        paths.append(path)
    return paths
