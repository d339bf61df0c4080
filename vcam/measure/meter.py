"""Scores of one picture or clip, gathered frame by frame."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields

import cv2
import numpy as np

from vcam.measure.metrics import boundary_accuracy, dtssd, lag_of, mad, miou
from vcam.types import U8

EARLY, LATE = 2, 6
"""Shifts, in frames, that the lag is looked for in: so much too early, so much too late."""

_LAG_WIDTH = 320


@dataclass(frozen=True, slots=True)
class Scores:
    """What the metrics say; NaN where one has no meaning (no edge, no second frame, nothing that moves)."""

    frames: int
    miou: float
    """Mean intersection over union of person and background, percent."""
    boundary: float
    """Pixels within 10 of the true edge that are on the right side of it, percent."""
    mad: float
    """Mean absolute difference of the mattes, percent."""
    dtssd: float = math.nan
    """Flicker; see `metrics.dtssd`."""
    lag: float = math.nan
    """Frames that the matte comes late."""

    @classmethod
    def mean(cls, scores: Iterable[Scores]) -> Scores:
        """The mean over pictures or clips, each counted once, of what is no NaN."""
        scores = list(scores)
        named = (field.name for field in fields(cls) if field.name != "frames")
        return cls(
            sum(score.frames for score in scores),
            *(_mean([getattr(score, name) for score in scores]) for name in named),
        )


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


class Meter:
    """Takes the frames of one clip in order; `scores` may be asked for at any time."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {"miou": [], "boundary": [], "mad": [], "dtssd": []}
        self._last: tuple[U8, U8] | None = None
        self._lag = LagMeter()

    def add(self, predicted: U8, true: U8) -> None:
        """The next frame's mattes, uint8 (height, width); they are copied."""
        self._sums["miou"].append(100 * miou(predicted, true))
        self._sums["boundary"].append(100 * boundary_accuracy(predicted, true))
        self._sums["mad"].append(mad(predicted, true))
        if self._last and self._last[0].shape == predicted.shape:
            before, true_before = self._last
            self._sums["dtssd"].append(dtssd(predicted, before, true, true_before))
        self._last = (predicted.copy(), true.copy())
        self._lag.add(predicted, true)

    @property
    def scores(self) -> Scores:
        means = {name: _mean(values) for name, values in self._sums.items()}
        return Scores(len(self._sums["mad"]), lag=self._lag.lag, **means)


class LagMeter:
    """The shift in time that best aligns the predicted with the true mattes.

    Sums up the squared error of each predicted matte against the true ones of the frames around it, at a reduced size.
    """

    def __init__(self) -> None:
        self._predicted: deque[U8] = deque(maxlen=EARLY + 1)
        self._true: deque[U8] = deque(maxlen=EARLY + LATE + 1)
        self._errors = np.zeros(EARLY + LATE + 1, np.float64)
        self._frames = 0

    def add(self, predicted: U8, true: U8) -> None:
        self._predicted.append(_reduced(predicted))
        self._true.append(_reduced(true))
        if len(self._true) < EARLY + LATE + 1:
            return
        matte = self._predicted[0]
        # the newest true matte lies EARLY frames ahead of this predicted one
        for shift, other in zip(range(EARLY + LATE + 1), reversed(self._true), strict=True):
            self._errors[shift] += cv2.norm(matte, other, cv2.NORM_L2SQR) / matte.size
        self._frames += 1

    @property
    def lag(self) -> float:
        """In frames, positive if the prediction comes late; NaN for clips too short or without motion."""
        if not self._frames:
            return math.nan
        return lag_of((self._errors / self._frames).astype(np.float32), -EARLY)


def _reduced(matte: U8) -> U8:
    height, width = matte.shape
    if width <= _LAG_WIDTH:
        return matte.copy()
    size = (_LAG_WIDTH, max(1, round(height * _LAG_WIDTH / width)))
    return cv2.resize(matte, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
