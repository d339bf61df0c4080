"""The reference pages, made from the tree of settings and from the commands themselves.

`make docs` writes them into docs/reference; a test compares.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from vcam.assets import asset
from vcam.settings import FIELDS, Field, Settings
from vcam.settings.shown import limits, toml

RENEW = "make docs"
"""What renews the pages, as people type it."""

_SETTINGS_INTRO = """\
# Settings

Every setting of vcam, by its key. Made from the program by `{renew}`; `vcam config reference` prints it.

There are six places to set one; what stands further up in this list counts:

1. an option of the command, as `--edge 3`, or `--set matte.edge=3`
2. the environment, as `VCAM_MATTE_EDGE=3`
3. a profile of the config file, `[profiles.NAME.SECTION]`, chosen by `--profile NAME` or `VCAM_PROFILE=NAME`
4. the config file, `~/.config/vcam/config.toml`, or the one that `VCAM_CONFIG` names
5. the file for all users of the machine, `/etc/xdg/vcam/config.toml`, or the first in the folders of `XDG_CONFIG_DIRS`
6. the default

A config file:

```toml
[matte]
edge = 3

[profiles.work.background]
spec = "~/Pictures/office.jpg"
```

`vcam config show` tells the value of each and where it comes from; `vcam config check` finds mistakes. *Live* means
that it may change while vcam runs.
"""

_COMMANDS_INTRO = """\
# Commands

Every command of vcam and its options, as `vcam COMMAND --help` shows them. Made from the program by `{renew}`.

Exit status: 0 done; 1 failed while running; 2 wrong usage; 69 a camera or device is not available; 78 the configuration
is broken; 130 interrupted by Ctrl-C. Messages for people go to standard error, data to standard output.
"""


def settings_page() -> str:
    """docs/reference/settings.md."""
    parts = [_SETTINGS_INTRO.format(renew=RENEW)]
    section = ""
    for field in FIELDS.values():
        here = field.key.split(".")[0]
        if here != section:
            section = here
            title = (type(getattr(Settings(), section)).__doc__ or "").strip()
            parts.append(f"\n## [{section}]\n\n{title}\n")
        parts.append(_setting(field))
    return "".join(parts)


def _setting(field: Field) -> str:
    facts = [("default", f"`{toml(field.default)}`"), ("takes", takes(field)), ("unit", field.unit)]
    facts.append(("option", f"`{field.option}`" if field.option else ""))
    facts.append(("variable", f"`{field.environment}`"))
    facts.append(("live", "yes" if field.live else "no"))
    lines = "".join(f"- {name}: {value}\n" for name, value in facts if value)
    return f"\n### {field.key}\n\n{_escape(field.help)}\n\n{lines}"


def takes(field: Field) -> str:
    """What a setting may be, in words of Markdown."""
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.type is bool:
        return "`true`, `false`"
    number = "a whole number" if field.type is int else "a number"
    return limits(field, number + " from {} to {}") or ("text" if field.type is str else "a list of texts")


def commands_page(group: click.Group) -> str:
    """docs/reference/commands.md, for a group of commands."""
    context = click.Context(group, info_name="vcam")
    return _COMMANDS_INTRO.format(renew=RENEW) + "".join(map(_command, walk(group, context)))


def walk(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    """The contexts of all commands below a group that are not hidden, each before those within it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from walk(command, inner)


def _command(context: click.Context) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    depth = "#" * (len(context.command_path.split()))
    text = [f"\n{depth} {context.command_path}\n\n    {usage}\n"]
    text += [f"\n{_block(block)}\n" for block in paragraphs(command.help or "")]
    options = [param.get_help_record(context) for param in command.params if isinstance(param, click.Option)]
    rows = [f"- `{names}`: {_escape(told(help_))}\n" for names, help_ in filter(None, options)]
    return "".join([*text, "\n" if rows else "", *rows])


def told(help_: str) -> str:
    """An option's help on one line, without where vcam is installed."""
    text = re.sub(r"\[default: \((.*)\)\]", r"[default: \1]", " ".join(help_.split()))
    return text.replace(f"{asset('')}/", "")


def paragraphs(help_: str) -> Iterator[str]:
    """The paragraphs of a command's help; one that begins with click's \\b keeps its lines."""
    yield from (block for block in inspect.cleandoc(help_).split("\n\n") if block.strip())


def _block(block: str) -> str:
    # click's mark of lines that are to stay as they are: examples
    if block.startswith("\b\n"):
        return "\n".join("    " + line for line in block.splitlines()[1:])
    return _escape(" ".join(block.split()))


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def write(folder: Path) -> None:
    """Write both pages into docs/reference."""
    from vcam.cli.main import cli

    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")
    (folder / "commands.md").write_text(commands_page(cli), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
