"""`vcam models`: which networks there are, what their cards say, and whether they work here."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete
from vcam.cli.main import HelpfulGroup
from vcam.cli.modeltrial import recommend, try_models
from vcam.errors import UsageError, VcamError
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.table import Table
    from rich.text import Text

    from vcam.measure.speeds import Speed
    from vcam.models.cards import ModelCard, Task
    from vcam.models.catalogue import Entry

# the shape decides only which model `auto` means
_FRAME = (1280, 720)

_json = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")


@click.group(cls=HelpfulGroup)
def models() -> None:
    """Networks that find the person, and that of --filter harmonise."""


models.add_command(try_models)
models.add_command(recommend)


@models.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that `vcam models pull NAME` would fetch.")
@_json
def list_models(everything: bool, as_json: bool) -> None:
    """List the models that find people, known by name: those of vcam, and those in your own model folder.

    With --all, the catalogue as well: networks of others that vcam can fetch by name. Nothing is fetched by this.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from vcam.measure.speeds import known_speeds

    speeds = known_speeds()
    rows = [_summary(path, speeds) for path in _paths("person")]
    here = {row["name"] for row in rows} | {path.stem for path in _paths()}
    others = [row for row in _catalogue(speeds) if row["name"] not in here] if everything else []
    if as_json:
        click.echo(json_text([*rows, *others], indent=2))
        return
    table = Table(Column("name", no_wrap=True), "title", "picture", "licence", Column("CPU ms", justify="right"))
    for row in rows:
        if "error" in row:
            table.add_row(_plain(row["name"]), Text(printable(row["error"]), "red"), "", "", "")
            continue
        width, height = row["size"]
        costs = [row[key] for key in ("openvino_ms", "onnxruntime_ms") if row[key] is not None]
        cost = f"{row['ms_here']:.1f} here" if row["ms_here"] else f"{min(costs):g}" if costs else ""
        table.add_row(_plain(row["name"]), _plain(row["title"]), f"{width}x{height}", _licence_of(row), cost)
    console = Console()
    console.print(table)
    if beside := list(dict.fromkeys(path.stem for path in _paths("harmonise"))):
        console.print(f"for --filter harmonise: {', '.join(map(printable, beside))}", markup=False)
    if others:
        console.print(_offered(others))


def _catalogue(speeds: Mapping[str, Speed]) -> list[dict[str, Any]]:
    """What can be fetched by name, as `_summary` tells of what is here; with its speed here if it once was here."""
    import msgspec

    from vcam.models.catalogue import catalogue

    return [
        {
            "name": entry.name,
            "title": entry.title,
            "about": entry.about,
            "size": list(entry.input.size),
            "form": entry.output.form,
            "licence": entry.licence,
            "status": entry.status,
            "bytes": entry.bytes,
            "ms_here": here.cpu_ms if (here := speeds.get(entry.sha256)) else None,
            "measured": msgspec.to_builtins(entry.measured),
            "place": entry.shown,
        }
        for entry in catalogue().values()
        if entry.task == "person"
    ]


def _offered(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column("to be had by: vcam models pull NAME"), Column("MB", justify="right"), "licence",
        Column("mIoU %", justify="right"), Column("CPU ms", justify="right"), show_lines=True,
        caption="mIoU: portraits, mixed pictures. *: its bytes could not be had where vcam is made; untried.",
        caption_justify="left",
    )  # fmt: skip
    for row in rows:
        measured = row["measured"]
        costs = [measured[key] for key in ("openvino_ms", "onnxruntime_ms") if measured[key] is not None]
        quality = f"{measured['portraits']:.1f}, {measured['mixed']:.1f}" if measured["portraits"] else ""
        cost = f"{row['ms_here']:.1f} here" if row["ms_here"] else f"{min(costs):g}" if costs else ""
        words = Text.assemble((row["name"], "bold"), "*" if row["status"] == "untried" else "", f"\n{row['about']}")
        table.add_row(words, f"{row['bytes'] / 1e6:.1f}", _licence_of(row), quality, cost)
    return table


def _licence_of(row: dict[str, Any]) -> Text:
    """Without the reasons, which `show` and `pull` tell."""
    return _plain(row["licence"].partition(":")[0])


_MOST_LETTERS = 200


def _plain(words: str) -> Text:
    """What somebody wrote into a card, which is neither markup nor steers a terminal, cut to what fits a table."""
    from rich.text import Text

    shown = printable(words)
    return Text(shown if len(shown) <= _MOST_LETTERS else f"{shown[:_MOST_LETTERS]}...")


def _paths(task: Task | None = None) -> list[Path]:
    from vcam.models.find import card_paths

    return card_paths(task)


