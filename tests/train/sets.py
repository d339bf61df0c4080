"""A set of pictures that a tiny network learns in a moment: bright shapes on noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vcam.train.recipe import Recipe

SIDE = 64


def make_set(folder: Path, count: int = 12) -> Path:
    """Pictures of 64x64 with their mattes, the same each time. Of twelve, nine are to train with."""
    (folder / "img").mkdir(parents=True)
    (folder / "mask").mkdir()
    chance = np.random.default_rng(0)
    for number in range(count):
        picture = chance.integers(0, 80, (SIDE, SIDE, 3), np.uint8)
        matte = np.zeros((SIDE, SIDE), np.uint8)
        x = int(chance.integers(20, 44))
        cv2.circle(matte, (x, 26), 12, 255, -1)
        cv2.rectangle(matte, (x - 16, 40), (x + 16, SIDE), 255, -1)
        picture[matte > 0] = picture[matte > 0] // 2 + np.array([90, 120, 160], np.uint8)
        cv2.imwrite(str(folder / "img" / f"p{number:02}.jpg"), picture)
        cv2.imwrite(str(folder / "mask" / f"p{number:02}.png"), matte)
    return folder


def recipe(data: Path, **changes: Any) -> Recipe:
    """A training of a moment, with dropout and norms in it; no other process."""
    options = {"norm": True} if "network" in changes else {"norm": True, "dropout": 0.5}
    return Recipe(**{
        "network": "mobile-unet-v3-half", "options": options, "data": str(data), "size": (SIDE, SIDE),
        "epochs": 3, "batch": 4, "losses": {"cross-entropy": 1.0}, "workers": 0, "seed": 3, "optimizer": "muon",
        **changes,
    })  # fmt: skip


def train(folder: Path, made: Recipe, **options: Any) -> Any:
    """Train into a folder; the outcome."""
    from vcam.train.session import Session

    return Session(made, folder, **options).run()


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two sets of tensors are equal to the bit."""
    import torch

    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
