"""The manual's pages, made from the commands themselves: vcam(1), one for each command, and vcam(5) for the settings.

    python -m vcam.cli.manpages FOLDER

The macros are those of man(7), which groff and mandoc both read: https://man.openbsd.org/man.7
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from vcam import __version__
from vcam.cli.reference import paragraphs, takes, told, walk
from vcam.settings import FIELDS, Settings
from vcam.settings.shown import toml

_STATUS = (
    ("0", "It is done."),
    ("1", "It failed while it ran."),
    ("2", "The command or an option is wrong."),
    ("69", "A camera or device is not available."),
    ("78", "The configuration is broken."),
    ("130", "It was interrupted by Ctrl-C."),
)

_ENVIRONMENT = (
    ("VCAM_CONFIG", "The config file, instead of ~/.config/vcam/config.toml."),
    ("VCAM_PROFILE", "The profile of the config file that counts."),
    ("VCAM_SECTION_KEY", "A setting, as VCAM_MATTE_EDGE=3; vcam(5) names all of them."),
    ("VCAM_FFMPEG", "The ffmpeg program to use."),
)

_FILES = (
    ("~/.config/vcam/config.toml", "Settings and profiles, see vcam(5)."),
    ("/etc/xdg/vcam/config.toml", "Settings for all users of the machine."),
    ("~/.local/share/vcam", "Networks and backgrounds of your own."),
    ("~/.local/state/vcam", "What vcam has learnt of your rooms."),
    ("~/.cache/vcam", "Compiled and downloaded networks."),
)


def pages(group: click.Group, when: datetime) -> dict[str, str]:
    """The text of each page by its file's name. when: the day that stands at their foot."""
    context = click.Context(group, info_name="vcam")
    commands = list(walk(group, context))
    first = [inner for inner in commands if inner.parent is context]
    made = {"vcam.1": _whole(context, first, when), "vcam.5": _settings(when)}
    for inner in first:
        below = [other for other in commands if other.command_path.startswith(f"{inner.command_path} ")]
        made[f"{inner.command_path.replace(' ', '-')}.1"] = _command(inner, below, when)
    return made


def _whole(context: click.Context, commands: list[click.Context], when: datetime) -> str:
    lines = [_title("VCAM", 1, when), _name("vcam", "a virtual camera that shows you with another background")]
    lines += [".SH SYNOPSIS", ".B vcam", f"{_bare('[OPTIONS] COMMAND [ARGS]...')}", ".SH DESCRIPTION"]
    lines += [*_help(context), *_options(context, ".SH OPTIONS"), ".SH COMMANDS"]
    for inner in commands:
        lines += [".TP", f".BR {_bare(inner.command_path.replace(' ', '-'))} (1)", _first_sentence(inner.command)]
    lines += [*_table("EXIT STATUS", _STATUS), *_table("ENVIRONMENT", _ENVIRONMENT), *_table("FILES", _FILES)]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR vcam (5),", ".BR ffmpeg (1),", ".BR modprobe.d (5)", ""])


def _command(context: click.Context, below: list[click.Context], when: datetime) -> str:
    page = context.command_path.replace(" ", "-")
    lines = [_title(page.upper(), 1, when), _name(page, _first_sentence(context.command))]
    lines += [".SH SYNOPSIS", *_usage(context), ".SH DESCRIPTION", *_help(context), *_options(context, ".SH OPTIONS")]
    if below:
        lines.append(".SH COMMANDS")
    for inner in below:
        lines += [f".SS {_quoted(inner.command_path)}", *_usage(inner), ".PP", *_help(inner), *_options(inner)]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR vcam (1),", ".BR vcam (5)", ""])


def _settings(when: datetime) -> str:
    lines = [_title("VCAM", 5, when), _name("vcam", "settings of the virtual camera"), ".SH SYNOPSIS"]
    lines += [".I ~/.config/vcam/config.toml", ".SH DESCRIPTION"]
    lines.append(
        _plain(
            "The config file is TOML. Each setting has a variable of the environment as well, and most have an option "
            "of the commands. An option counts more than the environment, that more than a profile, that more than the "
            "file, and your file more than that of the machine. vcam config show tells the value of each and where it "
            "comes from."
        )
    )
    section = ""
    for field in FIELDS.values():
        here = field.key.split(".")[0]
        if here != section:
            section = here
            title = (type(getattr(Settings(), section)).__doc__ or "").strip().splitlines()[0]
            lines += [f".SH {_quoted(section.upper())}", _plain(title)]
        facts = f"Default {toml(field.default)}; takes {takes(field).replace('`', '')}"
        facts += f", in {field.unit}" if field.unit else ""
        facts += f". {field.environment}" + (f", {field.option}" if field.option else "")
        facts += "; may change while vcam runs." if field.live else "; counts from the next start."
        lines += [".TP", f".B {_bare(field.key)}", _plain(field.help), ".br", _plain(facts)]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR vcam (1),", ".BR vcam\\-config (1)", ""])


def _title(name: str, section: int, when: datetime) -> str:
    return f'.TH {_bare(name)} {section} "{when:%Y-%m-%d}" "vcam {__version__}" "vcam"'


def _name(name: str, about: str) -> str:
    # apropos reads this line: one, without a full stop
    about = about[:1].lower() + about[1:].rstrip(".") if about[1:2].islower() else about.rstrip(".")
    return f".SH NAME\n{_bare(name)} \\- {about}"


def _usage(context: click.Context) -> list[str]:
    return [
        f".B {_bare(context.command_path)}",
        _bare(" ".join(context.command.collect_usage_pieces(context))) or ".br",
    ]


def _help(context: click.Context) -> Iterator[str]:
    for number, block in enumerate(paragraphs(context.command.help or "")):
        if number:
            yield ".PP"
        if block.startswith("\b\n"):
            yield from (".nf", *(_bare(line) for line in block.splitlines()[1:]), ".fi")
        else:
            yield _plain(block)


def _options(context: click.Context, heading: str = "") -> Iterator[str]:
    options = [param.get_help_record(context) for param in context.command.params if isinstance(param, click.Option)]
    for number, (names, help_) in enumerate(filter(None, options)):
        if heading and not number:
            yield heading
        yield from (".TP", f".B {_bare(names)}", _plain(told(help_)) or ".br")


def _table(heading: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f".SH {heading}"
    for name, about in rows:
        yield from (".TP", f".B {_bare(name)}", _plain(about))


def _first_sentence(command: click.Command) -> str:
    return _plain(command.get_short_help_str(1000))


def _quoted(text: str) -> str:
    return f'"{_bare(text)}"'


def _plain(text: str) -> str:
    """Words that may be broken into lines, a sentence on a line of its own, as man(7) wants it."""
    sentences = re.split(r"(?<=[a-z)\]][.!?]) (?=[A-Z])", " ".join(text.split()))
    return "\n".join(filter(None, map(_bare, sentences)))


_SIGNS = {
    "\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq",
}  # fmt: skip
"""What groff would make into other signs, https://man.openbsd.org/mandoc_char.7."""


def _bare(line: str) -> str:
    """A line that means itself: no backslash, hyphen, apostrophe or full stop of it is a command."""
    line = "".join(_SIGNS.get(sign, sign) for sign in line)
    return f"\\&{line}" if line.startswith(".") else line


def write(folder: Path, when: datetime) -> list[Path]:
    """Write all pages into a folder; returns them."""
    from vcam.cli.main import cli

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages(cli, when).items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


if __name__ == "__main__":
    write(Path(sys.argv[1]), datetime.now(UTC))
