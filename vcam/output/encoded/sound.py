"""The sound of a stream or recording: none, silence, or what a microphone hears."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace

from vcam.errors import OutputError, VcamError
from vcam.media.ffmpeg import ask, run_once

log = logging.getLogger(__name__)

PATIENCE = 4.0
"""Seconds in which a device has to give its first sound."""

LEVEL = "lavfi.astats.Overall.RMS_level"
"""What ffmpeg's progress has for the level of a captured sound, in dB of full scale: https://ffmpeg.org, astats."""
_MEASURED = (
    # of a branch that ends here, four times a second: what is encoded waits for nothing
    f"asplit[out][level];[level]asetnsamples=n=11025:p=0,astats=metadata=1:reset=1:measure_perchannel=none:"
    f"measure_overall=RMS_level,ametadata=mode=print:key={LEVEL}:file='pipe\\:1':direct=1,anullsink;[out]anull"
)
_MEASURING = {"asplit", "asetnsamples", "astats", "ametadata", "anullsink", "anull"}

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


def choose_sound(
    choice: str,
    program: str,
    since: float,
    *,
    auto: Sound,
    otherwise: Sound,
    whose: str,
    before: Sound | None = None,
) -> Sound:
    """What the setting `stream.audio` asks for; see `captured`.

    auto: what "auto" stands for. otherwise: what there is instead of a device from which nothing can be heard, which
    is logged and stands in the description. whose: the output, for people. before: what there was at the last
    connection or in the last file; nothing is logged again for the same reason.
    """
    fixed = {"auto": auto, "none": NONE, "silent": SILENT}
    if choice in fixed:
        return fixed[choice]
    try:
        return captured(choice, program, since)
    except VcamError as error:
        sound = replace(otherwise, description=f"{otherwise.description}: {error.message}")
        if sound != before:
            log.warning("%s %s: %s", whose, "is silent" if otherwise.input else "has no sound", error)
        return sound


def captured(device: str, program: str, since: float) -> Sound:
    """The sound of a device: `default`, `pulse:NAME`, `alsa:NAME` or the bare name of either.

    since: the moment, by the clock of the day, from which the picture's times count. Both kinds of device stamp their
    sound with the time at which it was heard, so picture and sound meet whatever time the picture has taken.

    Raises `OutputError` if nothing can be heard from it now, or what `ask` raises.
    """
    said = []
    for kind, name in _candidates(device, program):
        trial = ["-f", kind, "-i", name, "-t", "0.1", "-f", "null", "-"]
        failure = run_once(program, trial, patience=PATIENCE, late="no sound comes")
        if failure is None:
            # the pipe's clock and that of the sound card differ: samples are stretched rather than left to drift
            filters = ["aresample=async=1000", *([_MEASURED] if _measures(program) else [])]
            output = (*_ENCODED, "-b:a", "128k", "-af", ",".join(filters))
            source = ("-itsoffset", f"{-since:.6f}", "-thread_queue_size", "1024", "-f", kind, "-i", name)
            return Sound(f"{kind}:{name}", source, output, by_day=True)
        said.append(f"{kind}: {failure}")
    reason = "; ".join(said) or "this ffmpeg records neither from PulseAudio nor from ALSA"
    raise OutputError(f"nothing can be heard from {device}: {reason}", "see pactl list short sources, or arecord -L")


def _candidates(device: str, program: str) -> list[tuple[str, str]]:
    recorders = _recorders(program)
    kinds = [kind for kind in ("pulse", "alsa") if kind in recorders]
    kind, colon, name = device.partition(":")
    if colon and kind in ("pulse", "alsa"):
        return [(kind, name or "default")] if kind in kinds else []
    if re.match(r"(plug)?hw:|sysdefault|dsnoop", device):
        kinds = [kind for kind in kinds if kind == "alsa"]
    return [(kind, device) for kind in kinds]


def _measures(program: str) -> bool:
    """Whether this ffmpeg has the filters that tell how loud a sound is; some are built with few."""
    return set(re.findall(r"^ *[A-Z.]+ +(\w+) ", ask(program, "-filters"), re.MULTILINE)) >= _MEASURING


def _recorders(program: str) -> set[str]:
    lines = ask(program, "-devices").splitlines()
    return {found[1] for line in lines if (found := re.match(r"\s*D[E ]?\s+(\w+)", line))}
