"""What lies in a folder of pictures or videos with their true mattes.

    FOLDER/img/NAME.jpg   + FOLDER/mask/NAME.png
    FOLDER/NAME.jpg       + FOLDER/NAME_mask.png
    FOLDER/NAME.mp4       + FOLDER/NAME.matte.mkv or FOLDER/NAME_alpha.mp4

All three may be mixed; the suffixes are free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vcam.colour import EXPANDED
from vcam.errors import InputError, UsageError
from vcam.frames import Frame
from vcam.images import IMAGE_SUFFIXES, bgr_to_frame, read_image
from vcam.media.containers import VIDEO_SUFFIXES
from vcam.media.ffmpeg import local_url
from vcam.media.probe import probe
from vcam.media.reader import VideoReader
from vcam.types import U8, Size

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
        masks = {path.stem: path for path in _files(folder / "mask", IMAGE_SUFFIXES)}
        _match(_files(folder / "img", IMAGE_SUFFIXES), masks, False, pairs, alone)
    for suffixes, ends, video in ((IMAGE_SUFFIXES, _PICTURE_ENDS, False), (VIDEO_SUFFIXES, _VIDEO_ENDS, True)):
        files = _files(folder, suffixes)
        masks = {path.stem.removesuffix(end): path for path in files for end in ends if path.stem.endswith(end)}
        sources = [path for path in files if not path.stem.endswith(ends)]
        _match(sources, masks, video, pairs, alone)
    if not pairs:
        raise InputError(
            f"there are no pictures or videos with mattes in {folder}",
            "lay NAME.jpg into img/ and NAME.png into mask/, or NAME.mp4 beside NAME.matte.mkv",
        )
    return Found(pairs, alone)


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())


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
    picture, matte = read_image(pair.source), read_matte(pair.matte)
    wanted = size or (picture.shape[1], picture.shape[0])
    yield bgr_to_frame(_scaled(picture, wanted)), _scaled(matte, wanted)


def read_matte(path: Path) -> U8:
    """A picture of a matte as uint8 (height, width), 0..255.

    16-bit ones are scaled, those of only 0 and 1 are stretched. Raises `UsageError`, `InputError`.
    """
    matte = read_image(path)[..., 1]
    return matte * np.uint8(255) if int(matte.max()) == 1 else np.ascontiguousarray(matte)


def _scaled(picture: U8, size: Size) -> U8:
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
    wanted = size or (round(source.size[0] * source.aspect), source.size[1])
    # both are scaled to even sides, as I420 has them, and so stay alike
    wanted = (wanted[0] + wanted[0] % 2, wanted[1] + wanted[1] % 2)
    with (
        VideoReader(local_url(pair.source), wanted, source.fps, track=source.track) as frames,
        VideoReader(local_url(pair.matte), wanted, source.fps, track=matte.track) as mattes,
    ):
        while (frame := frames.read()) is not None and (true := mattes.read()) is not None:
            yield frame, _expanded(true.y)


def _expanded(luma: U8) -> U8:
    """A matte from limited range to 0..255."""
    return cv2.LUT(luma, EXPANDED).astype(np.uint8, copy=False)
