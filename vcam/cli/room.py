"""`vcam room`: what vcam knows of the empty room."""

from __future__ import annotations

import click

from vcam.cli.keptroom import forget, show
from vcam.cli.main import HelpfulGroup


@click.group(cls=HelpfulGroup)
def room() -> None:
    """What vcam knows of the empty room behind you."""


room.add_command(show)
room.add_command(forget)
