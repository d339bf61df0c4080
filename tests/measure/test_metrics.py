"""The metrics say what they are named for, on mattes whose values can be worked out by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from vcam.measure.meter import LagMeter, Meter, Scores
from vcam.measure.metrics import boundary_accuracy, dtssd, edge_band, lag_of, mad, miou


def square(x0: int, x1: int, size: tuple[int, int] = (120, 80)) -> np.ndarray:
    matte = np.zeros(size[::-1], np.uint8)
    matte[20:60, x0:x1] = 255
    return matte


MATTES = arrays(np.uint8, (12, 16))


@given(MATTES, MATTES)
def test_no_metric_is_ever_infinite_or_out_of_its_range(predicted, true) -> None:
    assert 0 <= miou(predicted, true) <= 1
    assert 0 <= mad(predicted, true) <= 100
    assert math.isfinite(dtssd(predicted, true, true, predicted))
    accuracy = boundary_accuracy(predicted, true)
    assert math.isnan(accuracy) or 0 <= accuracy <= 1


@given(MATTES)
def test_a_matte_is_perfect_against_itself(matte) -> None:
    assert miou(matte, matte) == 1
    assert mad(matte, matte) == 0
    assert dtssd(matte, matte[::-1], matte, matte[::-1]) == 0
    assert boundary_accuracy(matte, matte) in (1, pytest.approx(math.nan, nan_ok=True))


def test_miou_is_the_mean_of_person_and_background() -> None:
    # 1600 of the person and 1600 of the other, 800 in common; 9600 pixels in all
    assert miou(square(20, 60), square(40, 80)) == pytest.approx((800 / 2400 + 7200 / 8800) / 2)


def test_miou_counts_a_person_in_an_empty_room_as_wrong() -> None:
    nobody = square(0, 0)
    assert miou(nobody, nobody) == 1
    assert miou(square(20, 60), nobody) == pytest.approx((0 + 8000 / 9600) / 2)


def test_the_threshold_lies_between_127_and_128() -> None:
    true = square(20, 60)
    assert miou(np.where(true > 0, 128, 127).astype(np.uint8), true) == 1
    assert miou(np.where(true > 0, 127, 0).astype(np.uint8), true) < 0.5


def test_only_the_band_counts_for_the_edge() -> None:
    true = square(20, 60)
    band = edge_band(true)
    outside = np.where(band, true, 255 - true)
    inside = np.where(band, 255 - true, true)
    assert boundary_accuracy(outside, true) == 1
    assert boundary_accuracy(inside, true) == 0


def test_the_band_reaches_ten_pixels_to_either_side_and_ignores_the_pictures_border() -> None:
    true = np.zeros((60, 100), np.uint8)
    true[:, 50:] = 255
    assert np.flatnonzero(edge_band(true).all(axis=0)).tolist() == list(range(40, 60))
    assert not edge_band(true)[:, 95:].any()


def test_a_matte_without_an_edge_has_no_boundary_accuracy() -> None:
    everything = np.full((40, 40), 255, np.uint8)
    assert math.isnan(boundary_accuracy(everything, everything))
    assert math.isnan(boundary_accuracy(everything, 255 - everything))


def test_mad_is_in_percent() -> None:
    true = np.zeros((10, 10), np.uint8)
    assert mad(np.full_like(true, 51), true) == pytest.approx(20)


def test_dtssd_sees_flicker_and_not_a_constant_error() -> None:
    true, moved = square(20, 60), square(22, 62)
    wrong = square(10, 50)
    assert dtssd(wrong, wrong, true, true) == 0
    # two columns of 40 pixels flip on either side
    assert dtssd(moved, true, true, true) == pytest.approx(100 * math.sqrt(160 / 9600))
    assert dtssd(moved, true, moved, true) == 0


@pytest.mark.parametrize(("centre", "first"), [(0.0, -2), (0.4, -2), (1.75, -2), (3.2, 0)])
def test_the_lag_is_the_minimum_of_a_parabola(centre, first) -> None:
    shifts = np.arange(first, first + 6, dtype=np.float32)
    assert lag_of((shifts - centre) ** 2 + 1, first) == pytest.approx(centre, abs=1e-3)


@pytest.mark.parametrize("curve", [[1, 1, 1, 1, 1], [1.0004, 1.0, 1.0004, 1.0008, 1.0012], [2e-7, 0, 2e-7, 4e-7, 1e-6]])
def test_a_flat_curve_has_no_lag(curve) -> None:
    assert math.isnan(lag_of(np.array(curve, np.float32), -2))


@pytest.mark.parametrize(("curve", "lag"), [([1, 2, 3], -2), ([3, 2, 1], 0)])
def test_a_curve_that_falls_to_its_end_has_its_lag_there(curve, lag) -> None:
    assert lag_of(np.array(curve, np.float32), -2) == lag


def soft_edge(position: float) -> np.ndarray:
    columns = np.arange(160, dtype=np.float32)
    row = np.clip((position - columns) / 12 + 0.5, 0, 1) * 255
    return np.repeat(np.rint(row).astype(np.uint8)[np.newaxis], 40, axis=0)


@pytest.mark.parametrize("late", [-1.0, 0.0, 0.3, 0.5, 1.0, 2.4])
def test_lag_of_a_matte_that_follows_late_is_measured_between_frames(late) -> None:
    meter = LagMeter()
    for number in range(60):
        meter.add(soft_edge(80 + 50 * math.sin((number - late) / 9)), soft_edge(80 + 50 * math.sin(number / 9)))
    assert meter.lag == pytest.approx(late, abs=0.1)


def test_nothing_that_moves_means_no_lag() -> None:
    meter = LagMeter()
    for _ in range(20):
        meter.add(soft_edge(82), soft_edge(80))
    assert math.isnan(meter.lag)


def test_the_meter_takes_copies_and_means_over_frames() -> None:
    meter, buffer = Meter(), square(20, 60)
    true = square(20, 60)
    meter.add(buffer, true)
    buffer[...] = square(22, 62)
    meter.add(buffer, true)
    scores = meter.scores
    assert scores.frames == 2
    assert scores.dtssd == pytest.approx(100 * math.sqrt(160 / 9600))
    assert scores.mad == pytest.approx(mad(square(22, 62), true) / 2)


def test_the_mean_of_scores_leaves_out_what_has_no_value() -> None:
    mean = Scores.mean([Scores(1, 90, math.nan, 2), Scores(3, 80, 70, 4, dtssd=1.5)])
    assert (mean.frames, mean.miou, mean.boundary, mean.mad, mean.dtssd) == (4, 85, 70, 3, 1.5)
    assert math.isnan(mean.lag)


def test_mattes_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        miou(square(0, 9), cv2.resize(square(0, 9), (60, 40)))
    with pytest.raises(ValueError, match="cannot be compared"):
        mad(square(0, 9).astype(np.float32), square(0, 9))
