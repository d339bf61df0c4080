"""`vcam devices`: cameras, virtual cameras, and what can run networks."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from vcam.cli.options import load_settings, settings_options
from vcam.errors import CameraError, VcamError
from vcam.printable import few, json_text, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from vcam.machine.inventory import CameraEntry, EngineEntry, Inventory, PipeWireEntry, VirtualEntry
    from vcam.v4l2.controls import Control
    from vcam.v4l2.discover import Holder


@click.command()
@click.option("--controls", is_flag=True, help="List the controls of a camera: exposure, focus, gain and so on.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
@settings_options()
@click.argument("camera", required=False)
def devices(controls: bool, as_json: bool, camera: str | None, profile: str, assignments: tuple[str, ...]) -> None:
    """List cameras, virtual cameras, and the devices that can run networks.

    The arrow marks the mode that vcam takes for the size and rate in your settings. With --controls, CAMERA may be
    a path, a number or part of a name; without it, the controls of all cameras are listed.
    """
    if controls:
        _controls(camera, as_json)
        return
    if camera is not None:
        raise click.UsageError("CAMERA goes with --controls")
    from vcam.camera.turn import Turn
    from vcam.machine.inventory import take_inventory
    from vcam.settings import parse_size

    settings = load_settings({}, profile, assignments).settings
    lying = Turn(int(settings.camera.rotate)).size(parse_size(settings.output.size))
    found = take_inventory(lying, settings.output.fps)
    if as_json:
        click.echo(json_text(_inventory_json(found), indent=2))
    else:
        _show(found)


def _show(found: Inventory) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print("[bold]Cameras[/]")
    for entry in found.cameras:
        if not entry.node.unreadable:
            twin = any(other is not entry and other.node.card == entry.node.card for other in found.cameras)
            console.print(_camera_table(entry, twin))
            _print_problems(console, *_camera_problems(entry))
    for table in _unreadable_tables(found.cameras):
        console.print(table)
    if not found.cameras:
        console.print("  none; vcam doctor looks for the reason")
    version = f" [dim](v4l2loopback {found.module})[/]" if found.module else ""
    console.print(f"\n[bold]Virtual cameras[/]{version}")
    for virtual in found.virtual:
        console.print(_virtual_table(virtual))
        _print_problems(console, virtual.problem)
    if not found.virtual:
        console.print("  none; vcam loopback setup makes one")
    _show_pipewire(console, found.pipewire)
    console.print("\n[bold]Inference[/]")
    console.print(_engine_table(found.engines))


def _show_pipewire(console: Console, found: PipeWireEntry) -> None:
    """What PipeWire gives as a camera: by name, as other programs list it."""
    from rich.text import Text

    console.print(f"\n[bold]PipeWire[/] [dim]{found.version}[/]".rstrip())
    if not found.running:
        console.print(
            "  not running in this session; vcam start --output pipewire needs no kernel module where it runs"
        )
    _print_problems(console, found.problem)
    for node in found.nodes:
        table = _facts(printable(node.description), printable(node.name))
        if node.is_virtual:
            table.add_row("made by", "vcam")
        elif node.path:
            table.add_row("is", printable(node.path))
        else:
            table.add_row("read by", Text(f"--camera {shlex.quote(f'pipewire:{printable(node.description)}')}"))
        console.print(table)
    if found.usable and not found.nodes:
        console.print("  no cameras; --output pipewire makes one")


def _print_problems(console: Console, *problems: str) -> None:
    """What is wrong and what to do, each on one line whatever the terminal's width: commands in it are to be copied."""
    from rich.text import Text

    for problem in filter(None, problems):
        console.print(Text.assemble("  ", ("problem   ", "dim"), "   ", (printable(problem), "red")), soft_wrap=True)


def _camera_problems(entry: CameraEntry) -> Iterable[str]:
    yield entry.problem
    if entry.offers and not entry.chosen:
        from vcam.camera.unreadable import refusal

        why = refusal(entry.node.card, str(entry.node.path), (offer.code for offer in entry.offers))
        yield why.message
        yield why.hint


def _facts(title: str, path: object) -> Any:
    from rich.table import Column, Table
    from rich.text import Text

    heading = Text.assemble("  ", (title, "bold cyan"), f"  {path}")
    return Table(
        Column(width=10, style="dim"),
        # wide enough for the heading, which a table of a few short words would break
        Column(overflow="fold", min_width=min(heading.cell_len, 78) - 16),
        title=heading,
        title_justify="left",
        title_style="",
        show_header=False,
        box=None,
        padding=(0, 1, 0, 2),
    )


