"""The background's colours for the person."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.colour import LOWEST, SPAN, TO_RGB, TOPS, ZERO
from vcam.compose.filters.base import Kind, Number, Place, Scene, Values
from vcam.compose.filters.planes import SmallPictures, plane_table
from vcam.frames import Box, Frame
from vcam.types import F32, Size

_LEAST_WEIGHT = 8.0
"""Small pixels of person, in sum, below which there is nothing to measure."""
_LEAST_SPREAD = 1.0
"""Lab units and levels: below this a region counts as uniform, and its spread says nothing."""
_GAINS = (0.6, 1.6)
"""How far contrast may be taken down or up: a uniform background must not make a uniform person."""
_PAUSE = 1.0
"""Seconds without a frame after which measuring starts anew."""
_OFTEN = 0.1
"""Seconds from one measurement to the next: nothing that is followed in a second changes in less."""
_EVERY = 2  # small pixels from one sample to the next; means and spreads need no more

# in OpenCV's order
_TO_BGR = np.ascontiguousarray(TO_RGB[:, ::-1])
_FROM_BGR = np.linalg.inv(_TO_BGR).astype(np.float32)


class ColorTransfer:
    """The mean and the spread of the background's colours given to the person (Reinhard, Ashikhmin, Gooch and Shirley,
    "Color transfer between images", 2001), in CIE Lab: for each channel

        c' = (c - mean_person) * spread_background / spread_person + mean_background

    That map is made for a few thousand samples; the affine map of each plane that comes nearest to it in the sense of
    least squares is applied at full size. The statistics follow the scene within `smooth` seconds, so that a gesture
    or a cut in a film does not make the person flash.
    """

    def __init__(self, values: Values) -> None:
        self._strength, self._smooth = values.number("strength"), values.number("smooth")

    def prepare(self, size: Size) -> None:
        self._small = SmallPictures(size)
        self._picture, self._matte = self._small.planes(3), self._small.planes(1)[0]
        self._version: tuple[int, int] | None = None
        self._state: F32 | None = None
        self._wish: F32 | None = None
        self._then = self._measured = -math.inf

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        assert scene is not None, "it acts on the person"
        another = self._version is None or scene.version[0] != self._version[0]
        if another or not self._smooth or not 0 <= scene.now - self._measured < _OFTEN:
            self._measure(picture, scene)
        self._follow(scene.now)
        if self._state is None:
            return
        for index, (plane, (gain, centre, target)) in enumerate(
            zip(picture.view(box).planes, self._state.T, strict=True)
        ):
            gain = 1 + self._strength * (gain - 1)
            target = centre + self._strength * (target - centre)
            table = plane_table(float(gain), float(centre), float(target), index > 0)
            cv2.LUT(plane, table, dst=plane)

    def _measure(self, picture: Frame, scene: Scene) -> None:
        matte = self._small.matte(scene.alpha.half, scene.alpha.box, self._matte)[::_EVERY, ::_EVERY]
        if float(matte.sum()) * _EVERY**2 < _LEAST_WEIGHT:
            return
        if scene.version != self._version:
            plate = self._small.picture(scene.plate, self._picture)[:, ::_EVERY, ::_EVERY]
            lab = _to_lab(np.ascontiguousarray(plate.reshape(3, -1).T))
            self._goal, self._version = (lab.mean(axis=0), lab.std(axis=0)), scene.version
        samples = self._small.picture(picture, self._picture)[:, ::_EVERY, ::_EVERY]
        inside = matte > 0.5 if (matte > 0.5).any() else matte > 0
        self._wish = _fit(np.ascontiguousarray(samples[:, inside].T), *self._goal)
        self._measured = scene.now

    def _follow(self, now: float) -> None:
        """Bring the map a step nearer to what was measured."""
        if self._wish is None:
            return
        # far apart in time, the scene may be another one
        gap = now - self._then
        if self._state is None or not 0 <= gap <= _PAUSE or self._smooth == 0:
            self._state = self._wish
        else:
            self._state = self._state + np.float32(1 - math.exp(-gap / self._smooth)) * (self._wish - self._state)
        self._then = now


def _fit(person: F32, goal_mean: F32, goal_spread: F32) -> F32:
    """For each plane gain, centre and target, float32 (3, 3), of samples (n, 3) Y, Cb, Cr."""
    lab = _to_lab(person)
    spread = np.maximum(lab.std(axis=0), _LEAST_SPREAD)
    gain = np.clip(np.maximum(goal_spread, _LEAST_SPREAD) / spread, *_GAINS)
    wished = _from_lab((lab - lab.mean(axis=0)) * gain + goal_mean)
    centre, target = person.mean(axis=0), wished.mean(axis=0)
    variance = ((person - centre) ** 2).mean(axis=0)
    covariance = ((person - centre) * (wished - target)).mean(axis=0)
    slope = np.where(variance > _LEAST_SPREAD**2, covariance / np.maximum(variance, _LEAST_SPREAD**2), 1)
    return np.stack([np.clip(slope, *_GAINS), centre, target]).astype(np.float32)


def _to_lab(samples: F32) -> F32:
    """CIE Lab, float32 (n, 3), of limited-range Y, Cb, Cr."""
    bgr = np.clip((samples - ZERO) / SPAN @ _TO_BGR, 0, 1).astype(np.float32)
    return np.asarray(cv2.cvtColor(bgr[np.newaxis], cv2.COLOR_BGR2Lab)[0], np.float32)


def _from_lab(lab: F32) -> F32:
    bgr = cv2.cvtColor(np.ascontiguousarray(lab[np.newaxis], np.float32), cv2.COLOR_Lab2BGR)[0]
    planes = np.clip(bgr, 0, 1) @ _FROM_BGR * SPAN + ZERO
    return np.asarray(np.clip(planes, LOWEST, TOPS), np.float32)


KINDS = (
    Kind(
        "color-transfer", "Gives the person the mean and spread of the background's colours.", (Place.PERSON,),
        (
            Number("strength", "0 leaves the person, 1 all of it", 0.5, 0, 1),
            Number("smooth", "time in which the colours follow the scene", 1.5, 0, 30, "s"),
        ),
        ColorTransfer,
    ),
)  # fmt: skip
