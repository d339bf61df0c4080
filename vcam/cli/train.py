"""`vcam train`: networks of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vcam.cli import complete
from vcam.cli.harmonise import harmonise
from vcam.cli.main import HelpfulGroup
from vcam.cli.options import Named
from vcam.cli.train_export import export
from vcam.printable import json_text

if TYPE_CHECKING:
    from collections.abc import Callable


class _Context(click.Context):
    """Of `fit`, whose name nobody types."""

    @property
    def command_path(self) -> str:
        return self.parent.command_path if self.parent else "vcam train"


class Fit(click.Command):
    """The command that trains, shown as `vcam train` itself."""

    context_class = _Context

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["DATA", "--network NAME", "--out RUN", "[OPTIONS]"]


class TrainGroup(HelpfulGroup):
    """A command that is a group as well: `vcam train DATA --out RUN`, and `vcam train export RUN`.

    If the first word is no command's name, all of them are the training's, which the hidden command `fit` carries out.
    Help, reference and completion show its options as the group's own.
    """

    @property
    def own(self) -> click.Command:
        """The command that the group is as well."""
        return self.commands["fit"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = [word for word in args[:1] if word in ctx.help_option_names or word in self.commands]
        return super().parse_args(ctx, ["fit", *args] if args and not own else args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        pieces = ["DATA", "--network NAME", "--out RUN", "[OPTIONS]"]
        return [*pieces, "|", "COMMAND", "[ARGS]..."]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.own.format_options(click.Context(self.own, parent=ctx.parent), formatter)
        self.format_commands(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, command in self.commands.items() if not command.hidden]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return self.own.shell_complete(ctx, incomplete)
        found = super().shell_complete(ctx, incomplete)
        # what is no command is the data
        return found or [CompletionItem(incomplete, type="file")]


def _losses(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    names = ("cross-entropy", "dice", "focal", "boundary", "consistency", "distillation", "temporal")
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def _option(*words: str, **said: Any) -> Callable[[Any], Any]:
    return click.option(*words, default=None, **said)


@click.command("fit", cls=Fit, hidden=True)
@click.argument("data", type=Named(), required=False)
@_option(
    "--network",
    metavar="NAME",
    shell_complete=complete.architectures,
    help="The architecture; vcam train list has them.",
)
@_option("--out", type=Named(), metavar="RUN", help="The folder that all of it goes into; it is made.")
@_option("--size", metavar="WxH", help="Of the picture that the network sees; by default its architecture's.")
@_option("--epochs", type=click.IntRange(1), metavar="N", help="Train for so many passes through the pictures.")
@_option("--minutes", type=click.FloatRange(0, min_open=True), metavar="N",
         help="Train for so long.  [default: 10, unless --epochs is given]")  # fmt: skip
@_option(
    "--batch",
    type=click.IntRange(2),
    metavar="N",
    help="Pictures a step, of each process.  [default: 8; 16 for selfie in one process]",
)
@_option("--rate", type=float, metavar="NUMBER",
         help="Rate of learning.  [default: 0.006; 0.002 with --encoder, 0.0001 with --from]")  # fmt: skip
@_option("--schedule", type=click.Choice(["cosine", "plateau"]),
         help="cosine: the rate falls to nothing until the end. plateau: it falls where nothing improves any more.  "
         "[default: cosine]")  # fmt: skip
@_option("--optimizer", type=click.Choice(["muon", "adamw"]),
         help="How weights follow their gradients. muon: wide networks learn more in the same time.  [default: muon; "
         "adamw with --from, and for selfie]")  # fmt: skip
@_option("--loss", "loss", multiple=True, metavar="NAME[=WEIGHT]", shell_complete=_losses,
         help="What is made small; may be repeated. cross-entropy, dice, focal, boundary, consistency, distillation, "
         "temporal.  [default: cross-entropy and dice]")  # fmt: skip
@_option("--teacher", metavar="MODEL", shell_complete=complete.models,
         help="A network that vcam runs, whose answers are learnt as well; adds the loss distillation.")  # fmt: skip
@_option("--prior/--no-prior", help="Give it the mask of the frame before as a fourth channel.  [default: no-prior]")
@_option("--from", "start", type=Named(), metavar="FILE|RUN|MODEL",
         shell_complete=complete.setting("segment.model"),
         help="Begin with these weights: a .tflite, .onnx, .pt, .h5 or .keras file, a model.json of TensorFlow.js, "
         "another run, or a model's name.")  # fmt: skip
@_option("--encoder", type=Named(), metavar="FILE|RUN|MODEL", shell_complete=complete.files,
         help="Begin with the encoder of these weights alone, such as were learnt on ImageNet; files as for --from. "
         "prisma-net, slim-net and selfie take that of a network of their own kind.")  # fmt: skip
@_option("--encoder-input", type=click.Choice(["auto", "same", "0..1", "-1..1", "imagenet"]),
         help="What that encoder was given in its training: RGB / 255, RGB / 127.5 - 1, as torchvision has it, or the "
         "same as this network is.  [default: auto: the same for one of its own kind, else imagenet for .pt and "
         ".onnx, -1..1 for others; runs say so themselves]")  # fmt: skip
@_option("--keep", type=click.FloatRange(0, 1), metavar="SHARE",
         help="With --from: how much of what that network said and was stays, 0 for nothing.  [default: 0.5; 0 with "
         "--teacher]")  # fmt: skip
@_option("--freeze", type=click.FloatRange(0, 1), metavar="SHARE",
         help="Share of the training in which the encoder stays as it is.  [default: a third with --encoder, "
         "else 0]")  # fmt: skip
@_option("--small", type=click.FloatRange(0, 1), metavar="SHARE",
         help="Share of the training, from its beginning, in which pictures are half as wide and high: several of them "
         "take the time of one.  [default: 0.5; 0 with --from, --encoder, --patience and a plateau]")  # fmt: skip
@_option("--option", "option", multiple=True, metavar="KEY=VALUE",
         help="Of the architecture, as width=1.0 or act=relu; may be repeated.")  # fmt: skip
@_option("--patience", type=click.IntRange(0), metavar="EPOCHS",
         help="End after so many epochs without improvement, 0 for never.  [default: 0; 100 with plateau]")  # fmt: skip
@_option("--backdrops", metavar="DIR|none", shell_complete=complete.files,
         help="Pictures of rooms that people are set into; none leaves them where they are.  [default: rooms made of "
         "the surroundings of the other pictures]")  # fmt: skip
@_option("--augment/--no-augment", help="Change the pictures by chance.  [default: augment]")
@_option("--seed", type=click.IntRange(0), metavar="N", help="Of all that is by chance.  [default: 0]")
@_option("--workers", type=click.IntRange(0, 256), metavar="N",
         help="Processes that make the pictures ready.  [default: by the cores]")  # fmt: skip
@_option("--threads", type=click.IntRange(1, 256), metavar="N",
         help="Threads that compute, in each process.  [default: by the cores]")  # fmt: skip
@_option("--precision", type=click.Choice(["auto", "float32", "bf16"]),
         help="auto: bf16 for wide networks where the processor has it.  [default: auto]")  # fmt: skip
@_option("--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Where it is computed.  [default: auto]")
@_option("--preview", type=Named(), metavar="FILE.png", shell_complete=complete.files,
         help="Draw what the network would be given, and train nothing.")  # fmt: skip
@_option("--config", type=Named(), metavar="RECIPE.toml", shell_complete=complete.files,
         help="Everything as in the recipe of another run, but for what is given here.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run of --out, which was killed or broken off.")
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON to stdout for each thing that happens.")
def fit(
    data: Path | None, out: Path | None, preview: Path | None, config: Path | None, resume: bool, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Train a network on your own pictures.

    DATA is a data set, as vcam dataset import makes them: pictures in img/, their masks in mask/. Everything goes into
    RUN: the recipe, the best network (best.pt), the state (last.pt), curves, and a sheet of the pictures that it is
    worst at. Ctrl-C keeps the best; --resume goes on.

    Needs the extra train.

    \b
    vcam train portraits/ --network selfie --out runs/mine --minutes 10
    vcam train portraits/ --network selfie --out runs/tuned --from selfie-general
    vcam train --out runs/mine --resume
    vcam train portraits/ --network mobile-unet --out runs/unet --config runs/mine/recipe.toml
    torchrun --nproc-per-node 2 -m vcam train portraits/ --network selfie --out runs/two
    vcam train list                                the architectures
    """
    from vcam.cli.training import Wishes, carry_out

    return carry_out(Wishes(data, out, preview, config, resume, as_json, options))


@click.group(cls=TrainGroup, help=fit.help, params=[each for each in fit.params if isinstance(each, click.Option)])
def train(**_: Any) -> None:
    """Its words are those of `fit`."""


train.add_command(fit)
train.add_command(export)
train.add_command(harmonise)


@train.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def list_networks(as_json: bool) -> None:
    """List the architectures: their size, their parameters, and what each is good for."""
    from rich.console import Console
    from rich.table import Column, Table

    from vcam.train.nets.registry import ARCHITECTURES

    if as_json:
        rows = [
            {"name": kind.name, "size": list(kind.size), "parameters": kind.parameters, "channels": kind.channels,
             "good_for": kind.good_for, "source": kind.source}
            for kind in ARCHITECTURES.values()
        ]  # fmt: skip
        click.echo(json_text(rows, indent=2))
        return
    table = Table(Column("name", no_wrap=True), "picture", Column("parameters", justify="right"), "good for")
    for kind in ARCHITECTURES.values():
        size = f"{kind.size[0]}x{kind.size[1]}x{kind.channels}"
        table.add_row(kind.name, size, f"{kind.parameters / 1e6:.3f} M", kind.good_for)
    Console().print(table)
