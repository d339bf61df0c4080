"""`vcam toggle`: for keys, each of which switches one thing on and off."""

from __future__ import annotations

import click

from vcam.cli import complete
from vcam.cli.control import _call as call_daemon
from vcam.cli.control import _common as daemon_options
from vcam.cli.control import tell_stuck
from vcam.cli.main import HelpfulGroup
from vcam.printable import json_text, printable


@click.group(cls=HelpfulGroup)
def toggle() -> None:
    """Switch one thing of the running vcam on, or off again: for a key.

    \b
    vcam toggle pause
    vcam toggle mirror
    vcam toggle record
    vcam toggle filter sharpen
    """


@toggle.command("mirror")
@daemon_options
def toggle_mirror(name: str, as_json: bool) -> int:
    """Flip left and right, or no more."""
    return _toggle(name, as_json, "mirror")


@toggle.command("pause")
@daemon_options
def toggle_pause(name: str, as_json: bool) -> int:
    """Camera off, and on again."""
    return _toggle(name, as_json, "pause")


@toggle.command("record")
@click.argument("file", default="", shell_complete=complete.setting("stream.record"))
@daemon_options
def toggle_record(file: str, name: str, as_json: bool) -> int:
    """Begin to record into FILE, or finish what is being recorded.

    Without FILE: into what stream.record names, or into your folder of videos.
    """
    from vcam.settings import FIELDS, absolute

    return _toggle(name, as_json, "record", absolute(FIELDS["stream.record"], file) if file else "")


@toggle.command("filter")
@click.argument("filter_name", metavar="NAME[:PARAM=VALUE,...]", shell_complete=complete.filters)
@daemon_options
def toggle_filter(filter_name: str, name: str, as_json: bool) -> int:
    """Put a filter at the end of the chain, or take it out."""
    from vcam.settings import FIELDS, absolute

    return _toggle(name, as_json, "filter", absolute(FIELDS["filters.chain"], filter_name))


def _toggle(name: str, as_json: bool, what: str, value: str = "") -> int:
    answer = call_daemon(name, "toggle", {"what": what, "value": value})
    if as_json:
        click.echo(json_text(answer))
        return 0
    tell_stuck(answer)
    if "toggled" in answer:
        more = f" {answer['started']}" if "started" in answer else ""
        shown = value.partition(":")[0] if what == "filter" else what
        click.echo(printable(f"{shown}: {'on' if answer['on'] else 'off'}{more}"))
    return 0
