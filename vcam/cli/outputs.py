"""`vcam output`: where the picture of the running vcam goes, added to and taken from while it runs."""

from __future__ import annotations

import click

from vcam.cli import complete
from vcam.cli.control import _call as call_daemon
from vcam.cli.control import _common as daemon_options
from vcam.cli.main import HelpfulGroup
from vcam.cli.stream import _tell as tell_begun_and_ended
from vcam.printable import json_text, printable


@click.group(cls=HelpfulGroup)
def output() -> None:
    """Where the picture of the running vcam goes: list it, add to it, take from it.

    \b
    vcam output list
    vcam output add /dev/video21
    vcam output remove /dev/video21
    """


@output.command("list")
@daemon_options
def list_outputs(name: str, as_json: bool) -> int:
    """List the outputs, streams and recordings."""
    from vcam.cli.statusview import output_words

    found = call_daemon(name, "status")["outputs"]
    if as_json:
        click.echo(json_text(found, indent=2))
    else:
        for each in found:
            click.echo(printable(output_words(each)))
    return 0


@output.command("add")
@click.argument("target", shell_complete=complete.more_outputs)
@click.option("--overwrite", is_flag=True, help="Write over a file that exists.")
@daemon_options
def add(target: str, overwrite: bool, name: str, as_json: bool) -> int:
    """Show the picture at TARGET as well: a virtual camera, or a file. Until vcam ends, or it is removed."""
    target = _meant(target)
    return tell_begun_and_ended(name, as_json, "output_add", {"target": target, "overwrite": overwrite})


@output.command("remove")
@click.argument("target", shell_complete=complete.running_outputs)
@daemon_options
def remove(target: str, name: str, as_json: bool) -> int:
    """Take TARGET out: a file is finished, a virtual camera shows that vcam is off. The others go on."""
    target = _meant(target)
    return tell_begun_and_ended(name, as_json, "output_remove", {"target": target})


def _meant(target: str) -> str:
    """A target as the daemon understands it, from its own folder."""
    from vcam.secrets import hide_arguments
    from vcam.settings import FIELDS, absolute

    if "://" in target:
        # the address of a stream, by mistake: a key may be in it
        hide_arguments([target])
        return target
    return absolute(FIELDS["output.targets"], target)
