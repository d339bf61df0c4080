"""The chain: filters in their order, each in its place round the blending."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np

from vcam.compose.base import Plate
from vcam.compose.filters.base import (
    CELL,
    AlphaFilter,
    Closes,
    Dresses,
    InBlend,
    Inherits,
    MayRest,
    PictureFilter,
    Place,
    Placed,
    Scene,
)
from vcam.compose.filters.planes import copy_limited, whole
from vcam.frames import NOTHING, Alpha, Box, Frame
from vcam.types import Size


class Chain:
    """Applies filters to what is about to be blended, and to what was; buffers for pictures of one size."""

    def __init__(self, filters: Iterable[Placed]) -> None:
        filters = [each for each in filters if not (isinstance(each.filter, MayRest) and each.filter.rests)]
        self._all = [placed.filter for placed in filters]
        self._alpha = [cast(AlphaFilter, placed.filter) for placed in filters if placed.place is Place.ALPHA]
        self._person = _in(filters, Place.PERSON)
        alone = self._person[0] if len(self._person) == 1 else None
        self._alone = alone if isinstance(alone, InBlend) and alone.in_blend else None
        self._acting: InBlend | None = None
        first = self._person[0] if self._person else None
        self._dresser = first if isinstance(first, Dresses) else None
        self._anywhere = _in([placed for placed in filters if placed.anywhere], Place.PERSON)
        self._background = _in(filters, Place.BACKGROUND)
        self._picture = _in(filters, Place.PICTURE)
        self._size: Size = (0, 0)
        self._series = 0

    @property
    def empty(self) -> bool:
        """Whether it does nothing."""
        return not self._all

    def prepare(self, size: Size) -> None:
        """Get ready for pictures of `size`."""
        self.forget()
        if size == self._size:
            return
        self._size, self._whole = size, whole(size)
        width, height = size
        for filter_ in self._all:
            filter_.prepare(size)
        if self._alpha:
            shapes = ((height, width), (height // 2, width // 2))
            full, half = (np.zeros(shape, np.uint8) for shape in shapes)
            self._matte = Alpha(full, half, half, NOTHING, 0)
        self._own = {name: Frame.allocate(*size) for name in ("person", "background", "picture")}

    def inherit(self, before: Chain) -> None:
        """Go on where the filters of another chain of the same size were, as far as they are of the same kinds."""
        for mine in self._all:
            if isinstance(mine, Inherits):
                twin = next((other for other in before._all if type(other) is type(mine)), None)
                if twin is not None:
                    mine.inherit(twin)

    def close(self) -> None:
        """Wait for what is still at work, before the process ends under it. May be called twice."""
        for filter_ in self._all:
            if isinstance(filter_, Closes):
                filter_.close()

    def forget(self) -> None:
        """Plates are numbered anew from here on."""
        self._version: int | None = None
        self._series += 1

    def before(self, plate: Plate, frame: Frame, alpha: Alpha, now: float) -> tuple[Plate, Frame, Alpha]:
        """What is to be blended instead; it belongs to the chain until the next call, or is what was given."""
        if self._background:
            plate = self._behind(plate)
        if alpha.box.empty:
            return plate, frame, alpha
        if self._alpha:
            alpha = self._shape(alpha)
        if self._person and not alpha.box.empty:
            frame = self._dress(plate, frame, alpha, now)
        return plate, frame, alpha

    @property
    def acting(self) -> InBlend | None:
        """What is to change the person as she is blended, once `before` has been asked."""
        return self._acting

    def after(self, picture: Frame, *, own: bool, alone: bool) -> Frame:
        """The finished picture. own: it may be changed in place, else it is copied.

        alone: there is no matte, so the whole picture counts as the person.
        """
        filters = self._anywhere + self._picture if alone else self._picture
        if not filters:
            return picture
        if not own:
            self._own["picture"].copy_from(picture)
            picture = self._own["picture"]
        for filter_ in filters:
            filter_.change(picture, self._whole, None)
        return picture

    def _behind(self, plate: Plate) -> Plate:
        if plate.scratch:
            target = plate.frame
        else:
            target = self._own["background"]
            if plate.version == self._version:
                return Plate(target, plate.version, own_room=plate.own_room)
            # half a plate must not count as one
            self._version = None
            target.copy_from(plate.frame)
        for filter_ in self._background:
            filter_.change(target, self._whole, None)
        self._version = plate.version
        return Plate(target, plate.version, plate.scratch, plate.own_room)

    def _shape(self, alpha: Alpha) -> Alpha:
        box, half, mine = alpha.box, alpha.box.half(), self._matte
        np.copyto(mine.full[box.y0 : box.y1, box.x0 : box.x1], alpha.full[box.y0 : box.y1, box.x0 : box.x1])
        np.copyto(mine.half[half.y0 : half.y1, half.x0 : half.x1], alpha.half[half.y0 : half.y1, half.x0 : half.x1])
        mine.small, mine.box, mine.seq = alpha.small, box, alpha.seq
        for filter_ in self._alpha:
            filter_.change(mine)
        return mine

    def _dress(self, plate: Plate, frame: Frame, alpha: Alpha, now: float) -> Frame:
        scene = Scene(frame, alpha, plate.frame, (self._series, plate.version), now, plate.own_room)
        if self._alone is not None:
            self._acting = self._alone if self._alone.ready(scene) else None
            return frame
        box = on_cells(alpha.box, self._size)
        person = self._own["person"]
        others = self._person
        if self._dresser is not None:
            others = self._person[1:]
            if not self._dresser.dress(frame, person, box, scene):
                if not others:
                    return frame
                copy_limited(frame, person, box)
        else:
            copy_limited(frame, person, box)
        person.timestamp, person.seq, person.full_range = frame.timestamp, frame.seq, False
        for filter_ in others:
            filter_.change(person, box, scene)
        return person


def _in(filters: list[Placed], place: Place) -> list[PictureFilter]:
    return [cast(PictureFilter, placed.filter) for placed in filters if placed.place is place]


def on_cells(box: Box, size: Size) -> Box:
    """The smallest box of whole cells that holds `box`, cut off at the picture's edge."""
    return Box(
        box.x0 // CELL * CELL,
        box.y0 // CELL * CELL,
        min(size[0], -(-box.x1 // CELL) * CELL),
        min(size[1], -(-box.y1 // CELL) * CELL),
    )
