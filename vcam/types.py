"""Array types used throughout vcam.

Shapes are written in docstrings as (height, width[, channels]), the way NumPy and OpenCV index them; sizes that people
see or set are (width, height).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    # for the checker alone: the settings and the command line name a size, and loading NumPy doubles their start-up
    import numpy as np
    import numpy.typing as npt

U8: TypeAlias = "npt.NDArray[np.uint8]"
"""Samples, mattes and raw bytes, 0..255."""

F32: TypeAlias = "npt.NDArray[np.float32]"
"""Probabilities and other small maps; never a full-size picture in the default path."""

BOOL: TypeAlias = "npt.NDArray[np.bool_]"
"""Yes or no for each pixel of a small map."""

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""
