"""`vcam room learn`: the empty room is told to the running vcam, with a countdown to step out in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from vcam.cli.control import _common as daemon_options
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 60.0
"""Seconds for which nothing at all may come from vcam."""
_STEPS = {
    "countdown": "step out of the picture: {}",
    "camera": "the camera is starting",
    "looking": "stay out of the picture",
}


_INTRODUCTION = """vcam: step out of the picture. In {:g} seconds vcam looks at the empty room, for two seconds.
      Whoever watches sees a placeholder meanwhile. {}"""
_KEPT = "A small picture of the room is kept on this machine."
_PRIVATE = "The room is remembered until vcam ends, and not written down."


@click.command("learn")
@click.option(
    "--wait", default=5.0, show_default=True, metavar="SECONDS", type=click.FloatRange(0, 60),
    help="Time to step out of the picture.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="What the network takes for somebody is the room: a picture, a ghost.")
@daemon_options
def learn(wait: float, force: bool, name: str, as_json: bool) -> int:
    """Show the running vcam the empty room, so that it tells you from it better.

    Step out of the picture until it is done: two seconds after the countdown. Whoever watches sees a placeholder
    meanwhile. A small picture of the empty room is kept on this machine. If somebody is in the picture, or something
    moves, nothing is learnt, and what was known stays. Ctrl-C breaks it off.
    """
    from vcam.control.client import ControlClient

    if math.isnan(wait):
        raise click.BadParameter("not a number of seconds", param_hint="--wait")
    with ControlClient(name, timeout=_PATIENCE) as daemon:
        daemon.call("subscribe", {"events": ["learning"]})
        quiet = click.get_current_context().find_root().params.get("quiet", False)
        if not quiet:
            private = daemon.call("get", {"key": "segment.private"})["segment.private"]
            click.echo(_INTRODUCTION.format(wait, _PRIVATE if private else _KEPT), err=True)
        told = _wait_for(daemon.call, {"wait": wait, "force": force}, quiet=quiet)
    return _tell(told, as_json)


def _wait_for(call: Callable[..., Any], params: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """The answer; the terminal shows how far it is meanwhile."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn()
    # a thread that draws could not be ended in the midst of a drawing by Ctrl-C
    with Progress(
        *columns, console=console, disable=quiet or not console.is_terminal, auto_refresh=False, transient=True
    ) as bar:
        task = bar.add_task("", total=1.0)

        def heard(event: str, contents: dict[str, Any]) -> None:
            step = _STEPS.get(str(contents.get("step")))
            if event == "learning" and step:
                words = step.format(contents.get("left_s", ""))
                bar.update(task, description=printable(words), completed=float(contents.get("done", 0)), refresh=True)

        result = call("room_learn", params, heard)
    return dict(result)


def _tell(told: dict[str, Any], as_json: bool) -> int:
    if as_json:
        click.echo(json_text(told))
    elif not told.get("stuck"):
        click.echo(f"done: {told['known']:g} % known")
        if told["file"]:
            click.echo(f"vcam: kept in {printable(told['file'])}; vcam room forget removes it", err=True)
        if told["people"]:
            click.echo(
                f"vcam: the network takes {told['people']:g} % for somebody, which is left out; --force if it is a "
                "picture of a person, or a ghost",
                err=True,
            )
        if told["moving"]:
            click.echo(f"vcam: {told['moving']:g} % moves, and is left out", err=True)
    if stuck := told.get("stuck"):
        click.echo(f"vcam: the loop is stuck ({printable(stuck)}): nothing was learnt; vcam status", err=True)
        return 1
    return 0