def _camera_table(entry: CameraEntry, twin: bool) -> RenderableType:
    """twin: there is another one of that name, so that its port may be the only thing that tells which is which."""
    from rich.text import Text

    table = _facts(entry.node.card or "(no name)", entry.node.path)
    if entry.node.stable_name:
        table.add_row("by id", str(entry.node.stable_name))
    if entry.node.port_name and (twin or not entry.node.stable_name):
        table.add_row("by port", str(entry.node.port_name))
    table.add_row("used by", _people(entry.users) or _nobody())
    if entry.lacks:
        table.add_row("input", Text(f"no {entry.lacks}: is what is plugged in there switched on?", "yellow"))
    label = "modes"
    for line in _mode_lines(entry):
        table.add_row(label, line)
        label = ""
    if entry.chosen:
        table.add_row("vcam takes", Text(f"-> {entry.chosen}", "green"))
    if entry.passed_over and (entry.chosen or not entry.offers):
        table.add_row("not auto", f"it {entry.passed_over}")
    return table  # type: ignore[no-any-return]


def _unreadable_tables(cameras: Iterable[CameraEntry]) -> Iterable[RenderableType]:
    """One table for all nodes of a kind: the bridge of a laptop's camera has dozens."""
    from rich.text import Text

    kinds: dict[tuple[str, str], list[CameraEntry]] = {}
    for entry in cameras:
        if entry.node.unreadable:
            kinds.setdefault((entry.node.card, entry.node.unreadable), []).append(entry)
    for (card, reason), entries in kinds.items():
        table = _facts(card or "(no name)", few([str(entry.node.path) for entry in entries]))
        table.add_row("not read", Text(f"it {reason}", "yellow"))
        yield table


def _mode_lines(entry: CameraEntry) -> Iterable[RenderableType]:
    """One line for each format that vcam reads, its sizes with the most frames a second; then the other formats."""
    from rich.text import Text

    lines: dict[str, Text] = {}
    for offer in entry.offers:
        if not offer.usable:
            continue
        chosen = entry.chosen and (entry.chosen.code, entry.chosen.size) == (offer.code, offer.size)
        rate = f"@{offer.rates[0]:.4g}" if offer.rates else ""
        size = f"{'->' if chosen else ''}{offer.size[0]}x{offer.size[1]}{rate}"
        lines.setdefault(offer.code, Text(f"{offer.code:<4}")).append(f" {size}", "green" if chosen else "")
    yield from lines.values()
    if others := dict.fromkeys(offer.code for offer in entry.offers if not offer.usable):
        yield Text(f"not read by vcam: {few(list(others))}", "dim")


def _virtual_table(entry: VirtualEntry) -> RenderableType:
    from rich.text import Text

    table = _facts(entry.node.card or "(no name)", entry.node.path)
    if entry.problem:
        return table  # type: ignore[no-any-return]
    hidden = "a program that is not visible to you"
    table.add_row("fed by", _people(entry.producers) or (hidden if entry.fed else "nobody"))
    readers = _people(entry.readers)
    if not readers:
        readers = {True: hidden, False: "nobody", None: _nobody()}[entry.read]
    table.add_row("read by", readers)
    if entry.others:
        table.add_row("open in", _people(entry.others))
    if entry.format:
        table.add_row("format", entry.format)
    if entry.exclusive is False and not entry.fed:
        table.add_row("warning", Text("exclusive_caps is off: browsers do not list it", "yellow"))
    return table  # type: ignore[no-any-return]


def _nobody() -> str:
    # only root sees what all processes have open
    return "no users visible to you" if os.geteuid() else "nobody"


def _people(users: tuple[Holder, ...]) -> str:
    return ", ".join(str(user) for user in users)


def _engine_table(engines: tuple[EngineEntry, ...]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 1, 0, 2))
    for entry in engines:
        problem = Text(entry.problem, "dim" if entry.absent else "red")
        table.add_row(entry.runtime, entry.device, problem if entry.problem else entry.name)
    return table


