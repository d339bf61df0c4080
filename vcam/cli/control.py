"""`vcam status`, `set`, `background` and the others that steer the daemon: thin clients of its control socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vcam.cli import complete
from vcam.errors import UsageError, VcamError
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from vcam.control.client import ControlClient

F = TypeVar("F", bound=Callable[..., Any])


def _common(command: F) -> F:
    command = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")(command)
    return click.option("--name", default="control", metavar="NAME", help="Which daemon, if it was given a name.")(
        command
    )


def _connect(name: str) -> ControlClient:
    from vcam.control.client import ControlClient

    return ControlClient(name)


def _call(name: str, method: str, params: dict[str, Any] | None = None) -> Any:
    with _connect(name) as daemon:
        return daemon.call(method, params)


@click.command()
@_common
@click.option("--watch", is_flag=True, help="Keep it on the screen, up to date, until Ctrl-C.")
def status(name: str, as_json: bool, watch: bool) -> int:
    """Show what the running vcam does, and what it costs."""
    if watch:
        return _watch_status(name, as_json)
    found = _call(name, "status")
    if as_json:
        click.echo(json_text(found, indent=2))
        return 0
    from rich.console import Console

    from vcam.cli.statusview import cure, status_table

    Console().print(status_table(found))
    if hint := cure(found):
        click.echo(hint)
    return 0


def _watch_status(name: str, as_json: bool) -> int:
    with _connect(name) as daemon:
        found = daemon.call("subscribe", {"events": ["metrics"]})
        if as_json:
            click.echo(json_text(found))
            for _, found in daemon.notifications():
                click.echo(json_text(found))
            return 0
        from rich.console import Group
        from rich.live import Live

        from vcam.cli.statusview import cure, status_table

        def shown(status: dict[str, Any]) -> Group:
            return Group(status_table(status), *filter(None, [cure(status)]))

        with Live(shown(found), auto_refresh=False) as view:
            for _, found in daemon.notifications():
                view.update(shown(found), refresh=True)
    return 0


@click.command()
@click.argument("key", default="", shell_complete=complete.keys)
@_common
def get(key: str, name: str, as_json: bool) -> int:
    """Print the setting KEY of the running vcam, or all of them."""
    from vcam.settings.shown import as_text

    values = _call(name, "get", {"key": key})
    if as_json:
        click.echo(json_text(values[key] if key else values, indent=2))
    elif key:
        click.echo(printable(as_text(key, values[key])))
    else:
        for known, value in values.items():
            click.echo(printable(f"{known}={as_text(known, value)}"))
    return 0


@click.command()
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=VALUE...", shell_complete=complete.assignments)
@click.option("--save", is_flag=True, help="Also write them into the config file.")
@_common
def set(assignments: tuple[str, ...], save: bool, name: str, as_json: bool) -> int:
    """Change settings of the running vcam, all of them or none.

    \b
    vcam set matte.edge=4 matte.softness=0.8
    vcam set camera.mirror=true --save
    """
    from vcam.settings import FIELDS, absolute_text, parse_assignments
    from vcam.settings.saving import save_where_they_count

    changes = parse_assignments(assignments)
    # the daemon works in another folder
    changes |= {key: absolute_text(FIELDS[key], text) for key, text in changes.items() if key in FIELDS}
    with _connect(name) as daemon:
        if save:
            _refuse_hidden(changes, daemon.call("get"))
        result = daemon.call("set", changes)
        # what the loop may still refuse is not for the next start
        save, wished = save and "stuck" not in result, save
        status = daemon.call("status") if save else {}
    place = save_where_they_count(Path(status["config"]), changes, status["profile"]) if save else ""
    _tell(result, as_json)
    if wished and not as_json:
        click.echo(f"saved in {place}" if save else "vcam: it was not saved", err=not save)
    return 0


def _refuse_hidden(changes: dict[str, Any], shown: dict[str, Any]) -> None:
    """Raise `UsageError` for an address as `get` shows it: the daemon knows what it means, but the config file would
    lose what is hidden."""
    from vcam.settings.shown import as_text

    for key, text in changes.items():
        if "://" in text and text == as_text(key, shown.get(key, "")):
            raise UsageError(f"{key} is shown without its secret parts", "give the complete value to save it")


@click.command()
@click.argument("spec", default="list", shell_complete=complete.backgrounds)
@_common
def background(spec: str, name: str, as_json: bool) -> int:
    """Show another background: SPEC as for vcam start --background, or next, or previous. List those of vcam: list.

    \b
    vcam background list               # those that vcam brings along; so does vcam background alone
    vcam background sea
    vcam background next               # of them, or of the pictures beside your own
    """
    from vcam.settings import FIELDS, absolute

    if spec == "list":
        return _list_backgrounds(as_json)
    if spec not in ("next", "previous"):
        spec = absolute(FIELDS["background.spec"], spec)
    _tell(_call(name, "background", {"spec": spec}), as_json)
    return 0


def _list_backgrounds(as_json: bool) -> int:
    from vcam.assets import BACKGROUNDS, background_picture

    if as_json:
        rows = [
            {"name": name, "about": about, "file": str(background_picture(name))} for name, about in BACKGROUNDS.items()
        ]
        click.echo(json_text(rows, indent=2))
        return 0
    for name, about in BACKGROUNDS.items():
        click.echo(f"{name:<12} {about}")
    return 0


@click.command()
@click.argument("profile_name", metavar="[NAME]", default="list", shell_complete=complete.profile_words)
@_common
def profile(profile_name: str, name: str, as_json: bool) -> int:
    """Go over to the profile NAME of the config file, or to the next or previous one. List them: list.

    \b
    vcam profile                       # lists them; so does vcam profile list
    vcam profile work
    vcam profile next                  # none is one of them
    vcam profile none                  # the settings without a profile
    """
    if profile_name == "list":
        return _list_profiles(name, as_json)
    meant = "" if profile_name == "none" else profile_name
    result = _call(name, "profile", {"name": meant})
    _tell(result, as_json)
    if not as_json and profile_name in ("next", "previous") and "profile" in result:
        click.echo(printable(f"profile: {result['profile'] or 'none'}"))
    return 0


def _list_profiles(name: str, as_json: bool) -> int:
    """Those of the config file; which is in use, if a vcam runs."""
    from vcam.errors import DeviceError
    from vcam.settings import config_path, read_profiles

    try:
        status = _call(name, "status")
        path, used = Path(status["config"]), status["profile"]
    except DeviceError:
        path, used = config_path(), None
    names = list(read_profiles(path)[1])
    if as_json:
        click.echo(json_text({"profiles": names, "profile": used, "config": str(path)}))
        return 0
    for each in names:
        click.echo(printable(f"{each} (in use)" if each == used else each))
    if not names:
        click.echo(printable(f"vcam: there are no profiles in {path}; the guide has two as an example"), err=True)
    return 0


@click.command()
@click.option("--toggle", is_flag=True, help="End the pause if it is paused already: one key for both.")
@_common
def pause(toggle: bool, name: str, as_json: bool) -> int:
    """Switch the camera off and show a placeholder, whoever watches."""
    with _connect(name) as daemon:
        paused = toggle and daemon.call("status")["state"] == "paused"
        result = daemon.call("resume" if paused else "pause")
    _tell(result, as_json)
    return 0


@click.command()
@_common
def resume(name: str, as_json: bool) -> int:
    """End a pause."""
    _tell(_call(name, "resume"), as_json)
    return 0


@click.command()
@_common
def reload(name: str, as_json: bool) -> int:
    """Read the config file again; what vcam set has changed and not saved is forgotten."""
    _tell(_call(name, "reload"), as_json)
    return 0


@click.command()
@_common
def stop(name: str, as_json: bool) -> int:
    """End the running vcam, and wait until it has ended."""
    with _connect(name) as daemon:
        result = daemon.call("stop")
        if not daemon.wait_for_end(15.0):
            raise VcamError("vcam has been asked to stop but still runs", "vcam status shows what it does")
    _tell(result, as_json)
    return 0


@click.command()
@click.option("--metrics", is_flag=True, help="Also the figures, twice a second.")
@_common
def watch(metrics: bool, name: str, as_json: bool) -> int:
    """Print what happens, a line each: changes of state and their causes. Ends with vcam, or by Ctrl-C."""
    events = ["state", "metrics"] if metrics else ["state"]
    with _connect(name) as daemon:
        found = daemon.call("subscribe", {"events": events})
        _event("state", {"state": found["state"], "cause": found["cause"]}, as_json)
        for event, contents in daemon.notifications():
            _event(event, contents, as_json)
    return 0


def _event(event: str, contents: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json_text({"event": event, **contents}))
        return
    now = time.strftime("%H:%M:%S")
    if event == "state":
        click.echo(printable(f"{now} {contents['state']}: {contents['cause']}"))
    else:
        click.echo(f"{now} {contents['fps_out']:g} frames a second, {sum(contents['cpu_ms'].values()):.1f} ms CPU each")


def _tell(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json_text(result))
        return
    from vcam.settings.shown import as_text

    tell_stuck(result)
    for key, value in result.get("changed", {}).items():
        click.echo(printable(f"{key} = {as_text(key, value)}"))
    if any(key.startswith("stream.") for key in result.get("changed", ())):
        click.echo("vcam: this applies to streams and recordings that start from now on", err=True)
    if restart := result.get("restart"):
        names = printable(", ".join(restart))
        click.echo(f"vcam: these take effect after vcam stop and vcam start: {names}", err=True)


def tell_stuck(result: dict[str, Any]) -> None:
    """Say so, if that is the answer."""
    if stuck := result.get("stuck"):
        click.echo(f"vcam: the loop is stuck ({printable(stuck)}): this takes effect when it goes on", err=True)
