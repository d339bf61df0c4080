"""`vcam loopback`: virtual cameras set up for good, added and removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from vcam.cli.asking import dry_run_option, go_on, yes_option
from vcam.cli.main import HelpfulGroup

if TYPE_CHECKING:
    from vcam.machine.host import Machine
    from vcam.machine.loopback import Plan


@click.group(cls=HelpfulGroup)
def loopback() -> None:
    """Virtual cameras: set them up for good, add one, remove one."""


@loopback.command()
@click.option("--devices", type=click.IntRange(1, 8), default=1, show_default=True, help="How many. Since v4l2loopback "
              "0.13 each serves one program.")  # fmt: skip
@click.option("--label", default="vcam", show_default=True, help='Their name; the second is called "vcam 2".')
@click.option(
    "--number", type=click.IntRange(0, 255), metavar="N", help="The N of the first /dev/videoN. [default: 20]"
)
@click.option("--undo", is_flag=True, help="Remove what this command has written and loaded.")
@yes_option
@dry_run_option
def setup(devices: int, label: str, number: int | None, undo: bool, yes: bool, dry_run: bool) -> int:
    """Make virtual cameras that are there after every start of the machine.

    Writes three small files below /etc and loads the module v4l2loopback. Shows first what it will do; asks for root
    only for that.
    """
    from vcam.machine.host import Machine
    from vcam.machine.loopback import plan_setup, wanted_devices
    from vcam.v4l2.discover import list_nodes

    if undo:
        return _undo(yes=yes, dry_run=dry_run)
    machine, nodes = Machine(), list_nodes()
    plan = plan_setup(machine, wanted_devices(devices, label, number, nodes), nodes)
    return _do(machine, plan, "it is set up already", yes=yes, dry_run=dry_run)


@loopback.command()
@click.option("--label", default="vcam", show_default=True, help="Its name.")
@click.option(
    "--number", type=click.IntRange(0, 255), metavar="N", help="The N of its /dev/videoN. [default: a free one]"
)
def add(label: str, number: int | None) -> None:
    """Make a virtual camera now, until the machine is shut down."""
    from vcam.machine.loopback import add as add_device

    node = add_device(label, number)
    click.echo(f"{node.path} ({node.card})")


@loopback.command()
@click.argument("device", required=False)
@click.option("--all", "everything", is_flag=True, help="Undo vcam loopback setup.")
@yes_option
@dry_run_option
def remove(device: str | None, everything: bool, yes: bool, dry_run: bool) -> int:
    """Remove DEVICE: a path, a number or part of a label."""
    if everything == (device is not None):
        raise click.UsageError("give either DEVICE or --all")
    if device is None:
        return _undo(yes=yes, dry_run=dry_run)
    from vcam.machine.loopback import remove as remove_device

    if dry_run:
        raise click.UsageError("--dry-run goes with --all")
    node = remove_device(device)
    click.echo(f"removed {node.path} ({node.card})", err=True)
    return 0


@loopback.command()
@click.argument("device", required=False)
def cover(device: str | None) -> int:
    """Write a card over the last pictures that a virtual camera still holds, all that nobody feeds unless DEVICE is
    given.

    vcam does so when it ends, and if it is killed. The service calls this after a crash.
    """
    # systemd tells how the service ended: then vcam has done it itself
    if os.environ.get("SERVICE_RESULT") == "success":
        return 0
    from vcam.machine.cover import cover_left

    for node, buffers in cover_left(device):
        said = f"{buffers} buffers covered" if buffers else "holds nothing"
        click.echo(f"{node.path} ({node.card}): {said}", err=True)
    return 0


def _undo(*, yes: bool, dry_run: bool) -> int:
    from vcam.machine.host import Machine
    from vcam.machine.loopback import plan_undo
    from vcam.v4l2.discover import list_nodes

    machine = Machine()
    return _do(machine, plan_undo(machine, list_nodes()), "there is nothing to undo", yes=yes, dry_run=dry_run)


def _do(machine: Machine, plan: Plan, nothing: str, *, yes: bool, dry_run: bool) -> int:
    """Show a plan, ask, do it."""
    from vcam.machine.loopback import carry_out

    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    if not plan.steps:
        click.echo(nothing, err=True)
        return 0
    root = "" if machine.user.uid == 0 else " as root"
    click.echo(f"vcam will{root}:", err=True)
    for step in plan.steps:
        click.echo(f"  {step}", err=True)
    if dry_run:
        click.echo("\nThe script, for a shell of root:\n", err=True)
        click.echo(plan.script, nl=False)
        return 0
    go_on(yes)
    carry_out(machine, plan)
    click.echo("done; vcam doctor checks it", err=True)
    return 0
