"""The composite as the network that harmonises sees it: small, with the matte as its fourth channel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vcam import native
from vcam.colour import to_limited
from vcam.frames import Alpha, Frame
from vcam.scaling import halvings_apart, ladder_writer
from vcam.types import U8, Size

LEAST, MOST = 0.003, 0.97
"""Shares of the picture that the person may cover: with less there is nobody, with more no background to go by."""


class SmallComposite:
    """Composites of pictures of one size, spread over another, whatever their shapes; all buffers are its own."""

    def __init__(self, size: Size, small: Size) -> None:
        """Both (width, height)."""
        (width, height), (columns, rows) = size, small
        self._person, self._plate = ([np.empty((rows, columns), np.uint8) for _ in range(3)] for _ in range(2))
        self._matte = np.empty((rows, columns), np.uint8)
        self._mixed = [np.empty((rows, columns), np.uint8) for _ in range(3)]
        self._picture: U8 = np.empty((rows, columns, 4), np.uint8)
        full, half = (height, width), (height // 2, width // 2)
        shapes = [full, half, half]
        self._small_person = _Small([*shapes, half], small, [*self._person, self._matte])
        self._small_plate = _Small(shapes, small, self._plate)
        self._clean = np.zeros(half, np.uint8)
        self._dirty = slice(0, 0), slice(0, 0)
        self._version: tuple[int, int] | None = None
        self._kernels = native.kernels()

    def make(self, person: Frame, alpha: Alpha, plate: Frame, version: tuple[int, int]) -> U8 | None:
        """The person, of either range, over the plate: uint8 (height, width, 4), Y, Cb, Cr of the limited range, matte.

        version: the same numbers mean the same plate. The picture stays as it is until the next call. None if there is
        nobody, or no background, to go by.
        """
        part = alpha.box.half()
        where = slice(part.y0, part.y1), slice(part.x0, part.x1)
        # outside of the box the matte may be anything
        self._clean[self._dirty] = 0
        np.copyto(self._clean[where], alpha.half[where])
        self._dirty = where
        self._small_person.write([*person.planes, self._clean])
        if not LEAST <= float(cv2.mean(self._matte)[0]) / 255 <= MOST:
            return None
        if version != self._version:
            self._small_plate.write(plate.planes)
            self._version = version
        for index, (mine, behind, out) in enumerate(zip(self._person, self._plate, self._mixed, strict=True)):
            if person.full_range:
                scale, offset = to_limited(True, index > 0)
                cv2.convertScaleAbs(mine, dst=mine, alpha=scale, beta=offset)
            self._blend(mine, behind, out)
        cv2.merge([*self._mixed, self._matte], dst=self._picture)
        return self._picture

    def forget(self) -> None:
        """Plates are numbered anew from here on."""
        self._version = None

    def _blend(self, person: U8, behind: U8, out: U8) -> None:
        if self._kernels is not None:
            self._kernels.blend(self._matte, person, behind, out)
            return
        share = self._matte.astype(np.uint16)
        np.copyto(out, (share * person + (255 - share) * behind + 127) // 255, casting="unsafe")


class _Small:
    """Writes planes of some shapes, (height, width), into small ones: by halves, and the rest by areas, since networks
    learn from pictures that were made small so."""

    def __init__(self, shapes: Sequence[tuple[int, int]], small: Size, targets: Sequence[U8]) -> None:
        self._targets = targets
        self._ways = [_way(shape, small) for shape in shapes]
        # none, where a plane is hardly larger
        self._reducible = [index for index, way in enumerate(self._ways) if way]
        self._reduce = ladder_writer(
            [shapes[index] for index in self._reducible], [self._ways[index] for index in self._reducible]
        ) if self._reducible else None  # fmt: skip

    def write(self, planes: Sequence[U8]) -> None:
        """Planes of the shapes given, into the targets."""
        if self._reduce:
            self._reduce([planes[index] for index in self._reducible])
        for plane, way, target in zip(planes, self._ways, self._targets, strict=True):
            near = way[-1] if way else plane
            larger = near.shape[0] >= target.shape[0] and near.shape[1] >= target.shape[1]
            how = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
            cv2.resize(near, target.shape[::-1], dst=target, interpolation=how)


def _way(shape: tuple[int, int], small: Size) -> list[U8]:
    """Buffers for what lies between a plane, (height, width), and the small one, (width, height)."""
    return [np.empty((rows, columns), np.uint8) for columns, rows in halvings_apart((shape[1], shape[0]), small)]
