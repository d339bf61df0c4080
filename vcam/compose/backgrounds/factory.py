"""From the words of `--background` to a background."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from pathlib import Path

from vcam.assets import BACKGROUNDS, background_picture
from vcam.compose.backgrounds.animation import look_at_animation
from vcam.compose.backgrounds.fromframe import (
    BLOCKS,
    DEFAULT_BLOCKS,
    DEFAULT_STRENGTH,
    STRENGTHS,
    BlurBackground,
    NoBackground,
    PixelateBackground,
)
from vcam.compose.backgrounds.moving import ScreenBackground, VideoBackground, display_of_screen
from vcam.compose.backgrounds.slides import SlideShow
from vcam.compose.backgrounds.static import GREEN, ColorBackground, ImageBackground, parse_color
from vcam.compose.base import Background
from vcam.errors import InputError, UsageError
from vcam.folders import expand
from vcam.images import Kind, kind_of, open_picture
from vcam.media.probe import probe
from vcam.pipewire.portal import is_wayland
from vcam.secrets import show_address
from vcam.settings import BackgroundSettings

WORDS = ("blur", "pixelate", "color", "green", "none", "screen", *BACKGROUNDS)
_KINDS = (
    "blur[:STRENGTH], pixelate[:N], color:#RRGGBB, green, none, screen, a name of vcam background list, "
    "or the path of a picture, film or folder"
)


def parse_background(spec: str, settings: BackgroundSettings) -> Background:
    """The background that `spec` names, not yet prepared; `settings` give fit and interval.

    A file's content decides what it is, not its name. Raises `UsageError` for a word, number or path that cannot be
    meant, `InputError` for a file that is neither picture nor film.
    """
    spec = spec.strip()
    word, colon, value = spec.partition(":")
    if (name := word.lower()) in BACKGROUNDS:
        return _plain(name, value if colon else None, lambda: _ready_made(name, settings))
    if make := _words(settings).get(word.lower()):
        return make(value if colon else None)
    path = expand(spec)
    if path.is_dir():
        return SlideShow(path, settings.interval, settings.fit)
    if path.is_file():
        return _from_file(path, settings)
    if path.exists():
        raise UsageError(f"{path} is neither a file nor a folder", "give the path of a picture, film or folder")
    raise UsageError(*_unknown(spec, word))


def _words(settings: BackgroundSettings) -> dict[str, Callable[[str | None], Background]]:
    return {
        "blur": lambda value: BlurBackground(_number("blur", value, STRENGTHS, DEFAULT_STRENGTH)),
        "pixelate": lambda value: PixelateBackground(_number("pixelate", value, BLOCKS, DEFAULT_BLOCKS)),
        "color": _color,
        "colour": _color,
        "green": lambda value: _plain("green", value, lambda: ColorBackground(GREEN)),
        "none": lambda value: _plain("none", value, NoBackground),
        "screen": lambda value: _plain("screen", value, lambda: _screen(settings)),
    }


def _number(word: str, value: str | None, limits: tuple[float, float], default: float) -> float:
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not limits[0] <= number <= limits[1]:
        allowed = f"a number from {limits[0]:g} to {limits[1]:g}"
        raise UsageError(f"{word}:{value} is not valid", f"give {allowed}, for example {word}:{default:g}")
    return number


def _color(value: str | None) -> Background:
    if not value:
        raise UsageError("color needs a color", "for example color:#203040 or color:navy")
    return ColorBackground(parse_color(value))


def _plain(word: str, value: str | None, make: Callable[[], Background]) -> Background:
    if value is not None:
        raise UsageError(f"{word}:{value} is not valid: {word} takes no value", f"write {word}")
    return make()


def _ready_made(name: str, settings: BackgroundSettings) -> Background:
    return ImageBackground(background_picture(name), settings.fit, name)


def _screen(settings: BackgroundSettings) -> Background:
    if not is_wayland():
        display_of_screen()
    return ScreenBackground(settings.fit)


def _from_file(path: Path, settings: BackgroundSettings) -> Background:
    kind = kind_of(path)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", "export or download it again")
    if kind is not Kind.OTHER:
        return _picture(path, kind, settings)
    try:
        probe(path)
    except InputError as error:
        raise InputError(f"{path} is neither a picture nor a film that vcam can read", error.hint) from error
    return VideoBackground(path, settings.fit)


def _picture(path: Path, kind: Kind, settings: BackgroundSettings) -> Background:
    if kind is not Kind.HEIF:
        if look_at_animation(path) is not None:
            return VideoBackground(path, settings.fit)
        with open_picture(path):
            # what it is not shows already here
            pass
    return ImageBackground(path, settings.fit)


def _unknown(spec: str, word: str) -> tuple[str, str]:
    """Message and hint for what is neither a known word nor there."""
    if re.match(r"[a-z][a-z0-9+.-]+://", spec, re.IGNORECASE):
        return f"the background {show_address(spec)} is on the network", "download it and give the path of the file"
    if re.fullmatch(r"#?[0-9a-fA-F]{6}|#[0-9a-fA-F]{3}", spec):
        return f"there is no background {spec!r}", f"did you mean color:#{spec.removeprefix('#')}?"
    if close := difflib.get_close_matches(word.lower(), WORDS, 1, 0.6):
        return f"there is no background {spec!r}", f"did you mean {close[0]}?"
    if "/" in spec or Path(spec).suffix:
        return f"there is no file or folder {spec}", "check the path"
    return f"there is no background {spec!r}", f"give {_KINDS}"
