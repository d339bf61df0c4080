"""The pictures that a network is worst at, on one sheet: what it misses, and what it takes for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vcam.images import write_image
from vcam.printable import printable
from vcam.train.samples import Samples
from vcam.train.scoring import Scores, logit_of
from vcam.types import U8

COUNT = 20
_COLUMNS, _SIDE, _GAP, _HEAD = 4, 190, 8, 22
_BACK, _INK = (24, 24, 24), (235, 235, 235)
MISSED, EXTRA = (235, 50, 50), (60, 130, 255)
"""RGB: a person that is not found, and what is none."""


def write_worst(path: Path, net: nn.Module, samples: Samples, scores: Scores, device: torch.device) -> None:
    """Write the sheet: each picture beside itself with the mistakes in colour. Raises `OutputError`."""
    places = scores.worst(COUNT)
    found = dict(_found(net, samples, places, device))
    write_image(path, sheet([(samples.entries[place].name, scores.mean[place], *found[place]) for place in places]))


def _found(
    net: nn.Module, samples: Samples, places: Iterable[int], device: torch.device
) -> Iterable[tuple[int, tuple[U8, U8, U8]]]:
    """RGB picture, true mask and found mask (0 or 255) of the entries at these places."""
    from vcam.train.samples import loader

    net.eval()
    for place, batch in zip(places, loader(samples, 1, 0, shuffle=False, order=[(0, each) for each in places]),
                            strict=True):  # fmt: skip
        logit = logit_of(net, batch, device)
        yield place, (_bytes(batch["picture"][0]), _mask(batch["matte"] >= 0.5), _mask(logit >= 0))


def _bytes(picture: Tensor) -> U8:
    shown: U8 = (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return shown


def _mask(found: Tensor) -> U8:
    mask: U8 = found[0, 0].to(torch.uint8).mul(255).numpy()
    return mask


def sheet(cells: Iterable[tuple[str, float, U8, U8, U8]]) -> U8:
    """BGR uint8 of names, scores 0..1, RGB pictures, true masks and found masks, as many to a row as fit."""
    words = "the worst of validation, mIoU in percent; red: a person that is missed, blue: taken for a person"
    return tiled(words, [_cell(*each) for each in cells])


def tiled(words: str, cells: Sequence[U8]) -> U8:
    """A sheet, BGR, of RGB pictures of one size under a line of words."""
    high, wide = cells[0].shape[:2] if cells else (0, 2 * _SIDE)
    rows = -(-len(cells) // _COLUMNS)
    legend = _HEAD + _GAP
    page = np.full((legend + rows * (high + _GAP) + _GAP, _COLUMNS * (wide + _GAP) + _GAP, 3), _BACK, np.uint8)
    page[_GAP // 2 : _GAP // 2 + _HEAD, _GAP : page.shape[1] - _GAP] = _words(words, page.shape[1] - 2 * _GAP)
    for number, cell in enumerate(cells):
        top, left = legend + (number // _COLUMNS) * (high + _GAP), _GAP + (number % _COLUMNS) * (wide + _GAP)
        page[top : top + high, left : left + wide] = cell
    return np.ascontiguousarray(page[..., ::-1])


def _cell(name: str, score: float, picture: U8, true: U8, found: U8) -> U8:
    tinted = picture.astype(np.float32) * 0.6
    for wrong, colour in (((true > 0) & (found == 0), MISSED), ((true == 0) & (found > 0), EXTRA)):
        tinted[wrong] = 0.4 * tinted[wrong] + 0.6 * np.array(colour, np.float32)
    return shown_pair(f"{100 * score:.1f}  {name}", picture, tinted.astype(np.uint8))


def shown_pair(words: str, *pictures: U8) -> U8:
    """RGB pictures of one shape beside each other, under a line of words."""
    height, width = pictures[0].shape[:2]
    size = (_SIDE, max(1, round(_SIDE * height / width)))
    gap = np.full((size[1], 2, 3), _BACK, np.uint8)
    resized = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in pictures]
    shown = np.hstack([part for each in resized for part in (each, gap)][:-1])
    return np.vstack([_words(printable(words), shown.shape[1]), shown]).astype(np.uint8, copy=False)


def _words(words: str, wide: int) -> U8:
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(13)
    while words and font.getlength(words) > wide:
        words = words[:-1]
    image = Image.new("RGB", (wide, _HEAD), _BACK)
    ImageDraw.Draw(image).text((2, _HEAD // 2), words, fill=_INK, font=font, anchor="lm")
    return np.asarray(image)
