"""`vcam eval`: the quality of the matte as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vcam.cli.main import report
from vcam.cli.options import Named, load_settings, settings_options
from vcam.errors import VcamError
from vcam.printable import json_text

COLUMNS = {
    "miou": "mIoU %",
    "boundary": "edge band %",
    "mad": "MAD %",
    "dtssd": "flicker (dtSSD)",
    "lag": "lag (frames)",
}


@click.command()
@click.argument("folder", type=Named())
@click.option("--size", default="", metavar="WxH", help="Scale pictures and videos to this size first.")
@click.option("--plain", is_flag=True, help="Score the network's output alone, scaled up bilinearly, to compare with.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@settings_options("segment", "matte")
def eval(
    folder: Path,
    size: str,
    plain: bool,
    as_json: bool,
    profile: str,
    assignments: tuple[str, ...],
    **options: Any,
) -> int:
    """Score the matte against true mattes.

    FOLDER holds pictures in img/ and their mattes in mask/ under the same names; or NAME.jpg beside NAME_mask.png; or
    NAME.mp4 beside NAME.matte.mkv or NAME_alpha.mp4, videos of the mattes.

    mIoU: overlap of the found and the true person and background. Edge band: pixels within 10 of the true edge that are
    on the right side of it. MAD: mean difference of the mattes. Flicker: how differently they change from frame to
    frame. Lag: frames by which the matte comes late.

    \b
    vcam eval portraits/
    vcam eval portraits/ --plain          the network alone, to compare with
    vcam eval clips/ --temporal 0 --json
    """
    from vcam.datasets.folder import find_pairs
    from vcam.frames import check_size
    from vcam.measure import evaluate
    from vcam.settings import parse_size

    settings = load_settings(options, profile, assignments).settings
    scaled = check_size(*parse_size(size), what="--size") if size else None
    found = find_pairs(folder)
    if found.alone:
        names = ", ".join(path.name for path in found.alone[:3]) + (", ..." if len(found.alone) > 3 else "")
        click.echo(f"vcam: {len(found.alone)} without a matte left out: {names}", err=True)
    items, failed = [], 0
    with evaluate.Evaluation(settings, size=scaled, plain=plain) as evaluation, _progress(as_json) as bar:
        task = bar.add_task(folder.name, total=float(len(found.pairs)))
        for number, pair in enumerate(found.pairs):

            def advance(done: int, of: int | None, number: int = number) -> None:
                bar.update(task, completed=number + (min(done / of, 1) if of else 0))

            try:
                items.append(evaluation.run(pair, advance))
            except VcamError as error:
                # one bad file must not cost the others, unless there are no others
                if len(found.pairs) == 1:
                    raise
                failed += 1
                report(error)
            bar.update(task, completed=number + 1)
        result = evaluate.report(items, evaluation.network)
    if as_json:
        click.echo(json_text({"folder": str(folder), "plain": plain, "failed": failed, **result}, indent=2))
    else:
        _show(result, f"{folder}, {result['segmenter']}{', plain' if plain else ''}")
    return 1 if failed else 0


def _progress(hidden: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=hidden or quiet or not console.is_terminal, transient=True)


def _show(result: dict[str, Any], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    table.add_column("what")
    table.add_column("frames", justify="right")
    # a column that nothing has a value for tells nothing
    shown = [name for name in COLUMNS if any(_mean(result, group).get(name) is not None for group in GROUPS)]
    for name in shown:
        table.add_column(COLUMNS[name], justify="right")
    for group in GROUPS:
        count = result[group]["count"]
        if group == "videos" and count > 1:
            for item in result[group]["items"]:
                table.add_row(item["name"], str(item["frames"]), *(_figure(item[name]) for name in shown))
        if count:
            mean = _mean(result, group)
            what = result[group]["items"][0]["name"] if count == 1 else f"{count} {group}, mean"
            table.add_row(what, str(mean["frames"]), *(_figure(mean[name]) for name in shown), style="bold")
    Console().print(table)


GROUPS = ("pictures", "videos")


def _mean(result: dict[str, Any], group: str) -> dict[str, Any]:
    return result[group]["mean"] or {}


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
