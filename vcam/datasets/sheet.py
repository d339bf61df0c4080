"""Contact sheets: many pictures at a look, each with the outline of its matte."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from vcam.datasets.folder import scaled
from vcam.datasets.store import Entry, read_entry
from vcam.errors import InputError
from vcam.files import Overwriting, write_whole
from vcam.images import write_image
from vcam.printable import printable
from vcam.types import U8

TILE = 192
"""Pixels of a tile's longer side."""

MOST = 120
"""Tiles that are looked at; more are chosen evenly."""

_CAPTION = 18
_GAP = 6
_BACKGROUND, _INK, _RED = (32, 32, 32), (220, 220, 220), (80, 80, 255)
_OUTLINE = (60, 255, 60)


Tables: TypeAlias = Sequence[tuple[str, Sequence[Sequence[str]]]]
"""A heading and rows of cells each."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture for a sheet, uint8 (height, width, 3) BGR with its outline, and the words below it."""

    picture: U8
    name: str
    words: str
    wrong: bool = False


def chosen(entries: Sequence[Entry], first: Sequence[str] = (), most: int = MOST) -> list[Entry]:
    """At most so many entries: those whose names are in `first`, and evenly of the others, in their order."""
    wanted = set(first)
    named = [entry for entry in entries if entry.name in wanted][:most]
    others = [entry for entry in entries if entry.name not in wanted]
    room = min(most - len(named), len(others))
    picked = {int(number) for number in np.linspace(0, len(others) - 1, room)} if room > 0 else set()
    return named + [entry for number, entry in enumerate(others) if number in picked]


def tile_of(entry: Entry, words: str = "", wrong: bool = False) -> Tile:
    """The tile of an entry; a cross for one that cannot be read."""
    try:
        picture, matte = read_entry(entry, TILE)
    except InputError:
        blank = np.full((TILE, TILE, 3), 64, np.uint8)
        cv2.line(blank, (0, 0), (TILE, TILE), _RED, 2)
        cv2.line(blank, (0, TILE), (TILE, 0), _RED, 2)
        return Tile(blank, entry.name, words or "cannot be read", True)
    return Tile(outlined(picture, matte), entry.name, words or entry.split, wrong)


def outlined(picture: U8, matte: U8) -> U8:
    """A picture of at most `TILE` pixels with the outline of its matte at one half, and the background darker."""
    height, width = matte.shape
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small, mask = scaled(picture, size), scaled(matte, size)
    shade = (0.55 + 0.45 * (mask.astype(np.float32) / 255))[..., np.newaxis]
    shown = np.rint(small * shade).astype(np.uint8)
    edges, _ = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, edges, -1, _OUTLINE, 1, cv2.LINE_AA)
    return shown


def sheet(tiles: Sequence[Tile], columns: int | None = None) -> U8:
    """All tiles in a grid, BGR uint8; as square as they allow unless `columns` says how many are in a row."""
    if not tiles:
        raise InputError("there is no picture to show", "choose another split")
    columns = min(columns or math.ceil(math.sqrt(len(tiles) * 1.4)), len(tiles))
    rows = math.ceil(len(tiles) / columns)
    step_x, step_y = TILE + _GAP, TILE + _GAP + 2 * _CAPTION
    whole = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), _BACKGROUND, np.uint8)
    for number, tile in enumerate(tiles):
        left, top = _GAP + number % columns * step_x, _GAP + number // columns * step_y
        height, width = tile.picture.shape[:2]
        x, y = left + (TILE - width) // 2, top + (TILE - height) // 2
        whole[y : y + height, x : x + width] = tile.picture
        _write(whole, tile.name, (left, top + TILE + _CAPTION - 4), _INK)
        _write(whole, tile.words, (left, top + TILE + 2 * _CAPTION - 6), _RED if tile.wrong else _OUTLINE)
    return whole


def _write(whole: U8, words: str, where: tuple[int, int], colour: tuple[int, int, int]) -> None:
    # OpenCV's letters are ASCII
    text = printable(words).encode("ascii", "replace").decode()
    most = TILE // 8
    text = text if len(text) <= most else text[: most - 1] + "~"
    cv2.putText(whole, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def write_sheet(path: Path, tiles: Sequence[Tile], title: str, tables: Tables, rule: Overwriting) -> None:
    """Write a contact sheet: a picture, or a page of HTML with the tables as well, which needs no other file.

    tables: a heading and rows each. Raises as `vcam.images.write_image` does.
    """
    if path.suffix.lower() in (".html", ".htm"):
        text = _page(tiles, title, tables)
        write_whole(path, lambda working: working.write_bytes(text.encode("utf-8", "replace")), rule=rule)
    else:
        write_image(path, sheet(tiles), rule)


def _page(tiles: Sequence[Tile], title: str, tables: Tables) -> str:
    def shown(words: str) -> str:
        return escape(printable(words))

    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{shown(title)}</title>",
        "<style>body{background:#222;color:#ddd;font:14px sans-serif;margin:1.5em}"
        "figure{display:inline-block;margin:4px;vertical-align:top;width:192px;overflow-wrap:anywhere}"
        "td,th{padding:2px 12px 2px 0;text-align:left}.wrong{color:#ff8080}h1,h2{font-weight:normal}</style>",
        f"<h1>{shown(title)}</h1>",
    ]
    for heading, rows in tables:
        if rows:
            cells = "".join(f"<tr>{''.join(f'<td>{shown(cell)}' for cell in row)}" for row in rows)
            parts.append(f"<h2>{shown(heading)}</h2><table>{cells}</table>")
    for tile in tiles:
        _, data = cv2.imencode(".jpg", tile.picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        wrong = " class=wrong" if tile.wrong else ""
        parts.append(
            f'<figure><img alt="" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}">'
            f"<figcaption{wrong}>{shown(tile.name)}<br>{shown(tile.words)}</figcaption></figure>"
        )
    return "\n".join(parts) + "\n"
