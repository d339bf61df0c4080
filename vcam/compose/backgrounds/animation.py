"""Animated pictures: their rate, and their frames, which Pillow decodes.

Pillow puts the frames of every format together as browsers do: each laid over what the one before it has left.
"""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vcam.compose.backgrounds.fit import fit_picture
from vcam.errors import InputError
from vcam.fitting import Fit
from vcam.frames import Frame
from vcam.images import bgr_to_frame, enough_memory, flattened, moves, open_into, open_picture, reading
from vcam.types import Size

if TYPE_CHECKING:
    from PIL import Image

_log = logging.getLogger(__name__)

MAX_PIXELS = 4096 * 2304
"""An animation whose pictures are larger is shown as a still: one frame of it takes a core for a second."""

_LOOK_AT, _LOOK_PIXELS = 32, 8_000_000
"""Frames, and pixels in all of them, that are looked at for their delays before the first is shown."""

_KEPT_BYTES = 24_000_000
"""Frames of a whole round are kept if they fit in here; larger animations are decoded round after round."""

_DEFAULT_DELAY = 100  # ms, what browsers take where a picture says 0 or next to nothing


@dataclass(frozen=True, slots=True)
class Animation:
    """What an animated picture holds; `rate` is frames a second, high enough to meet every delay looked at."""

    size: Size
    rate: Fraction


def look_at_animation(path: Path) -> Animation | None:
    """Look into a picture; None if it does not move, moves but is too large for that, or is no sound picture."""
    try:
        with open_picture(path) as image:
            if not moves(image):
                return None
            if image.width * image.height > MAX_PIXELS:
                _log.warning("%s is too large to move with %dx%d pixels: shown still", path, *image.size)
                return None
            size, common = image.size, 0
            for index in range(min(_LOOK_AT, 1 + _LOOK_PIXELS // max(1, image.width * image.height))):
                try:
                    image.seek(index)
                    # the delay of some formats is known only then
                    image.load()
                except Exception:
                    # at the end, or where the file is damaged: the pictures before it are there
                    if index == 0:
                        raise
                    break
                common = math.gcd(common, _delay(image))
            return Animation(size, Fraction(1000, common or _DEFAULT_DELAY))
    except InputError:
        return None


def _delay(image: Image.Image) -> int:
    """How long the picture is shown, in ms."""
    delay = image.info.get("duration")
    # damaged pictures have fractions with nothing below the line
    milliseconds = round(delay) if isinstance(delay, (int, float)) and math.isfinite(delay) else 0
    return min(milliseconds, 3_600_000) if milliseconds > 10 else _DEFAULT_DELAY


class AnimationReader:
    """Frames of an animated picture at a constant rate, looped; as `vcam.media.reader.VideoReader`, but by Pillow.

    A picture that is damaged at some frame is played up to there. Raises `InputError` if that is the first.
    """

    def __init__(self, path: Path, size: Size, rate: Fraction, fit: Fit) -> None:
        self._path, self._size, self._rate, self._fit = path, size, rate, fit
        self._files = ExitStack()
        self._image: Image.Image | None = open_into(self._files, path)
        # PNG's may hold one for programs that know of no animation
        self._first = 1 if self._image.info.get("default_image") else 0
        self._index = -1
        self._until = 0.0
        self._count = 0
        self._frame = Frame.allocate(*size)
        self._round: list[tuple[Frame, int]] = []
        self._whole = self._told = False
        self._most = max(1, _KEPT_BYTES // (size[0] * size[1] * 3 // 2))

    def read(self) -> Frame | None:
        if self._image is None:
            return None
        now = float(self._count * 1000 / self._rate)
        with enough_memory(self._path):
            while now >= self._until:
                self._advance(self._image)
        self._count += 1
        return self._frame

    def _advance(self, image: Image.Image) -> None:
        self._index += 1
        if self._whole:
            self._frame, delay = self._round[self._index % len(self._round)]
        else:
            self._frame, delay = self._decoded(image)
        self._until += delay

    def _decoded(self, image: Image.Image) -> tuple[Frame, int]:
        """The next frame, or the first after the last, and how long it is shown."""
        try:
            return self._decode(image)
        except InputError as error:
            if self._index == 0:
                raise
            if not isinstance(error.__cause__, EOFError) and not self._told:
                self._told = True
                _log.warning("%s is played up to its frame %d: %s", self._path, self._index, error)
        if 0 < self._index == len(self._round):
            self._whole = True
            return self._round[0]
        self._index = 0
        return self._decode(image)

    def _decode(self, image: Image.Image) -> tuple[Frame, int]:
        with reading(self._path):
            image.seek(self._first + self._index)
            image.load()
            bgr, delay = flattened(image, str(self._path)), _delay(image)
        frame = bgr_to_frame(fit_picture(bgr, self._size, self._fit))
        if self._index == len(self._round) < self._most:
            self._round.append((frame, delay))
        else:
            # a part of a round would be of no use
            self._round.clear()
            self._most = 0
        return frame, delay

    def close(self) -> None:
        self._image = None
        self._round.clear()
        self._files.close()
