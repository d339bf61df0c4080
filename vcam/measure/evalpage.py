"""Networks side by side as one page: HTML that needs no other file and asks nobody for anything."""

from __future__ import annotations

import base64
import html
import math
from pathlib import Path

from vcam.errors import UsageError
from vcam.files import Overwriting, no_folder, write_whole
from vcam.measure.meter import Scores
from vcam.measure.sidebyside import Row, SideBySide, View

FIGURES = {
    "miou": "mIoU %",
    "boundary": "edge band %",
    "mad": "MAD %",
    "dtssd": "flicker",
    "lag": "lag",
}
PICTURED = 200
"""Rows with pictures; a page of more is too heavy to be looked at."""


def check_page(path: Path, rule: Overwriting) -> None:
    """Raise `UsageError` if no page can be written under this name, or may be by the rule."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path.name} is no page", "name it .html")
    if not path.parent.is_dir():
        raise no_folder(path.parent)
    rule.check(path)


def write_page(path: Path, result: SideBySide, title: str, rule: Overwriting) -> None:
    """Write the page. Raises `UsageError` or `OutputError`; then nothing is left of it."""
    text = page(result, title)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"), rule=rule)


_STYLE = """\
body{background:#181818;color:#ebebeb;font:15px/1.4 system-ui,sans-serif;margin:1.5rem}
main{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.35rem .6rem;vertical-align:top;text-align:left;border-bottom:1px solid #333}
thead th{position:sticky;top:0;background:#181818}th button{all:unset;cursor:pointer}th button:hover{color:#fff}
th button:focus-visible{outline:2px solid #6ab0ff}th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
td.figure{text-align:right;font-variant-numeric:tabular-nums}td.best{color:#8fe08f}
img{display:block;width:min(16vw,15rem);min-width:8rem;height:auto}small{color:#a0a0a0;display:block}
i{font-style:normal}i.more{color:#eb4646}i.less{color:#3c9bf0}
"""

_SCRIPT = """\
for (const button of document.querySelectorAll("th button")) button.onclick = () => {
  const head = button.parentElement, table = head.closest("table"), body = table.tBodies[0];
  const column = [...head.parentElement.children].indexOf(head);
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[column].dataset.value ?? "";
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const apart = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return up ? apart : -apart;
  };
  body.append(...[...body.rows].sort(order));
};
"""


def page(result: SideBySide, title: str) -> str:
    """The whole page. Names are those of files and cards, and steer nothing."""
    shown = [name for name in FIGURES if any(not math.isnan(getattr(mean, name)) for mean in result.means())]
    rows = "".join(_row(row, number, shown) for number, row in enumerate(result.rows))
    left = f", {result.failed} left out because they could not be read" if result.failed else ""
    cut = f" The {PICTURED} worst have pictures." if len(result.rows) > PICTURED else ""
    safe = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{safe}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{safe}</h1><main>\n"
        f"{_means(result, shown)}\n<h2>Each of them, the worst first</h2>\n"
        f"<p>{len(result.rows)} pictures and clips{left}.{cut} Click a heading to sort by it. Mattes: "
        f'<i class="more">red</i> where a network shows too much, <i class="less">blue</i> where it misses the person; '
        f"of a clip the frame with the worst overlap.</p>\n"
        f"<table><thead><tr>{_heads(result, shown)}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n"
        f"</main><script>{_SCRIPT}</script></body></html>\n"
    )


def _means(result: SideBySide, shown: list[str]) -> str:
    head = "".join(f"<th>{FIGURES[name]}</th>" for name in shown)
    means = result.means()
    rows = ""
    for model, engine, mean in zip(result.models, result.engines, means, strict=True):
        cells = "".join(_figure(getattr(mean, name), _is_best(name, mean, means)) for name in shown)
        rows += f"<tr><th>{html.escape(model)}<small>{html.escape(engine)}</small></th>{cells}</tr>\n"
    return f"<table><thead><tr><th>mean</th>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _heads(result: SideBySide, shown: list[str]) -> str:
    pictured = any(row.views for row in result.rows)
    cells = [_head("name", sortable=True), *(_head(each) for each in (("picture", "true matte") if pictured else ()))]
    for model in result.models:
        if pictured:
            cells.append(_head(model))
        cells += [_head(f"{FIGURES[name]}", model, sortable=True) for name in shown]
    return "".join(cells)


def _head(words: str, under: str = "", *, sortable: bool = False) -> str:
    text = html.escape(words)
    inner = f'<button type="button">{text}</button>' if sortable else text
    return f"<th>{inner}{f'<small>{html.escape(under)}</small>' if under else ''}</th>"


def _row(row: Row, number: int, shown: list[str]) -> str:
    name = html.escape(row.pair.name)
    views: list[View | None] = list(row.views) if number < PICTURED else [None] * len(row.views)
    cells = [f'<td data-value="{name}">{name}</td>']
    if first := views[0] if views else None:
        cells += [_image(first.source, "jpeg", name), _image(first.true, "png", f"true matte of {name}")]
    elif views:
        cells += ["<td></td>"] * 2
    scores = [item.scores for item in row.items]
    for place, score in enumerate(scores):
        if views:
            view = views[place]
            cells.append(_image(view.found, "jpeg", f"matte of {name}") if view else "<td></td>")
        cells += [_figure(getattr(score, each), _is_best(each, score, scores)) for each in shown]
    return f"<tr>{''.join(cells)}</tr>\n"


def _is_best(name: str, score: Scores, among: list[Scores]) -> bool:
    values = [getattr(each, name) for each in among if not math.isnan(getattr(each, name))]
    if len(among) < 2 or not values or math.isnan(getattr(score, name)):
        return False
    best = max(values) if name in ("miou", "boundary") else min(values, key=abs)
    return bool(getattr(score, name) == best)


def _figure(value: float, best: bool) -> str:
    kind = "figure best" if best else "figure"
    if math.isnan(value):
        return f'<td class="{kind}" data-value="">-</td>'
    return f'<td class="{kind}" data-value="{value:.4f}">{value:.2f}</td>'


def _image(data: bytes, kind: str, words: str) -> str:
    coded = base64.b64encode(data).decode("ascii")
    return f'<td><img loading="lazy" alt="{words}" src="data:image/{kind};base64,{coded}"></td>'
