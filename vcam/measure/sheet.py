"""A comparison as one page: HTML that needs no other file, or one picture."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import cv2
import numpy as np

from vcam.errors import UsageError
from vcam.files import Overwriting, no_folder, write_whole
from vcam.frames import Box
from vcam.images import write_image
from vcam.measure.compare import Comparison, Result
from vcam.suffixes import IMAGE_SUFFIXES
from vcam.types import U8

SUFFIXES = frozenset({".html", ".htm"}) | IMAGE_SUFFIXES

_GAP = 12
_WIDEST, _NARROWEST, _SHEET = 640, 240, 3840
_BACK, _INK, _FAINT = (24, 24, 24), (235, 235, 235), (160, 160, 160)
_MARKS = ((80, 200, 255), (120, 255, 120), (255, 150, 200))


def check_target(path: Path, rule: Overwriting | None = None) -> None:
    """Raise `UsageError` if a page cannot be written under this name, or may not by the rule."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path.name} is neither a page nor a picture", "name it .html or .png")
    if not path.parent.is_dir():
        raise no_folder(path.parent)
    if rule:
        rule.check(path)


def write_page(path: Path, comparison: Comparison, rule: Overwriting | None = None) -> None:
    """Write the page; its suffix decides the kind. Raises `UsageError`, `OutputError`."""
    check_target(path, rule)
    if path.suffix.lower() in (".html", ".htm"):
        text = page(comparison)
        write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"), rule=rule)
    else:
        write_image(path, sheet(comparison), rule)


def cost(result: Result) -> str:
    """What a frame costs, in words."""
    parts = ", ".join(f"{stage} {ms:.2f}" for stage, ms in result.stages_ms.items())
    return f"{sum(result.stages_ms.values()):.2f} ms of CPU: {parts}"


_STYLE = """\
body{background:#181818;color:#ebebeb;font:15px/1.4 system-ui,sans-serif;margin:1.5rem}
main{overflow-x:auto}table{border-collapse:collapse}td,th{padding:.4rem;vertical-align:top;text-align:left}
th{font-weight:600;max-width:22vw;overflow-wrap:anywhere}small{color:#a0a0a0;font-weight:400;display:block}
img{display:block;width:min(22vw,40rem);min-width:15rem;height:auto}
.zoom{image-rendering:pixelated}
th.row{position:sticky;left:0;background:#181818;min-width:6rem;z-index:1}
"""


def page(comparison: Comparison) -> str:
    """The comparison as HTML; all pictures are within it."""
    columns: list[tuple[str, str, U8, U8 | None]] = [("original", "", comparison.original, None)]
    columns += [(result.name, cost(result), result.picture, result.matte) for result in comparison.results]
    head = "".join(f"<th>{html.escape(name)}<small>{html.escape(told)}</small></th>" for name, told, *_ in columns)
    rows = [_row("picture", [_image(_marked(picture, comparison.spots), name) for name, _, picture, _ in columns])]
    rows.append(
        _row("matte", ["" if matte is None else _image(matte, f"matte, {name}") for name, _, _, matte in columns])
    )
    for number, spot in enumerate(comparison.spots, 1):
        cells = [_image(_part(picture, spot), f"detail {number}, {name}", "zoom") for name, _, picture, _ in columns]
        rows.append(_row(f"detail {number}", cells))
        cells = [
            "" if matte is None else _image(_part(matte, spot), f"detail {number} of the matte, {name}", "zoom")
            for name, _, _, matte in columns
        ]
        rows.append(_row("its matte", cells))
    title = html.escape(f"vcam compare {comparison.source}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1><main><table>\n"
        f"<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody></table></main></body></html>\n"
    )


def _row(name: str, cells: list[str]) -> str:
    return f'<tr><th class="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>\n'


def _image(picture: U8, words: str, kind: str = "") -> str:
    # details must not be blurred by JPEG, and are small
    lossless = kind == "zoom" or picture.ndim == 2
    suffix, name = (".png", "png") if lossless else (".jpg", "jpeg")
    data = cv2.imencode(suffix, picture, [] if lossless else [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    coded = base64.b64encode(data).decode("ascii")
    mark = f' class="{kind}"' if kind else ""
    return f'<img{mark} alt="{html.escape(words)}" src="data:image/{name};base64,{coded}">'


def sheet(comparison: Comparison) -> U8:
    """The comparison as one picture, uint8 (height, width, 3) BGR: a column for each variant."""
    original = comparison.original
    count = 1 + len(comparison.results)
    wide = max(_NARROWEST, min(_WIDEST, _SHEET // count - _GAP))
    columns = [_column("original", "", original, None, comparison.spots, wide)]
    columns += [
        _column(result.name, cost(result), result.picture, result.matte, comparison.spots, wide)
        for result in comparison.results
    ]
    tall = max(column.shape[0] for column in columns)
    page = np.full((tall + 2 * _GAP, count * (wide + _GAP) + _GAP, 3), _BACK, np.uint8)
    for number, column in enumerate(columns):
        left = _GAP + number * (wide + _GAP)
        page[_GAP : _GAP + column.shape[0], left : left + wide] = column
    return page


def _column(name: str, told: str, picture: U8, matte: U8 | None, spots: list[Box], wide: int) -> U8:
    grey = np.zeros_like(picture) if matte is None else cv2.cvtColor(matte, cv2.COLOR_GRAY2BGR)
    parts = [_heading(name, told, wide), _fitted(_marked(picture, spots), wide)]
    # an empty place, so that the rows stay in line
    parts.append(np.full_like(parts[1], _BACK) if matte is None else _fitted(grey.astype(np.uint8, copy=False), wide))
    for spot in spots:
        half = (wide - _GAP) // 2
        detail = np.full((half, wide, 3), _BACK, np.uint8)
        detail[:, :half] = _enlarged(_part(picture, spot), half)
        if matte is not None:
            detail[:, half + _GAP : 2 * half + _GAP] = _enlarged(_part(grey.astype(np.uint8, copy=False), spot), half)
        parts.append(detail)
    gap = np.full((_GAP, wide, 3), _BACK, np.uint8)
    return np.vstack([row for part in parts for row in (part, gap)][:-1])


def _heading(name: str, told: str, wide: int) -> U8:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (wide, 64), _BACK)
    draw = ImageDraw.Draw(image)
    large, small = ImageFont.load_default(22), ImageFont.load_default(14)
    draw.text((0, 4), _short(name, wide, large.getlength), fill=_INK, font=large)
    draw.text((0, 38), _short(told, wide, small.getlength), fill=_FAINT, font=small)
    return np.asarray(image)[..., ::-1]


def _short(text: str, wide: int, length: object) -> str:
    assert callable(length)
    if length(text) <= wide:
        return text
    while text and length(text + "...") > wide:
        text = text[:-1]
    return text + "..."


def _marked(picture: U8, spots: list[Box]) -> U8:
    picture = picture.copy()
    thick = max(1, picture.shape[1] // 640)
    for number, spot in enumerate(spots):
        colour = _MARKS[number % len(_MARKS)]
        cv2.rectangle(picture, (spot.x0, spot.y0), (spot.x1 - 1, spot.y1 - 1), colour, thick)
    return picture


def _part(picture: U8, spot: Box) -> U8:
    return picture[spot.y0 : spot.y1, spot.x0 : spot.x1]


def _fitted(picture: U8, wide: int) -> U8:
    height, width = picture.shape[:2]
    size = (wide, max(1, round(height * wide / width)))
    way = cv2.INTER_AREA if wide < width else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=way).astype(np.uint8, copy=False)


def _enlarged(picture: U8, side: int) -> U8:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
