"""`vcam train harmonise`: the network that gives the person the light of the background."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli.main import INTERRUPTED
from vcam.cli.options import Named
from vcam.errors import UsageError
from vcam.printable import few, json_text, printable
from vcam.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from vcam.train.harmony.recipe import HarmonyRecipe
    from vcam.train.harmony.training import Outcome

_STEP_S = 0.2
"""Seconds from one line or drawing of steps to the next."""
_LONGER = ("steps", "minutes", "workers", "threads", "device")
"""What may be changed when a run goes on."""


def _option(*words: str, **said: Any) -> Callable[[Any], Any]:
    return click.option(*words, default=None, **said)


@click.command()
@click.argument("data", type=Named(), required=False)
@_option("--out", type=Named(), metavar="RUN", help="The folder that all of it goes into; it is made.")
@_option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N",
         help="Train for so long.  [default: 60, unless --steps is given]")  # fmt: skip
@_option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Train for so many steps: 32 new samples each, and four updates.",
)
@_option("--batch", type=click.IntRange(2), metavar="N", help="Samples an update.  [default: 128]")
@_option("--rate", type=float, metavar="NUMBER", help="Rate of learning.  [default: 0.002]")
@_option("--width", type=click.IntRange(4, 128), metavar="N",
         help="How wide the layers are.  [default: 16]")  # fmt: skip
@_option("--seed", type=click.IntRange(0), metavar="N", help="Of all that is by chance.  [default: 0]")
@_option("--workers", type=click.IntRange(0, 256), metavar="N",
         help="Processes that make the samples ready.  [default: by the cores]")  # fmt: skip
@_option("--threads", type=click.IntRange(1, 256), metavar="N", help="Threads that compute.  [default: by the cores]")
@_option("--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Where it is computed.  [default: auto]")
@_option("--licence", metavar="SPDX", help="The licence that the card names.  [default: NOASSERTION]")
@click.option("--resume", is_flag=True, help="Go on with the run of --out, which was killed or broken off.")
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON to stdout for each thing that happens.")
def harmonise(
    data: Path | None, out: Path | None, licence: str | None, resume: bool, as_json: bool, **options: Any
) -> int:  # fmt: skip
    """Train the network of the filter harmonise on pictures that are as they are.

    DATA is a folder of photographs, with people or without, in any folders inside it; mattes in mask/ beside img/ are
    used. In each picture a region is disturbed, and the network learns to undo that. RUN gets the best network
    (best.pt, and as ONNX with its card, named as RUN is), the state (last.pt) and curves. Ctrl-C keeps the best;
    --resume goes on.

    Needs the extra train.

    \b
    vcam train harmonise photos/ --out runs/light --minutes 60
    vcam train harmonise --out runs/light --resume
    vcam models add runs/light/light.onnx
    """
    from vcam.cli.training import check_extra

    check_extra()
    if out is None:
        raise UsageError("a training needs a folder to go into", "--out RUN")
    given = {name: value for name, value in options.items() if value is not None}
    if data is not None:
        given["data"] = os.path.abspath(data)
    recipe = _recipe(given, out, resume=resume)
    from vcam.train.harmony.exported import export
    from vcam.train.harmony.training import Training

    with _shown(as_json) as tell:
        training = Training(recipe, out, resume=resume, tell=tell)
        with stop_on_signals(training.stop) as seen:
            outcome = training.run()
    network = export(out, licence or "NOASSERTION")
    _report(out, network, outcome, as_json=as_json)
    if outcome.ended:
        return 0
    return INTERRUPTED if not seen or seen[0] == signal.SIGINT else 128 + seen[0]


def _recipe(given: dict[str, Any], out: Path, *, resume: bool) -> HarmonyRecipe:
    import msgspec

    from vcam.cli.training import shares
    from vcam.train.harmony.recipe import HarmonyRecipe, read_recipe
    from vcam.train.runs import RECIPE

    if resume:
        if not (out / RECIPE).exists():
            raise UsageError(f"there is nothing in {out} to go on with", "leave --resume away to begin")
        recipe = read_recipe(out / RECIPE)
        changed = [
            "DATA" if name == "data" else f"--{name}" for name, value in given.items()
            if name not in _LONGER and value != getattr(recipe, name)
        ]  # fmt: skip
        if changed:
            raise UsageError(f"{out} was begun with another {few(changed)}", "leave it away, or give another --out")
        longer = {name: value for name, value in given.items() if name in _LONGER}
        if "minutes" in longer or "steps" in longer:
            longer = {"minutes": 0.0, "steps": 0, **longer}
        return msgspec.structs.replace(recipe, **longer)
    if "data" not in given:
        raise UsageError("which pictures?", "vcam train harmonise DATA --out RUN")
    workers, threads = shares(os.cpu_count() or 1, 1)
    if "minutes" not in given and "steps" not in given:
        given["minutes"] = 60.0
    return HarmonyRecipe(**{"workers": workers, "threads": threads, **given})


@contextmanager
def _shown(as_json: bool) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    quiet = bool(click.get_current_context().find_root().params.get("quiet", False))
    console = Console(stderr=True)
    terminal = console.is_terminal and not quiet and not as_json
    # drawn by this thread: another one would take from the cores, and could not be ended by Ctrl-C
    bar = Progress(
        TextColumn("harmonise"), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console, disable=not terminal, transient=True, auto_refresh=False, speed_estimate_period=120,
    )  # fmt: skip
    task = bar.add_task("harmonise", total=1.0, figures="")
    last, judged = 0.0, ""

    def tell(kind: str, figures: dict[str, Any]) -> None:
        nonlocal last, judged
        if kind == "round":
            judged = f", {figures['gain']:+.2f} dB, worse {100 * figures['worse']:.0f} %, " \
                     f"undisturbed {figures['change']:.2f} levels"  # fmt: skip
        now = time.monotonic()
        if kind == "step" and now - last < _STEP_S:
            return
        last = now
        if as_json:
            click.echo(json_text({"event": kind, **figures}))
        elif quiet:
            return
        elif kind == "note":
            bar.console.print(f"vcam: {printable(figures['words'])}", markup=False, highlight=False, soft_wrap=True)
        elif kind == "round" and not terminal:
            click.echo(f"vcam: step {figures['steps']}: loss {figures['loss']:.3f}, "
                       f"validation {figures['val_loss']:.3f}{judged}", err=True)  # fmt: skip
        elif kind == "step":
            words = f"loss {figures['loss']:.2f}{judged}, {figures['per_second']:.0f} samples a second"
            bar.update(task, completed=figures["done"], figures=words, refresh=True)

    with bar:
        yield tell


def _report(out: Path, network: Path, outcome: Outcome, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        click.echo(json_text({"event": "done", "run": str(out), "model": str(network), **msgspec.to_builtins(outcome)}))
    else:
        click.echo(
            f"{printable(str(network))}: on the pictures for validation {outcome.gain:+.2f} dB over the disturbed "
            f"person, {100 * outcome.worse:.0f} % became worse; {outcome.change:.2f} levels off where nothing was "
            "disturbed"
        )
    if outcome.broken:
        names = few([Path(path).name for path in outcome.broken])
        what = "picture" if len(outcome.broken) == 1 else "pictures"
        click.echo(f"vcam: {len(outcome.broken)} {what} left out: {names}", err=True)
    if not outcome.ended:
        click.echo(f"vcam: broken off in step {outcome.steps}; the best so far, of step {outcome.best_step}, is in "
                   f"{out}/best.pt; go on with\n  vcam train harmonise --out {shlex.quote(str(out))} --resume",
                   err=True)  # fmt: skip
