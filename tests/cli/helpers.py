"""What the tests of commands share."""

from __future__ import annotations

from click.shell_completion import ShellComplete

from vcam.cli.main import cli


def offered(*words: str) -> list[str]:
    """What a shell is told for the last of the words; `<file>` where it looks for files itself."""
    found = ShellComplete(cli, {}, "vcam", "_VCAM_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return ["<file>" if one.type == "file" else one.value for one in found]
