"""Memory that an engine is to write into: what nobody has written to must not pass for a result.

An accelerator whose driver reports success and does nothing leaves behind what was there: the map of an earlier frame.
So outputs are filled before each inference with what no network gives.
"""

from __future__ import annotations

import numpy as np

from vcam.infer.base import Tensor


def blot(values: Tensor) -> None:
    """Make an output unreadable: NaN, or the least whole number of its type; 255 for bytes and truths."""
    kind = values.dtype.kind
    if kind == "f":
        values.fill(np.nan)
    elif kind == "i" and values.itemsize > 1:
        values.fill(np.iinfo(values.dtype).min)
    elif kind in "iu":
        values.fill(np.iinfo(values.dtype).max)
    elif kind == "b":
        # a truth is 0 or 1
        values.view(np.uint8).fill(255)


def is_blotted(values: Tensor) -> bool:
    """Whether an output of whole numbers or truths still holds what `blot` put there.

    False for floats: whoever reads them sees that they are no numbers. Bytes may hold any value, so all of them must.
    """
    kind = values.dtype.kind
    if kind == "b":
        return bool((values.view(np.uint8) > 1).any())
    if kind == "i" and values.itemsize > 1:
        return bool((values == np.iinfo(values.dtype).min).any())
    if kind in "iu":
        left = values == np.iinfo(values.dtype).max
        return bool(left.all() if values.itemsize == 1 else left.any())
    return False


def are_numbers(values: Tensor) -> bool:
    """Whether no value is NaN or infinite; any such survives a sum, the cheapest look at every value."""
    if values.dtype.kind != "f":
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(values.sum(dtype=np.float32)))
