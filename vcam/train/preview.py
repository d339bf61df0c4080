"""What a network would be given, on one sheet, before any time is spent on training it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.datasets.store import open_dataset
from vcam.images import write_image
from vcam.train.losses import Loss
from vcam.train.recipe import Recipe
from vcam.train.samples import loader
from vcam.train.session import samples_of
from vcam.train.worst import shown_pair, tiled

COUNT = 24


def write_preview(path: Path, recipe: Recipe) -> None:
    """Write the first samples of a training, each beside itself with its mask.

    Raises as `Session` does for a recipe that cannot be meant, and `OutputError` if it cannot be written.
    """
    recipe = recipe.checked()
    samples = samples_of(recipe, open_dataset(Path(recipe.data)), Loss(recipe.losses))[0]
    order = [(place // len(samples), place % len(samples)) for place in range(COUNT)]
    cells = []
    for batch in loader(samples, 1, 0, shuffle=False, order=order):
        picture = np.rint(batch["picture"][0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        parts = [np.repeat(np.rint(batch["matte"][0, 0].numpy() * 255).astype(np.uint8)[..., np.newaxis], 3, 2)]
        if "prior" in batch:
            parts.append(np.repeat(np.rint(batch["prior"][0, 0].numpy() * 255).astype(np.uint8)[..., np.newaxis], 3, 2))
        cells.append(shown_pair(samples.entries[int(batch["index"][0])].name, picture, *parts))
    words = "what the network is given, and the mask that it is to find" + (
        "; last, the mask of the frame before" if samples.prior else ""
    )
    write_image(path, tiled(words, cells))
