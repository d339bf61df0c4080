"""`vcam completion`: the script that lets a shell complete vcam's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  vcam completion bash > ~/.local/share/bash-completion/completions/vcam
    zsh:   vcam completion zsh > "${fpath[1]}/_vcam"
    fish:  vcam completion fish > ~/.config/fish/completions/vcam.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "vcam", "_VCAM_COMPLETE").source())
