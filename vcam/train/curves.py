"""The curves of a training: a table for programs, and a picture for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vcam.files import write_whole
from vcam.images import write_image
from vcam.types import U8

if TYPE_CHECKING:
    from PIL import ImageDraw

_SCALE = 2
"""It is drawn so many times larger and then made smaller: lines without stairs."""

_WIDE, _HIGH, _GAP, _LEFT = 620, 400, 20, 64
_PAPER, _INK, _FAINT, _GRID = (255, 255, 255), (22, 32, 42), (91, 107, 123), (225, 230, 235)
_COLOURS = ((31, 119, 180), (214, 96, 20), (44, 140, 60), (140, 90, 180))


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: its name and its values, one for each place along; or one value for all, drawn as a level."""

    name: str
    values: Sequence[float]


def write_csv(path: Path, history: Sequence[dict[str, Any]]) -> None:
    """One line for each validation. Raises `OutputError` if the system refuses."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    rows.writeheader()
    for row in history:
        rows.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})
    write_whole(path, lambda working: working.write_bytes(text.getvalue().encode()))


def write_curves(path: Path, history: Sequence[dict[str, Any]], baseline: float, title: str) -> None:
    """Loss and mIoU over the epochs, side by side. Raises `OutputError` if the system refuses."""
    along = [float(row["epoch"]) for row in history]
    # a row before the first step has no loss of training
    losses = [float(row["loss"]) if row["steps"] else math.nan for row in history]
    left = _panel(
        f"{title}: loss", along,
        [Line("training, all losses", losses), Line("validation, cross-entropy", [row["val_loss"] for row in history])],
        low=0.0,
    )  # fmt: skip
    right = _panel(
        "validation, percent", along,
        [
            Line("mIoU", [100 * row["val_miou"] for row in history]),
            Line("IoU of the person", [100 * row["val_iou"] for row in history]),
            Line("mIoU of the mean mask", [100 * baseline]),
        ],
        high=100.0,
    )  # fmt: skip
    write_image(path, np.hstack([left, right])[..., ::-1])


def _panel(
    title: str, along: list[float], lines: list[Line], *, low: float | None = None, high: float | None = None
) -> U8:
    """One diagram, RGB uint8 (height, width, 3)."""
    from PIL import Image, ImageDraw

    known = [value for line in lines for value in line.values if math.isfinite(value)]
    bottom = min(known, default=0.0) if low is None else low
    top = max(known, default=1.0) if high is None else high
    bottom, top, step = _nice(bottom, top)
    image = Image.new("RGB", (_WIDE * _SCALE, _HIGH * _SCALE), _PAPER)
    draw = ImageDraw.Draw(image)
    x0, x1, y0, y1 = _LEFT, _WIDE - _GAP, 56, _HIGH - 44
    last = max(along, default=1.0) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        share = min(max((y - bottom) / (top - bottom), 0.0), 1.0)
        return (x0 + (x1 - x0) * x / last) * _SCALE, (y1 - (y1 - y0) * share) * _SCALE

    _text(draw, (x0, 14), title, 15, _INK)
    for number in range(round((top - bottom) / step) + 1):
        value = bottom + number * step
        _, y = place(0, value)
        draw.line([(x0 * _SCALE, y), (x1 * _SCALE, y)], _GRID, _SCALE)
        _text(draw, (x0 - 8, y / _SCALE), f"{value:g}", 12, _FAINT, "rm")
    _, end, stride = _nice(0.0, last)
    for number in range(int(end / stride) + 1):
        if (value := number * stride) <= last:
            _text(draw, (place(value, bottom)[0] / _SCALE, y1 + 14), f"{value:g}", 12, _FAINT, "mm")
    _text(draw, ((x0 + x1) / 2, y1 + 32), "epochs", 12, _FAINT, "mm")
    beside = float(x0)
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        values = list(line.values)
        at = along
        if len(values) == 1 and len(along) != 1:
            at, values = [0.0, last], values * 2
        points = [place(x, y) for x, y in zip(at, values, strict=True) if math.isfinite(y)]
        if len(points) > 1:
            draw.line(points, colour, round(1.6 * _SCALE), joint="curve")
        else:
            for x, y in points:
                draw.ellipse((x - 5, y - 5, x + 5, y + 5), colour)
        _text(draw, (beside, 36), line.name, 12, colour)
        beside += draw.textlength(line.name, font=_font(12)) / _SCALE + 18
    small = cv2.resize(np.asarray(image), (_WIDE, _HIGH), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], words: str, size: int, colour: tuple[int, int, int],
    anchor: str = "lm",
) -> None:  # fmt: skip
    draw.text((at[0] * _SCALE, at[1] * _SCALE), words, fill=colour, font=_font(size), anchor=anchor)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size * _SCALE)


def _nice(low: float, high: float) -> tuple[float, float, float]:
    """A lower and an upper end around two values, and the step of five lines or so, all of them round numbers."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span / 5))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if span / (each * power) <= 6)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step
