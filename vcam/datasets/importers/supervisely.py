"""Supervisely's JSON: bitmaps and polygons of people.

    PROJECT/meta.json
    PROJECT/DATASET/img/x.jpg
    PROJECT/DATASET/ann/x.jpg.json     older projects: x.json

A bitmap is a PNG in zlib in base64, laid into the picture at its origin (`supervisely.geometry.bitmap.Bitmap`), and
an alpha mask is one whose levels count (`supervisely.geometry.alpha_mask.AlphaMask`). A polygon has an exterior and
holes. Objects of other classes, and figures that have no area, are passed over.
"""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vcam.datasets.importers.base import (
    NobodyError,
    Options,
    Plan,
    Read,
    Sample,
    folders_below,
    is_person,
    listing,
    read_bgr,
    read_json,
)
from vcam.datasets.importers.shapes import broken, fill_polygons
from vcam.datasets.store import listed
from vcam.errors import InputError
from vcam.images import MAX_PIXELS
from vcam.types import U8


class Supervisely:
    """A project, or one of its datasets."""

    name = "supervisely"
    title = "Supervisely: img/X.jpg, ann/X.jpg.json with bitmaps and polygons of classes that are people"

    def recognises(self, source: Path) -> bool:
        """Whether a folder of it has img and ann with JSON."""
        return bool(_datasets(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """Every picture with an annotation; those without a person are left out when they are read."""
        plan = Plan(())
        samples = []
        for folder in _datasets(source):
            prefix = "" if folder == source else f"{folder.relative_to(source).as_posix()}/"
            for picture in listed(folder / "img"):
                name = picture.name
                places = (folder / "ann" / f"{name}.json", folder / "ann" / f"{picture.stem}.json")
                annotation = next((path for path in places if path.is_file()), None)
                if annotation is None:
                    plan.leave("no annotation", f"{prefix}{name}")
                else:
                    samples.append(Sample(f"{prefix}{picture.stem}", _reader(picture, annotation), picture))
        if not samples:
            raise InputError(f"there are no annotated pictures in {source}", "give the folder that holds img/ and ann/")
        return listing(plan, samples, options.every)


def _datasets(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    return [
        folder
        for folder in folders_below(source, 2)
        if (folder / "img").is_dir() and (folder / "ann").is_dir() and any((folder / "ann").glob("*.json"))
    ]


def _reader(picture: Path, annotation: Path) -> Read:
    def read() -> tuple[U8, U8]:
        told = read_json(annotation)
        colours = read_bgr(picture)
        matte = np.zeros(colours.shape[:2], np.uint8)
        try:
            size = told["size"]
            height, width = colours.shape[:2]
            if (int(size["height"]), int(size["width"])) != (height, width):
                raise InputError(
                    f"{picture} is {width}x{height}, its annotation is for {size['width']}x{size['height']}",
                    "download the project again",
                )
            people = [each for each in told["objects"] if is_person(str(each["classTitle"]))]
            for each in people:
                _draw(matte, each)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, zlib.error, cv2.error) as error:
            raise broken(str(annotation), error) from error
        if not people or not matte.any():
            raise NobodyError(picture)
        return colours, matte

    return read


def _draw(matte: U8, figure: dict[str, Any]) -> None:
    # old projects have both keys, one of them null
    if bitmap := figure.get("bitmap"):
        soft = figure.get("geometryType") == "alpha_mask"
        _lay(matte, _decoded(bitmap["data"], soft), [int(side) for side in bitmap["origin"]])
    elif (points := figure.get("points")) and figure.get("geometryType", "polygon") == "polygon":
        # its corners are the middles of pixels
        fill_polygons(matte, [points["exterior"]], points.get("interior") or [], corner=0)


def _lay(matte: U8, mask: U8, origin: list[int]) -> None:
    left, top = origin
    height, width = matte.shape
    # the part of it that is within the picture
    rows, columns = (slice(max(0, -at), max(0, size - at)) for at, size in ((top, height), (left, width)))
    part = mask[rows, columns]
    if part.size:
        view = matte[max(0, top) : max(0, top) + part.shape[0], max(0, left) : max(0, left) + part.shape[1]]
        np.maximum(view, part, out=view)


def _decoded(text: str, soft: bool) -> U8:
    """A bitmap as uint8 (height, width): 0 or 255, or, where it is soft, all that is between."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(text, validate=False), MAX_PIXELS)
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if not data.startswith(b"\x89PNG") or width * height > MAX_PIXELS:
        raise ValueError("a bitmap of it is no PNG")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError("a bitmap of it is damaged")
    if image.ndim == 3:
        image = image[..., 3] if image.shape[2] == 4 else image.max(axis=2)
    if soft and image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    return (image > 0).astype(np.uint8) * np.uint8(255)
