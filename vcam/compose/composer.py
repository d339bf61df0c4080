"""The composer: one output frame, of which only what changes is touched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from vcam.compose.base import Background, PassesOver, Plate
from vcam.compose.blend import PlanarBlender
from vcam.compose.fade import Fade
from vcam.compose.filters.base import InBlend
from vcam.compose.filters.chain import Chain
from vcam.compose.placeholder import placeholder
from vcam.frames import NOTHING, Alpha, Box, Frame, check_size
from vcam.types import Size

_log = logging.getLogger(__name__)


class PlateComposer:
    """Puts the person before a background that can be exchanged at any time; see `vcam.compose.base.Composer`.

    The background is the composer's own from here on: it prepares and closes it. Raises what `Background.prepare`
    raises.
    """

    def __init__(self, background: Background, size: Size, *, fade: float = 0.0) -> None:
        """fade: seconds in which one background goes over into the next, where neither is made from frames."""
        self.fade = fade
        self._fade: Fade | None = None
        self._now = 0.0
        self._fit(size)
        background.prepare(size)
        self._background = background
        self._filters: Chain | None = None
        self._forget()

    def _fit(self, size: Size) -> None:
        """Get buffers for pictures of a size."""
        width, height = check_size(*size)
        self._size = size
        self._whole = Box(0, 0, width, height)
        self._out = Frame.allocate(width, height)
        self._blender = PlanarBlender(size)
        self._placeholder: Frame | None = None
        empty = np.zeros((height, width), np.uint8)
        self._nobody = Alpha(empty, empty[::2, ::2], empty[:1, :1], NOTHING, 0)

    def _forget(self) -> None:
        self._shown: int | None = None
        self._drawn = NOTHING
        self._blender.forget()
        if self._filters:
            self._filters.forget()

    def set_filters(self, filters: Chain | None) -> None:
        """Go on with other filters, or with none; they are prepared here if they are not yet."""
        if filters and filters.empty:
            filters = None
        if filters:
            filters.prepare(self._size)
            if self._filters:
                filters.inherit(self._filters)
        self._filters = filters
        self._forget()

    @property
    def background(self) -> Background:
        """What is behind the person now."""
        return self._background

    @property
    def passed_over(self) -> Exception | None:
        """Why the background goes on without a part of it; None if it does not."""
        return self._background.error if isinstance(self._background, PassesOver) else None

    @property
    def needs_alpha(self) -> bool:
        return self._background.needs_alpha

    def exchange(self, background: Background, size: Size | None = None) -> Background:
        """Go on with another background; the old one is the caller's to close, since a film takes its time to end.

        If the new one cannot be prepared it is closed, the old one stays, and the error is raised.

        size: of the frames from here on, if it is another one; the filters are to be set anew then.
        """
        size = size or self._size
        try:
            background.prepare(size)
        except BaseException:
            background.close()
            raise
        self._fade = self._begin_fade() if self.fade and size == self._size else None
        old, self._background = self._background, background
        if size != self._size:
            self._fit(size)
            self._filters = None
        self._forget()
        return old

    def _begin_fade(self) -> Fade | None:
        """None where the old background is made from frames: what is not of this very frame must not be seen.

        The new one is asked with its first picture: nobody knows until then what time it is, and a film or slide show
        begins when it is first asked.
        """
        try:
            old = self._background.without_person(self._now)
            if old is None:
                return None
            before = self._fade
            start = Frame.allocate(*self._size)
            start.copy_from(before.shown if before else old.frame)
            return Fade(start, self.fade, before.version - 1 if before else -1, self._now)
        except Exception as error:
            # a film whose drive is gone, memory that is short: then at once
            _log.debug("the background cannot fade: %s", error)
            return None

    def held(self) -> Callable[[], None]:
        """What brings back all that there is now, should an exchange not come to its end; it needs no memory."""
        state = vars(self).copy()

        def go_back() -> None:
            vars(self).update(state)
            self._forget()

        return go_back

    def compose(self, frame: Frame, alpha: Alpha | None, now: float) -> Frame:
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} for a composer of {self._size}")
        if not self.needs_alpha:
            matte = self._nobody
        elif alpha is None:
            raise ValueError(f"frame {frame.seq} has no alpha, and the background needs one")
        else:
            matte = alpha
            self._check(frame, matte)
            if matte.cleaned is not None:
                frame = replace(frame, u=matte.cleaned[0], v=matte.cleaned[1], buffer=None)
        self._now = now
        return self._draw(self._background.render(frame, matte, now), frame, matte, now)

    def without_person(self, frame: Frame, now: float) -> Frame:
        try:
            plate = self._background.without_person(now)
            if plate is not None:
                return self._draw(plate, frame, self._nobody, now)
        except Exception as error:
            # a film whose drive is gone, memory that is short: then without the background, too
            _log.debug("the background cannot be shown: %s", error)
        if self._placeholder is None:
            self._placeholder = placeholder(self._size)
        self._out.copy_from(self._placeholder)
        self._shown = None
        return self._stamp(self._out, frame)

    def close(self) -> None:
        if self._filters:
            self._filters.close()
        self._background.close()

    def _check(self, frame: Frame, alpha: Alpha) -> None:
        if alpha.seq != frame.seq:
            raise ValueError(f"the alpha of frame {alpha.seq} for frame {frame.seq}")
        if alpha.full.shape != frame.y.shape or alpha.half.shape != frame.u.shape:
            raise ValueError(f"an alpha of {alpha.full.shape} and {alpha.half.shape} for a frame of {frame.y.shape}")
        box = alpha.box
        if not box.empty and (box.union(self._whole) != self._whole or any(bound % 2 for bound in box)):
            raise ValueError(f"{box} is outside the frame or has odd bounds")

    def _draw(self, plate: Plate, frame: Frame, alpha: Alpha, now: float) -> Frame:
        if self._fade is not None:
            plate = self._mixed(self._fade, plate, now)
        if self._filters is None:
            return self._blend(plate, frame, alpha)
        plate, person, matte = self._filters.before(plate, frame, alpha, now)
        out = self._blend(plate, person, matte, self._filters.acting)
        return self._stamp(self._filters.after(out, own=plate.scratch, alone=not self.needs_alpha), frame)

    def _mixed(self, fade: Fade, plate: Plate, now: float) -> Plate:
        """The old background going over into this plate of the present one, unless that is made from frames."""
        try:
            if fade.began or self._background.without_person(now) is not None:
                plate = fade.mix(plate, now)
            else:
                fade.over = True
        except Exception as error:
            # a film whose drive is gone, memory that is short: then at once
            _log.debug("the background cannot fade: %s", error)
            fade.over = True
        if fade.over:
            self._fade = None
        return plate

    def _blend(self, plate: Plate, frame: Frame, alpha: Alpha, acting: InBlend | None = None) -> Frame:
        if plate.scratch:
            out = plate.frame
            self._blender.blend(frame, alpha, out, plate.version, out, acting)
            return self._stamp(out, frame)
        out, stale = self._out, self._drawn if plate.version == self._shown else self._whole
        # an error on the way must leave no half-drawn picture that counts as drawn
        self._shown = None
        for part in outside(stale, alpha.box):
            for mine, theirs in zip(out.view(part).planes, plate.frame.view(part).planes, strict=True):
                np.copyto(mine, theirs)
        self._blender.blend(frame, alpha, plate.frame, plate.version, out, acting)
        self._shown, self._drawn = plate.version, alpha.box
        return self._stamp(out, frame)

    @staticmethod
    def _stamp(out: Frame, frame: Frame) -> Frame:
        out.timestamp, out.seq, out.full_range = frame.timestamp, frame.seq, False
        return out


def outside(region: Box, hole: Box) -> Iterator[Box]:
    """The rectangles, up to four, that make up `region` without `hole`."""
    x0, y0 = max(region.x0, hole.x0), max(region.y0, hole.y0)
    x1, y1 = min(region.x1, hole.x1), min(region.y1, hole.y1)
    if region.empty:
        return
    if x0 >= x1 or y0 >= y1:
        yield region
        return
    parts = (
        Box(region.x0, region.y0, region.x1, y0),
        Box(region.x0, y1, region.x1, region.y1),
        Box(region.x0, y0, x0, y1),
        Box(x1, y0, region.x1, y1),
    )
    yield from (part for part in parts if not part.empty)
