"""The same picture done with several settings, and where the results differ most: for choosing settings by eye."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vcam.camera.file import PictureFile, VideoFile, is_picture
from vcam.compose.base import Plate
from vcam.compose.filters.base import Place
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.registry import parse_filters
from vcam.compose.matteview import matte_picture
from vcam.errors import InputError, UsageError
from vcam.filmroom import FilmRoom, RoomSource, Told, check, film, refuse_memory, remember, unrecognised
from vcam.frames import Alpha, Box, Frame
from vcam.images import frame_to_bgr
from vcam.measure.metrics import edge_band
from vcam.media.reader import tell
from vcam.pipeline import Pipeline, open_pipeline, tune_process
from vcam.settings import Settings, parse_assignments
from vcam.types import F32, U8, Size

MOST = 24
"""Variants on one sheet; more cannot be seen side by side."""

SPOTS = 3
REPEATS = 5
WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Variant:
    """Some settings laid over the common ones; `name` is what people wrote."""

    name: str
    changes: Mapping[str, str]
    room: bool = False
    """Whether what is known of the room is used."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a variant makes of the picture. `stages_ms`: CPU milliseconds a frame."""

    name: str
    picture: U8
    """(height, width, 3) BGR."""
    matte: U8
    """(height, width), after the filters that act on it; black where the background needs none."""
    stages_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All results, and the squares of the picture where they differ most along the person's edge."""

    source: str
    original: U8
    results: list[Result]
    spots: list[Box]
    notes: Sequence[str] = ()
    """What a person should know of it."""


def plan_variants(filters: Sequence[str], settings: Sequence[str], *, room: bool = False) -> list[Variant]:
    """The settings as they are, then one variant for each chain of filters and for each `KEY=VALUE,KEY=VALUE`.

    The filters of a chain are separated by semicolons. room: the second variant is the first with what is known of the
    room, and all after it have that as well. Raises `UsageError` for what is no assignment, and too many.
    """
    variants = [Variant("as it is", {}), *([Variant("with the room", {}, room)] if room else [])]
    variants += [Variant(chain, {"filters.chain": chain}, room) for chain in filters]
    # a value may hold commas itself
    parts = [(text, re.split(r",(?=\s*[a-z_]+\.[a-z_]+\s*=)", text)) for text in settings]
    variants += [Variant(text, parse_assignments(words), room) for text, words in parts]
    if len(variants) > MOST:
        raise UsageError(f"{len(variants)} variants are too many to compare", f"take at most {MOST}")
    return variants


def compare(
    source: Path,
    settings: Settings,
    variants: Sequence[Variant],
    frame: int = 30,
    progress: Callable[[int], None] = lambda done: None,
    room: RoomSource | None = None,
) -> Comparison:
    """Run every variant on a picture, or on a video from its start to the frame of that number.

    `progress` is told how many variants are done. room: for the variants that use what is known of it. Raises what
    opening the pipeline raises, before any of them is run.
    """
    tune_process()
    all_settings = [with_variant(settings, variant) for variant in variants]
    for variant, own in zip(variants, all_settings, strict=True):
        if variant.room:
            check(own)
    picture = is_picture(source)
    known = _Known(room, source, moving=not picture) if room else None
    original, results = None, []
    for done, (variant, own) in enumerate(zip(variants, all_settings, strict=True), 1):
        told = known if variant.room else None
        result, original = (_of_picture if picture else _of_video)(source, own, variant.name, frame, told)
        results.append(result)
        progress(done)
    assert original is not None
    return Comparison(source.name, original, results, spots(results), known.notes if known else ())


def with_variant(settings: Settings, variant: Variant) -> Settings:
    """The settings with those of a variant laid over them. Raises `UsageError`."""
    return settings.replace(**{key.replace(".", "__"): value for key, value in variant.changes.items()})


class _Known:
    """What is told of the room behind the picture or film, found out by the first variant that uses it."""

    def __init__(self, room: RoomSource, source: Path, *, moving: bool) -> None:
        self._room, self._source, self._moving = room, source, moving
        self._told: Told | None = None
        self.notes: list[str] = []

    def use(self, pipeline: Pipeline, size: Size) -> FilmRoom | None:
        """Let it correct the maps of a pipeline that has not begun yet."""
        if not pipeline.composer.needs_alpha:
            return None
        if self._told is None:
            frames = (lambda: film(self._source)) if self._moving else None
            self._told = self._room.of(self._source, size, pipeline.matting, frames)
            self.notes += self._told.notes
        refuse_memory(pipeline.matting)
        return remember(pipeline.matting, self._told)

    def note(self, kept: FilmRoom | None) -> None:
        """Say it if the room was not recognised."""
        word = unrecognised(self._source.name, kept.recognised, kept.frames) if kept else ""
        if word and word not in self.notes:
            self.notes.append(word)


