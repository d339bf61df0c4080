"""Letters for words in the picture: a font that has all of them."""

from __future__ import annotations

import importlib.util
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_PATIENCE = 5.0
_NO_LETTER = "\U0010ffff"


def font_for(text: str, points: float) -> FreeTypeFont:
    """The font that comes with Pillow where it has every letter of the text; it knows no more than English needs.

    Else the one that this system's fontconfig names for those letters, or the one in the wheel of pygame, which has the
    Latin, Greek and Cyrillic letters: whichever lacks the fewest.
    """
    letters = frozenset(text) - frozenset(" \n\t")
    path, index = _choose(letters)
    return _load(path, index, points)


@cache
def _choose(letters: frozenset[str]) -> tuple[str, int]:
    best, lacking = ("", 0), _lacking("", 0, letters)
    if lacking:
        for path, index in (*_of_the_system(lacking), *_of_pygame()):
            missing = _lacking(path, index, letters)
            if len(missing) < len(lacking):
                best, lacking = (path, index), missing
    return best


def _load(path: str, index: int, points: float) -> FreeTypeFont:
    from PIL import ImageFont

    if path:
        return ImageFont.truetype(path, points, index)
    font = ImageFont.load_default(points)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow without FreeType"
    return font


def _lacking(path: str, index: int, letters: frozenset[str]) -> frozenset[str]:
    """The letters for which a font draws its sign for what it has not; all of them if it cannot be used."""
    try:
        font = _load(path, index, 32)
        nothing = _drawn(font, _NO_LETTER)
        return frozenset(letter for letter in letters if _drawn(font, letter) == nothing)
    except OSError:
        # a font of coloured pictures has a few sizes only
        return letters


def _drawn(font: FreeTypeFont, letter: str) -> bytes:
    return bytes(font.getmask(letter))


def _of_the_system(letters: frozenset[str]) -> list[tuple[str, int]]:
    """What fontconfig takes for these letters; nothing where there is no fontconfig."""
    wanted = f"sans:charset={' '.join(f'{ord(letter):x}' for letter in sorted(letters))}"
    try:
        done = subprocess.run(
            ["fc-match", "-f", "%{index} %{file}", wanted],
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    index, _, path = done.stdout.partition(" ")
    return [(path, int(index))] if index.isdecimal() and Path(path).is_file() else []


def _of_pygame() -> list[tuple[str, int]]:
    found = importlib.util.find_spec("pygame")
    font = Path(found.origin).with_name("freesansbold.ttf") if found and found.origin else None
    return [(str(font), 0)] if font and font.is_file() else []
