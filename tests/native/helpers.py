"""Planes that compiled loops are tried on, and where the loops come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from vcam import native
from vcam.native import build
from vcam.types import U8

COMPILER = next((path for name in build.COMPILERS if (path := shutil.which(name))), None)
SOURCE = Path(native.__file__).parent


def noise(seed: int, height: int, width: int, low: int = 0, high: int = 256, margin: int = 3) -> U8:
    """A plane that is a part of a wider one, as the box of a person is."""
    plane = np.random.default_rng(seed).integers(low, high, (height, width + 2 * margin), dtype=np.uint8)
    return plane[:, margin : margin + width]


def difference(a: U8, b: U8) -> int:
    return int(np.abs(a.astype(int) - b).max())
