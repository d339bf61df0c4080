"""`vcam`: the group of all commands, and what becomes of their errors."""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import re
import shlex
import sys
import traceback
from itertools import pairwise
from typing import NoReturn

import click

from vcam import __version__
from vcam.errors import VcamError
from vcam.printable import guard_streams, printable
from vcam.signals import end_in_order

COMMANDS = {
    "start": "vcam.cli.run",
    "demo": "vcam.cli.run",
    "apply": "vcam.cli.files",
    "mask": "vcam.cli.files",
    "bench": "vcam.cli.bench",
    "eval": "vcam.cli.eval",
    "train": "vcam.cli.train",
    "learn": "vcam.cli.learn",
    "compare": "vcam.cli.compare",
    "filters": "vcam.cli.filters",
    "models": "vcam.cli.models",
    "dataset": "vcam.cli.dataset",
    "devices": "vcam.cli.devices",
    "doctor": "vcam.cli.doctor",
    "loopback": "vcam.cli.loopback",
    "panel": "vcam.cli.panel",
    "web": "vcam.cli.web",
    "preview": "vcam.cli.look",
    "snapshot": "vcam.cli.look",
    "output": "vcam.cli.outputs",
    "stream": "vcam.cli.stream",
    "record": "vcam.cli.stream",
    "room": "vcam.cli.room",
    "config": "vcam.cli.config",
    "service": "vcam.cli.service",
    "status": "vcam.cli.control",
    "get": "vcam.cli.control",
    "set": "vcam.cli.control",
    "background": "vcam.cli.control",
    "profile": "vcam.cli.control",
    "toggle": "vcam.cli.toggle",
    "pause": "vcam.cli.control",
    "resume": "vcam.cli.control",
    "reload": "vcam.cli.control",
    "stop": "vcam.cli.control",
    "watch": "vcam.cli.control",
    "completion": "vcam.cli.completion",
    "uninstall": "vcam.cli.uninstall",
}
"""Where each command is defined; a module is imported only for a command of its own."""

_LINES = "\n\t"
"""Control characters that a message may have."""

_WHOLE = 1000
"""Letters that no first sentence has."""

INTERRUPTED = 130
"""Exit status after Ctrl-C on a command that then was not done, as shells have it: 128 + SIGINT."""


class HelpfulGroup(click.Group):
    """A group that says of each command all of its first sentence; click would cut it off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(_WHOLE)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyGroup(HelpfulGroup):
    """A group whose commands are imported when they are asked for: `vcam --version` must not load OpenCV."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the name that was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if close := difflib.get_close_matches(args[0], COMMANDS, 1, 0.5):
                raise click.UsageError(f"{error.message} Did you mean {close[0]}?", ctx) from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vcam", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug messages; also taken behind a command.")
@click.option("-q", "--quiet", is_flag=True, help="Show only errors.")
def cli(debug: bool, quiet: bool) -> None:
    """The virtual camera that Linux deserves: your webcam with another background, for every call.

    \b
    vcam start                          blur the room, serve the result as a camera
    vcam start --background beach.jpg   show another place instead
    vcam demo                           see it work, without a camera
    """
    level = logging.DEBUG if debug else logging.ERROR if quiet else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("vcam: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    if debug:
        import platform

        logging.debug("vcam %s, Python %s, %s", __version__, platform.python_version(), platform.platform())


class _Lines(logging.Formatter):
    """Records for a terminal, which the names in them must not steer."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), _LINES)


def _debug_first(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether --debug is among the words, and the words with it in front: it is taken behind a command as well."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [word for word in arguments[:end] if word != "--debug"] + arguments[end:]
    return (True, ["--debug", *rest]) if len(rest) < len(arguments) else (False, arguments)


def main() -> NoReturn:
    """Run the command line; the console script's entry. Every end is an exit status of the contract."""
    debug, arguments = _debug_first(sys.argv[1:])
    _hide_addresses(arguments)
    _settle()
    end_in_order()
    try:
        guard_streams()
        if "_VCAM_COMPLETE" in os.environ:
            from vcam.cli import shells

            shells.register()
        result = cli.main(arguments, prog_name="vcam", standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        status = end.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except BrokenPipeError:
        # the reader of stdout has gone, as `head` does; Python would complain once more on exit
        sys.stdout = None
        status = 0
    except VcamError as error:
        if debug:
            traceback.print_exc()
        status = report(error)
    except (ImportError, MemoryError) as error:
        if debug:
            raise
        cure = "free some memory (ulimit -v, free -m); if there is enough, install vcam anew"
        status = report(VcamError(f"vcam cannot load what it needs: {error or 'out of memory'}", cure))
    except Exception as error:
        if debug:
            raise
        status = _report_unexpected(error)
    sys.exit(_written(status))


def _written(status: int) -> int:
    """The status to end with, once what is left for stdout is written.

    What cannot be written is given up: on exit Python would try once more, complain, and end with a status of its own.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        if not status and not isinstance(error, BrokenPipeError):
            return _report_unexpected(error)
    return status


_CAMERA = re.compile(r"(?:--camera=|(?:--set=)?camera\.source=)?(.*)", re.DOTALL)


def _hide_addresses(words: list[str]) -> None:
    """Take the addresses of cameras off this process's own command line, before anything slow is done: everybody may
    read it, and there may be a password in them."""
    for before, word in pairwise(["", *words]):
        found = _CAMERA.fullmatch(word)
        if found and ":" in found[1] and (found[1] != word or before == "--camera"):
            from vcam.secrets import hide_address

            hide_address(found[1])


def _settle() -> None:
    """Mend what whoever started this process may have left out.

    Where a standard stream is closed, the next file that is opened, such as a camera, would take its number, and
    messages would be written into it. And vcam must be able to open what it makes.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115 - for as long as it runs
            setattr(sys, name, stream)
    os.umask(os.umask(0o077) & 0o077)


def _report_unexpected(error: Exception) -> int:
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        # a folder on the way to a file that somebody named, most likely
        where = shlex.quote(os.path.dirname(error.filename) or ".")
        return report(
            VcamError(f"{error.filename}: {error.strerror}", f"are you allowed to open its folder? ls -ld {where}")
        )
    said = printable(str(error), _LINES)
    click.echo(f"vcam: unexpected {type(error).__name__}: {said}\n  vcam --debug ... shows where", err=True)
    return 1


def report(error: VcamError) -> int:
    """Tell a person what happened and what to do; returns the exit status."""
    click.echo(f"vcam: {printable(error.message, _LINES)}", err=True)
    if error.hint:
        click.echo(f"  try: {printable(error.hint, _LINES)}", err=True)
    return error.exit_status
