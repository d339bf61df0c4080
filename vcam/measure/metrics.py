"""Metrics of a predicted matte against the true one.

Mattes are uint8 (height, width), 0 background to 255 person; both of one size. Every function is pure.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.types import F32, U8

THRESHOLD = 128
"""From this value on a pixel counts as person where a yes or no is needed."""

BAND = 10
"""Pixels on either side of the true edge that its accuracy is taken over."""


def miou(predicted: U8, true: U8) -> float:
    """Mean of the intersection over union of the person's pixels and of the background's, 0..1.

    A class that neither matte has counts as 1. The mean over a set of pictures is what is published for EG1800 (Park et
    al., "SINet: Extreme Lightweight Portrait Segmentation Networks", WACV 2020).
    """
    _check(predicted, true)
    mine, theirs = predicted >= THRESHOLD, true >= THRESHOLD
    both, either = np.count_nonzero(mine & theirs), np.count_nonzero(mine | theirs)
    person = both / either if either else 1.0
    # the background's union is what is not person in both, its intersection what is not person in either
    background = (mine.size - either) / (mine.size - both) if both < mine.size else 1.0
    return float(person + background) / 2


def boundary_accuracy(predicted: U8, true: U8, band: int = BAND) -> float:
    """The share of pixels not further than `band` from the true edge that are on the right side of it, 0..1.

    The picture's border is no edge. NaN if the true matte has no edge. This is the trimap accuracy of Kohli et al.,
    "Robust Higher Order Potentials for Enforcing Label Consistency", IJCV 2009.
    """
    _check(predicted, true)
    near = edge_band(true, band)
    wanted = true[near] >= THRESHOLD
    if not wanted.size:
        return math.nan
    return float(np.count_nonzero((predicted[near] >= THRESHOLD) == wanted) / wanted.size)


def edge_band(true: U8, band: int = BAND) -> np.typing.NDArray[np.bool_]:
    """Where the edge of a matte is not further away than `band` pixels; bool (height, width)."""
    person = (true >= THRESHOLD).astype(np.uint8)
    if person.all() or not person.any():
        return np.zeros(true.shape, np.bool_)
    inside = cv2.distanceTransform(person, cv2.DIST_L2, cv2.DIST_MASK_5)
    outside = cv2.distanceTransform(1 - person, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(np.maximum(inside, outside) <= band)


def mad(predicted: U8, true: U8) -> float:
    """Mean absolute difference of the mattes in percent: 0 is perfect, 100 the opposite.

    As the MAD of Lin et al., "Robust High-Resolution Video Matting with Temporal Guidance", WACV 2022, which gives it
    in thousandths.
    """
    _check(predicted, true)
    return 100 / 255 * cv2.norm(predicted, true, cv2.NORM_L1) / predicted.size


def dtssd(predicted: U8, before: U8, true: U8, true_before: U8) -> float:
    """How differently the mattes change from one frame to the next: flicker, 0 if they change alike.

    100 * sqrt(mean(((p_t - p_t-1) - (g_t - g_t-1))^2)) of mattes 0..1. It is dtSSD of Erofeev et al., "Perceptually
    Motivated Benchmark for Video Matting", BMVC 2015, per pixel and scaled as Lin et al. (see `mad`) do. The value of a
    clip is the mean over its pairs of frames.
    """
    _check(predicted, true)
    change = cv2.subtract(predicted, before, dtype=cv2.CV_16S)
    wanted = cv2.subtract(true, true_before, dtype=cv2.CV_16S)
    return 100 / 255 * cv2.norm(change, wanted, cv2.NORM_L2) / math.sqrt(predicted.size)


def lag_of(errors: F32, first: int) -> float:
    """The shift in frames at which a curve of errors has its minimum, between the samples; NaN if it is flat.

    errors: float (shifts,), one for each whole shift from `first` on. Around the smallest a parabola is laid, the usual
    estimate for sums of squares (Shimizu and Okutomi, "Sub-Pixel Estimation Error Cancellation", IJCV 2005); it is
    exact where the edge moves by less than its own width, and is drawn a little to whole frames where it moves faster.
    """
    at = int(np.argmin(errors))
    if not 0 < at < len(errors) - 1:
        return float(first + at) if float(np.ptp(errors)) > 0 else math.nan
    left, here, right = (float(errors[at + step]) for step in (-1, 0, 1))
    bend = left - 2 * here + right
    if bend <= 1e-3 * here or bend <= 1e-6:
        return math.nan
    return first + at + 0.5 * (left - right) / bend


def _check(predicted: U8, true: U8) -> None:
    if predicted.shape != true.shape or predicted.ndim != 2 or predicted.dtype != np.uint8 or true.dtype != np.uint8:
        raise ValueError(
            f"mattes of {predicted.dtype} {predicted.shape} and {true.dtype} {true.shape} cannot be compared"
        )
