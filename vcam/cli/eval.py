"""`vcam eval`: the quality of the matte as numbers."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete
from vcam.cli.main import report
from vcam.cli.options import OF_A_CAMERA, Named, load_settings, overwrite_option, room_option, settings_options
from vcam.errors import InputError, VcamError
from vcam.printable import json_text

if TYPE_CHECKING:
    from vcam.datasets.folder import Pair

COLUMNS = {
    "miou": "mIoU %",
    "boundary": "edge band %",
    "mad": "MAD %",
    "dtssd": "flicker (dtSSD)",
    "lag": "lag (frames)",
}
HEADINGS = {**COLUMNS, "recognised": "room seen %"}


@click.command()
@click.argument("folder", type=Named())
@click.option("--size", default="", metavar="WxH", help="Scale pictures and videos to this size first.")
@click.option("--plain", is_flag=True, help="Score the network's output alone, scaled up bilinearly, to compare with.")
@click.option("--split", "parts", multiple=True, type=click.Choice(("train", "val", "test")),
              help="Of a data set, only the pictures of this part; may be repeated.")  # fmt: skip
@room_option
@click.option("--model", "models", multiple=True, metavar="NAME|PATH", shell_complete=complete.setting("segment.model"),
              help="A network, by its name, its path or the folder of its training; several are compared.")  # fmt: skip
@click.option("--html", "page", type=Named(), metavar="FILE", shell_complete=complete.files,
              help="Write a page with the pictures, and the mattes of each network.")  # fmt: skip
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@settings_options("segment", "matte", but=(*OF_A_CAMERA, "segment.model"))
def eval(
    folder: Path,
    size: str,
    plain: bool,
    parts: tuple[str, ...],
    room: str | None,
    models: tuple[str, ...],
    page: Path | None,
    overwrite: bool,
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

    With several --model the networks stand side by side, the worst pictures first; --html writes a page that shows all.

    Of a data set that a network was trained with, give --split test, or val: what it has seen says nothing of what it
    can do.

    With --room each figure is there twice, without and with what is known of the room; the frames that it was learnt
    from are in neither.

    \b
    vcam eval portraits/
    vcam eval portraits/ --plain          the network alone, to compare with
    vcam eval clips/ --temporal 0 --json
    vcam eval clips/ --room learn         clips that begin with the empty room
    vcam eval portraits/ --split val --model runs/mine --model selfie-general --html look.html
    """
    from vcam.datasets.folder import Found, find_pairs
    from vcam.errors import UsageError
    from vcam.filmroom import PlateError, RoomSource, no_beginning
    from vcam.frames import check_size
    from vcam.measure import evaluate
    from vcam.settings import parse_size

    if len(models) == 1:
        options["segment__model"] = models[0]
    settings = load_settings(options, profile, assignments).settings
    scaled = check_size(*parse_size(size), what="--size") if size else None
    if plain and room is not None:
        raise UsageError("--plain scores the network alone, without any room", "leave --plain or --room away")
    many = len(models) > 1 or page is not None
    if many and room is not None:
        raise UsageError("--room goes with one network, and no page", "leave --room, or --html and the others, away")
    source = None if room is None else RoomSource.parse(room)
    found = Found(_part(folder, parts), []) if parts else find_pairs(folder)
    if found.alone:
        names = ", ".join(path.name for path in found.alone[:3]) + (", ..." if len(found.alone) > 3 else "")
        click.echo(f"vcam: {len(found.alone)} without a matte left out: {names}", err=True)
    pairs = found.pairs
    if many:
        from vcam.cli.evalmany import Wishes, carry_out

        return carry_out(Wishes(folder, pairs, settings, models, scaled, plain, page, overwrite, as_json), _progress)
    if source and source.learns:
        pairs = [pair for pair in pairs if pair.video]
        if not pairs:
            raise no_beginning(folder)
        if left := len(found.pairs) - len(pairs):
            click.echo(f"vcam: {left} pictures left out: they have no beginning to learn the room from", err=True)
    items, failed = [], 0
    with evaluate.Evaluation(settings, size=scaled, plain=plain, room=source) as evaluation, _progress(as_json) as bar:
        task = bar.add_task(folder.name, total=float(len(pairs)))
        for number, pair in enumerate(pairs):

            def advance(done: int, of: int | None, number: int = number) -> None:
                bar.update(task, completed=number + (min(done / of, 1) if of else 0))

            try:
                items.append(evaluation.run(pair, advance))
                for note in items[-1].notes:
                    click.echo(f"vcam: {note}", err=True)
            except VcamError as error:
                # one bad file must not cost the others, unless there are no others, or it is wanted by them all
                if len(pairs) == 1 or (source and not source.plates and isinstance(error, PlateError)):
                    raise
                failed += 1
                report(error)
            bar.update(task, completed=number + 1)
        result = evaluate.report(items, evaluation.network)
    if as_json:
        told = {} if room is None else {"room": room}
        click.echo(json_text({"folder": str(folder), "plain": plain, **told, "failed": failed, **result}, indent=2))
    elif items:
        _show(result, f"{folder}, {result['segmenter']}{', plain' if plain else ''}")
    return 1 if failed else 0


def _part(folder: Path, parts: tuple[str, ...]) -> list[Pair]:
    """The pictures of some splits of a data set. Raises `InputError` if there are none."""
    from vcam.datasets.folder import Pair
    from vcam.datasets.store import open_dataset

    pairs = [Pair(entry.picture, entry.matte, False) for entry in open_dataset(folder).part(*parts)]
    if not pairs:
        raise InputError(
            f"{folder} has no picture in {' or '.join(parts)}", f"vcam dataset split {shlex.quote(str(folder))}"
        )
    return pairs


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

    means = [_mean(result, group) for group in GROUPS]
    helped = [mean["with_room"] for mean in means if "with_room" in mean]
    # a column that nothing has a value for tells nothing
    shown = [name for name in COLUMNS if any(mean.get(name) is not None for mean in [*means, *helped])]
    table = Table(title=title)
    table.add_column("what")
    table.add_column("frames", justify="right")
    for name in [*shown, *(["recognised"] if helped else [])]:
        table.add_column(HEADINGS[name], justify="right")

    def add(what: str, entry: dict[str, Any], style: str = "") -> None:
        table.add_row(what, str(entry["frames"]), *(_figure(entry[name]) for name in shown), style=style)
        if known := entry.get("with_room"):
            figures = (_figure(known[name]) for name in [*shown, "recognised"])
            table.add_row("  with the room", "", *figures, style=style)

    for group in GROUPS:
        count = result[group]["count"]
        if group == "videos" and count > 1:
            for item in result[group]["items"]:
                add(item["name"], item)
        if count:
            what = result[group]["items"][0]["name"] if count == 1 else f"{count} {group}, mean"
            add(what, _mean(result, group), "bold")
    Console().print(table)


GROUPS = ("pictures", "videos")


def _mean(result: dict[str, Any], group: str) -> dict[str, Any]:
    return result[group]["mean"] or {}


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
