"""What commands ask before they do something that is not undone easily."""

from __future__ import annotations

import sys

import click

from vcam.errors import UsageError

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


def go_on(yes: bool) -> None:
    """Ask whether to go on, unless `yes`. Raises `click.Abort` for a no, `UsageError` if there is nobody to answer."""
    if yes:
        return
    try:
        click.confirm("Go on?", default=True, abort=True, err=True)
    except click.Abort:
        if sys.stdin is None or not sys.stdin.isatty():
            click.echo("", err=True)
            raise UsageError(
                "nobody is there to say yes: nothing was done", "--yes does not ask, --dry-run only shows"
            ) from None
        raise
