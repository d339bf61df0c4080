"""`vcam filters`: what `--filter` takes, without a look into the documentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete

if TYPE_CHECKING:
    from vcam.compose.filters.base import Kind, Parameter


@click.command()
@click.argument("name", default="", shell_complete=complete.filters)
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def filters(name: str, as_json: bool) -> None:
    """List the filters that --filter takes, with their parameters; with NAME that one alone.

    \b
    vcam filters
    vcam filters color-transfer
    """
    from vcam.compose.filters.registry import KINDS, find_kind

    kinds = [find_kind(name)] if name else list(KINDS.values())
    if as_json:
        click.echo(json.dumps([_described(kind) for kind in kinds], indent=2))
        return
    if name:
        _show_one(kinds[0])
    else:
        _show_all(kinds)


def _show_all(kinds: list[Kind]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("filter", style="bold", no_wrap=True), "what it does", "default", box=box.SIMPLE_HEAD)
    for kind in kinds:
        values = (f"{parameter.name}={_default(parameter)}" for parameter in kind.parameters)
        table.add_row(kind.name, kind.help, ",".join(values))
    console = Console()
    console.print(table)
    console.print(
        "vcam filters NAME tells what the values mean; vcam start --filter NAME:PARAM=VALUE,...", soft_wrap=True
    )


def _show_one(kind: Kind) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("parameter", style="bold", no_wrap=True), "default", "may be", "meaning", box=box.SIMPLE_HEAD)
    for parameter in kind.all_parameters:
        # where anything goes, the help says what is meant
        allowed = parameter.range if parameter.range != parameter.help else ""
        table.add_row(parameter.name, _default(parameter), allowed, parameter.help)
    console = Console()
    console.print(f"[bold]{kind.name}[/bold]: {kind.help}")
    console.print(table)
    first = kind.all_parameters[0]
    console.print(f"for example: vcam start --filter {kind.name}:{first.name}={_default(first)}", highlight=False)


def _default(parameter: Parameter) -> str:
    return f"{parameter.default:g}" if isinstance(parameter.default, float) else parameter.default or "FILE"


def _described(kind: Kind) -> dict[str, Any]:
    from vcam.compose.filters.base import Number

    parameters = []
    for parameter in kind.all_parameters:
        known: dict[str, Any] = {"name": parameter.name, "help": parameter.help, "default": parameter.default}
        if isinstance(parameter, Number):
            known |= {"low": parameter.low, "high": parameter.high, "unit": parameter.unit}
        elif parameter.choices:
            known["choices"] = list(parameter.choices)
        parameters.append(known)
    return {
        "name": kind.name,
        "help": kind.help,
        "on": [place.value for place in kind.places],
        "parameters": parameters,
    }
