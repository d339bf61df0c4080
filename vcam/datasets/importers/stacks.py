"""Stacks of small pictures as NumPy saves them.

    img_uint8.npy     (pictures, height, width, 3), RGB
    msk_uint8.npy     (pictures, height, width[, 1]), 0 and 1, or 0 to 255

Also other names, if one begins with the word of a picture and the other with that of a mask.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.datasets.importers.base import Options, Plan, Read, Sample, folders_below, listing, matte_of_samples
from vcam.errors import InputError
from vcam.images import levels
from vcam.types import U8

_PICTURE = ("img", "image", "x_", "xtrain", "rgb", "picture")
_MATTE = ("msk", "mask", "y_", "ytrain", "matte", "alpha", "label")


class Stacks:
    """Two arrays beside each other in a folder, or several such couples."""

    name = "npy"
    title = "stacks of NumPy: img_uint8.npy (N, 128, 128, 3) RGB and msk_uint8.npy (N, 128, 128, 1)"

    def recognises(self, source: Path) -> bool:
        """Whether a couple of such names is there."""
        return bool(_couples(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """Every picture of the stacks, which stay on the disk until they are read."""
        couples = _couples(source)
        if not couples:
            raise InputError(f"there is no couple img*.npy and msk*.npy in {source}", "name them so")
        plan = Plan(())
        samples = []
        for pictures, mattes in couples:
            stack, masks = _open(pictures), _open(mattes)
            if stack.ndim != 4 or stack.shape[3] not in (1, 3, 4) or stack.dtype.kind not in "uif":
                raise InputError(
                    f"{pictures} is {_shape(stack)} of {stack.dtype}", "a stack of pictures is (N, height, width, 3)"
                )
            if masks.shape[:3] != stack.shape[:3] or masks.ndim not in (3, 4):
                raise InputError(
                    f"{mattes} is {_shape(masks)}, {pictures.name} is {_shape(stack)}",
                    "both have to have as many pictures, of one size",
                )
            # a whole stack of 0 and 1, or of 0..1, is told by all of it: one mask may be empty
            scale = _white(masks)
            samples += [
                Sample(f"{_stem(pictures)}-{number:05}", _reader(stack, masks, number, mattes, scale), exact=True)
                for number in range(len(stack))
            ]
        if not samples:
            raise InputError(f"the stacks in {source} are empty", "save them again")
        plan.notes.append("the pictures of a stack are taken for RGB; see by vcam dataset show whether they are BGR")
        return listing(plan, samples, options.every)


def _couples(source: Path) -> list[tuple[Path, Path]]:
    if not source.is_dir():
        return []
    couples = []
    for folder in folders_below(source, 2):
        arrays = sorted(path for path in folder.glob("*.npy") if path.is_file())
        mattes = {_key(path): path for path in arrays if path.stem.lower().startswith(_MATTE)}
        pictures = [path for path in arrays if path.stem.lower().startswith(_PICTURE)]
        couples += [(path, mattes[_key(path)]) for path in pictures if _key(path) in mattes]
    return couples


def _key(path: Path) -> str:
    """What is left of a name without the word it begins with."""
    stem = path.stem.lower()
    word = max((word for word in (*_PICTURE, *_MATTE) if stem.startswith(word)), key=len, default="")
    return stem[len(word) :].lstrip("s").strip("_")


def _stem(path: Path) -> str:
    key = _key(path)
    return path.parent.name if key in ("", "uint8") else f"{path.parent.name}-{key}"


def _open(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is no array of numbers that can be read: {error}", "save it by numpy.save") from error
    assert isinstance(array, np.ndarray)
    return array


def _shape(array: np.ndarray) -> str:
    return "x".join(str(side) for side in array.shape)


def _white(masks: np.ndarray) -> float:
    """The number that stands for 255 in a stack of masks."""
    top = max((float(np.nanmax(masks[number], initial=0)) for number in range(len(masks))), default=0.0)
    if masks.dtype.kind == "b" or top <= 1:
        return 1.0
    return 255.0 if top <= 255 else 65535.0


def _reader(stack: np.ndarray, masks: np.ndarray, number: int, where: Path, white: float) -> Read:
    def read() -> tuple[U8, U8]:
        picture, mask = np.array(stack[number]), np.array(masks[number])
        colours = picture if picture.dtype == np.uint8 else levels(picture)
        if colours.shape[2] == 1:
            bgr = cv2.cvtColor(colours, cv2.COLOR_GRAY2BGR)
        else:
            bgr = cv2.cvtColor(np.ascontiguousarray(colours[..., :3]), cv2.COLOR_RGB2BGR)
        scaled = np.nan_to_num(mask.astype(np.float32)) * np.float32(255 / white)
        matte = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return bgr.astype(np.uint8, copy=False), matte_of_samples(where, matte)

    return read
