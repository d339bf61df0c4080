"""What `vcam dataset` shows: bars, tables, what was found, a sheet in a window."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.printable import few, printable

if TYPE_CHECKING:
    from vcam.datasets.check import Verdict
    from vcam.datasets.importing import Report

MOST_LINES = 8
"""Of one kind that are shown; --json tells all."""


def tell(report: Report, format_: str, data: Path) -> None:
    """Tell what was brought in."""
    for note in report.notes[:MOST_LINES]:
        say(note)
    there = f", {report.there} were there" if report.there else ""
    click.echo(printable(f"{format_}: {report.made} brought into {data}{there}"))
    for why, what in report.left.items():
        click.echo(f"  left out, {printable(why)}: {len(what)} ({printable(few(what, 3))})")


def say(words: str) -> None:
    """Tell on stderr, unless vcam is to be quiet."""
    if not click.get_current_context().find_root().params.get("quiet", False):
        click.echo(f"vcam: {printable(words)}", err=True)


@contextmanager
def bar(what: str, total: int | None, hidden: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, with the pictures a second and the time left; gives what tells it how many are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(
        *columns, console=console, disable=hidden or quiet or not console.is_terminal, transient=True
    ) as drawn:
        task = drawn.add_task(what, total=total, rate="")

        def progress(done: int) -> None:
            speed = drawn.tasks[0].speed
            drawn.update(task, completed=done, rate=f"{speed:.0f}/s" if speed else "")

        yield progress


def as_plain(verdict: Verdict) -> dict[str, Any]:
    """A verdict for JSON."""

    def plain(findings: list[Any]) -> list[dict[str, str]]:
        return [{"kind": one.kind, "name": one.name, "other": one.other, "said": one.said} for one in findings]

    return {
        "statistics": verdict.statistics, "findings": plain(verdict.findings), "mended": plain(verdict.mended),
    }  # fmt: skip


def show_statistics(statistics: dict[str, Any], title: str) -> None:
    """Show how many pictures there are of what."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("split"), Column("pictures", justify="right"), Column("clips", justify="right"),
                  Column("person", justify="right"), title=Text(printable(title)))  # fmt: skip
    for split, each in statistics["splits"].items():
        table.add_row(split, str(each["pictures"]), str(each["clips"] or ""), f"{each['person']:.0%}")
    Console().print(table)
    for what, counts in (("licences", statistics["licences"]), ("sources", statistics["sources"])):
        shown = [f"{printable(name) or 'none'} ({count})" for name, count in counts.items()]
        click.echo(f"{what}: {few(shown, 4)}")
    more = statistics["kinds_of_sizes"] - len(statistics["sizes"])
    sizes = ", ".join(f"{size} ({count})" for size, count in statistics["sizes"].items())
    click.echo(f"sizes: {sizes or 'none'}" + (f" and {more} more" if more > 0 else ""))


def show_findings(verdict: Verdict, data: Path, allowed: Sequence[str]) -> None:
    """Show what was mended and what is wrong, with its cure."""
    from vcam.datasets.check import KINDS

    if verdict.mended:
        kinds = Counter(one.kind for one in verdict.mended)
        click.echo("mended: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    for word, kind in KINDS.items():
        found = [one for one in verdict.findings if one.kind == word]
        if not found:
            continue
        bad = kind.wrong and word not in allowed
        click.secho(f"{'wrong' if bad else 'note'}, {word}: {kind.title} ({len(found)})", fg="red" if bad else None)
        for one in found[:MOST_LINES]:
            other = f" and {one.other}" if one.other else ""
            said = f": {one.said}" if one.said else ""
            click.echo(f"  {printable(f'{one.name}{other}{said}')}")
        if len(found) > MOST_LINES:
            click.echo(f"  and {len(found) - MOST_LINES} more; --json tells all")
        click.echo(f"  try: {printable(kind.cure.format(data=shlex.quote(str(data))))}")
    if not verdict.wrong(allowed):
        click.secho("nothing is wrong", fg="green")


def in_window(picture: Any) -> None:
    """Show a BGR picture until somebody closes the window."""
    import time

    from vcam.images import bgr_to_frame
    from vcam.output.window import WindowOutput

    frame = bgr_to_frame(picture)
    window = WindowOutput()
    window.open(frame.size, 30)
    try:
        while not window.finished:
            window.write(frame)
            time.sleep(0.05)
    finally:
        window.close()
