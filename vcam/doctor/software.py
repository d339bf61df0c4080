"""Checks of ffmpeg, and of the settings."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from vcam import extras
from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.errors import VcamError
from vcam.machine.host import Machine
from vcam.printable import printable

# the first with -fps_mode
FFMPEG_NEEDED = (5, 1)


def check_settings(path: Path, error: VcamError | None) -> Finding:
    """error: what reading the settings raised, if anything."""
    if error is not None:
        return problem("settings", error.message, error.hint or f"mend {path}", exit_status=error.exit_status)
    return ok("settings", str(path) if path.exists() else f"none of your own; they would be in {path}")


def check_ffmpeg(machine: Machine) -> Iterator[Finding]:
    """ffmpeg is needed for video files, addresses and recordings; without the system's a wheel's is used."""
    if not machine.which("ffmpeg") and machine.lacks("ffmpeg"):
        yield warning(
            "ffmpeg",
            "not installed: no films, addresses, recordings or streams; cameras and pictures work without",
            machine.install("ffmpeg"),
            f"or {extras.command('ffmpeg')}",
        )
        return
    if not machine.which("ffmpeg"):
        yield warning("ffmpeg", "not installed; vcam uses its own", machine.install("ffmpeg"))
        return
    first = machine.say("ffmpeg", "-version").partition("\n")[0]
    found = re.search(r"version n?(\d+)\.(\d+)", first)
    if found and (int(found[1]), int(found[2])) < FFMPEG_NEEDED:
        needed = ".".join(map(str, FFMPEG_NEEDED))
        yield warning(
            "ffmpeg",
            f"version {found[1]}.{found[2]} is too old for video files, {needed} is needed",
            extras.command("ffmpeg"),
            f"export VCAM_FFMPEG=$({shlex.quote(sys.executable)} -c "
            "'import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())')",
        )
    else:
        yield ok(
            "ffmpeg", f"version {found[1]}.{found[2]}" if found else first or "there, but does not tell its version"
        )


def check_extras(machine: Machine) -> Iterator[Finding]:
    """What was left out of the installation, and what that means; nothing is wrong with it."""
    for extra, lack in extras.LACKS.items():
        if machine.lacks(extra):
            yield ok("extras", f"without [{extra}] {lack}", extras.command(extra))


def check_programs(machine: Machine) -> Iterator[Finding]:
    """Whether vcam was installed twice, by a package and by pipx, say: then the shell takes the first."""
    found: dict[Path, str] = {}
    for folder in machine.folders:
        # /bin is often /usr/bin, and pipx links into its environments
        if machine.exists(place := f"{folder.rstrip('/')}/vcam"):
            found.setdefault(machine.path(place).resolve(), place)
    if len(found) > 1:
        first, *others = map(printable, found.values())
        seen = f"installed {len(found)} times: {first} is the one that runs, not {', '.join(others)}"
        yield warning("programs", seen, "remove one: vcam uninstall says how, or sudo apt remove vcam")
