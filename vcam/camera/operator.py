"""Auto-framing: a camera operator who pans and zooms so that whoever is there is well placed.

It works on the camera's frame before the network sees it, so the matte always belongs to the very picture that is
shown. Where the person is, it knows from the last matte; no second network runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.frames import Alpha, Box, Frame
from vcam.settings import FramingSettings
from vcam.types import U8, Size

_PERSON = 128
"""Alpha from which a pixel is of the person."""
_LEAST = 0.02
"""Share of a row or column that must be person for it to count: specks do not move the camera."""
_TOUCHES = 0.02
"""Share of the view within which the person reaches its border, so that there may be more of them beyond it."""
_HEADROOM = 0.6
"""Of the margin, above the head; the rest is given below."""
_PATIENCE = 1.5
"""Seconds without anybody before the whole picture is shown again."""
_EASE = 0.5
"""Seconds in which the rest of the way is closed, where the speed allows it."""
_ARRIVED = 0.01
"""Share of the view: so near the goal, the camera stops."""
_NEARLY = 0.003
"""The same for the whole picture, which is then shown as it is."""
_LONGEST = 0.2
"""Seconds: a longer pause counts as this, so that the view does not leap after it."""


@dataclass(slots=True)
class View:
    """What is shown of the camera's picture: the middle and the height, in parts of the picture's sides."""

    x: float = 0.5
    y: float = 0.5
    scale: float = 1.0

    def moved(self, goal: View, most: float, share: float) -> View:
        """A `share` of the way to the goal, but no more than `most` on any of the three."""
        steps = [share * (theirs - mine) for mine, theirs in zip(self.values, goal.values, strict=True)]
        longest = max(abs(step) for step in steps)
        factor = min(1.0, most / longest) if longest else 1.0
        return View(*(mine + factor * step for mine, step in zip(self.values, steps, strict=True))).inside()

    @property
    def values(self) -> tuple[float, float, float]:
        return self.x, self.y, self.scale

    def inside(self) -> View:
        """The nearest view that lies within the picture."""
        half = min(self.scale, 1.0) / 2
        return View(min(max(self.x, half), 1 - half), min(max(self.y, half), 1 - half), 2 * half)

    def distance(self, other: View) -> float:
        """The greatest difference, in parts of this view."""
        return max(abs(mine - theirs) for mine, theirs in zip(self.values, other.values, strict=True)) / self.scale


class CameraOperator:
    """Cuts a moving part out of every frame and brings it to the frame's size.

    `frame` gives the part of the camera's frame that is to be seen, `saw` takes the matte that was made from it. While
    the settings say that it is off, it goes back to the whole picture and stays there, at no cost.
    """

    def __init__(self, settings: FramingSettings) -> None:
        self._settings = settings
        self._size: Size = (0, 0)
        self.reset()

    def use(self, settings: FramingSettings) -> None:
        """Go on with other settings from where it is."""
        self._settings = settings

    def reset(self) -> None:
        """Another camera, or a pause: begin with the whole picture."""
        self.view = View()
        self._goal = View()
        self._moving = False
        self._seen = -math.inf
        self._then: float | None = None

    def frame(self, frame: Frame) -> Frame:
        """The part of `frame` to be seen, at the same size: this object's own buffer, or the frame itself if it is all
        of it. Time is taken from the frame's stamp."""
        self._move(frame.timestamp)
        part = self.part(frame.size)
        if part == Box(0, 0, *frame.size):
            return frame
        if frame.size != self._size:
            self._size = frame.size
            self._scaled = Frame.allocate(*frame.size)
        scaled = self._scaled
        for source, target in zip(frame.view(part).planes, scaled.planes, strict=True):
            cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
        scaled.timestamp, scaled.seq, scaled.full_range = frame.timestamp, frame.seq, frame.full_range
        return scaled

    def part(self, size: Size) -> Box:
        """The view in pixels of a picture of `size`, with even bounds."""
        width, height = (min(side, max(16, round(self.view.scale * side / 2) * 2)) for side in size)
        x = min(max(0, round((self.view.x * size[0] - width / 2) / 2) * 2), size[0] - width)
        y = min(max(0, round((self.view.y * size[1] - height / 2) / 2) * 2), size[1] - height)
        return Box(x, y, x + width, y + height)

    def saw(self, alpha: Alpha, now: float) -> None:
        """The matte of the frame that was given out last, at the time of its stamp."""
        if not self._settings.auto:
            self._withdraw()
            return
        found = _extent(alpha.small)
        if found is None:
            if now - self._seen > _PATIENCE:
                self._withdraw()
            return
        self._seen = now
        self._aim(self._goal_for(*found))

    def _goal_for(self, left: float, top: float, right: float, bottom: float) -> View:
        """Where the view should go for people at these bounds, in parts of the present view."""
        view, margin = self.view, self._settings.margin
        grow = 0.0
        if view.scale < 1 and (left < _TOUCHES or right > 1 - _TOUCHES or top < _TOUCHES):
            # cut off by the view itself: there is no telling how much, so show more step by step
            grow = 0.15
        x0, x1, y0, y1 = (
            origin + view.scale * (value - 0.5)
            for origin, value in ((view.x, left), (view.x, right), (view.y, top), (view.y, bottom))
        )
        inner = 1 - 2 * margin
        # heads matter: the body may be cut off below, as a picture of a person at a desk is
        scale = max((x1 - x0) / inner, 0.75 * (y1 - y0) / inner, 1 / self._settings.zoom) + grow
        scale = min(1.0, scale)
        return View((x0 + x1) / 2, y0 - _HEADROOM * margin * scale + scale / 2, scale).inside()

    def _aim(self, goal: View) -> None:
        """Go after the goal once it has left the dead zone, until it is reached."""
        distance = self.view.distance(goal)
        if self._moving or distance > self._settings.dead_zone:
            self._goal, self._moving = goal, distance > _ARRIVED

    def _withdraw(self) -> None:
        """Go back to the whole picture, all the way."""
        if self.view.distance(View()) < _NEARLY:
            self.view = View()
        self._goal, self._moving = View(), self.view != View()

    def _move(self, now: float) -> None:
        passed = 0.0 if self._then is None else min(max(now - self._then, 0.0), _LONGEST)
        self._then = now
        if self._moving and passed:
            most = self._settings.speed * passed * self.view.scale
            self.view = self.view.moved(self._goal, most, 1 - math.exp(-passed / _EASE))


def _extent(small: U8) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of all that is person, in parts of the picture; None if nobody is there."""
    person = cv2.threshold(small, _PERSON - 1, 255, cv2.THRESH_BINARY)[1]
    bounds: list[float] = []
    for axis in (0, 1):
        # the mean of a row or column of 0 and 255
        share = cv2.reduce(person, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).reshape(-1)
        where = np.flatnonzero(share > 255 * _LEAST)
        if not where.size:
            return None
        bounds += [float(where[0]) / share.size, float(where[-1] + 1) / share.size]
    left, right, top, bottom = bounds
    return left, top, right, bottom
