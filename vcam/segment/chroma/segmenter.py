"""The person before a green or blue screen; see `vcam.segment.base.Segmenter`.

The key is the matte: it has the resolution of the frame's chroma, and nothing of it is refined. What is no screen is
shown. So a picture in which no screen is to be seen, or one that does not reach the upper corners, is not shown at all.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.errors import EngineError
from vcam.frames import Box, Frame, Map
from vcam.segment.chroma.key import Key
from vcam.segment.chroma.screen import LEAST_SHARE, Light, Screen, colour_of, find_screen, reduced
from vcam.settings import SegmentSettings
from vcam.types import U8, Size

CELL = 8
"""Samples of chroma to a side of those that the screen is looked at in."""

EVERY, EVERY_AT_FIRST, FIRST = 15, 3, 30
"""Frames from one look at the screen's light to the next, and in the first frames. That there is a screen is seen in
every frame."""

CORNER = 0.5
"""Share of an upper corner that must be screen."""

NO_SCREEN = "no green or blue screen is in view, which is needed with --backend chroma"
_CURE = "light it, turn the camera to it, or name its colour: segment.key=#00b140; or vcam set segment.backend=auto"
SIDE = "the screen does not reach the upper {} corner: beside it the room would be seen"
_SIDE_CURE = "turn the camera, or leave the rest of the picture away: camera.crop; or vcam set segment.backend=auto"


class ChromaSegmenter:
    """Keys a screen out."""

    own_memory = "a screen hides the room"

    def __init__(self, settings: SegmentSettings, size: Size) -> None:
        """size: of the frames to come; others are taken too."""
        self._given = None if settings.key == "auto" else Screen.of(colour_of(settings.key))
        self.notice = ""
        self._prepare(size)

    def _prepare(self, size: Size) -> None:
        width, height = size
        self._size = size
        self._shape = (height // 2, width // 2)
        self._small = (max(height // 2 // CELL, 8), max(width // 2 // CELL, 8))
        # halves are the cheapest to be had
        self._map_size = (max(width // 4, 8), max(height // 4, 8))
        self._key = Key(self._shape)
        self._screen: Screen | None = None
        self._light: Light | None = None
        self._frames = 0

    @property
    def description(self) -> str:
        return "chroma key" if self._screen is None else f"chroma key ({_word(self._screen)})"

    @property
    def map_size(self) -> Size:
        return self._map_size

    def segment(self, frame: Frame) -> Map:
        """Raises `EngineError` where there is no screen, or too little of one."""
        if frame.size != self._size:
            self._prepare(frame.size)
        every = EVERY if self._frames > FIRST else EVERY_AT_FIRST
        small = reduced(frame.planes, self._small)
        self._look(*small, light=self._frames % every == 0)
        self._frames += 1
        assert self._light is not None
        assert self._screen is not None
        key = self._key
        key.apply(frame.u, frame.v, self._light.terms, self._screen.along)
        matte = cv2.resize(key.matte, self._map_size, interpolation=cv2.INTER_AREA)
        probability = np.multiply(matte, np.float32(1 / 255), dtype=np.float32)
        whole = Box(0, 0, *frame.size)
        return Map(probability, whole, frame.seq, frame.seq, key=key.matte, cleaned=key.cleaned)

    def _look(self, u: U8, v: U8, *, light: bool) -> None:
        """Look whether there is a screen, for a new one where there has been none. light: look at its light, too."""
        known = self._light
        if known is None or self.notice:
            screen = self._given or find_screen(u, v)
            known = None
            if screen is not None:
                known = Light(screen, self._shape, self._small)
                known.look(u, v, screen=True)
                self._screen, self._light = screen, known
        else:
            known.look(u, v, screen=light)
        if what := _missing(known):
            # what is no screen would be shown, so not one frame waits for whether it comes back
            self.notice = what[0]
            raise EngineError(*what)
        self.notice = ""

    def reset(self) -> None:
        """The next frame has nothing to do with the last: the screen is looked for anew."""
        self._screen = self._light = None
        self._frames = 0
        self.notice = ""

    def close(self) -> None:
        """There is nothing to free."""


def _missing(light: Light | None) -> tuple[str, str] | None:
    """What is wrong with the screen, and the cure."""
    if light is None or light.share < LEAST_SHARE:
        return NO_SCREEN, _CURE
    for corner, share in zip(("left", "right"), light.corners, strict=True):
        if share < CORNER:
            return SIDE.format(corner), _SIDE_CURE
    return None


def _word(screen: Screen) -> str:
    return "blue screen" if screen.along[0] > 0 else "green screen"
