"""Draws the backgrounds that come with vcam, and the pictures of docs/backgrounds.md: `python -m docs.backgrounds`.

python -m docs.backgrounds sea city     only these

The rooms take some minutes each, everything else a second.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docs.drawing import places, rooms
from vcam.assets import BACKGROUNDS, background_picture

SIZE = (1920, 1080)
RAYS = 10
QUALITY = 86
SMALL = (480, 270)
FOLDER = Path(__file__).resolve().parent / "images" / "backgrounds"

ROOMS = {
    "office": rooms.office, "living-room": rooms.living_room, "loft": rooms.loft, "library": rooms.library,
    "studio": rooms.studio,
}  # fmt: skip
PLACES = {
    "wall": places.wall, "mountains": places.mountains, "forest": places.forest, "sea": places.sea,
    "city": places.city, "dawn": places.dawn, "slate": places.slate,
}  # fmt: skip


def draw(name: str, size: tuple[int, int] = SIZE, rays: int = RAYS) -> NDArray[np.uint8]:
    """One of them, BGR uint8."""
    picture = rooms.photograph(ROOMS[name](), size, rays) if name in ROOMS else PLACES[name](size)
    # a grain below what is seen keeps soft colours from showing steps
    grain = np.random.default_rng(1).normal(0, 0.8, (*picture.shape[:2], 1))
    grained: NDArray[np.uint8] = np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
    return grained


def main() -> None:
    """Draw those that are named, or all."""
    cv2.setNumThreads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or BACKGROUNDS:
        picture = Image.fromarray(draw(name)[..., ::-1])
        path = background_picture(name)
        path.parent.mkdir(exist_ok=True)
        picture.save(path, quality=QUALITY, optimize=True, progressive=True)
        picture.resize(SMALL, Image.Resampling.LANCZOS).save(FOLDER / f"{name}.jpg", quality=82, optimize=True)
        print(f"{path}: {path.stat().st_size >> 10} kB")


if __name__ == "__main__":
    main()
