"""`vcam train export`: a trained network as a file that vcam, phones and other programs run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete
from vcam.cli.options import Named
from vcam.errors import UsageError
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from vcam.train.export import Exported

MINUTES = 5.0


@click.command()
@click.argument("run", type=Named(), required=False)
@click.option("--to", "target", metavar="onnx|openvino|tflite", help="What to make; --list says what each is for.")
@click.option("--int8", "int8", type=Named(), metavar="DATA", shell_complete=complete.files,
              help="All of it in 8 bits, its ranges found out on the pictures of this data set.")  # fmt: skip
@click.option("--float16", is_flag=True, help="Weights in 16 bits.")
@click.option("--weights", default="", metavar="int8", help="Weights in 8 bits; computed in float32.")
@click.option("--qat", is_flag=True, help="With --int8: train on under the roundings of 8 bits before.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=None, metavar="N",
              help=f"With --qat: for so long.  [default: {MINUTES:g}]")  # fmt: skip
@click.option("--check", type=Named(), metavar="DATA", shell_complete=complete.files,
              help="Compare the masks on the pictures of this data set as well.")  # fmt: skip
@click.option("--out", type=Named(), metavar="DIR", help="Where it goes; by default into RUN.")
@click.option("--name", default="", metavar="NAME", help="What to call it; by default as RUN, with its form.")
@click.option("--licence", default="NOASSERTION", show_default=True, metavar="SPDX",
              help="The licence that its card names.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Take it instead of what has the name already.")
@click.option("--list", "listed", is_flag=True, help="Show the forms, and what each allows; make nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def export(
    run: Path | None, target: str | None, int8: Path | None, float16: bool, weights: str, qat: bool,
    minutes: float | None, check: Path | None, out: Path | None, name: str, licence: str, overwrite: bool,
    listed: bool, as_json: bool,
) -> int:  # fmt: skip
    """Make a file of a trained network, with its card.

    RUN is the folder of a training. The file is run on its own runtime and compared with PyTorch before it is kept:
    floats within 0.001, 8 bits by their masks. Then --model RUN finds it.

    \b
    vcam train export runs/mine --to onnx
    vcam train export runs/mine --to openvino --float16
    vcam train export runs/mine --to onnx --int8 portraits/
    vcam train export runs/mine --to tflite --int8 portraits/ --qat --minutes 10
    vcam train export --list
    vcam start --model runs/mine
    """
    from vcam.train import forms

    if listed:
        _list(as_json)
        return 0
    if run is None:
        raise UsageError("which run is to be exported?", "vcam train export RUN --to onnx")
    if not target:
        raise UsageError("which form is wanted?", f"--to {'|'.join(forms.TARGETS)}; vcam train export --list")
    form = forms.form_of(target, int8=int8 is not None, float16=float16, weights=weights)
    if qat and int8 is None:
        raise UsageError("--qat prepares for 8 bits", "--int8 DATA goes with it")
    if minutes is not None and not qat:
        raise UsageError("--minutes is the time to train on", "--qat goes with it")
    if int8 and check:
        raise UsageError("--int8 compares the masks on its own pictures", "leave --check away")
    forms.check_extra(form)
    from rich.console import Console

    from vcam.train.export import Wish, export
    from vcam.train.heap import keep_freed

    keep_freed()
    wish = Wish(
        run, form, data=int8 or check, folder=out, name=name, licence=licence,
        minutes=(minutes or MINUTES) if qat else 0.0, overwrite=overwrite,
    )  # fmt: skip
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    console = Console(stderr=True, quiet=quiet or as_json)
    with console.status("loading") as status:
        made = export(wish, lambda words: status.update(printable(words)))
    _tell(made, as_json, quiet)
    return 0


def _list(as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from vcam.train import forms

    if as_json:
        rows = [
            {"option": form.option, "suffix": form.suffix, "extra": form.extra, "about": form.about}
            for form in forms.FORMS
        ]
        click.echo(json_text(rows, indent=2))
        return
    table = Table(Column("options", no_wrap=True), "needs", "what for")
    for form in forms.FORMS:
        table.add_row(form.option, f"vcam[{form.extra}]".replace("[", "\\["), form.about)
    Console().print(table)


def _result(made: Exported) -> dict[str, Any]:
    return {
        "card": str(made.card.path),
        "file": str(made.card.file_path),
        "form": made.form.option,
        "bytes": made.bytes,
        "float32_bytes": made.plain_bytes,
        "apart": {name: {"worst": worst, "mean": mean} for name, (worst, mean) in made.apart.items()},
        "miou": dict(made.miou),
        "pictures": made.judged,
        "cpu_ms": dict(made.ms),
        "refused": dict(made.refused),
        "broken": {str(path): why for path, why in made.broken.items()},
    }


def _tell(made: Exported, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json_text(_result(made), indent=2))
        return
    for path, why in made.broken.items():
        click.echo(f"vcam: {printable(path.name)} left out: {printable(why)}", err=True)
    for runtime, why in made.refused.items():
        click.echo(f"vcam: {runtime} does not run this form: {printable(why)}", err=True)
    click.echo(printable(str(made.card.file_path)))
    if quiet:
        return
    share = made.plain_bytes / made.bytes
    smaller = f", {share:.1f} times smaller than float32" if share > 1.1 else ""
    click.echo(f"  {made.bytes / 1e6:.2f} MB{smaller}")
    for runtime, (worst, mean) in made.apart.items():
        cost = f", {made.ms[runtime]:.1f} ms of CPU a picture" if runtime in made.ms else ""
        click.echo(f"  {runtime}: within {worst:.2g} of PyTorch, {mean:.2g} in the mean{cost}")
    if made.miou:
        told = ", ".join(f"{runtime} {100 * value:.2f}" for runtime, value in made.miou.items())
        click.echo(f"  mIoU on {made.judged} picture{'s' * (made.judged != 1)}: {told}")
    path = made.card.path
    found = path.parent if path.stem == path.parent.name else made.card.file_path
    click.echo(f"  use it: vcam start --model {shlex.quote(printable(str(found)))}")
