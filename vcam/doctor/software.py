"""Checks of ffmpeg, and of the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.errors import VcamError
from vcam.machine.host import Machine

# the first with -fps_mode
FFMPEG_NEEDED = (5, 1)


def check_settings(path: Path, error: VcamError | None) -> Finding:
    """error: what reading the settings raised, if anything."""
    if error is not None:
        return problem("settings", error.message, error.hint or f"mend {path}", exit_status=error.exit_status)
    return ok("settings", str(path) if path.exists() else f"none of your own; they would be in {path}")


def check_ffmpeg(machine: Machine) -> Iterator[Finding]:
    """ffmpeg is needed for video files, addresses and recordings; without the system's a wheel's is used."""
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
            "pip install imageio-ffmpeg",
            "export VCAM_FFMPEG=$(python3 -c 'import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())')",
        )
    else:
        yield ok(
            "ffmpeg", f"version {found[1]}.{found[2]}" if found else first or "there, but does not tell its version"
        )