def _of_picture(source: Path, settings: Settings, name: str, number: int, known: _Known | None) -> tuple[Result, U8]:
    del number
    camera = PictureFile(source)
    camera.open()
    with open_pipeline(settings, camera, camera.size, [], still=True) as pipeline:
        frame = camera.read()
        assert frame is not None
        kept = known.use(pipeline, camera.true_size) if known else None
        shown = _Shown(pipeline, settings, still=True)
        # the first round loads and allocates
        for _ in range(REPEATS + 1):
            shown.step(frame, 0.0)
        if known:
            known.note(kept)
        return shown.result(name, camera.true_size), _cut(frame_to_bgr(frame), camera.true_size)


def _of_video(source: Path, settings: Settings, name: str, number: int, known: _Known | None) -> tuple[Result, U8]:
    camera = VideoFile(source)
    camera.open()
    for note in camera.notes:
        tell(camera.description, note)
    try:
        pipeline = open_pipeline(settings, camera, camera.size, [])
    except BaseException:
        camera.close()
        raise
    with pipeline:
        kept = known.use(pipeline, camera.size) if known else None
        shown = _Shown(pipeline, settings)
        for index in range(number + 1):
            following = camera.read()
            if following is None:
                raise InputError(f"{source} has only {index} frames", f"--frame {index - 1}")
            frame = following
            shown.step(frame, frame.timestamp)
        if known:
            known.note(kept)
        return shown.result(name, camera.size), frame_to_bgr(frame)


class _Shown:
    """What a pipeline makes of frames, with the matte beside the picture."""

    def __init__(self, pipeline: Pipeline, settings: Settings, *, still: bool = False) -> None:
        self._pipeline = pipeline
        filters = parse_filters(settings.filters.chain, still=still)
        self._chain = Chain([placed for placed in filters if placed.place is Place.ALPHA])
        self._alpha: Alpha | None = None
        self._picture: Frame | None = None
        self._frame: Frame | None = None
        self._warm = 1 if still else WARM_UP
        self._steps = 0

    def step(self, frame: Frame, now: float) -> None:
        pipeline, timings = self._pipeline, self._pipeline.timings
        if self._steps == self._warm:
            timings.reset()
        self._alpha = pipeline.matting.alpha(frame, timings) if pipeline.composer.needs_alpha else None
        with timings.stage("compose"):
            self._picture = pipeline.composer.compose(frame, self._alpha, now)
        timings.delivered(0.0)
        self._steps += 1
        self._frame = frame

    def result(self, name: str, size: tuple[int, int]) -> Result:
        assert self._picture is not None
        assert self._frame is not None
        stages = {stage: ms for stage, ms in self._pipeline.timings.stages_ms().items() if ms > 0}
        return Result(name, _cut(frame_to_bgr(self._picture), size), _cut(self._matte(self._frame), size), stages)

    def _matte(self, frame: Frame) -> U8:
        if self._alpha is None:
            return np.zeros_like(frame.y)
        self._chain.prepare(frame.size)
        return matte_picture(self._chain.before(Plate(frame, 0), frame, self._alpha, 0.0)[2])


def _cut(picture: U8, size: tuple[int, int]) -> U8:
    return np.ascontiguousarray(picture[: size[1], : size[0]])


def spots(results: Sequence[Result]) -> list[Box]:
    """Squares, the most different first, up to `SPOTS`, none over another.

    Looked at is the spread of the results along the edges of their mattes; where they do not differ there, the spread
    anywhere, and where they are all the same, the edges themselves.
    """
    height, width = results[0].matte.shape
    side = min(height, width, max(32, width // 10 // 2 * 2))
    band = np.maximum.reduce([edge_band(result.matte).astype(np.float32) for result in results])
    spread = _spread([result.picture for result in results])
    interest = next((each for each in (spread * band, spread, band) if each.any()), np.ones_like(band))
    summed = cv2.boxFilter(interest, cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    found: list[Box] = []
    while len(found) < SPOTS and summed.max() > 0:
        y, x = (int(index) for index in np.unravel_index(int(np.argmax(summed)), summed.shape))
        x0, y0 = min(max(x - side // 2, 0), width - side), min(max(y - side // 2, 0), height - side)
        found.append(Box(x0, y0, x0 + side, y0 + side))
        # another square begins where this one ends
        summed[max(0, y0 - side // 2) : y0 + side + side // 2, max(0, x0 - side // 2) : x0 + side + side // 2] = 0
    return found


def _spread(pictures: Sequence[U8]) -> F32:
    """How far the pictures lie apart at each pixel, in levels: float32 (height, width)."""
    low, high = pictures[0].copy(), pictures[0].copy()
    for picture in pictures[1:]:
        np.minimum(low, picture, out=low)
        np.maximum(high, picture, out=high)
    spread: F32 = np.max(high - low, axis=2).astype(np.float32)
    return spread
