"""Backgrounds that move: films, animations and the screen, each at its own rate whatever the output's."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path

from vcam.compose.backgrounds.animation import Animation, AnimationReader, look_at_animation
from vcam.compose.backgrounds.prefetch import Prefetcher, Reader
from vcam.compose.backgrounds.screencast import ScreenReader, ask
from vcam.compose.base import Plate
from vcam.errors import UsageError
from vcam.fitting import Fit, contain, cover_filter
from vcam.frames import MIN_SIDE, NOTHING, Alpha, Box, Frame
from vcam.media.ffmpeg import MediaInfo, local_url
from vcam.media.probe import probe
from vcam.media.reader import VideoReader, tell
from vcam.pipewire.portal import ScreenCast, is_wayland
from vcam.types import Size

MAX_RATE = Fraction(30)
"""Frames a second beyond which a film is thinned out: nobody watches the background that closely."""

SCREEN_RATE = Fraction(15)


class _Film(ABC):
    """Plays frames from a `Prefetcher` by the clock that `render` is given.

    Where frames come late the last one stays and the film waits for them; while nobody calls it stands still.
    """

    needs_alpha = True

    def __init__(self, description: str) -> None:
        self.description = description
        self._plate: Plate | None = None
        self._source: Prefetcher | None = None
        self._rate = MAX_RATE
        self._start: float | None = None
        self._position = 0
        self._bars: Frame | None = None
        self._box = NOTHING

    @abstractmethod
    def _look(self, size: Size) -> tuple[Fraction, Box]:
        """Frames a second, and the part of the plate that they fill. Raises `InputError`, `UsageError`."""

    @abstractmethod
    def _open(self, size: Size, rate: Fraction, plate: Size) -> Reader:
        """A decoder that gives frames of `size`, endlessly, for a plate of size `plate`."""

    def prepare(self, size: Size) -> None:
        if self._plate is not None and self._plate.frame.size == size:
            return
        rate, box = self._look(size)
        inner = (box.x1 - box.x0, box.y1 - box.y0)
        source = Prefetcher(lambda: self._open(inner, rate, size), inner, self.description)
        first = source.start()
        self._end()
        self._source, self._rate, self._start, self._position = source, rate, None, 0
        # a film that fills the plate is shown from the decoder's buffers
        self._bars, self._box = None if inner == size else Frame.allocate(*size), box
        self._plate = Plate(first, 0)
        self._show(first)

    def _show(self, frame: Frame) -> None:
        assert self._plate is not None
        if self._bars is not None:
            self._bars.view(self._box).copy_from(frame)
            frame = self._bars
        self._plate.frame = frame
        self._plate.version += 1

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        return self.without_person(now)

    def without_person(self, now: float) -> Plate:
        plate, source = self._plate, self._source
        assert plate is not None, "prepare comes first"
        assert source is not None
        if self._start is None:
            self._start = now
        # a sliver more, or a clock that ticks at the film's own rate would miss frames by rounding
        behind = int((now - self._start) * self._rate + Fraction(1, 1000)) - self._position
        if behind <= 0:
            return plate
        frame, taken = source.take(behind, skip_below=float(self._rate))
        self._position += taken
        if frame is not None:
            self._show(frame)
        if taken < behind:
            self._start += float((behind - taken) / self._rate)
        return plate

    def _end(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = self._plate = None

    def close(self) -> None:
        self._end()


class VideoBackground(_Film):
    """A film or an animated picture (GIF, PNG, WebP, AVIF) from a file, looped."""

    def __init__(self, path: Path, fit: Fit = "cover") -> None:
        super().__init__(str(path))
        self._path, self._fit = path, fit
        self._animation: Animation | None = None
        self._info: MediaInfo | None = None

    def _look(self, size: Size) -> tuple[Fraction, Box]:
        box = Box(0, 0, *size)
        self._animation, self._info = look_at_animation(self._path), None
        if self._animation is not None:
            rate, inner, aspect = self._animation.rate, self._animation.size, Fraction(1)
        else:
            self._info = info = probe(self._path)
            rate, inner, aspect = info.fps, info.size, info.aspect
        if self._fit == "contain":
            box = contain(inner, size, aspect=aspect, unit=2, least=MIN_SIDE)
        return min(rate, MAX_RATE), box

    def _open(self, size: Size, rate: Fraction, plate: Size) -> Reader:
        fit: Fit = "cover" if self._fit == "cover" else "stretch"
        if self._animation is not None:
            return AnimationReader(self._path, size, rate, fit)
        # ffmpeg's own conversion of rates loses uneven delays
        filters = f"fps={rate}"
        if fit == "cover":
            filters += "," + cover_filter(plate)
        reader = VideoReader(local_url(self._path), size, rate, info=self._info, loop=True, filters=filters)
        tell(self.description, reader.note)
        return reader


class ScreenBackground(_Film):
    """What the screen shows, cut to the frame's shape: the X display, or on Wayland what the person has chosen."""

    def __init__(self, fit: Fit = "cover") -> None:
        super().__init__("screen")
        self._fit = fit
        self._cast: ScreenCast | None = None

    def _look(self, size: Size) -> tuple[Fraction, Box]:
        if is_wayland():
            self._cast = self._cast or ask()
        else:
            display_of_screen()
        return SCREEN_RATE, Box(0, 0, *size)

    def close(self) -> None:
        super().close()
        cast, self._cast = self._cast, None
        if cast is not None:
            cast.close()

    def _open(self, size: Size, rate: Fraction, plate: Size) -> Reader:
        if self._cast is not None:
            return ScreenReader(self._cast, size, self._fit)
        options = ("-f", "x11grab", "-framerate", str(rate))
        filters = "" if self._fit == "stretch" else cover_filter(plate)
        return VideoReader(display_of_screen(), size, rate, options=options, filters=filters)


def display_of_screen() -> str:
    """The X display to grab. Raises `UsageError` where there is none."""
    display = os.environ.get("DISPLAY", "")
    if not display:
        raise UsageError(
            "the background 'screen' needs an X display", "start vcam in a graphical session, or set DISPLAY"
        )
    return display