def _controls(wanted: str | None, as_json: bool) -> None:
    from vcam.machine.inventory import camera_controls
    from vcam.v4l2.discover import find_node, list_nodes

    nodes = list_nodes()
    if wanted and wanted.removeprefix("video").isdecimal():
        wanted = wanted.removeprefix("video")
    cameras = [node for node in (find_node(wanted, nodes) if wanted else nodes) if node.is_camera or wanted]
    if not cameras:
        raise CameraError(
            f"there is no camera {wanted!r}" if wanted else "no camera was found", "vcam devices lists the cameras"
        )
    listed: dict[str, list[Control]] = {}
    for node in cameras:
        try:
            listed[str(node.path)] = camera_controls(node)
        except VcamError:
            if len(cameras) == 1:
                raise
    names = {str(node.path): node.card for node in cameras}
    if as_json:
        rows = [
            {"path": path, "card": names[path], "controls": [_control_json(control) for control in controls]}
            for path, controls in listed.items()
        ]
        click.echo(json_text(rows, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for path, controls in listed.items():
        console.print(f"[bold cyan]{names[path]}[/]  {path}")
        console.print(_control_table(controls))


def _control_table(controls: list[Control]) -> RenderableType:
    from rich.table import Column, Table

    table = Table(
        Column("control", no_wrap=True), Column("value", justify="right"), "possible", "default", box=None,
        padding=(0, 1, 0, 2), header_style="dim",
    )  # fmt: skip
    for control in controls:
        value = "" if control.value is None else str(control.value)
        note = "" if control.writable else " (read-only)"
        note += "" if control.active else " (overruled by another)"
        table.add_row(control.name, value, _possible(control) + note, _default(control))
    return table


def _possible(control: Control) -> str:
    if control.choices:
        return ", ".join(f"{number} {label}" for number, label in control.choices.items())
    if control.kind == "boolean":
        return "0 off, 1 on"
    if control.kind == "button":
        return "a button"
    step = f" step {control.step}" if control.step > 1 else ""
    return f"{control.minimum} to {control.maximum}{step}"


def _default(control: Control) -> str:
    return "" if control.kind == "button" else str(control.default)


def _control_json(control: Control) -> dict[str, Any]:
    import msgspec

    values: dict[str, Any] = msgspec.to_builtins(control, str_keys=True)
    return values


def _inventory_json(found: Inventory) -> dict[str, Any]:
    return {
        "cameras": [_camera_json(entry) for entry in found.cameras],
        "virtual_cameras": [_virtual_json(entry) for entry in found.virtual],
        "inference": [
            {"runtime": entry.runtime, "device": entry.device, "name": entry.name, "problem": entry.problem}
            for entry in found.engines
        ],
        "v4l2loopback": found.module or None,
        "pipewire": {
            "running": found.pipewire.running,
            "version": found.pipewire.version or None,
            "problem": found.pipewire.problem,
            "cameras": [
                {
                    "name": node.description,
                    "node": node.name,
                    "id": node.number,
                    "api": node.api or None,
                    "path": node.path or None,
                    "vcam": node.is_virtual,
                }
                for node in found.pipewire.nodes
            ],
        },
    }


def _camera_json(entry: CameraEntry) -> dict[str, Any]:
    chosen = entry.chosen
    return {
        "path": str(entry.node.path),
        "card": entry.node.card,
        "by_id": str(entry.node.stable_name) if entry.node.stable_name else None,
        "by_path": str(entry.node.port_name) if entry.node.port_name else None,
        "bus": entry.node.bus,
        "modes": [
            {"format": offer.code, "size": list(offer.size), "fps": list(offer.rates), "usable": offer.usable}
            for offer in entry.offers
        ],
        "chosen": chosen and {"format": chosen.code, "size": list(chosen.size), "fps": chosen.fps},
        "users": _people_json(entry.users),
        "problem": entry.problem,
        "not_auto": entry.passed_over,
        "input_lacks": entry.lacks,
    }


def _virtual_json(entry: VirtualEntry) -> dict[str, Any]:
    return {
        "path": str(entry.node.path),
        "label": entry.node.card,
        "format": entry.format or None,
        "fed": entry.fed,
        "read": entry.read,
        "exclusive_caps": entry.exclusive,
        "producers": _people_json(entry.producers),
        "readers": _people_json(entry.readers),
        "others": _people_json(entry.others),
        "problem": entry.problem,
    }


def _people_json(users: tuple[Holder, ...]) -> list[dict[str, Any]]:
    return [{"pid": user.pid, "name": user.name} for user in users]
