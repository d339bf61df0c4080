"""`vcam uninstall`: everything that vcam has put onto this machine, but the program itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vcam import extras, folders
from vcam.cli.asking import dry_run_option, go_on, yes_option
from vcam.errors import DeviceError, VcamError
from vcam.printable import printable

if TYPE_CHECKING:
    from vcam.folders import Kind
    from vcam.machine.host import Machine

OWN: dict[Kind, str] = {
    "config": "your settings",
    "data": "networks and backgrounds of your own",
    "state": "the known rooms, and pictures of what was learnt",
    "cache": "compiled and downloaded networks",
}
"""The folders that `--purge` removes, and what is in them."""

COMPLETIONS = (
    ".local/share/bash-completion/completions/vcam",
    ".config/fish/completions/vcam.fish",
    ".zfunc/_vcam",
)
"""Below the home folder: where `vcam completion` says that its scripts belong."""


@click.command()
@click.option("--purge", is_flag=True, help="Also your settings, networks, backgrounds, known rooms and caches.")
@yes_option
@dry_run_option
def uninstall(purge: bool, yes: bool, dry_run: bool) -> int:
    """Remove what vcam has put onto this machine.

    That is the service, the files of vcam loopback setup, completion scripts, and the panel in the menu of the desktop.

    Shows first what it will do; asks for root only for the files below /etc. At the end it names the command that
    removes the program itself.
    """
    from vcam.daemon.unit import is_hidden, is_installed, is_on_at_login, unit_path
    from vcam.machine.host import Machine
    from vcam.machine.loopback import carry_out, plan_undo
    from vcam.v4l2.discover import list_nodes
    from vcam.web import desktop

    machine = Machine()
    runs, files = _running(), [*_scripts(), *desktop.installed(), *(_folders() if purge else ())]
    # a vcam that still feeds the virtual camera would keep its module loaded: it is ended before that is looked at
    plan = plan_undo(machine, list_nodes())
    # that of a package is switched off
    service = is_installed() or is_on_at_login()
    if is_hidden():
        click.echo(printable(f"note: {unit_path()} was not written by vcam, and stays"), err=True)
    steps = [f"stop the vcam that runs (process {process})" for process in runs.values()]
    steps += [f"stop and remove the service {unit_path()}"] if is_installed() else []
    steps += ["stop the service, and switch it off"] if service and not is_installed() else []
    steps += [f"remove {_shown(path)}" for path in files]
    steps += [f"{step}{'' if machine.user.uid == 0 else ' (as root)'}" for step in plan.steps]
    for note in plan.notes:
        if (runs or service) and "is used by" in note:
            # by the vcam that is ended first, perhaps; it is looked at once more then
            continue
        click.echo(f"note: {note}", err=True)
    kept = [] if purge else list(_folders())
    if steps:
        click.echo("vcam will:", err=True)
        for step in steps:
            click.echo(f"  {step}", err=True)
    else:
        click.echo("there is nothing to remove", err=True)
    if kept:
        click.echo(f"--purge would also remove: {', '.join(map(_shown, kept))}", err=True)
    if dry_run or not steps:
        _last_step(machine)
        return 0
    go_on(yes)
    for name, process in runs.items():
        _stop(name, process)
    if service:
        _remove_service()
    for path in files:
        _remove(path)
    if plan.steps:
        plan = plan_undo(machine, list_nodes())
        for note in plan.notes:
            if (runs or service) and "is used by" in note:
                click.echo(f"note: {note}", err=True)
        carry_out(machine, plan)
    click.echo("done", err=True)
    _last_step(machine)
    return 0


def _running() -> dict[str, int]:
    """The vcams of this user that run, by their names, and their processes."""
    from vcam.control.client import ControlClient
    from vcam.control.place import sockets_folder

    found = {}
    for path in sorted(sockets_folder().glob("*.sock")):
        try:
            with ControlClient(path.stem, timeout=5.0) as daemon:
                found[path.stem] = int(daemon.call("status")["pid"])
        except (VcamError, OSError):
            continue
    return found


def _stop(name: str, process: int) -> None:
    from vcam.control.client import ControlClient

    try:
        with ControlClient(name) as daemon:
            daemon.call("stop")
            if not daemon.wait_for_end(15.0):
                click.echo(f"note: the vcam that runs does not end; try: kill -9 {process}", err=True)
    except DeviceError:
        # it has ended meanwhile
        return


def _remove_service() -> None:
    """With systemd's help, and without it where there is no systemd any more."""
    from vcam.cli import service
    from vcam.daemon.unit import at_login, is_installed, unit_path

    try:
        service.remove()
    except VcamError as error:
        if is_installed():
            unit_path().unlink(missing_ok=True)
        # what systemd would have removed
        at_login().unlink(missing_ok=True)
        click.echo(f"vcam: {printable(error.message)}; its file is removed", err=True)


def _scripts() -> Iterator[Path]:
    home = folders.home()
    for name in COMPLETIONS if home else ():
        path = Path(home or "/", name)
        try:
            # one of that name may be somebody else's
            if "_VCAM_COMPLETE" in path.read_text("utf-8", "replace"):
                yield path
        except OSError:
            continue


def _folders() -> Iterator[Path]:
    return (folders.own(kind) for kind in OWN if folders.own(kind).is_dir())


def _shown(path: Path) -> str:
    what = next((words for kind, words in OWN.items() if folders.own(kind) == path), "")
    return printable(f"{path} ({what})" if what else str(path))


def _remove(path: Path) -> None:
    try:
        # a link is removed, not what it leads to
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise VcamError(f"{path} cannot be removed: {error.strerror}", f"ls -ld {path.parent}") from error


def _last_step(machine: Machine) -> None:
    """How the program goes that this one cannot remove while it runs."""
    place = Path(sys.prefix)
    if extras.belongs_to_the_system():
        command = machine.remove("vcam")
    elif "pipx" in place.parts:
        command = f"pipx uninstall {place.name}"
    elif "uv" in place.parts and "tools" in place.parts:
        command = f"uv tool uninstall {place.name}"
    else:
        command = f"{sys.executable} -m pip uninstall vcam"
    click.echo(f"the program itself is removed by: {command}", err=True)
    if machine.exists("/usr/src") and machine.glob("/usr/src/v4l2loopback-*"):
        click.echo("the kernel module, if nothing else needs it, by: sudo apt remove v4l2loopback-dkms", err=True)
