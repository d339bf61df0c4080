"""`vcam eval` with several networks, or with a page: side by side, the worst first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli.main import report
from vcam.files import Overwriting
from vcam.printable import json_text, printable
from vcam.settings import Settings, files_read

if TYPE_CHECKING:
    from vcam.datasets.folder import Pair
    from vcam.measure.meter import Scores
    from vcam.measure.sidebyside import SideBySide
    from vcam.types import Size

SHOWN = 20
"""Rows in the terminal; the page has them all."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was given on the command line."""

    folder: Path
    pairs: Sequence[Pair]
    settings: Settings
    models: tuple[str, ...]
    size: Size | None
    plain: bool
    page: Path | None
    overwrite: bool
    as_json: bool


def carry_out(wishes: Wishes, progress: Callable[[bool], Any]) -> int:
    """Score, write and show; the exit status."""
    from vcam.measure import evalpage
    from vcam.measure.sidebyside import check_models, compare_models

    models = wishes.models or (wishes.settings.segment.model,)
    if wishes.settings.segment.has_network:
        check_models(models)
    read = chain.from_iterable((pair.source, pair.matte) for pair in wishes.pairs)
    rule = Overwriting(wishes.overwrite, lambda: files_read(wishes.settings)).with_inputs(*read)
    if wishes.page:
        evalpage.check_page(wishes.page, rule)
    with progress(wishes.as_json) as bar:
        task = bar.add_task(wishes.folder.name, total=1.0)
        result = compare_models(
            wishes.pairs, wishes.settings, models, size=wishes.size, plain=wishes.plain, views=wishes.page is not None,
            progress=lambda share: bar.update(task, completed=share), failed=lambda error: (report(error), None)[1],
        )  # fmt: skip
    title = f"vcam eval {printable(str(wishes.folder))}{', plain' if wishes.plain else ''}"
    if wishes.page and result.rows:
        evalpage.write_page(wishes.page, result, title, rule)
        click.echo(printable(str(wishes.page)), err=True)
    if wishes.as_json:
        _print_json(wishes, result)
    elif result.rows:
        _show(result, title)
    return 1 if result.failed else 0


def _print_json(wishes: Wishes, result: SideBySide) -> None:
    told: dict[str, Any] = {"folder": str(wishes.folder), "plain": wishes.plain, "failed": result.failed}
    each = result.report()
    if len(each) == 1:
        # as without a page
        told |= {key: value for key, value in each[0].items() if key != "model"}
    else:
        told["models"] = each
    click.echo(json_text(told, indent=2))


def _show(result: SideBySide, title: str) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from vcam.measure.evalpage import FIGURES

    means = result.means()
    shown = [name for name in FIGURES if any(not math.isnan(getattr(mean, name)) for mean in means)]
    table = Table("mean of all", *(Column(FIGURES[name], justify="right") for name in shown), title=title)
    for model, mean in zip(result.models, means, strict=True):
        table.add_row(Text(printable(model)), *(_figure(getattr(mean, name)) for name in shown))
    Console().print(table)
    names = [Column(Text(printable(model)), justify="right") for model in result.models]
    table = Table("the worst, mIoU %", *names)
    for row in result.rows[:SHOWN]:
        table.add_row(Text(printable(row.pair.name)), *(_of(item.scores) for item in row.items))
    Console().print(table)
    if len(result.rows) > SHOWN:
        click.echo(f"{len(result.rows) - SHOWN} more: --html FILE shows all", err=True)


def _of(scores: Scores) -> str:
    return _figure(scores.miou)


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
