"""A temporal filter that is slow where nothing moves and immediate where something does."""

from __future__ import annotations

import numpy as np

from vcam.types import F32

STILL = 0.25
MOVING = 0.85
"""Differences of probability: below STILL is the network's own flicker, above MOVING is motion.

Chosen on synthetic clips with known mattes (docs/quality.md): higher ones damp more and begin to lag."""


class TemporalFilter:
    """An exponential average whose weight follows the change of each pixel.

    m <- m + g (p - m), where the gain g runs from 1 - strength where |p - m| is below `STILL` to 1 above `MOVING`.
    A moving hand is therefore followed at once, while a still shoulder averages the network's flicker away. It is the
    first-order low-pass with a speed-dependent cut-off of Casiez et al., "1 Euro Filter", CHI 2012, with the
    difference itself as the speed.
    """

    def __init__(self, strength: float) -> None:
        """strength: 0 (off) to 1; the gain on still pixels is 1 - 0.9 * strength."""
        self._floor = 1.0 - 0.9 * strength
        self._slope = (1.0 - self._floor) / (MOVING - STILL)
        self._mean: F32 | None = None

    def update(self, probability: F32) -> F32:
        """The filtered map, float32 of the same shape, 0..1; it belongs to the filter until the next call."""
        if self._floor == 1.0:
            return probability
        if self._mean is None or self._mean.shape != probability.shape:
            self._mean = probability.copy()
            self._change = np.empty_like(probability)
            self._gain = np.empty_like(probability)
            return self._mean
        change, gain = self._change, self._gain
        np.subtract(probability, self._mean, out=change)
        np.abs(change, out=gain)
        gain -= STILL
        gain *= self._slope
        gain += self._floor
        np.clip(gain, self._floor, 1.0, out=gain)
        change *= gain
        self._mean += change
        return self._mean

    def reset(self) -> None:
        """Forget the past: the next map is taken as it is."""
        self._mean = None
