"""`vcam models try` and `recommend`: which network is the best one here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete
from vcam.cli.options import Named, overwrite_option
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from vcam.measure.speeds import Speed
    from vcam.models.cards import ModelCard
    from vcam.settings import Settings
    from vcam.types import Size

_SHARE = 0.25
"""Of the time between two frames that the network may take on one core: the rest of vcam, the call and a quiet fan."""

_json = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")


@click.command("try")
@click.argument("input", metavar="CLIP|PICTURE|camera", type=Named(), shell_complete=complete.files)
@click.argument("output", metavar="[OUT]", type=Named(), required=False)
@overwrite_option
@click.option("--model", "names", multiple=True, metavar="NAME", shell_complete=complete.models,
              help="Only this network; may be given several times.")  # fmt: skip
@click.option("--frame", default=30, show_default=True, type=click.IntRange(0), metavar="NUMBER",
              help="Which frame of a video to show; those before it are run, too.")  # fmt: skip
@_json
def try_models(
    input: Path, output: Path | None, overwrite: bool, names: tuple[str, ...], frame: int, as_json: bool
) -> None:
    """Run every network that is here on your own clip, and lay them side by side.

    OUT is a page (.html) or a picture (.png) with mattes, enlarged edges and what each costs; models.html in this
    folder by default. `camera` takes one picture with the camera of your settings; it goes into OUT and nowhere else.

    \b
    vcam models pull selfie-multiclass
    vcam models try talk.mp4
    """
    from vcam.files import Overwriting
    from vcam.measure import sheet
    from vcam.measure.compare import Variant, compare
    from vcam.measure.speeds import remember
    from vcam.settings import load

    settings = load().settings
    target = output or Path("models.html")
    cards = _cards(names)
    rule = Overwriting(overwrite).with_inputs(input)
    sheet.check_target(target, rule)
    # by its card: it may be in no folder of models
    variants = [Variant(card.name, {"segment.model": str(card.path)}) for card in cards]
    with _source(input, settings) as source, _bar("trying", len(cards) * 2, hidden=as_json) as advance:
        comparison = compare(source, settings, variants, frame, lambda done: advance())
        speeds = _speeds(cards, advance)
    sheet.write_page(target, comparison, rule)
    for card in cards:
        if isinstance(found := speeds[card.name], str):
            click.echo(f"vcam: {found}", err=True)
        else:
            remember(card, found)
    rows = [_row(card, speeds[card.name]) for card in cards]
    if as_json:
        click.echo(json_text({"page": str(target), "models": rows}, indent=2))
        return
    _show(rows)
    click.echo(printable(str(target)))


@click.command()
@click.option("--size", metavar="WxH", help="Of your picture; by default that of your settings.")
@click.option("--fps", type=click.FloatRange(1, 120), help="Frames a second; by default those of your settings.")
@_json
def recommend(size: str | None, fps: float | None, as_json: bool) -> None:
    """Say which network this machine can afford at your size and rate, measured now.

    A network may take a quarter of the time between two frames: on the processor counted over all cores together, on a
    GPU or NPU by the clock. Of those that take no more, the one is best that was best on other people's pictures; of
    two that are half a point apart or less, the cheaper one.
    """
    from vcam.frames import check_size
    from vcam.measure.speeds import remember
    from vcam.models.find import best_model
    from vcam.settings import load, parse_size

    told_output = load().settings.output
    size, fps = size or told_output.size, fps or told_output.fps
    wanted = check_size(*parse_size(size), what="--size")
    cards = _cards(())
    with _bar("measuring", len(cards), hidden=as_json) as advance:
        speeds = _speeds(cards, advance)
    for card in cards:
        if not isinstance(found := speeds[card.name], str):
            remember(card, found)
    rows = [_row(card, speeds[card.name]) for card in cards]
    may = 1000 / fps * _SHARE
    for row in rows:
        row["affordable"] = row["ms"] is not None and _counts(row) <= may
    best = _best(rows, wanted, best_model(wanted))
    others = _better_ones(rows, best)
    if as_json:
        told = {"size": list(wanted), "fps": fps, "may_take_ms": round(may, 2), "recommended": best, "models": rows}
        click.echo(json_text({**told, "to_pull": others}, indent=2))
        return
    _show(rows, may)
    click.echo(f"For {size} at {fps:g} frames a second: vcam start --model {best}")
    if others:
        click.echo(f"Better on people's pictures, not here: {', '.join(others)}; vcam models list --all")


def _cards(names: tuple[str, ...]) -> list[ModelCard]:
    """The networks asked for, or all that are here; broken ones are named and left out then."""
    from vcam.errors import VcamError
    from vcam.models.find import card_paths, find_model

    found, frame = [], (1280, 720)
    for name in names or dict.fromkeys(path.stem for path in card_paths("person")):
        try:
            found.append(find_model(name, frame))
        except VcamError as error:
            if names:
                raise
            click.echo(f"vcam: {printable(str(error))}", err=True)
    return found


def _speeds(cards: list[ModelCard], advance: Callable[[], None]) -> dict[str, Speed | str]:
    """Each network's speed, or why it has none."""
    from vcam.errors import VcamError
    from vcam.measure.speeds import measure

    found: dict[str, Speed | str] = {}
    for card in cards:
        try:
            found[card.name] = measure(card)
        except VcamError as error:
            found[card.name] = str(error)
        advance()
    return found


