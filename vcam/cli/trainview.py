"""What a training shows: a bar on a terminal, lines elsewhere, JSON for scripts, and a table at its end."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from vcam.printable import few, json_text, printable

if TYPE_CHECKING:
    from vcam.train.recipe import Recipe
    from vcam.train.session import Outcome

Tell: TypeAlias = Callable[[str, dict[str, Any]], None]
"""As `vcam.train.loop.Tell`."""

_STEP_S = 0.2
"""Seconds from one line or drawing of steps to the next."""


@contextmanager
def shown(recipe: Recipe, *, as_json: bool, speaks: bool) -> Iterator[Tell]:
    """Show what happens; yields what takes it. speaks: of several processes, the first one does."""
    quiet = bool(click.get_current_context().find_root().params.get("quiet", False))
    if not speaks:
        yield lambda kind, figures: None
    elif as_json:
        yield _Lines().tell
    else:
        with _Bar(recipe, quiet) as bar:
            yield bar.tell


class _Lines:
    """One line of JSON for each thing that happens; steps, now and then."""

    def __init__(self) -> None:
        self._last = 0.0

    def tell(self, kind: str, figures: dict[str, Any]) -> None:
        """Write it."""
        now = time.monotonic()
        if kind == "step" and now - self._last < _STEP_S:
            return
        self._last = now
        click.echo(json_text({"event": kind, **figures}))


class _Bar:
    """A bar on a terminal; elsewhere, a line for each validation."""

    def __init__(self, recipe: Recipe, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._plain = not console.is_terminal and not quiet
        self._quiet = quiet
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"),
                   TimeRemainingColumn(), TextColumn("{task.fields[figures]}"))  # fmt: skip
        # drawn by this thread: another one would take from the cores, and could not be ended by Ctrl-C
        self._bar = Progress(
            *columns, console=console, disable=quiet or not console.is_terminal, transient=True, auto_refresh=False,
            speed_estimate_period=120,
        )  # fmt: skip
        self._task = self._bar.add_task(recipe.network, total=1.0, figures="")
        self._last = 0.0
        self._miou = ""

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, kind: str, figures: dict[str, Any]) -> None:
        """Show it."""
        if kind == "note":
            if not self._quiet:
                self._bar.console.print(
                    f"vcam: {printable(figures['words'])}", markup=False, highlight=False, soft_wrap=True
                )
            return
        if kind == "round":
            self._miou = f", mIoU {100 * figures['val_miou']:.1f} (best {100 * figures['best']:.1f})"
            if self._plain:
                words = f"epoch {figures['epoch']:g}: loss {figures['loss']:.4f}{self._miou}, {_speed(figures)}"
                if not figures["steps"]:
                    words = f"begins with an mIoU of {100 * figures['val_miou']:.1f}"
                click.echo(f"vcam: {words}", err=True)
        now = time.monotonic()
        if now - self._last >= _STEP_S:
            self._last = now
            words = f"loss {figures['loss']:.3f}{self._miou}, {_speed(figures)}"
            self._bar.update(self._task, completed=figures["done"], figures=words, refresh=True)


def _speed(figures: dict[str, Any]) -> str:
    return f"{figures['per_second']:.0f} pictures a second, {100 * figures['waiting']:.0f} % waiting for them"


def report(outcome: Outcome, out: Path, *, as_json: bool) -> None:
    """Tell what came of a training, and how to go on with it."""
    import msgspec

    where = shlex.quote(str(out))
    if as_json:
        click.echo(json_text({"event": "done", "run": str(out), **msgspec.to_builtins(outcome)}))
    else:
        _table(outcome, str(out))
    if outcome.broken:
        names = few([Path(path).name for path in outcome.broken])
        what = "picture" if len(outcome.broken) == 1 else "pictures"
        click.echo(f"vcam: {len(outcome.broken)} {what} left out, which cannot be read: {names}", err=True)
    if not outcome.ended:
        kept = f"the best so far, of epoch {outcome.best_epoch}, is in {out}/best.pt; " if outcome.best else ""
        click.echo(f"vcam: broken off in epoch {outcome.epochs:.1f}; {kept}go on with\n"
                   f"  vcam train --out {where} --resume", err=True)  # fmt: skip


def _table(outcome: Outcome, out: str) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(
        "what", Column("IoU of the person %", justify="right"), Column("mIoU %", justify="right"),
        title=f"{printable(out)}, on the pictures for validation", caption="The best was chosen by these pictures.",
    )  # fmt: skip
    rows = [
        ("the mean of all masks", outcome.baseline),
        ("the weights it began with", outcome.start),
        (f"the best, of epoch {outcome.best_epoch}, which is kept", outcome.best),
        ("the last", outcome.last),
    ]
    for what, scores in rows:
        if scores:
            table.add_row(what, *(f"{100 * score:.2f}" for score in scores))
    Console().print(table)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    if outcome.seconds and not quiet:
        minutes = outcome.seconds / 60
        click.echo(f"vcam: {outcome.epochs:.1f} epochs of {outcome.pictures} pictures in {minutes:.1f} minutes, "
                   f"{outcome.per_second:.0f} pictures a second, {100 * outcome.waited:.1f} % of the time waiting for "
                   "them", err=True)  # fmt: skip
