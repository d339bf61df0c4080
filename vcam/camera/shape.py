"""Crop, scale, turn and mirror: the camera's picture brought to the shape that is served."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2

from vcam.camera.base import Camera, Remembers, TakesWishes
from vcam.camera.controls import Adjustable, ControlWishes
from vcam.camera.turn import Turn
from vcam.errors import UsageError
from vcam.fitting import cover
from vcam.frames import MIN_SIDE, Box, Frame, check_size
from vcam.types import U8, Size


def parse_crop(text: str, source: Size) -> Box:
    """ "WxH+X+Y" as a box within a picture of `source` size; empty text gives all of it.

    Bounds are rounded down to even ones, which chroma needs. Raises `UsageError` if the words make no sense or the
    part lies outside of the picture.
    """
    width, height = source
    if not text:
        return Box(0, 0, width, height)
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})\+(\d{1,5})\+(\d{1,5})", text.strip())
    if not found:
        raise UsageError(f"{text!r} is not a part of a picture", "write it as WxH+X+Y, for example 960x540+160+90")
    part_width, part_height, x, y = (int(number) // 2 * 2 for number in found.groups())
    if part_width < MIN_SIDE or part_height < MIN_SIDE:
        raise UsageError(f"the crop {text} is too small", f"each side must be at least {MIN_SIDE} pixels")
    box = Box(x, y, x + part_width, y + part_height)
    if box.x1 > width or box.y1 > height:
        raise UsageError(
            f"the crop {text} does not lie within the camera's picture of {width}x{height}",
            f"for example {width // 4 * 2}x{height // 4 * 2}+{width // 8 * 2}+{height // 8 * 2}",
        )
    return box


@dataclass(frozen=True, slots=True)
class Shape:
    """How a camera's picture is brought into shape, and the buffers for it; None where nothing is to be done."""

    turn: Turn
    crop: str
    size: Size
    part: Box | None = None
    scaled: Frame | None = None
    turned: Frame | None = None
    shrinks: bool = False

    @property
    def mirror(self) -> bool:
        return self.turn.mirror


class ShapedCamera:
    """A camera whose picture is cropped, brought to one size, turned and mirrored.

    Where nothing of this is to be done, the frames are the camera's own, untouched. A part that has the right size
    already is a view of the camera's frame; otherwise frames are written to buffers of this object.
    """

    def __init__(
        self, camera: Camera, size: Size, mirror: bool = False, crop: str = "", rotate: int = 0, flip: bool = False
    ) -> None:
        """size: (width, height) of the frames given out; rotate: degrees clockwise, 0, 90, 180 or 270; flip: upside
        down; crop: "WxH+X+Y" in pixels of the picture that is turned and flipped, but not mirrored, or empty."""
        self._camera = camera
        self._shape = Shape(Turn(rotate, flip, mirror), crop, size)

    @property
    def description(self) -> str:
        return self._camera.description

    def check(self) -> None:
        self._camera.check()

    @property
    def size(self) -> Size:
        return self._shape.size

    @property
    def has_modes(self) -> bool:
        """Whether the camera itself can be asked for another size."""
        return isinstance(self._camera, TakesWishes)

    @property
    def shape(self) -> Shape:
        """That of the frames now."""
        return self._shape

    @property
    def fps(self) -> float:
        return self._camera.fps

    @property
    def live(self) -> bool:
        return self._camera.live

    @property
    def dropped(self) -> int:
        return self._camera.dropped

    def open(self) -> None:
        """Open the camera and get buffers. Raises what the camera raises, and `UsageError` for an impossible crop."""
        check_size(*self.size)
        self._camera.open()
        try:
            self._shape = self._plan(self._shape.turn, self._shape.crop, self.size)
        except UsageError:
            self._camera.close()
            raise

    def plan(self, mirror: bool, crop: str, size: Size | None = None, rotate: int = 0, flip: bool = False) -> Shape:
        """Another shape for the open camera, ready to `use`. Raises `UsageError` for an impossible crop.

        size: of the frames, if it is to be another one. Touches nothing that `read` uses, so it may be made in another
        thread.
        """
        return self._plan(Turn(rotate, flip, mirror), crop, size or self.size)

    def _plan(self, turn: Turn, crop: str, size: Size) -> Shape:
        source = self._camera.size
        upright = replace(turn, mirror=False)
        seen = turn.size(source)
        part = parse_crop(crop, seen)
        box = upright.source(cover(part.size, size, unit=2).moved(part.x0, part.y0), seen)
        width, height = turn.size(size)
        return Shape(
            turn,
            crop,
            size,
            None if box == Box(0, 0, *source) else box,
            None if box.size == (width, height) else Frame.allocate(width, height),
            None if turn.nothing else Frame.allocate(*size),
            # linear interpolation skips samples only when it shrinks by more than two
            box.size[0] > 2 * width or box.size[1] > 2 * height,
        )

    def use(self, shape: Shape) -> None:
        """Take over a shape from the next frame on; it stays when the camera is opened again."""
        wish = shape.turn.size(shape.size)
        if wish != self._shape.turn.size(self.size) and isinstance(self._camera, TakesWishes):
            self._camera.wish(wish)
        self._shape = shape

    def remember(self, other: Camera) -> None:
        """See `vcam.camera.base.Remembers`."""
        if isinstance(self._camera, Remembers) and isinstance(other, ShapedCamera):
            self._camera.remember(other._camera)

    def adjust(self, controls: ControlWishes) -> None:
        """Set the controls of an open camera, in any thread; they stay when it is opened again.

        Raises `UsageError` for what the camera will not do; all controls are then as they were.
        """
        if isinstance(self._camera, Adjustable):
            self._camera.adjust(controls)

    def read(self) -> Frame | None:
        """The camera's next frame in the new shape; None at its end."""
        frame = self._camera.read()
        if frame is None:
            return None
        shape = self._shape
        if shape.part is not None:
            frame = frame.view(shape.part)
        if shape.scaled is not None:
            frame = self._into(shape.scaled, frame, self._scale)
        if shape.turned is not None:
            frame = self._into(shape.turned, frame, shape.turn.write)
        return frame

    def close(self) -> None:
        """Close the camera and let the buffers go."""
        self._camera.close()
        self._shape = Shape(self._shape.turn, self._shape.crop, self.size)

    def _scale(self, source: U8, target: U8) -> None:
        way = cv2.INTER_AREA if self._shape.shrinks else cv2.INTER_LINEAR
        cv2.resize(source, target.shape[::-1], dst=target, interpolation=way)

    @staticmethod
    def _into(target: Frame, source: Frame, work: Callable[[U8, U8], None]) -> Frame:
        for plane, out in zip(source.planes, target.planes, strict=True):
            work(plane, out)
        target.timestamp, target.seq, target.full_range = source.timestamp, source.seq, source.full_range
        return target
