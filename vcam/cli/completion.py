"""`vcam completion`: the script that lets a shell complete vcam's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from vcam.cli import shells


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell. A new shell then completes commands, options and their values.

    \b
    bash:  mkdir -p ~/.local/share/bash-completion/completions
           vcam completion bash > ~/.local/share/bash-completion/completions/vcam
    zsh:   mkdir -p ~/.zfunc && vcam completion zsh > ~/.zfunc/_vcam
           and in ~/.zshrc, before compinit:  fpath+=~/.zfunc
    fish:  mkdir -p ~/.config/fish/completions
           vcam completion fish > ~/.config/fish/completions/vcam.fish
    """
    shells.register()
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "vcam", "_VCAM_COMPLETE").source())