def _summary(path: Path, speeds: Mapping[str, Speed] | None = None) -> dict[str, Any]:
    from vcam.models.cards import read_card

    speeds = speeds or {}
    try:
        card = read_card(path)
    except VcamError as error:
        return {"name": path.stem, "path": str(path), "error": str(error)}
    return {
        "name": card.name,
        "title": card.title,
        "size": list(card.input.size),
        "form": card.output.form,
        "task": card.task,
        "licence": card.licence,
        "openvino_ms": card.cost.openvino_ms if card.cost else None,
        "onnxruntime_ms": card.cost.onnxruntime_ms if card.cost else None,
        "ms_here": here.cpu_ms if (here := speeds.get(card.sha256)) else None,
        "path": str(card.file_path),
    }


@models.command()
@click.argument("name", shell_complete=complete.all_models)
@_json
def show(name: str, as_json: bool) -> None:
    """Show the card of NAME: a model's name, a path, or auto."""
    import msgspec
    from rich.console import Console
    from rich.text import Text

    from vcam.models.find import find_model

    card = find_model(name, _FRAME, task=None)
    values = msgspec.to_builtins(card, enc_hook=str)
    if as_json:
        click.echo(json_text(values, indent=2))
        return
    rows = _flat(values)
    width = max(len(printable(key)) for key, _ in rows)
    console = Console(highlight=False)
    for key, value in rows:
        # whole, whatever the terminal's width: checksums and addresses are there to be copied
        line = Text.assemble((f"{printable(key):<{width}}", "bold"), f"  {printable(value)}")
        console.print(line, soft_wrap=True)


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        elif value not in ("", None, [], ()):
            rows.append((prefix + key, str(value)))
    return rows


@models.command()
@click.argument("names", nargs=-1, shell_complete=complete.all_models)
@_json
def verify(names: tuple[str, ...], as_json: bool) -> None:
    """Check models: the card, the checksum, and the answers of every runtime and device here to known pictures.

    That of --filter harmonise knows no pictures: it must give numbers there.

    NAMES are names or paths; without any, all models known by name are checked.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from vcam.models.find import find_model

    results: list[dict[str, Any]] = []
    for name in names or tuple(dict.fromkeys(path.stem for path in _paths())):
        try:
            card = find_model(name, _FRAME, task=None)
        except VcamError as error:
            results.append({"name": name, "ok": False, "checks": {"card": error.message}, "cure": error.hint})
            continue
        checks = {"card": "ok", "checksum": "ok", **_tried(card)}
        works = any(word == "ok" for key, word in checks.items() if " on " in key)
        results.append({"name": name, "ok": works, "checks": checks})
    if as_json:
        click.echo(json_text(results, indent=2))
    else:
        table = Table(
            Column("model", overflow="fold"), Column("check", no_wrap=True), Column("result", overflow="fold")
        )
        for result in results:
            for check, word in result["checks"].items():
                table.add_row(_plain(result["name"]), check, Text(printable(word), "green" if word == "ok" else "red"))
        Console().print(table)
        for result in results:
            if result.get("cure"):
                # as one line, whatever the terminal's width: there may be something in it to be copied
                click.echo(f"{printable(result['name'])}: {printable(result['cure'])}")
    if not results or not all(result["ok"] for result in results):
        click.get_current_context().exit(1)


_name = click.option("--name", default="", metavar="NAME", help="What to call it; by default as its card is called.")
_replace = click.option(
    "--replace", "--overwrite", is_flag=True, help="Take it instead of a model that has the name already."
)


_licence = click.option(
    "--accept-licence", is_flag=True, help="Agree to the licence that is shown, without being asked."
)


@models.command()
@click.argument("file", metavar="FILE|FOLDER", shell_complete=complete.files)
@_name
@_replace
@click.option("--network", default="", metavar="ARCHITECTURE", shell_complete=complete.architectures,
              help="FILE holds weights (.pth, .pt, .h5, .keras) of this architecture; vcam train list has "
              "them.")  # fmt: skip
@click.option("--size", default="", metavar="WxH", help="With --network: of the picture that the network takes.")
@click.option("--unchecked", default="", metavar="WHY",
              help="With --network: why it is not to be tried with the known pictures, for its card.")  # fmt: skip
@click.option("--licence", default="", metavar="SPDX", help="With --network: the licence that its card names.")
@_licence
@_json
def add(
    file: str, name: str, replace: bool, network: str, size: str, unchecked: str, licence: str, accept_licence: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Keep a network of your own, so that --model NAME finds it from anywhere.

    FILE is the network or its card, which lies beside it; docs/models.md says how to write one. A network of the
    catalogue that you have fetched by hand needs none. FOLDER is a SavedModel, with the card saved_model.toml in it.
    Weights of PyTorch or Keras become a network by the architecture that they are of. All is copied into your model
    folder, once it has found people in the known pictures.

    \b
    vcam models add ~/models/mine.onnx
    vcam models add frozen_inference_graph.pb
    vcam models add portraits.h5 --network prisma-net
    """
    from vcam.cli.modeladd import add_file, add_weights
    from vcam.settings import parse_size

    if network:
        card = add_weights(
            file, name, network, replace=replace, check=_demand_that_it_works, quiet=as_json,
            size=parse_size(size) if size else None, unchecked=unchecked, licence=licence or "NOASSERTION",
        )  # fmt: skip
        _tell(card, as_json)
        return
    told = {"size": size, "unchecked": unchecked, "licence": licence}
    if lonely := next((key for key, said in told.items() if said), ""):
        raise UsageError(f"--{lonely} goes with --network", "the card says it of other networks")

    def agrees(entry: Entry) -> bool:
        _tell_licence(entry, "known by its checksum")
        return accept_licence or entry.permissive or _agrees("Keep it?")

    _tell(add_file(file, name, replace=replace, check=_demand_that_it_works, agrees=agrees), as_json)


