"""The compiled loops stay within their arrays, whatever the sizes and the numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.native.helpers import COMPILER, SOURCE
from vcam.native import build

FUZZ = Path(__file__).with_name("fuzz_loops.py")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.process
def test_no_loop_leaves_its_arrays(tmp_path: Path) -> None:
    if COMPILER is None:
        pytest.skip("no C compiler: sudo apt install gcc libc6-dev")
    target, flags = tmp_path / "checked.so", ["-std=gnu11", "-O1", "-g", "-fPIC", "-shared", "-fvisibility=hidden"]
    check = ["-fsanitize=address", f"-DVCAM_FINGERPRINT={build.fingerprint()}u", "-DVCAM_VARIANTS=0"]
    command = [COMPILER, *flags, *check, "-o", str(target), *map(str, sorted(SOURCE.glob("*.c")))]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    asked = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    if made.returncode or not Path(asked.stdout.strip()).is_absolute():
        pytest.skip("the compiler has no address sanitizer: sudo apt install libasan8")
    environment = {
        **os.environ, "LD_PRELOAD": asked.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(FUZZ), str(target), "1", "70"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:3000]
    assert int(done.stdout.split()[0]) > 500


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_a_motion_that_is_no_number_takes_from_within(kernels, value: float) -> None:
    rng = np.random.default_rng(0)
    mean, flow = rng.random((40, 60), np.float32), np.zeros((20, 30, 2), np.float32)
    flow[::3, ::2] = value
    luma, result = np.full((20, 30), 90, np.uint8), np.full((40, 60), 9, np.float32)
    terms = {"floor": 0.0, "slope": 0.0, "still": 0.0, "doubt": (4, 14), "nobody": 0.0}
    kernels.follow(np.zeros_like(mean), mean, result, flow, (luma, luma), **terms)
    assert result.min() >= 0
    assert result.max() <= mean.max()
