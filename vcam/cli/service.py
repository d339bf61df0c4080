"""`vcam service`: vcam as a service of your session, started at login and kept running by systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from vcam import extras
from vcam.cli.main import HelpfulGroup
from vcam.cli.options import load_settings, settings_options
from vcam.daemon.unit import NAME, at_login, is_hidden, is_installed, program, render, system_unit, unit_path
from vcam.errors import UsageError, VcamError
from vcam.printable import json_text, printable
from vcam.settings import FIELDS, Settings, absolute, absolute_text, parse_assignments

_LINGER = "log in on the machine itself, or let your services run without that: sudo loginctl enable-linger $USER"


@click.group(cls=HelpfulGroup)
def service() -> None:
    """Run vcam as a service: at every login, restarted when it fails."""


@service.command()
@settings_options(*Settings.__struct_fields__)
@click.option("--start/--no-start", "start_now", default=True, help="Start it at once, not only at the next login.")
def install(start_now: bool, profile: str, assignments: tuple[str, ...], **options: Any) -> None:
    """Install the service, with the options that `vcam start` would get.

    Once more with other options changes them. The options are checked first, and vcam waits until the service has shown
    its picture.

    \b
    vcam service install
    vcam service install --background ~/Pictures/beach.jpg --profile work
    """
    from vcam.daemon.checks import check_settings

    settings = load_settings(options, profile, assignments).settings
    if "-" in settings.output.targets:
        raise UsageError("a service has no standard output to write to", "--output auto, a device, or a file")
    check_settings(settings)
    version = _version()
    words, environment = list(_given(click.get_current_context())), _environment()
    if not words and not environment and extras.belongs_to_the_system() and (shipped := system_unit()):
        _use(shipped)
        _enable(start_now)
        return
    if not any(word in ("--wait", "--no-wait") for word in words):
        # at login the camera may still be on its way
        words.insert(0, "--wait")
    from vcam.files import replace_file
    from vcam.folders import place_to_write

    path = unit_path()
    if is_hidden():
        raise UsageError(f"{path} was not written by vcam", f"move it away: {path}")
    replace_file(place_to_write(path), render([*program(), "start", *words], environment, version))
    click.echo(f"wrote {path}", err=True)
    _enable(start_now)


def _use(shipped: Path) -> None:
    """Have the unit of the package count: one of the user's own hides it."""
    path = unit_path()
    if is_installed():
        path.unlink(missing_ok=True)
        # it leads there, and not every systemd puts another in its place
        at_login().unlink(missing_ok=True)
        click.echo(f"removed {path}, which had options of its own", err=True)
    elif path.exists():
        raise UsageError(f"{path} was not written by vcam, and counts before {shipped}", f"move it away: {path}")
    click.echo(f"uses {shipped}", err=True)


def _enable(start_now: bool) -> None:
    _systemctl("daemon-reload")
    _systemctl("enable", NAME)
    # a package has put it there for everybody
    if not extras.belongs_to_the_system():
        _put_into_menu()
    if start_now:
        _start()
    else:
        click.echo(f"it starts at the next login, or now by: systemctl --user start {NAME}", err=True)


def _put_into_menu() -> None:
    """The panel, where it can be shown. It is no reason to be without the service."""
    from vcam.web import desktop
    from vcam.web.server import check_packages

    try:
        check_packages()
        click.echo(f"the panel is in the menu of your desktop: {desktop.install()}", err=True)
    except VcamError as error:
        click.echo(f"the panel is not in the menu of your desktop: {printable(error.message)}", err=True)
        click.echo(f"  try: {error.hint}, then vcam panel --install", err=True)


def _given(ctx: click.Context) -> Iterator[str]:
    """The options that were typed, as words for a service that starts in another folder."""
    for option in ctx.command.params:
        name = option.name or ""
        if name == "start_now" or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value, word = ctx.params[name], option.opts[-1]
        if isinstance(value, bool):
            yield word if value else option.secondary_opts[-1]
        elif name == "assignments":
            for key, text in parse_assignments(value).items():
                yield f"{word}={key}={absolute_text(FIELDS[key], text)}"
        else:
            field = FIELDS.get(name.replace("__", "."))
            for one in map(str, value if isinstance(value, tuple) else (value,)):
                yield f"{word}={absolute(field, one) if field else one}"


def _environment() -> dict[str, str]:
    """What of this shell's variables speaks to vcam: a service does not inherit them."""
    names = ("VCAM_CONFIG", "VCAM_PROFILE", "VCAM_FFMPEG")
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    if "VCAM_CONFIG" in found:
        found["VCAM_CONFIG"] = str(Path(found["VCAM_CONFIG"]).absolute())
    if "/" in found.get("VCAM_FFMPEG", ""):
        found["VCAM_FFMPEG"] = str(Path(found["VCAM_FFMPEG"]).absolute())
    settings = {field.environment: field for field in FIELDS.values() if os.environ.get(field.environment)}
    return found | {name: absolute_text(field, os.environ[name]) for name, field in settings.items()}


def _start() -> None:
    """Start it and wait until it has shown a picture. Raises `VcamError` with its last words if it dies before."""
    try:
        _systemctl("restart", NAME)
    except VcamError as error:
        _last_words()
        raise VcamError(f"the service does not start: {_state()['StatusText'] or error.message}", _LOGS) from error
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        state = _state()
        if state.get("ActiveState") in ("failed", "inactive") or state.get("SubState") == "auto-restart":
            _last_words()
            status = state.get("ExecMainStatus", "")
            raise VcamError(f"the service has ended again, with exit status {status}", _LOGS)
        said = state.get("StatusText", "")
        if state.get("ActiveState") == "active" and said and not said.startswith(_STARTING):
            click.echo(f"the service runs, and has shown its picture: {said}", err=True)
            return
        time.sleep(_LOOK)
    click.echo(f"the service is still starting: {_state().get('StatusText', '')}; vcam service status", err=True)