@models.command()
@click.argument("what", metavar="NAME|ADDRESS", shell_complete=complete.catalogue)
@_name
@_replace
@_licence
@_json
def pull(what: str, name: str, replace: bool, accept_licence: bool, as_json: bool) -> None:
    """Fetch a network of the catalogue by its NAME, or any from the address of its card.

    An address may also be that of a network beside which the card lies. The network must be the one whose checksum the
    catalogue or the card has. It is kept in your model folder once it has found people in the known pictures. A
    licence that asks for more than a mention is shown first. A download that broke off goes on from there.

    \b
    vcam models list --all
    vcam models pull selfie-multiclass
    vcam start --model selfie-multiclass
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from vcam.models.catalogue import entry_of
    from vcam.models.store import pull as fetch

    if what in {path.stem for path in _paths()} and not (name or replace):
        click.echo(f"{what} is here already; vcam models verify {what} checks it", err=True)
        return
    entry = None if "/" in what else entry_of(what)
    if entry:
        _tell_licence(entry, f"from {entry.shown}")
    agreed = accept_licence or not entry or entry.permissive or _agrees("Fetch it?")
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(printable(what.rpartition("/")[2]), total=None)

        def progress(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of)

        if entry:
            from vcam.models.published import pull_entry

            card = pull_entry(
                entry, name, replace=replace, agreed=agreed, check=_demand_that_it_works, progress=progress
            )
        else:
            card = fetch(what, name, replace=replace, check=_demand_that_it_works, progress=progress)
    _tell(card, as_json)


def _tell_licence(entry: Entry, where: str) -> None:
    click.echo(f"{entry.title}, {entry.bytes / 1e6:.1f} MB, {where}", err=True)
    click.echo(f"  licence: {entry.licence}", err=True)


def _agrees(question: str) -> bool:
    """Whether the person at the keyboard takes the licence that was shown; where there is nobody, no."""
    return sys.stdin.isatty() and click.confirm(f"It asks for more than a mention, or is unclear. {question}", err=True)


@models.command()
@click.argument("name", shell_complete=complete.all_models)
@_json
def remove(name: str, as_json: bool) -> None:
    """Remove the model NAME from your own model folder: what models add and pull have put there."""
    from vcam.models.store import remove as take_out

    gone = take_out(name)
    if as_json:
        click.echo(json_text({"removed": [str(path) for path in gone]}, indent=2))
    else:
        for path in gone:
            click.echo(printable(f"removed: {path}"))


def _tried(card: ModelCard) -> dict[str, str]:
    """What each engine here says of a model, by its name: "ok", or why it will not do."""
    from vcam.compose.filters import adviser
    from vcam.segment import known

    return known.try_engines(card) if card.task == "person" else adviser.try_engines(card)


def _demand_that_it_works(card: ModelCard) -> None:
    from vcam.errors import ModelError

    said = _tried(card)
    if "ok" not in said.values():
        raise ModelError(
            f"{card.file_path} runs nowhere here: {next(iter(said.values()))}", "mend its card, or the file"
        )


def _tell(card: ModelCard, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(_summary(card.path), indent=2))
    else:
        words = "--model " if card.task == "person" else "--filter harmonise:model="
        click.echo(f"{printable(str(card.file_path))}\n  use it: vcam start {words}{shlex.quote(card.name)}")
