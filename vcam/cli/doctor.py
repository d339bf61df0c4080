"""`vcam doctor`: every known cause of "it does not work", each with its cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vcam.cli.options import load_settings, settings_options
from vcam.errors import ConfigError
from vcam.printable import json_text

if TYPE_CHECKING:
    from rich.console import Console

    from vcam.doctor.finding import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
@settings_options()
def doctor(as_json: bool, profile: str, assignments: tuple[str, ...]) -> int:
    """Look for every known cause of "it does not work", and name the cure.

    Exit status 0: vcam can run. 69: a device is missing that vcam start needs. 78: the configuration is broken.
    """
    from vcam.doctor.examine import examine, exit_status
    from vcam.machine.host import Machine
    from vcam.machine.inventory import take_inventory
    from vcam.settings import Settings, config_path

    settings: Settings | ConfigError
    try:
        settings = load_settings({}, profile, assignments).settings
    except ConfigError as error:
        settings = error
    findings = []
    console = None if as_json else _console()
    for finding in examine(Machine(), settings, config_path(), take_inventory):
        findings.append(finding)
        if console:
            _show(console, finding)
    status = exit_status(findings)
    if console:
        _sum_up(console, findings)
    else:
        rows = [
            {"name": finding.name, "status": finding.status.value, "seen": finding.seen, "cure": list(finding.cure)}
            for finding in findings
        ]
        click.echo(json_text({"can_run": status == 0, "exit_status": status, "findings": rows}, indent=2))
    return status


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _show(console: Console, finding: Finding) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table.grid(Column(width=7), Column(width=14), Column(overflow="fold"), padding=(0, 2, 0, 0))
    word = finding.status.value
    table.add_row(Text(word, _COLOURS[word]), finding.name, Text(finding.seen))
    console.print(table)
    for cure in finding.cure:
        # unbroken, so that it can be copied
        console.print(Text(" " * 25 + cure, "cyan"), soft_wrap=True)


def _sum_up(console: Console, findings: list[Finding]) -> None:
    words = [finding.status.value for finding in findings]
    problems, warnings = words.count("problem"), words.count("warning")
    counted = [f"{count} {word}{'s' * (count > 1)}" for count, word in
               ((problems, "problem"), (warnings, "warning")) if count]  # fmt: skip
    verdict = "vcam cannot run yet" if problems else "vcam can run"
    console.print(f"\n[bold]{verdict}[/]" + (f": {', '.join(counted)}" if counted else ""))
