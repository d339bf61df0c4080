"""Several networks scored on the same pictures and clips, and what each made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vcam.datasets.folder import Pair
from vcam.errors import UsageError, VcamError
from vcam.frames import Frame
from vcam.images import frame_to_bgr
from vcam.measure.evaluate import Evaluation, Item, report
from vcam.measure.meter import Scores
from vcam.measure.metrics import miou
from vcam.models.find import AUTO, find_model
from vcam.settings import Settings
from vcam.types import U8, Size

WIDEST = 240
"""Columns of the small pictures that are kept."""

_QUALITY = 85


@dataclass(frozen=True, slots=True)
class View:
    """Small pictures of one frame, the one with the worst overlap, as files of JPEG and PNG.

    source: the frame. true: its matte. found: the matte that a network found, red where it is too much, blue where
    it is missing.
    """

    source: bytes
    true: bytes
    found: bytes


@dataclass(slots=True)
class Row:
    """A picture or clip: its scores by each network, in their order, and what they saw where that was kept."""

    pair: Pair
    items: list[Item] = field(default_factory=list)
    views: list[View] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The lowest mIoU that a network has there, percent."""
        return min(item.scores.miou for item in self.items)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """models: their names, as people gave them; engines: model, runtime and device of each. rows: the worst first.

    failed: pairs that could not be scored by one of the networks, and so are in no figure.
    """

    models: tuple[str, ...]
    engines: tuple[str, ...]
    rows: tuple[Row, ...]
    failed: int

    def means(self) -> list[Scores]:
        """The mean scores of each network over all rows, each counted once."""
        return [
            Scores.mean(row.items[number].scores for row in self.rows) for number in range(len(self.models))
        ]  # fmt: skip

    def report(self) -> list[dict[str, Any]]:
        """For scripts: what `evaluate.report` says of each network, under the name that was given."""
        rows = sorted(self.rows, key=lambda row: (row.pair.video, row.pair.name))
        return [
            {"model": model, **report([row.items[number] for row in rows], engine)}
            for number, (model, engine) in enumerate(zip(self.models, self.engines, strict=True))
        ]


def check_models(models: Sequence[str], size: Size = (1280, 720)) -> None:
    """Raise `UsageError` or `ModelError` for a network that is not there, or is there twice: before any is run."""
    for number, model in enumerate(models):
        if model in models[:number]:
            raise UsageError(f"--model {model} is given twice", "name each network once")
        find_model(model, size)


def compare_models(
    pairs: Sequence[Pair], settings: Settings, models: Sequence[str], *, size: Size | None = None,
    plain: bool = False, views: bool = False, progress: Callable[[float], None] = lambda share: None,
    failed: Callable[[VcamError], None] = lambda error: None,
) -> SideBySide:  # fmt: skip
    """Score networks on the same pairs, one network after the other. `progress` is told the share that is done, 0..1.

    views: keep small pictures as well. failed: is told of each pair that cannot be scored; it is left out for all.
    Raises what opening a network raises, and the error of the only pair if there is one.
    """
    rows = {number: Row(pair) for number, pair in enumerate(pairs)}
    engines = []
    for place, model in enumerate(models):
        keeper = _Keeper()
        chosen = settings if model == "" else settings.replace(segment__model=model)
        with Evaluation(chosen, size=size, plain=plain, watch=keeper.take if views else _nothing) as evaluation:
            for number, row in list(rows.items()):
                keeper.forget()
                try:
                    row.items.append(evaluation.run(row.pair))
                    row.views += keeper.views
                except VcamError as error:
                    if len(pairs) == 1:
                        raise
                    del rows[number]
                    failed(error)
                progress((place + (number + 1) / len(pairs)) / len(models))
            engines.append(evaluation.network)
    ordered = sorted(rows.values(), key=lambda row: (row.worst, row.pair.name))
    shown = tuple(_label(model) for model in models)
    return SideBySide(shown, tuple(engines), tuple(ordered), len(pairs) - len(rows))


def _nothing(frame: Frame, found: U8, true: U8) -> None:
    del frame, found, true


def _label(model: str) -> str:
    """A path by its last part and the folder that holds it; names as they are."""
    path = Path(model)
    return model if "/" not in model else "/".join(path.absolute().parts[-2:]).removeprefix("/") or model or AUTO


class _Keeper:
    """Small pictures of the worst frame among those that it is shown."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.views: list[View] = []
        self._worst = 2.0

    def take(self, frame: Frame, found: U8, true: U8) -> None:
        overlap = miou(found, true)
        if overlap < self._worst:
            self._worst = overlap
            height, width = true.shape
            self.views = [view_of(frame_to_bgr(frame)[:height, :width], found, true)]


def view_of(source: U8, found: U8, true: U8) -> View:
    """Small pictures of a frame, uint8 (height, width, 3) BGR, and of its mattes, uint8 (height, width)."""
    small, mine, theirs = (_small(each) for each in (source, found, true))
    apart = mine.astype(np.int16) - theirs
    tinted = cv2.cvtColor(mine, cv2.COLOR_GRAY2BGR).astype(np.float32)
    for amount, colour in ((apart, (40, 40, 235)), (-apart, (235, 130, 30))):
        share = (np.clip(amount, 0, 255) / 255)[..., np.newaxis].astype(np.float32)
        tinted = tinted * (1 - share) + np.array(colour, np.float32) * share
    return View(_jpeg(small), _png(theirs), _jpeg(np.rint(tinted).astype(np.uint8)))


def _small(picture: U8) -> U8:
    height, width = picture.shape[:2]
    if width <= WIDEST:
        return picture
    size = (WIDEST, max(1, round(height * WIDEST / width)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _jpeg(picture: U8) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _png(picture: U8) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()
