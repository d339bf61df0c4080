"""Pictures beside their mattes, in any of the ways in which people lay them; and films with films of mattes.

images/a.jpg masks/a.png               folders beside each other, by the words in `PICTURES` and `MATTES`
train/images/a.jpg train/masks/a.png   the same within others
images/train/a.jpg masks/train/a.png   or around them
a.jpg a_mask.png                       side by side: mask, matte, alpha, label, ... behind the name
rgb_1.png alpha_1.png                  or before it
clip.mp4 clip.matte.mkv                films, see `vcam.datasets.folder`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from vcam.datasets.folder import Pair, find_pairs, read_pair
from vcam.datasets.importers.base import Options, Plan, Read, Sample, file_pair, fitted, folders_below, listing
from vcam.datasets.store import listed
from vcam.errors import InputError, VcamError
from vcam.images import frame_to_bgr
from vcam.types import U8

PICTURES = frozenset({
    "img", "imgs", "image", "images", "input", "inputs", "picture", "pictures", "photo", "photos", "rgb",
    "original", "originals", "original_image", "src", "source", "fgr", "foreground", "foregrounds",
    "jpegimages", "im", "blurred_image", "original_images", "jpg", "jpgs", "frames",
})  # fmt: skip
"""Names of folders of pictures, in small letters."""

MATTES = frozenset({
    "mask", "masks", "matte", "mattes", "matting", "alpha", "alphas", "label", "labels", "gt", "gts",
    "groundtruth", "ground_truth", "target", "targets", "pha", "segmentation", "segmentations",
    "segmentationclass", "annotation", "annotations", "seg", "segs", "png", "pngs", "silhouette",
})  # fmt: skip
"""Names of folders of mattes."""

_MATTE_WORDS = "mask|masks|matte|matting|alpha|label|labels|seg|segmentation|gt|pha|annotation"
_BEHIND = re.compile(rf"(.+?)[._\- ](?:{_MATTE_WORDS})", re.IGNORECASE)
_BEFORE = re.compile(rf"(?:{_MATTE_WORDS})[._\- ](.+)", re.IGNORECASE)
_OF_PICTURE = re.compile(r"(?:rgb|image|img|color|colour|photo|input|fgr)[._\- ](.+)|(.+)[._\- ](?:rgb|img|image|fgr)",
                         re.IGNORECASE)  # fmt: skip


class Pairs:
    """Pictures and mattes by their names."""

    name = "pairs"
    title = "folders of pictures and mattes: img/ mask/, images/ masks/, NAME_mask.png, films with films of mattes"

    def recognises(self, source: Path) -> bool:
        """Whether a first pair is found."""
        if not source.is_dir():
            return False
        try:
            return next(iter(_pairs(source, [])), None) is not None or bool(_films(source))
        except VcamError:
            return False

    def plan(self, source: Path, options: Options) -> Plan:
        """Stills first, then films frame by frame."""
        plan = Plan(())
        alone: list[Path] = []
        samples = []
        for key, picture, matte in _pairs(source, alone):
            clip, frame = _clip(key) if options.clips else ("", 0)
            samples.append(Sample(key, file_pair(picture, matte), picture, clip, frame))
        for path in alone:
            plan.leave("no matte", str(path.relative_to(source)))
        films = _films(source)
        if not samples and not films:
            raise InputError(
                f"there are no pictures with mattes in {source}",
                "lay NAME.jpg into images/ and NAME.png into masks/, or NAME_mask.png beside NAME.jpg",
            )
        listing(plan, samples, options.every)
        if films:
            stills = list(plan.samples)
            plan.samples, plan.total = _all(stills, films, options.every), None
        return plan


def _clip(key: str) -> tuple[str, int]:
    folder, _, name = key.rpartition("/")
    number = re.findall(r"\d+", name)
    return folder or "film", int(number[-1][:9]) if number else 0


def _all(stills: list[Sample], films: list[Pair], every: int) -> Iterator[Sample]:
    yield from stills
    for film in films:
        for number, (frame, matte) in enumerate(read_pair(film)):
            if number % every == 0:
                picture = frame_to_bgr(frame)
                yield Sample(f"{film.name}-{number:05}", _kept(picture, matte.copy()), None, film.name, number)


def _kept(picture: U8, matte: U8) -> Read:
    return lambda: fitted(picture[: matte.shape[0], : matte.shape[1]], matte)


def _films(source: Path) -> list[Pair]:
    try:
        return [pair for pair in find_pairs(source).pairs if pair.video]
    except InputError:
        return []


def _pairs(source: Path, alone: list[Path]) -> Iterator[tuple[str, Path, Path]]:
    """The key, picture and matte of each pair of stills; pictures without any are put into `alone`."""
    roles: dict[str, dict[str, Path]] = {}
    pictures: dict[str, Path] = {}
    for folder in folders_below(source):
        parts = folder.relative_to(source).parts
        role, place = _role(parts)
        if role == "picture":
            pictures.update({f"{place}/{path.stem}": path for path in listed(folder)})
        elif role == "matte":
            roles.setdefault("matte", {}).update({f"{place}/{path.stem}": path for path in listed(folder)})
        else:
            yield from _beside(folder, source, alone)
    mattes = roles.get("matte", {})
    # rgb_1 and alpha_1, or a.jpg and a_mask.png, in folders of their own as well
    bare = {f"{key.rpartition('/')[0]}/{_without(key.rpartition('/')[2])}": path for key, path in mattes.items()}
    for key in sorted(pictures):
        place, _, stem = key.rpartition("/")
        matte = mattes.get(key) or bare.get(key) or bare.get(f"{place}/{_picture_key(stem)}")
        if matte is None:
            alone.append(pictures[key])
        else:
            shown = "/".join(part for part in place.split("/") if part and part != "*")
            yield (f"{shown}/{stem}" if shown else stem), pictures[key], matte


def _role(parts: tuple[str, ...]) -> tuple[str, str]:
    """What a folder is by the words on its way, the innermost first, and its place with that word left open."""
    for at in range(len(parts) - 1, -1, -1):
        word = parts[at].lower()
        if word in PICTURES or word in MATTES:
            place = "/".join((*parts[:at], "*", *parts[at + 1 :]))
            return ("picture" if word in PICTURES else "matte"), place
    return "", ""


def _beside(folder: Path, source: Path, alone: list[Path]) -> Iterator[tuple[str, Path, Path]]:
    files = listed(folder)
    mattes = {_without(path.stem): path for path in files if _without(path.stem) != path.stem}
    if not mattes:
        alone += files
        return
    for path in files:
        if _without(path.stem) != path.stem:
            continue
        matte = mattes.get(path.stem) or mattes.get(_picture_key(path.stem))
        if matte is None:
            alone.append(path)
        else:
            yield path.relative_to(source).with_suffix("").as_posix(), path, matte


def _without(stem: str) -> str:
    """A matte's name without the word that says so; as it is if there is none."""
    found = _BEHIND.fullmatch(stem) or _BEFORE.fullmatch(stem)
    return found[1] if found else stem


def _picture_key(stem: str) -> str:
    found = _OF_PICTURE.fullmatch(stem)
    return (found[1] or found[2]) if found else stem


def first_pairs(source: Path, most: int = 1) -> list[tuple[str, Path, Path]]:
    """The first pairs of a folder, for who wants to look at them."""
    return list(islice(_pairs(source, []), most))
