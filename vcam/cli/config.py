"""`vcam config`: what is set, where that comes from, and the file it stands in."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vcam.cli import complete
from vcam.cli.main import HelpfulGroup, report
from vcam.cli.options import Named, load_settings, settings_options
from vcam.errors import ConfigError, UsageError, VcamError
from vcam.printable import json_text, printable
from vcam.settings import FIELDS, Loaded, Settings, config_path, flatten, read_profiles
from vcam.settings.shown import toml, without_secrets

EDITORS = ("sensible-editor", "editor", "nano", "vi")
"""Tried in this order where neither $VISUAL nor $EDITOR says what somebody likes."""


@click.group(cls=HelpfulGroup)
def config() -> None:
    """Settings: the file, what is in force, and the list of all."""


@config.command()
@settings_options(*Settings.__struct_fields__)
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def show(as_json: bool, profile: str, assignments: tuple[str, ...], **options: Any) -> None:
    """Show every setting, its value, and where that comes from.

    Takes the options of `vcam start`, and shows what they would change.

    \b
    vcam config show
    vcam config show --profile work
    """
    loaded = load_settings(options, profile, assignments)
    profiles = list(read_profiles(config_path())[1])
    used = profile or os.environ.get("VCAM_PROFILE", "")
    if as_json:
        click.echo(json_text(_report(loaded, profiles, used), indent=2))
    else:
        _print(loaded, profiles, used)


def _report(loaded: Loaded, profiles: list[str], used: str) -> dict[str, Any]:
    values = without_secrets(flatten(loaded.settings))
    return {
        "path": str(config_path()),
        "exists": config_path().exists(),
        "profiles": profiles,
        "profile": used or None,
        "settings": {
            key: {
                "value": values[key],
                "from": _source(loaded, key),
                "default": field.default,
                "unit": field.unit,
                "live": field.live,
            }
            for key, field in FIELDS.items()
        },
    }


def _print(loaded: Loaded, profiles: list[str], used: str) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    values = without_secrets(flatten(loaded.settings))
    table = Table(
        Column("setting", no_wrap=True), Column("value", overflow="fold"), "from", "unit", Column("live", no_wrap=True)
    )
    section = ""
    for key, field in FIELDS.items():
        if section and not key.startswith(section):
            table.add_section()
        section = key.partition(".")[0] + "."
        source = _source(loaded, key)
        style = "dim" if source == "default" else "bold"
        table.add_row(
            key, Text(printable(toml(values[key])), style), Text(source, style), field.unit, "yes" if field.live else ""
        )
    console = Console()
    console.print(table)
    here = config_path()
    console.print(Text(f"file: {here}{'' if here.exists() else ' (not there; vcam config edit makes it)'}"))
    named = ", ".join(f"{name} (in use)" if name == used else name for name in profiles)
    console.print(Text(f"profiles: {named or 'none'}"))


def _source(loaded: Loaded, key: str) -> str:
    origin = loaded.origins[key]
    if origin == str(config_path()):
        return "file"
    if origin.startswith(f"{config_path()} [profiles."):
        return f"profile {origin.partition('[profiles.')[2][:-1]}"
    return f"environment {FIELDS[key].environment}" if origin == "environment" else origin


@config.command()
def path() -> None:
    """Print where the config file is, or would be."""
    from vcam.folders import place_to_write

    click.echo(place_to_write(config_path()))


@config.command()
@click.argument("file", required=False, type=Named())
def check(file: Path | None) -> int:
    """Check the config file, or FILE: every value, the profiles too. Exit status 78: something is wrong.

    Without FILE the variables VCAM_... of the environment are checked as well.
    """
    from vcam.settings.saving import problems

    if file is not None and not file.exists() and not file.is_symlink():
        raise UsageError(f"there is no file {file}", "vcam config path prints where yours is")
    here = file or config_path()
    found = problems(here, None if file else os.environ)
    _tell(found)
    if found:
        return ConfigError.exit_status
    click.echo(f"{here} is fine" if here.exists() else f"there is no {here}, which is fine: everything has a default")
    return 0


def _tell(found: Sequence[VcamError]) -> None:
    for error in found:
        report(error)


@config.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=VALUE...", shell_complete=complete.assignments)
@click.option("--profile", default="", metavar="NAME", help="Write them into this profile, which is made if need be.",
              shell_complete=complete.profiles)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def set_(assignments: tuple[str, ...], profile: str, as_json: bool) -> None:
    """Write settings into the config file, whether vcam runs or not. Comments and all else in it stay.

    A vcam that runs reads the file again by vcam reload; vcam set changes it at once.

    \b
    vcam config set background.spec=office camera.mirror=true
    """
    from vcam.settings import absolute_text, parse_assignments, saving
    from vcam.settings.locked import refuse_locked

    changes = parse_assignments(assignments)
    refuse_locked(changes)
    changes |= {key: absolute_text(FIELDS[key], text) for key, text in changes.items() if key in FIELDS}
    path = config_path()
    saving.save(path, changes, profile)
    if as_json:
        click.echo(json_text({"path": str(path), "profile": profile or None, "saved": sorted(changes)}))
    else:
        click.echo(printable(f"saved in {path}{f' [profiles.{profile}]' if profile else ''}"))


@config.command()
def reference() -> None:
    """Print the reference of all settings, as Markdown."""
    from vcam.cli.reference import settings_page

    click.echo(settings_page(), nl=False)


@config.command()
def edit() -> int:
    """Edit the config file with $VISUAL or $EDITOR.

    You edit a copy; it takes the file's place once it is checked. The first time it holds every setting, commented out.
    """
    from vcam.files import replace_file
    from vcam.folders import place_to_write, scratch
    from vcam.settings.saving import problems, template
    from vcam.settings.toml import read_text

    here = place_to_write(config_path())
    before = read_text(here) if here.exists() else None
    folder = Path(tempfile.mkdtemp(prefix="vcam-config-", dir=scratch()))
    copy = folder / "config.toml"
    copy.write_text(template() if before is None else before, encoding="utf-8", newline="")
    given = copy.read_bytes()
    while True:
        try:
            _run_editor(copy)
        except VcamError:
            _discard(copy, given)
            raise
        if copy.read_bytes() == given and before is not None:
            shutil.rmtree(folder)
            click.echo("nothing changed", err=True)
            return 0
        found = problems(copy)
        if not found:
            break
        _tell(found)
        if not (sys.stdin.isatty() and click.confirm("Edit it once more?", default=True, err=True)):
            click.echo(f"{here} is as it was; what you wrote is in {copy}", err=True)
            return ConfigError.exit_status
    now = read_text(here) if here.exists() else None
    if now != before:
        raise ConfigError(f"{here} was changed meanwhile by somebody else", f"what you wrote is in {copy}")
    replace_file(here, read_text(copy))
    shutil.rmtree(folder)
    click.echo(f"saved {here}; vcam reload makes a running vcam read it", err=True)
    return 0


def _run_editor(copy: Path) -> None:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    words = shlex.split(chosen) if chosen else [next((name for name in EDITORS if shutil.which(name)), "")]
    if not words or not words[0]:
        raise UsageError("there is no editor", "name yours: EDITOR=nano vcam config edit")
    try:
        status = subprocess.run([*words, str(copy)], check=False).returncode
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be started: {error.strerror}", "name another editor in $EDITOR") from error
    if status:
        raise VcamError(f"{words[0]} ended with status {status}; the config file is as it was")
    if not copy.exists():
        raise VcamError(f"{words[0]} took the copy away; the config file is as it was")


def _discard(copy: Path, given: bytes) -> None:
    """Throw the copy away, unless there is work in it."""
    if copy.exists() and copy.read_bytes() != given:
        click.echo(f"what you wrote is in {copy}", err=True)
    else:
        shutil.rmtree(copy.parent, ignore_errors=True)
