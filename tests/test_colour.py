"""The numbers of BT.601 agree with each other and with OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam import colour
from vcam.colour import EXPANDED, SPAN, TO_RGB, TOPS, ZERO, to_limited


@pytest.mark.parametrize(
    ("chroma", "full", "limited"),
    [(False, 0, 16), (False, 255, 235), (True, 128, 128), (True, 0.5, 16), (True, 255.5, 240)],
)
def test_the_full_range_ends_where_the_limited_one_does(chroma: bool, full: float, limited: float) -> None:
    scale, offset = to_limited(True, chroma)
    assert scale * full + offset == pytest.approx(limited, abs=1e-9)
    assert to_limited(False, chroma) == (1, 0)


def test_limited_luma_is_expanded_to_all_of_the_grey_levels() -> None:
    scale, offset = to_limited(True, False)
    grey = np.arange(256)
    assert np.abs(EXPANDED[np.rint(scale * grey + offset).astype(int)].astype(int) - grey).max() <= 1
    assert EXPANDED[:17].max() == 0
    assert EXPANDED[235:].min() == 255


def test_the_weights_make_up_the_whole_and_the_ranges_follow_from_them() -> None:
    assert pytest.approx(1) == colour.RED + colour.GREEN + colour.BLUE
    assert pytest.approx(2 * (1 - colour.BLUE)) == colour.BLUE_RANGE
    assert pytest.approx(2 * (1 - colour.RED)) == colour.RED_RANGE
    assert pytest.approx(1 / colour.BLUE_RANGE, abs=5e-4) == colour.PER_BLUE
    assert pytest.approx(1 / colour.RED_RANGE, abs=5e-4) == colour.PER_RED


@pytest.mark.parametrize(
    "rgb", [(0, 0, 0), (255, 255, 255), (0, 0, 255), (200, 30, 40), (20, 210, 60), (30, 50, 220), (90, 90, 91)]
)
def test_planes_become_the_colours_that_opencv_made_them_of(rgb: tuple[int, int, int]) -> None:
    packed = cv2.cvtColor(np.full((2, 2, 3), rgb, np.uint8), cv2.COLOR_RGB2YUV_I420).reshape(-1)
    samples = packed[[0, 4, 5]].astype(np.float32)
    assert (samples <= TOPS).all()
    assert np.abs((samples - ZERO) / SPAN @ TO_RGB * 255 - rgb).max() <= 2.5
