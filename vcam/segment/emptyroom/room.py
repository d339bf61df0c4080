"""What is known of the empty room: learnt from frames, and compared with every frame that follows."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from vcam.types import F32, U8

_RESTLESS = 0.005
"""Share of the picture in which something moves, from which on the room is not taken to be empty."""


class RoomLearner:
    """The mean of some frames in a row in which nothing moves."""

    def __init__(self, frames: int, threshold: float) -> None:
        """threshold: levels by which a sample that has not moved may differ from the mean."""
        self._wanted, self._threshold = frames, threshold
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._sum: F32 | None = None
        self._seen = 0

    def add(self, picture: U8) -> U8 | None:
        """Take a blurred picture, uint8 (height, width, 3); the room of the same shape once enough have been seen.

        A picture in which something moves is the first of a new row.
        """
        if self._sum is not None:
            mean = np.rint(self._sum / self._seen).astype(np.uint8)
            moved = cv2.absdiff(picture, mean).max(axis=2) > self._threshold
            if np.count_nonzero(moved) > _RESTLESS * moved.size:
                self.reset()
        if self._sum is None:
            self._sum = np.zeros(picture.shape, np.float32)
        self._sum += picture
        self._seen += 1
        return np.rint(self._sum / self._seen).astype(np.uint8) if self._seen >= self._wanted else None


class Room(Protocol):
    """What is known of the empty room."""

    def differs(self, picture: U8) -> U8:
        """Where a picture is not the room: uint8 (height, width), 0 or 255; the caller's to keep.

        picture: uint8 (height, width, 3) BGR, blurred.
        """

    def follow(self, picture: U8, person: U8) -> U8 | None:
        """Learn how the room changes; `person` is uint8 (height, width), not 0 where somebody is before it.

        Returns the room as it is now, a fresh array of the pictures' shape, where that was looked up.
        """


class StaticRoom:
    """One picture of the room; a sample differs if any of its colours does by more than a threshold.

    Colours count beside brightness, because a person often is as bright as the wall behind, but seldom of its colour.
    """

    def __init__(self, room: U8, threshold: float) -> None:
        self._room, self._threshold = room, threshold
        self._difference = np.empty_like(room)

    def differs(self, picture: U8) -> U8:
        cv2.absdiff(picture, self._room, dst=self._difference)
        blue, green, red = cv2.split(self._difference)
        return _binary(cv2.max(cv2.max(blue, green), red), self._threshold)

    def follow(self, picture: U8, person: U8) -> U8 | None:
        """It stays as it was learnt."""
        return None


class AdaptiveRoom:
    """A mixture of Gaussians for every pixel that follows the light.

    OpenCV's MOG2: Zivkovic, "Improved Adaptive Gaussian Mixture Model for Background Subtraction", ICPR 2004. Its KNN
    cannot be used: it has no way to look at a picture without learning from it.

    A person who sits still would become part of the room after a while. So the model is never shown the person, but
    what it believes to be behind, made brighter or darker as the rest of the room has become.
    """

    HISTORY = 300
    EVERY = 4
    """Frames from one step of learning to the next."""
    TOLD = 16
    """Frames, a multiple of those, after which what was learnt is told."""
    RATE = 0.04
    SEEDS = 20

    def __init__(self, room: U8) -> None:
        # the usual threshold on the squared distance; shadows are no kind of their own here
        self._model = cv2.createBackgroundSubtractorMOG2(self.HISTORY, 16.0, False)
        chance = np.random.default_rng(0)
        # with no spread at all the first speck of noise would be a person
        for _ in range(self.SEEDS):
            self._model.apply(np.clip(room + chance.normal(0, 2.0, room.shape), 0, 255).astype(np.uint8))
        self._frames = 0

    def differs(self, picture: U8) -> U8:
        return self._model.apply(picture, None, 0.0).astype(np.uint8, copy=False)

    def follow(self, picture: U8, person: U8) -> U8 | None:
        self._frames += 1
        if self._frames % self.EVERY:
            return None
        room = self._model.getBackgroundImage()
        free = cv2.bitwise_not(person)
        seen, known = cv2.mean(picture, free), cv2.mean(room, free)
        # of each colour, since light changes its colour with its strength
        gains = [s / k if k > 1 else 1.0 for s, k in zip(seen[:3], known[:3], strict=True)]
        behind = np.clip(room * np.array(gains, np.float32), 0, 255).astype(np.uint8)
        cv2.copyTo(picture, free, behind)
        self._model.apply(behind, None, self.RATE)
        return None if self._frames % self.TOLD else room.astype(np.uint8, copy=False)


def _binary(difference: cv2.typing.MatLike, threshold: float) -> U8:
    return cv2.threshold(difference, threshold, 255, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False)
