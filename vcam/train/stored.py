"""What is read out of a file of weights: layers, in the order in which the network runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(slots=True)
class StoredNorm:
    """A batch norm: y = (x - mean) / sqrt(variance + eps) * scale + shift, each float32 (C,)."""

    scale: Array
    shift: Array
    mean: Array
    variance: Array
    eps: float


@dataclass(slots=True)
class Stored:
    """One layer's weights, float32, in PyTorch's order.

    kind: "conv" (weight O, I / groups, H, W), "transposed" (I, O, H, W), "prelu" (C,), or "" where the file does not
    tell the first two apart. `name` is the file's own. No bias is none, or one of zeros.
    """

    name: str
    kind: str
    weight: Array
    bias: Array | None = None
    norm: StoredNorm | None = None

    @property
    def outputs(self) -> int:
        """How many channels come out; of a kind that is not told, as if it were no transposed one."""
        return int(self.weight.shape[1 if self.kind == "transposed" else 0])
