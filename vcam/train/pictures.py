"""Pictures for exports: as vcam gives them to a network, and as the network takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vcam.datasets.store import Entry, open_dataset
from vcam.errors import InputError
from vcam.infer.base import Picture
from vcam.segment.known import PERSON, PICTURES, shown_as
from vcam.train.nets.registry import Architecture
from vcam.train.samples import Samples
from vcam.types import F32, U8, Size


def described(kind: Architecture, size: Size, channels: int) -> Picture:
    """How a network takes its picture; a fourth channel is the mask of the frame before, 0..1."""
    mean, scale = tuple(kind.mean), tuple(kind.scale)
    if channels == 4:
        mean, scale = (*mean, 0.0), (*scale, 255.0)
    return Picture(size, "NCHW", mean, scale)


def scaled(picture: U8, way: Picture) -> F32:
    """A picture as its network takes it: uint8 (height, width, channels) to float32 (1, channels, height, width)."""
    values = (picture.astype(np.float32) - np.array(way.mean, np.float32)) / np.array(way.scale, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis])


def known_pictures(kind: Architecture, way: Picture) -> list[U8]:
    """The pictures that every engine is tried with, as the network takes them, the one of a person first."""
    names = sorted(PICTURES, key=lambda name: name != PERSON)
    return [shown_as(name, way.size, way.channels, kind.order) for name in names]


@dataclass(slots=True)
class Chosen:
    """Pictures of a data set. broken: files that could not be read, with the reason."""

    pictures: list[U8] = field(default_factory=list)
    """(height, width, channels) in the network's order; of four channels the last is black."""
    masks: list[np.typing.NDArray[np.bool_]] = field(default_factory=list)
    broken: dict[Path, str] = field(default_factory=dict)

    def with_masks_before(self, find: Callable[[U8], F32]) -> Iterator[U8]:
        """Each picture, and if it has a fourth channel once more with what the network finds in it."""
        for picture in self.pictures:
            yield picture
            if picture.shape[2] == 4:
                yield np.dstack([picture[..., :3], (255 * find(picture)).astype(np.uint8)])


def chosen(entries: Sequence[Entry], kind: Architecture, way: Picture, most: int) -> Chosen:
    """At most so many pictures, evenly from all of them. Raises `InputError` if none can be read."""
    width, height = way.size
    samples = Samples(
        entries, (height, width), augment=False, backdrops=[], prior=False, texture=False, seed=0
    )  # fmt: skip
    found, seen = Chosen(), set()
    for place in np.linspace(0, len(entries) - 1, min(most, len(entries))).round().astype(int).tolist():
        sample = samples[place]
        found.broken.update(sample["broken"])
        if sample["index"] in seen:
            continue
        seen.add(sample["index"])
        picture = sample["picture"] if kind.order == "RGB" else sample["picture"][..., ::-1]
        if way.channels == 4:
            picture = np.dstack([picture, np.zeros((height, width), np.uint8)])
        found.pictures.append(np.ascontiguousarray(picture))
        found.masks.append(sample["matte"] >= 128)
    return found


def to_learn_and_judge(folder: Path) -> tuple[list[Entry], list[Entry]]:
    """The entries that ranges are learnt from, and those that judge: the splits train, and val with test.

    Where one of them is empty, both are all there are. Raises `UsageError` or `InputError` for what is no data set.
    """
    data = open_dataset(folder)
    learn, judge = data.part("train"), data.part("val", "test")
    if not data.entries:
        raise InputError(f"there are no pictures in {folder}", "vcam dataset check tells what there is")
    return learn or list(data.entries), judge or list(data.entries)


def mean_iou(found: np.typing.NDArray[np.bool_], true: np.typing.NDArray[np.bool_]) -> float:
    """Mean of the intersection over union of person and background, 0..1; what neither has counts as 1."""
    both, either = np.count_nonzero(found & true), np.count_nonzero(found | true)
    person = both / either if either else 1.0
    rest = (true.size - either) / (true.size - both) if both < true.size else 1.0
    return (person + rest) / 2
