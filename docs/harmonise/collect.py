"""Fills a folder with the pictures that models/harmonise.onnx was trained with; docs/training.md has the commands.

    python -m docs.harmonise.collect OUT --packages DIR --clips DIR

DIR holds packages as their clients fetch them. All of what is taken is in the public domain, CC0, CC-BY-4.0 or vcam's
own; what is under GPL or CC-BY-SA is left out, so that nobody has to ask whether weights are made from it.

    apt-get download lomiri-wallpapers-16.04 blender-data     photographs, CC-BY-4.0 and CC0; panoramas, CC0
    npm pack @pmndrs/assets                                   panoramas, CC0
    pip download --no-deps scikit-image matplotlib            two portraits, public domain
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

# what OpenCV needs to be told before it reads panoramas
os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"

import cv2
import numpy as np

from docs.harmonise.people import Panorama, portrait, seen
from vcam import Segmenter
from vcam.assets import BACKGROUNDS, background_picture

PHOTOGRAPHS = (
    "aitzgorri_by_Aitzol_Berasategi", "friends_by_Aitzol_Berasategi", "life_by_Aitzol_Berasategi",
    "picosdeeuropa_by_Aitzol_Berasategi", "Picture_0B_by_freespace", "Picture_1A_by_freespace",
    "seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi", "umang_by_Abhishek_Mudgal", "Wine_by_Jakkub_Mede",
)  # fmt: skip
"""Of lomiri-wallpapers-16.04: those that debian/copyright has under CC-BY-4.0, and one under CC0."""
PORTRAITS = ("skimage/data/astronaut.png", "mpl-data/sample_data/grace_hopper.jpg")
"""Eileen Collins by NASA, Grace Hopper by the U.S. Navy."""
CLIPS = ("again", "book", "eat", "help", "learn", "night", "no", "sister", "walk", "yes")
"""Somebody signing in an office: Intel's sample videos, CC-BY-4.0."""

PEOPLE, VIEWS, PARTS, FRAMES, AGAIN = 3000, 14, 20, 24, 40
"""Drawn people in all; of each panorama; of each photograph; of each clip; of each portrait, the same again."""
WALLS = 0.3
"""Share of the drawn people who stand before a wall."""
SIZE = (160, 120)
QUALITY = 95


def main() -> None:
    """Fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as scratch:
        unpacked = Path(scratch)
        unpack(options.packages, unpacked)
        print(f"{panoramas(unpacked, options.out)} views of panoramas")
        print(f"{photographs(unpacked, options.out)} parts of photographs and drawings")
        print(f"{drawn(options.out)} drawn people")
        print(f"{people(unpacked, options.clips, options.out)} pictures of people who were filmed")


def unpack(packages: Path, target: Path) -> None:
    """All that is in a folder, as its clients would."""
    for path in sorted(packages.iterdir()):
        if path.suffix == ".deb":
            subprocess.run(["dpkg-deb", "-x", str(path), str(target)], check=True)
        elif path.suffix == ".tgz":
            with tarfile.open(path) as archive:
                archive.extractall(target, filter="data")
        elif path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(PORTRAITS):
                        archive.extract(name, target)


def panoramas(unpacked: Path, out: Path) -> int:
    """Views of each."""
    count = 0
    for number, (name, light) in enumerate(sorted(panoramas_of(unpacked))):
        panorama, chance = Panorama(light), np.random.default_rng([18, number])
        for view in range(VIEWS):
            _write(out / "views", f"{name}--{view:03}", seen(chance, panorama, SIZE), None)
            count += 1
    return count


def drawn(out: Path) -> int:
    """People who are drawn, before the pictures that are there already, and before walls."""
    places = sorted((*(out / "views").glob("*"), *(out / "photographs").glob("*")))
    chance = np.random.default_rng(20)
    for number in range(PEOPLE):
        behind, name = None, f"wall{number}"
        if chance.random() >= WALLS:
            path = places[int(chance.integers(len(places)))]
            picture, name = cv2.imread(str(path)), path.stem.partition("--")[0]
            assert picture is not None, path
            behind = _cut(picture, chance, SIZE)
        _write(out / "people", f"{name}--{number:04}", *portrait(chance, behind, SIZE))
    return PEOPLE


def panoramas_of(unpacked: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and linear light, R, G, B, of each that was unpacked."""
    for path in (unpacked / "package" / "hdri").glob("*.exr.js"):
        told = re.search(r"base64,([A-Za-z0-9+/=]+)", path.read_text())
        if told:
            yield f"pmndrs-{path.name.partition('.')[0]}", _light(base64.b64decode(told[1]))
    for path in (unpacked / "usr/share/blender/datafiles/studiolights/world").glob("*.exr"):
        yield f"blender-{path.stem}", _light(path.read_bytes())


def _light(data: bytes) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    # a sun beyond what the file can hold is no number there
    light = np.nan_to_num(found[..., 2::-1].astype(np.float32), nan=6e4, posinf=6e4)
    return np.ascontiguousarray(np.clip(light, 0, 6e4))


def photographs(unpacked: Path, out: Path) -> int:
    """Parts of photographs, and of the backgrounds that vcam brings along."""
    paths = [unpacked / "usr/share/backgrounds" / f"{name}.jpg" for name in PHOTOGRAPHS]
    paths += [background_picture(name) for name in BACKGROUNDS]
    chance = np.random.default_rng(19)
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None, path
        for part in range(PARTS):
            _write(out / "photographs", f"{path.stem}--{part:03}", _part(picture, chance), None)
    return PARTS * len(paths)


def _part(picture: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return _cut(picture, chance, (320, 240))


def _cut(picture: np.ndarray, chance: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A part of a picture, a third of it or more, at that size."""
    height, width = picture.shape[:2]
    across = round(min(width, height * 4 / 3) * chance.uniform(0.3, 1))
    down = min(round(across * 3 / 4), height)
    x, y = int(chance.integers(width - across + 1)), int(chance.integers(height - down + 1))
    return cv2.resize(picture[y : y + down, x : x + across], size, interpolation=cv2.INTER_AREA)


def people(unpacked: Path, clips: Path, out: Path) -> int:
    """Frames of the clips and the portraits, with the mattes that vcam finds."""
    count = 0
    for name in CLIPS:
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(clips / f"{name}.mkv"),
            "-f",
            "rawvideo",
            "-pix_fmt",
            "bgr24",
            "-",
        ]
        raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        frames = np.frombuffer(raw, np.uint8).reshape(-1, 480, 640, 3)
        chosen = frames[np.linspace(0, len(frames) - 1, FRAMES).astype(int)]
        count += _with_mattes(out, f"clip-{name}", list(chosen))
    for path in sorted(unpacked.rglob("*.*")):
        if str(path).endswith(PORTRAITS):
            picture = cv2.imread(str(path))
            assert picture is not None
            count += _with_mattes(out, path.stem, [picture], AGAIN)
    return count


def _with_mattes(out: Path, name: str, pictures: list[np.ndarray], times: int = 1) -> int:
    count = 0
    with Segmenter() as segmenter:
        for picture in pictures:
            matte = segmenter.matte(np.ascontiguousarray(picture))
            for _ in range(times):
                _write(out / "filmed", f"{name}--{count:03}", picture, matte)
                count += 1
    return count


def _write(folder: Path, name: str, picture: np.ndarray, matte: np.ndarray | None) -> None:
    pictures = folder / "img" if matte is not None else folder
    pictures.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(pictures / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if matte is not None:
        (folder / "mask").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "mask" / f"{name}.png"), matte)


if __name__ == "__main__":
    main()
