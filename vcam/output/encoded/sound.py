"""The sound of a stream or recording: none, silence, or what a microphone hears."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache

from vcam.errors import OutputError
from vcam.media.ffmpeg import last_line

PATIENCE = 4.0
"""Seconds in which a device has to give its first sound."""

_ENCODED = ("-c:a", "aac", "-ar", "44100", "-ac", "2")


@dataclass(frozen=True, slots=True)
class Sound:
    """ffmpeg's options for a second input and for its encoding; both empty for no sound.

    by_day: its time stamps are those of the clock of the day, which may be set.
    """

    description: str
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    by_day: bool = False


NONE = Sound("none")
SILENT = Sound(
    "silent",
    ("-f", "lavfi", "-i", "anullsrc=channel_layout=stereo:sample_rate=44100"),
    (*_ENCODED, "-b:a", "64k"),
)


def captured(device: str, program: str, since: float) -> Sound:
    """The sound of a device: `default`, `pulse:NAME`, `alsa:NAME` or the bare name of either.

    since: the moment, by the clock of the day, from which the picture's times count. Both kinds of device stamp their
    sound with the time at which it was heard, so picture and sound meet whatever time the picture has taken.

    Raises `OutputError` if nothing can be heard from it now.
    """
    said = []
    for kind, name in _candidates(device, program):
        failure = _try(program, kind, name)
        if failure is None:
            # the pipe's clock and that of the sound card differ: samples are stretched rather than left to drift
            output = (*_ENCODED, "-b:a", "128k", "-af", "aresample=async=1000")
            source = ("-itsoffset", f"{-since:.6f}", "-thread_queue_size", "1024", "-f", kind, "-i", name)
            return Sound(f"{kind}:{name}", source, output, by_day=True)
        said.append(f"{kind}: {failure}")
    reason = "; ".join(said) or "this ffmpeg records neither from PulseAudio nor from ALSA"
    raise OutputError(f"nothing can be heard from {device}: {reason}", "see pactl list short sources, or arecord -L")


def _candidates(device: str, program: str) -> list[tuple[str, str]]:
    kinds = [kind for kind in ("pulse", "alsa") if kind in _recorders(program)]
    kind, colon, name = device.partition(":")
    if colon and kind in ("pulse", "alsa"):
        return [(kind, name or "default")] if kind in kinds else []
    if re.match(r"(plug)?hw:|sysdefault|dsnoop", device):
        kinds = [kind for kind in kinds if kind == "alsa"]
    return [(kind, device) for kind in kinds]


@cache
def _recorders(program: str) -> frozenset[str]:
    done = subprocess.run(
        [program, "-hide_banner", "-devices"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return frozenset(found[1] for line in lines if (found := re.match(r"\s*D[E ]?\s+(\w+)", line)))


def _try(program: str, kind: str, name: str) -> str | None:
    """Listen for a moment; None if something came."""
    command = [program, "-v", "error", "-nostdin", "-f", kind, "-i", name, "-t", "0.1", "-f", "null", "-"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "no sound comes"
    except OSError as error:
        return str(error.strerror)
    return None if done.returncode == 0 else last_line(done.stderr.decode("utf-8", "replace"))
