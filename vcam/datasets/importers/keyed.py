"""Films before a green or blue screen: the key makes the matte.

    FILM.mp4, or a folder of such films, each a clip of its own

The screen's colour is found by itself in the film's first frames (`vcam.datasets.keying`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vcam.datasets.importers.base import Options, Plan, Read, Sample, folders_below
from vcam.datasets.keying import Key, find_key, key_out
from vcam.errors import InputError, VcamError
from vcam.frames import Frame
from vcam.images import frame_to_bgr
from vcam.media.ffmpeg import local_url
from vcam.media.filters import square_size
from vcam.media.probe import probe
from vcam.media.reader import VideoReader, tell
from vcam.suffixes import FILM_SUFFIXES
from vcam.types import U8

_LOOKED_AT = 5
"""Frames that the screen is looked for in."""

_FULL = 0.85
"""The share of a border that a screen has which fills the picture, before somebody's hair."""


class Keyed:
    """Films of people before a screen."""

    name = "keyed"
    title = "films before a green or blue screen, a file or a folder of them; the key makes the matte"

    def recognises(self, source: Path) -> bool:
        """Whether the first film has such a screen."""
        try:
            films = _films(source)
            return bool(films) and _screen(films[0]) is not None
        except (VcamError, OSError):
            return False

    def plan(self, source: Path, options: Options) -> Plan:
        """Every so many frames of each film. How many a film has is known once it is read."""
        films = _films(source)
        if not films:
            raise InputError(f"there are no films in {source}", "give a film, or a folder of films")
        plan = Plan(())
        keys: dict[Path, Key] = {}
        for film in films:
            try:
                key = _screen(film)
            except VcamError as error:
                plan.leave("cannot be read", str(error))
                continue
            if key is None:
                plan.leave("no green or blue screen", film.name)
                continue
            keys[film] = key
            plan.notes.append(f"{film.name}: the screen is {key.word}")
            if key.share < _FULL:
                plan.notes.append(
                    f"{film.name}: the screen is {key.share:.0%} of the border: what is beside it will be in the matte"
                )
        if not keys:
            why, names = next(iter(plan.left.items()))
            raise InputError(f"no film of {source} can be keyed: {why}: {names[0]}", "light the screen evenly")
        plan.samples = _frames(keys, options.every)
        plan.total = _count(keys, options.every)
        return plan


def _films(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [
        path
        for folder in folders_below(source, 2)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in FILM_SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]


def _reader(film: Path) -> VideoReader:
    info = probe(film)
    reader = VideoReader(local_url(film), square_size(info), info.fps, info=info)
    tell(str(film), reader.note)
    return reader


def _screen(film: Path) -> Key | None:
    pictures: list[U8] = []
    with _reader(film) as frames:
        while len(pictures) < _LOOKED_AT and (frame := frames.read()) is not None:
            pictures.append(frame_to_bgr(frame))
    if not pictures:
        raise InputError(f"{film} holds no frames", "record it again")
    return find_key(pictures)


def _count(keys: dict[Path, Key], every: int) -> int | None:
    total = 0
    for film in keys:
        info = probe(film)
        if not info.duration:
            return None
        total += -(-round(info.duration * float(info.fps)) // every)
    return total


def _frames(keys: dict[Path, Key], every: int) -> Iterator[Sample]:
    stems = [film.stem for film in keys]
    for film, key in keys.items():
        clip = film.stem if stems.count(film.stem) == 1 else f"{film.parent.name}-{os.path.basename(film)}"
        with _reader(film) as frames:
            number = 0
            while (frame := frames.read()) is not None:
                if number % every == 0:
                    yield Sample(f"{clip}-{number:05}", _keyed(frame, key), None, clip, number)
                number += 1


def _keyed(frame: Frame, key: Key) -> Read:
    picture = frame_to_bgr(frame)
    return lambda: key_out(picture, key)
