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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from vcam.datasets.folder import Pair, read_pair
from vcam.datasets.importers.base import Options, Plan, Read, Sample, file_pair, fitted, folders_below, listing
from vcam.datasets.store import listed
from vcam.errors import InputError, VcamError
from vcam.images import frame_to_bgr
from vcam.suffixes import FILM_SUFFIXES
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
    "cutout", "cutouts", "nobg", "output", "outputs",
})  # fmt: skip
"""Names of folders of mattes."""

_MATTE_WORDS = "mask|masks|matte|matting|alpha|label|labels|seg|segmentation|gt|pha|annotation|cutout|nobg|out"
_BEHIND = re.compile(rf"(.+?)[._\- ](?:{_MATTE_WORDS})", re.IGNORECASE)
_BEFORE = re.compile(rf"(?:{_MATTE_WORDS})[._\- ](.+)", re.IGNORECASE)
_PICTURE_WORDS = "rgb|image|img|color|colour|photo|input|fgr"
_OF_PICTURE = re.compile(
    rf"(?:{_PICTURE_WORDS})[._\- ](.+)|(.+)[._\- ](?:{_PICTURE_WORDS})",
    re.IGNORECASE,
)

_Files: TypeAlias = Callable[[Path], list[Path]]


class Pairs:
    """Pictures and mattes by their names."""

    name = "pairs"
    title = "folders of pictures and mattes: img/ mask/, images/ masks/, NAME_mask.png, films with films of mattes"

    def recognises(self, source: Path) -> bool:
        """Whether a first pair is found."""
        if not source.is_dir():
            return False
        try:
            return any(next(_pairs(source, [], files), None) is not None for files in (listed, _films))
        except (VcamError, OSError):
            return False

    def plan(self, source: Path, options: Options) -> Plan:
        """Stills first, then films frame by frame."""
        plan = Plan(())
        alone: list[Path] = []
        samples = []
        for key, picture, matte in _pairs(source, alone, listed) if source.is_dir() else ():
            clip, frame = _clip(key) if options.clips else ("", 0)
            samples.append(Sample(key, file_pair(picture, matte), picture, clip, frame))
        films = list(_pairs(source, alone, _films)) if source.is_dir() else []
        if not samples and not films:
            raise InputError(
                f"there are no pictures with mattes in {source}",
                "lay NAME.jpg into images/ and NAME.png into masks/, or NAME_mask.png beside NAME.jpg",
            )
        for path in alone:
            plan.leave("no matte", str(path.relative_to(source)))
        listing(plan, samples, options.every)
        if films:
            plan.samples, plan.total = _all(list(plan.samples), films, options.every), None
        return plan


def _clip(key: str) -> tuple[str, int]:
    folder, _, name = key.rpartition("/")
    number = re.findall(r"\d+", name)
    return folder or "film", int(number[-1][:9]) if number else 0


def _all(stills: list[Sample], films: list[tuple[str, Path, Path]], every: int) -> Iterator[Sample]:
    yield from stills
    for key, film, mattes in films:
        for number, (frame, matte) in enumerate(read_pair(Pair(film, mattes, True))):
            if number % every == 0:
                yield Sample(f"{key}-{number:05}", _kept(frame_to_bgr(frame), matte.copy()), None, key, number)


def _kept(picture: U8, matte: U8) -> Read:
    return lambda: fitted(picture[: matte.shape[0], : matte.shape[1]], matte)


def _films(folder: Path) -> list[Path]:
    """The films of a folder, in the order of their names."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in FILM_SUFFIXES - {".gif"} and not path.name.startswith(".") and path.is_file()
    )


def _pairs(source: Path, alone: list[Path], files: _Files) -> Iterator[tuple[str, Path, Path]]:
    """The key, picture and matte of each pair, in the order of the pictures; others are put into `alone`.

    files: gives those of a folder that count.
    """
    pictures: dict[str, list[Path]] = {}
    mattes: dict[str, Path] = {}
    for folder in folders_below(source):
        role, place = _role(folder.relative_to(source).parts)
        here = files(folder)
        stems = {own for path in here for own in (path.stem, _picture_key(path.stem))}
        for path in here:
            bare = _without(path.stem)
            if role == "matte":
                mattes[f"{place}/{path.stem}"] = path
                mattes.setdefault(f"{place}/{bare}", path)
            elif bare != path.stem:
                mattes.setdefault(f"{place}/{bare}", path)
                # in a folder of pictures one of such a name may be one itself
                if role and bare not in stems:
                    pictures.setdefault(f"{place}/{path.stem}", []).append(path)
            else:
                pictures.setdefault(f"{place}/{path.stem}", []).append(path)
    for key in sorted(pictures):
        place, _, stem = key.rpartition("/")
        matte = mattes.get(key) or mattes.get(f"{place}/{_picture_key(stem)}")
        # of two pictures of one name nobody knows which one the matte is of
        if matte is None or matte in pictures[key] or len(pictures[key]) > 1:
            alone += pictures[key]
        else:
            shown = "/".join(part for part in place.split("/") if part and part != "*")
            yield (f"{shown}/{stem}" if shown else stem), pictures[key][0], matte


def _role(parts: tuple[str, ...]) -> tuple[str, str]:
    """What a folder is by the words on its way, the innermost first, and its place with that word left open.

    "train/images" is of pictures and lies at "train/*", "train_masks" is of mattes and lies at "train".
    """
    for at in range(len(parts) - 1, -1, -1):
        word = parts[at].lower()
        if word in PICTURES or word in MATTES:
            return ("picture" if word in PICTURES else "matte"), "/".join((*parts[:at], "*", *parts[at + 1 :]))
    for at in range(len(parts) - 1, -1, -1):
        words = re.split(r"[_\- ]+", parts[at])
        for role, known in (("matte", MATTES), ("picture", PICTURES)):
            rest = [word for word in words if word.lower() not in known]
            if len(rest) < len(words):
                own = "*" if all(word.lower() in PICTURES for word in rest) else "_".join(rest)
                return role, "/".join((*parts[:at], own, *parts[at + 1 :]))
    return "", "/".join(parts)


def _without(stem: str) -> str:
    """A matte's name without the word that says so; as it is if there is none."""
    found = _BEHIND.fullmatch(stem) or _BEFORE.fullmatch(stem)
    return found[1] if found else stem


def _picture_key(stem: str) -> str:
    found = _OF_PICTURE.fullmatch(stem)
    return (found[1] or found[2]) if found else stem
