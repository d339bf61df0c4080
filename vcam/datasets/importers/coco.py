"""COCO's instances of persons, as polygons or runs.

    annotations/instances_train2017.json, train2017/000000000009.jpg
    train/_annotations.coco.json, train/x.jpg                             as other programs export it

All persons of a picture are one matte, crowds as well. Pictures without any are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vcam.datasets.folder import alike
from vcam.datasets.importers.base import (
    NobodyError,
    Options,
    Plan,
    Read,
    Sample,
    fitted,
    folders_below,
    inside,
    is_person,
    listing,
    read_bgr,
    read_json,
)
from vcam.datasets.importers.shapes import broken, decode_runs, fill_polygons
from vcam.errors import InputError
from vcam.images import MAX_PIXELS
from vcam.types import U8, Size

_PATTERNS = ("instances_*.json", "*.coco.json", "instances*.json")
_OTHER_NAMES = ("annotations.json", "coco.json", "labels.json", "result.json", "train.json", "val.json", "test.json")
"""What other programs call such a list; it has to look like one."""

_WORDS = (b'"images"', b'"annotations"', b'"categories"', b'"licenses"', b'"info"')
_HEAD = 4096

_FOLDERS = ("images", "JPEGImages", "img", "data")


class Coco:
    """A folder with lists of instances in it, or one such list."""

    name = "coco"
    title = "COCO: annotations/instances_*.json beside folders of pictures; persons as polygons or runs"

    def recognises(self, source: Path) -> bool:
        """Whether there are lists of that name."""
        return bool(_lists(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """Every picture with a person."""
        lists = _lists(source)
        if not lists:
            raise InputError(f"there is no list of instances in {source}", "give the folder of instances_*.json")
        plan = Plan(())
        samples: list[Sample] = []
        for path in lists:
            samples += _samples(path, source if source.is_dir() else source.parent, plan)
        if not samples and not plan.left:
            raise InputError(f"the lists in {source} name no pictures", "give those of instances")
        return listing(plan, samples, options.every)


def _lists(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix == ".json" else []
    found: dict[Path, None] = {}
    for folder in folders_below(source, 2):
        for pattern in _PATTERNS:
            found.update(dict.fromkeys(sorted(path for path in folder.glob(pattern) if path.is_file())))
        found.update(dict.fromkeys(path for name in _OTHER_NAMES if _looks_like_one(path := folder / name)))
    return list(found)


def _looks_like_one(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(_HEAD)
    except OSError:
        return False
    return start.lstrip().startswith(b"{") and any(word in start for word in _WORDS)


def _samples(path: Path, root: Path, plan: Plan) -> list[Sample]:
    told = read_json(path)
    try:
        people = {each["id"] for each in told["categories"] if is_person(str(each["name"]))}
        names = ", ".join(str(each["name"]) for each in told["categories"][:5])
        licences = {each.get("id"): str(each.get("name") or "") for each in told.get("licenses") or ()}
        objects: dict[Any, list[dict[str, Any]]] = {}
        for each in told["annotations"]:
            if each["category_id"] in people:
                objects.setdefault(each["image_id"], []).append(each)
        images = [
            (
                objects.get(each["id"]),
                str(each["file_name"]),
                licences.get(each.get("license"), ""),
                _size(each.get("width"), each.get("height")),
            )
            for each in told["images"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        missing = f"it has no {error}" if isinstance(error, KeyError) else "its parts are not COCO's"
        raise InputError(f"{path} is no list of instances: {missing}", "give instances_*.json") from error
    if not people:
        raise InputError(f"{path} has no class that is people, but {names}", "give a list with the class person")
    prefix = f"{path.parent.name}/" if path.name.startswith("_") and path.parent != root else ""
    where = _finder(path, root)
    samples = []
    for shapes, name, licence, size in images:
        if shapes is None:
            plan.leave("no person", name)
        elif (picture := where(name)) is None:
            plan.leave("no picture", name)
        else:
            samples.append(
                Sample(
                    prefix + Path(name).with_suffix("").as_posix(),
                    _reader(picture, shapes, f"{name} in {path.name}", size),
                    picture,
                    licence=licence,
                )
            )
    return samples


def _finder(path: Path, root: Path) -> Any:
    """Where the pictures of a list are: beside it, or in the folder of its name, or in one of `_FOLDERS`."""
    part = path.stem.removeprefix("instances_").removeprefix("instances").strip("_")
    homes = list(
        dict.fromkeys(
            folder / name
            for folder in (path.parent, path.parent.parent, root)
            if folder.is_relative_to(root)
            for name in (part, f"images/{part}", *(f"{each}/{part}" for each in _FOLDERS), *_FOLDERS, "")
        )
    )

    def find(name: str) -> Path | None:
        for number, home in enumerate(homes):
            picture = inside(home, name)
            if picture is not None and picture.is_file():
                # most likely the next one is there, too
                homes.insert(0, homes.pop(number))
                return picture
        return None

    return find


def _size(width: Any, height: Any) -> Size | None:
    """What a list says of a picture, if it does."""
    given = isinstance(width, int) and isinstance(height, int) and 0 < width * height <= MAX_PIXELS
    return (width, height) if given else None


def _reader(picture: Path, objects: list[dict[str, Any]], where: str, size: Size | None) -> Read:
    def read() -> tuple[U8, U8]:
        colours = read_bgr(picture)
        height, width = colours.shape[:2]
        own = size or (width, height)
        if not alike(own, (width, height)):
            raise InputError(
                f"{picture} is {width}x{height}, its annotation is for {own[0]}x{own[1]}", "download both again"
            )
        matte = np.zeros((own[1], own[0]), np.uint8)
        for each in objects:
            try:
                shape = each["segmentation"]
                if isinstance(shape, dict):
                    mask = decode_runs(shape["size"], shape["counts"])
                    if mask.shape != matte.shape:
                        raise ValueError(f"it is for {mask.shape[1]}x{mask.shape[0]}")
                    np.maximum(matte, mask, out=matte)
                else:
                    fill_polygons(matte, shape)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise broken(where, error) from error
        if not matte.any():
            raise NobodyError(where)
        return fitted(colours, matte)

    return read
