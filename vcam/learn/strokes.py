"""What the user says of a few frames: "this is me" in green, "this is not me" in red, drawn over them.

Three frames are written where the labels are in doubt. Strokes come back as a picture with a transparent ground, under
the name of its frame. Each is grown to the thing that it was drawn on, and holds in the other frames wherever these
look the same at the same place.
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
from vcam.files import write_error
from vcam.frames import Frame
from vcam.images import frame_to_bgr, read_rgba, write_image
from vcam.learn.footage import Footage
from vcam.types import F32, U8, Size

Mask = npt.NDArray[np.bool_]

COUNT = 3
"""Frames that are written to be drawn on."""
DOUBT = 0.01
"""Share of a frame that must be in doubt before anybody is asked to draw."""
CLUSTERS = 4
"""Colours that a stroke may have."""
ALIKE = 10.0
"""How far a colour (CIELAB, as OpenCV has it in 8 bits) may be from one of the stroke's, at least."""
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

    matte: what is known of the frame, uint8 (height, width). A stroke spreads over what has its colours, is joined with
    it, and is on the wrong side so far.
    """
    size = frame.size
    person = matte >= 128
    # the colour as the eye sees its differences, without grain
    colours = cv2.cvtColor(cv2.bilateralFilter(frame_to_bgr(frame), 5, 25, 5), cv2.COLOR_BGR2LAB).astype(np.float32)
    me, other = (_at(mask, size) for mask in (strokes.me, strokes.other))
    gained, lost = _spread(colours, me, ~person & ~other), _spread(colours, other, person & ~me)
    return (gained | me) & ~other, lost | other


def _at(mask: Mask, size: Size) -> Mask:
    """A mask at another size; any touch of a thin stroke counts."""
    larger = mask.shape[1] > size[0]
    way = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask.view(np.uint8) * 255, size, interpolation=way) > 40)


def _spread(colours: F32, stroke: Mask, allowed: Mask) -> Mask:
    """Where the colours of a stroke go on: bool (height, width)."""
    if not stroke.any():
        return stroke
    under = colours[stroke]
    under = under[:: max(1, len(under) // 2000)]
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
    count = min(CLUSTERS, len(under))
    cv2.setRNGSeed(0)
    members = np.zeros((len(under), 1), np.int32)
    _, members_, centres = cv2.kmeans(under, count, members, criteria, 2, cv2.KMEANS_PP_CENTERS)
    like = np.zeros(stroke.shape, bool)
    for number, centre in enumerate(centres):
        spread = float(np.sqrt(np.mean((under[members_[:, 0] == number] - centre) ** 2)))
        like |= np.linalg.norm(colours - centre, axis=2) <= max(ALIKE, 3 * spread)
    closed = cv2.morphologyEx((like & allowed).view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) != 0
    joined = np.asarray((closed & allowed) | stroke)
    _, parts = cv2.connectedComponents(joined.view(np.uint8), connectivity=8)
    return np.asarray(np.isin(parts, np.unique(parts[stroke])) & (parts > 0) & (allowed | stroke))


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
    paths: list[Path] = []
    try:
        if frames:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise write_error(folder, error) from error
    for frame in frames:
        path = folder / f"{Path(film.name).stem}-{frame.seq:05d}.png"
        if not path.exists():
            # else somebody may have drawn on it
            write_image(path, frame_to_bgr(frame), mode=0o600)
        paths.append(path)
    return paths