def _row(card: ModelCard, speed: Speed | str) -> dict[str, Any]:
    from vcam.models.catalogue import catalogue

    entry = catalogue().get(card.name)
    # another network may have the name
    told = entry.measured if entry and entry.origin == card.origin else None
    return {
        "name": card.name,
        "title": card.title,
        "size": list(card.input.size),
        "engine": None if isinstance(speed, str) else speed.engine,
        "ms": None if isinstance(speed, str) else speed.ms,
        "cpu_ms": None if isinstance(speed, str) else speed.cpu_ms,
        "portraits": told.portraits if told else None,
        "mixed": told.mixed if told else None,
    }


def _counts(row: dict[str, Any]) -> float:
    """The milliseconds that matter: on the processor what all cores do, elsewhere what the frame waits."""
    on_processor = str(row["engine"]).endswith("CPU")
    return float(row["cpu_ms"] if on_processor else row["ms"])


def _quality(row: dict[str, Any]) -> float:
    return float((row["portraits"] + row["mixed"]) / 2) if row["portraits"] and row["mixed"] else 0.0


def _best(rows: list[dict[str, Any]], size: Size, default: str) -> str:
    """The best that can be afforded; what `auto` means for this size where nothing can be, or nothing is known."""
    width, height = size
    fitting = [row for row in rows if row["affordable"] and _quality(row)]
    # a network for wide frames squeezes others
    if width / height < 1.5:
        fitting = [row for row in fitting if row["size"][0] < 1.5 * row["size"][1]]
    if not fitting:
        return default
    best = max(fitting, key=_quality)
    # half a point is worth no heat
    near = [row for row in fitting if _quality(row) >= _quality(best) - 0.5]
    return str(min(near, key=_counts)["name"])


def _better_ones(rows: list[dict[str, Any]], best: str) -> list[str]:
    """Networks of the catalogue that are not here, can be had, and are at least half a point better."""
    from vcam.models.catalogue import catalogue

    here = {row["name"]: row for row in rows}
    quality = _quality(here[best]) if best in here else 0.0
    return [
        entry.name
        for entry in catalogue().values()
        if entry.name not in here
        and entry.status == "tried"
        and entry.measured.portraits
        and entry.measured.mixed
        and (entry.measured.portraits + entry.measured.mixed) / 2 >= quality + 0.5
    ]


def _show(rows: list[dict[str, Any]], may: float | None = None) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column("model", no_wrap=True), "engine", Column("ms", justify="right"), Column("CPU ms", justify="right"),
        Column("mIoU %", justify="right"), *([] if may is None else [f"within {may:.1f} ms"]),
    )  # fmt: skip
    for row in rows:
        quality = f"{row['portraits']:.1f}, {row['mixed']:.1f}" if row["portraits"] else ""
        figures = ["", ""] if row["ms"] is None else [f"{row['ms']:.1f}", f"{row['cpu_ms']:.1f}"]
        within = [] if may is None else ["yes" if row["affordable"] else "no"]
        table.add_row(Text(printable(row["name"])), row["engine"] or "none", *figures, quality, *within)
    Console().print(table)


@contextmanager
def _bar(what: str, total: int, *, hidden: bool) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    with Progress(console=console, disable=hidden or quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def _source(input: Path, settings: Settings) -> Iterator[Path]:
    """The clip, or a picture just taken with the camera, which is gone afterwards."""
    import tempfile

    from vcam import folders

    if str(input) != "camera":
        yield input
        return
    from vcam.camera.factory import make_camera
    from vcam.errors import CameraError
    from vcam.images import frame_to_bgr, write_image
    from vcam.settings import parse_size

    camera = make_camera(settings.camera, parse_size(settings.output.size), settings.output.fps)
    camera.open()
    try:
        # the first pictures are dark while the camera finds its exposure
        frames = [camera.read() for _ in range(15)]
        last = frames[-1]
        if last is None:
            raise CameraError("the camera gave no picture", "vcam doctor tells more")
        picture = frame_to_bgr(last)
    finally:
        camera.close()
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        path = Path(scratch, "camera.png")
        write_image(path, picture)
        yield path
