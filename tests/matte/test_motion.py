"""The motion search: at every size, and with numbers that can be relied upon."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from vcam.matte import motion
from vcam.matte.motion import LEAST, MotionSearch, bounded, finest_scale
from vcam.matte.temporal import TemporalFilter

ALL_SIZES = """
import sys, cv2, numpy as np
from vcam.matte.motion import MotionSearch, finest_scale
cv2.setNumThreads(1)
picture = np.random.default_rng(0).integers(0, 256, (2, 300, 300), dtype=np.uint8)
for low in range(1, 81, 1):
    for long in range(1, 301, STEP):
        for height, width in ((low, long), (long, low)):
            if finest_scale(height, width) is None:
                continue
            print(height, width, flush=True)
            now, before = (np.ascontiguousarray(part[:height, :width]) for part in picture)
            search = MotionSearch(height, width)
            for _ in range(2):
                assert np.isfinite(search.find(now, before)).all()
"""


@pytest.mark.process
def test_no_size_is_too_odd_for_it() -> None:
    """In a process of its own: what goes wrong here ends it. All sizes were tried once; here are some of each kind."""
    done = subprocess.run(
        [sys.executable, "-c", ALL_SIZES.replace("STEP", "29")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1]}: {done.stderr[-500:]}"
    assert len(done.stdout.splitlines()) > 1000


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [
        (72, 128, 2),
        (128, 128, 2),
        (45, 80, 0),
        (24, 128, 0),
        (24, 300, 1),
        (15, 300, None),
        (300, 15, None),
        (16, 16, 0),
    ],
)
def test_its_scales_fit_both_sides(height: int, width: int, scale: int | None) -> None:
    assert finest_scale(height, width) == scale
    if scale is not None:
        assert min(height, width) >> scale >= 8


def test_a_size_without_a_scale_is_refused_and_so_are_other_pictures() -> None:
    with pytest.raises(ValueError, match="no motion"):
        MotionSearch(LEAST - 1, 100)
    with pytest.raises(ValueError, match="instead of"):
        MotionSearch(20, 40).find(np.zeros((20, 40), np.uint8), np.zeros((40, 20), np.uint8))


def test_what_is_no_number_is_no_motion_and_what_is_huge_is_bounded() -> None:
    given = np.array([[[np.nan, 1], [np.inf, -np.inf], [1e30, -2]]], np.float32)
    assert bounded(given, 50).tolist() == [[[0, 1], [50, -50], [50, -2]]]


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_a_search_that_gives_nonsense_does_no_harm(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nonsense:
        def setFinestScale(self, scale: int) -> None:  # noqa: N802
            pass

        def calc(self, now, before, flow):
            return np.full((*now.shape, 2), value, np.float32)

    monkeypatch.setattr(motion.cv2.DISOpticalFlow, "create", lambda preset: Nonsense())
    filtered = TemporalFilter(0.5)
    luma = np.random.default_rng(1).integers(90, 110, (144, 256), dtype=np.uint8)
    for _ in range(3):
        out = filtered.update(np.full((144, 256), 0.5, np.float32), luma)
    assert np.isfinite(out).all()
    assert 0.4 < out.min() <= out.max() < 0.6


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("size", [(48, 256), (256, 48), (32, 600), (16, 256), (2, 256), (90, 160), (31, 33)])
def test_maps_of_any_shape_are_averaged(size: tuple[int, int]) -> None:
    filtered, rng = TemporalFilter(0.8), np.random.default_rng(2)
    for _ in range(4):
        out = filtered.update(rng.random(size, np.float32), rng.integers(90, 120, (2 * size[0], 2 * size[1]), np.uint8))
    assert np.isfinite(out).all()
    assert 0 <= out.min() <= out.max() <= 1
