"""Makes docs/images/harmonise.jpg: twelve people before eight backgrounds, each without and with `harmonise`.

    python -m docs.harmonise.sheet --packages DIR --clips DIR --film FILE

DIR are those of docs.harmonise.collect; FILE is a film of Intel's sample videos (CC-BY-4.0), 768x432, in which people
come into a room one by one. The network was trained with the first four people. It has seen neither those of the film
nor these drawn ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from docs.harmonise.collect import PORTRAITS, panoramas_of, unpack
from docs.harmonise.people import Panorama, portrait, seen
from vcam.assets import asset, background_picture
from vcam.batch import StillComposer
from vcam.images import bgr_to_frame
from vcam.settings import Settings
from vcam.types import U8

TARGET = Path(__file__).resolve().parents[1] / "images" / "harmonise.jpg"
QUALITY = 70

SIZE = (320, 400)
"""Of a picture as vcam gets it."""
SHOWN = (88, 110)
GAP = 6

CUTS = {"grace_hopper.jpg": (56, 20, 400, 500), "astronaut.png": (30, 0, 400, 500)}
"""Left, top, width, height of what is taken of each portrait."""
SIGNING = (("book", 45, (200, 40, 280, 350)), ("eat", 30, (180, 30, 280, 350)))
"""Clip, frame and cut."""
WALKING = ((100, 352), (260, 384), (560, 380), (780, 346), (990, 366), (1260, 340))
"""Frame of the film, and the left of the cut, which is 200 wide and 250 high, from the top."""
DRAWN = (16, 13)
"""Chances of people who are drawn; those that were trained with were drawn by chance 20."""

OWN = (asset("dusk.jpg"), *map(background_picture, ("living-room", "forest", "city", "sea")))
VIEWS = ("pmndrs-apartment", "pmndrs-sunset", "pmndrs-warehouse")
"""Panoramas, CC0."""


def people(unpacked: Path, clips: Path, film: Path) -> Iterator[U8]:
    """Twelve pictures, BGR, of `SIZE`."""
    for path in sorted(unpacked.rglob("*.*")):
        if str(path).endswith(PORTRAITS):
            picture = cv2.imread(str(path))
            assert picture is not None, path
            yield _cut(picture, *CUTS[path.name])
    for name, number, cut in SIGNING:
        yield _cut(_frame(clips / f"{name}.mkv", number), *cut)
    for number, left in WALKING:
        yield _cut(_frame(film, number), left, 0, 200, 250)
    for seed in DRAWN:
        # as wide as a camera's picture, or there would be no shoulders
        picture, _ = portrait(np.random.default_rng([seed]), None, (SIZE[1], SIZE[1]))
        yield _cut(picture, (SIZE[1] - SIZE[0]) // 2, 0, *SIZE)


def _frame(path: Path, number: int) -> U8:
    film = cv2.VideoCapture(str(path))
    film.set(cv2.CAP_PROP_POS_FRAMES, number)
    got, picture = film.read()
    film.release()
    assert got, path
    return np.asarray(picture, np.uint8)


def _cut(picture: np.ndarray, left: int, top: int, width: int, height: int) -> U8:
    part = picture[top : top + height, left : left + width]
    way = cv2.INTER_AREA if width > SIZE[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, SIZE, interpolation=way), np.uint8)


def backgrounds(unpacked: Path, scratch: Path) -> Iterator[str]:
    """Eight, as settings name them."""
    yield from (str(path) for path in OWN)
    for name, light in sorted(panoramas_of(unpacked)):
        if name in VIEWS:
            path = scratch / f"{name}.png"
            cv2.imwrite(str(path), seen(np.random.default_rng(len(name)), Panorama(light), SIZE))
            yield str(path)


def column(background: str, pictures: list[U8]) -> U8:
    """Everybody before a background, without on the left, with on the right."""
    sides = []
    for chain in ((), ("harmonise",)):
        settings = Settings().replace(background__spec=background, filters__chain=chain)
        composer = StillComposer(settings, mattes=False)
        rows = [composer.picture(bgr_to_frame(picture)) for picture in pictures]
        composer.close()
        sides.append(np.vstack([cv2.resize(row, SHOWN, interpolation=cv2.INTER_AREA) for row in rows]))
    return np.asarray(np.pad(np.hstack(sides), ((0, 0), (0, GAP), (0, 0)), constant_values=255), np.uint8)


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--film", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as made:
        unpacked = Path(made, "unpacked")
        unpacked.mkdir()
        unpack(options.packages, unpacked)
        pictures = list(people(unpacked, options.clips, options.film))
        sheet = np.hstack([column(each, pictures) for each in backgrounds(unpacked, Path(made))])[:, :-GAP]
    cv2.imwrite(str(options.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(f"{len(pictures)} people, {sheet.shape[1]}x{sheet.shape[0]}, {options.out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
