"""What lies in a folder of pictures or videos with their true mattes.

    FOLDER/img/NAME.jpg   + FOLDER/mask/NAME.png
    FOLDER/NAME.jpg       + FOLDER/NAME_mask.png
    FOLDER/NAME.mp4       + FOLDER/NAME.matte.mkv or FOLDER/NAME_alpha.mp4

All three may be mixed; the suffixes are free.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vcam.colour import EXPANDED
from vcam.datasets.mattes import matte_of
from vcam.errors import InputError, UsageError
from vcam.frames import Frame
from vcam.images import bgr_to_frame, pictures_in, read_raw, read_turned, turned_samples
from vcam.media.ffmpeg import local_url
from vcam.media.filters import square_size
from vcam.media.probe import probe
from vcam.media.reader import VideoReader, tell
from vcam.suffixes import VIDEO_SUFFIXES
from vcam.types import U8, Size

_log = logging.getLogger(__name__)

_PICTURE_ENDS = ("_mask",)
_VIDEO_ENDS = (".matte", "_alpha")


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture or video and the file of its true matte."""

    source: Path
    matte: Path
    video: bool

    @property
    def name(self) -> str:
        return self.source.stem


@dataclass(frozen=True, slots=True)
class Found:
    """The pairs of a folder in the order of their names, pictures first, and what has no matte."""

    pairs: list[Pair]
    alone: list[Path]


def find_pairs(folder: Path) -> Found:
    """Raises `UsageError` if there is no such folder, `InputError` if it holds no pair."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", "check the path")
    pairs: list[Pair] = []
    alone: list[Path] = []
    if (folder / "img").is_dir() and (folder / "mask").is_dir():
        masks = {path.stem: path for path in _pictures(folder / "mask")}
        _match(_pictures(folder / "img"), masks, False, pairs, alone)
    kinds = ((_pictures(folder), _PICTURE_ENDS, False), (_videos(folder), _VIDEO_ENDS, True))
    for files, ends, video in kinds:
        masks = {path.stem.removesuffix(end): path for path in files for end in ends if path.stem.endswith(end)}
        sources = [path for path in files if not path.stem.endswith(ends)]
        _match(sources, masks, video, pairs, alone)
    if not pairs:
        raise InputError(
            f"there are no pictures or videos with mattes in {folder}",
            "lay NAME.jpg into img/ and NAME.png into mask/, or NAME.mp4 beside NAME.matte.mkv",
        )
    return Found(pairs, alone)


def _pictures(folder: Path) -> list[Path]:
    try:
        return pictures_in(folder, gifs=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}", f"chmod u+rx {folder}") from error


def _videos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())


def _match(sources: list[Path], masks: dict[str, Path], video: bool, pairs: list[Pair], alone: list[Path]) -> None:
    for source in sources:
        if source.stem in masks:
            pairs.append(Pair(source, masks[source.stem], video))
        else:
            alone.append(source)


def read_pair(pair: Pair, size: Size | None = None) -> Iterator[tuple[Frame, U8]]:
    """The frames of a pair, each with its true matte, uint8 (height, width), 0..255.

    `size` scales both. A frame is valid until the next one; that of a picture is padded to even sides, its matte is
    not. Raises `InputError` or `UsageError` for files that cannot be read or do not fit each other.
    """
    return _video(pair, size) if pair.video else _picture(pair, size)


def _picture(pair: Pair, size: Size | None) -> Iterator[tuple[Frame, U8]]:
    picture, turn = read_turned(pair.source)
    matte = fitting_matte(pair, picture, turn)
    wanted = size or (picture.shape[1], picture.shape[0])
    yield bgr_to_frame(scaled(picture, wanted)), scaled(matte, wanted)


def fitting_matte(pair: Pair, picture: U8, turn: int) -> U8:
    """The matte of an upright picture of the same shape, which EXIF had turned by `turn`; it is not scaled yet.

    A matte may have been made of the picture as it is stored, by a program that knows nothing of EXIF. If its shape
    tells, it is turned as well; where it does not, it is taken to be upright, and that is said. Raises as `read_raw`
    does, and `InputError` for what is no matte, or of another shape.
    """
    raw = read_raw(pair.matte)
    matte = matte_of(pair.matte, raw)
    if turn != 1 and raw.orientation == 1:
        stored = turned_samples(picture, _UNDO.get(turn, turn))
        if not _same_shape(matte, picture) and _same_shape(matte, stored):
            return np.ascontiguousarray(turned_samples(matte, turn))
        if _same_shape(matte, picture) and _same_shape(matte, stored):
            _log.warning("%s is turned by its EXIF, %s has none: taken to be upright", pair.source, pair.matte.name)
    if not _same_shape(matte, picture):
        own, other = ("x".join(str(side) for side in each.shape[1::-1]) for each in (matte, picture))
        raise InputError(
            f"{pair.matte} is {own}, which is not the shape of {pair.source.name}, {other}",
            f"make it for {other}, or smaller in the same shape",
        )
    return matte


_UNDO = {6: 8, 8: 6}
"""EXIF's orientations that undo others; each of the rest undoes itself."""


def _same_shape(matte: U8, picture: U8) -> bool:
    return alike((matte.shape[1], matte.shape[0]), (picture.shape[1], picture.shape[0]))


def alike(one: Size, two: Size) -> bool:
    """Whether two sizes are of one shape, but for what rounding does to the sides of the smaller one."""
    # a pixel more or less on either side of the smaller one
    return abs(one[0] * two[1] - one[1] * two[0]) <= max(*one, *two)


def scaled(picture: U8, size: Size) -> U8:
    """A picture or matte in another size, (width, height), without aliasing; itself if it has that size."""
    if picture.shape[1::-1] == size:
        return picture
    smaller = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=way).astype(np.uint8, copy=False)


def _video(pair: Pair, size: Size | None) -> Iterator[tuple[Frame, U8]]:
    source, matte = probe(pair.source), probe(pair.matte)
    if abs(float(source.fps) - float(matte.fps)) > 0.01 * float(source.fps):
        raise InputError(
            f"{pair.source} has {float(source.fps):g} frames a second, {pair.matte.name} {float(matte.fps):g}",
            "make the mattes at the video's own rate",
        )
    # both are scaled to even sides, as I420 has them, and so stay alike
    wanted = square_size(source) if size is None else (size[0] + size[0] % 2, size[1] + size[1] % 2)
    with (
        VideoReader(local_url(pair.source), wanted, source.fps, info=source) as frames,
        VideoReader(local_url(pair.matte), wanted, source.fps, info=matte) as mattes,
    ):
        tell(str(pair.source), frames.note)
        while (frame := frames.read()) is not None and (true := mattes.read()) is not None:
            yield frame, _expanded(true.y)


def _expanded(luma: U8) -> U8:
    """A matte from limited range to 0..255."""
    return cv2.LUT(luma, EXPANDED).astype(np.uint8, copy=False)