def _last_words() -> None:
    """Show what the service said last, where there is a journal."""
    if shutil.which("journalctl"):
        words = ["journalctl", "--user", "--unit", NAME, "--lines", "8", "--no-hostname", "--no-pager"]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        click.echo(printable(said.rstrip(), "\n\t"), err=True)


_PATIENCE = 60.0
"""Seconds in which a service shows its first picture; systemd's own patience."""

_LOOK = 0.2
_STARTING = "starting"
_LOGS = "vcam service logs says why"


@service.command()
def uninstall() -> None:
    """Stop the service and remove it. vcam uninstall removes everything else as well."""
    if is_hidden():
        click.echo(printable(f"{unit_path()} was not written by vcam, and stays as it is"), err=True)
        return
    own, shipped = is_installed(), system_unit()
    if not own and (shipped is None or not _is_on()):
        click.echo("the service is not installed", err=True)
        return
    _version()
    remove()
    if own:
        click.echo(f"removed {unit_path()}", err=True)
    if shipped:
        click.echo(f"the service is off; {shipped} belongs to the package and stays", err=True)


def _is_on() -> bool:
    """Whether the unit of a package runs, or does so at the next login."""
    state = _state()
    return state.get("UnitFileState") == "enabled" or state.get("ActiveState") not in (None, "", "inactive")


def remove() -> None:
    """Stop the service, and remove its unit if that is the user's own."""
    _systemctl("disable", "--now", NAME)
    if is_installed():
        unit_path().unlink(missing_ok=True)
    _systemctl("daemon-reload")


@service.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def status(as_json: bool) -> int:
    """Say whether the service is installed and running, and what it does. Exit status 1: it is not running."""
    path, hidden = unit_path(), is_hidden()
    masked = hidden and path.resolve() == Path(os.devnull)
    if not hidden and not path.exists():
        path = system_unit() or path
    # what another program's unit does is no news of vcam
    state = _state() if path.exists() and (masked or not hidden) else {}
    running = state.get("ActiveState") == "active"
    report = {
        "installed": is_installed() or (not hidden and path.exists() and _is_on()),
        "foreign": hidden and not masked,
        "masked": masked,
        "unit": str(path),
        "state": state.get("ActiveState", "not installed"),
        "at_login": state.get("UnitFileState") == "enabled",
        "status": state.get("StatusText", ""),
        "pid": int(state.get("MainPID", 0)) or None,
        "restarts": int(state.get("NRestarts", 0) or 0),
        "result": state.get("Result", ""),
        "exit_status": int(state.get("ExecMainStatus", 0) or 0),
    }
    if as_json:
        click.echo(json_text(report, indent=2))
    else:
        _print_status(report, running)
    return 0 if running else 1


def _print_status(report: dict[str, Any], running: bool) -> None:
    if report["foreign"]:
        click.echo(printable(f"the service is not installed: {report['unit']} was not written by vcam"))
        return
    if report["masked"]:
        click.echo(f"the service is masked, and {report['state']}; systemctl --user unmask {NAME} undoes that")
        return
    if not report["installed"]:
        click.echo("the service is not installed; vcam service install does it")
        return
    said = f": {report['status']}" if report["status"] else ""
    click.echo(f"{report['state']}{said}")
    if running:
        click.echo(f"process {report['pid']}, {report['restarts']} restarts")
    elif report["result"] not in ("", "success"):
        click.echo(f"ended by {report['result']}, exit status {report['exit_status']}; {_LOGS}")
    click.echo(f"{'starts' if report['at_login'] else 'does not start'} at login; {report['unit']}")


@service.command()
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes.")
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Lines to show.")
def logs(follow: bool, lines: int) -> int:
    """Show what the service said."""
    _need("journalctl")
    words = ["journalctl", "--user", "--unit", NAME, "--lines", str(lines), "--no-hostname"]
    return subprocess.run([*words, "--follow" if follow else "--no-pager"], check=False).returncode


def _state() -> dict[str, str]:
    wanted = "ActiveState,SubState,UnitFileState,StatusText,MainPID,NRestarts,Result,ExecMainStatus"
    shown = _systemctl("show", NAME, f"--property={wanted}")
    pairs = (line.partition("=") for line in shown.splitlines())
    return {name: value for name, _, value in pairs}


def _version() -> int:
    """The version of the user's service manager; raises where there is none."""
    found = re.match(r"\d+", _systemctl("show", "--property=Version", "--value"))
    return int(found[0]) if found else 0


def _systemctl(*words: str) -> str:
    _need("systemctl")
    done = subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    if "connect to bus" in done.stderr or "XDG_RUNTIME_DIR" in done.stderr:
        raise VcamError(f"no service manager of yours answers: {said[0]}", _LINGER)
    raise VcamError(f"systemctl --user {words[0]}: {said[0]}", _LOGS)


def _need(name: str) -> None:
    if shutil.which(name) is None:
        raise VcamError(
            f"{name} is not here: this system is not run by systemd",
            "let your desktop's autostart run: vcam start --wait",
        )
