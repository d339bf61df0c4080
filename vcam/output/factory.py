"""From what a person writes after `--output` to an output."""

from __future__ import annotations

import re

from vcam.errors import UsageError
from vcam.files import Overwriting
from vcam.folders import expand
from vcam.output.base import Output
from vcam.output.encoded.file import VideoFileOutput
from vcam.output.null import NullOutput
from vcam.output.virtual.names import pipewire_name
from vcam.output.window import WindowOutput
from vcam.output.y4m import Y4MFile
from vcam.secrets import redact
from vcam.suffixes import OUTPUT_SUFFIXES, VIDEO_SUFFIXES

_FILE_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}$", re.IGNORECASE)


def make_output(target: str, *, live: bool, rule: Overwriting | None = None) -> Output:
    """The output for a target: window, null, `-` (y4m on stdout), a file (.mp4 .mkv .mov .m4v .y4m), auto (every kind
    of virtual camera that this machine has), pipewire[:NAME], /dev/videoN, or part of a virtual camera's name.

    live: frames come at the pace of a camera, so that a slow encoder or reader loses frames instead of holding them
    up. rule: what a file may overwrite; by default nothing that exists. Raises `UsageError` for a file of a kind that
    vcam does not write.
    """
    suffix = _suffix(target)
    if not target.strip():
        raise UsageError("the output has no name", "give a device, a file, window, null or -")
    if "://" in target:
        # a key may be in it, which is not repeated
        shown = redact(target)
        raise UsageError(
            f"{shown} is the address of a stream, and no output", "vcam start --rtmp URL, or vcam stream start URL"
        )
    if target == "window":
        return WindowOutput()
    if target == "null":
        return NullOutput()
    if target == "-":
        return Y4MFile(target, blocking=not live)
    if (name := pipewire_name(target)) is not None:
        from vcam.output.virtual.pipewire import PipeWireCamera

        return PipeWireCamera(name)
    if suffix == ".y4m":
        return Y4MFile(expand(target), blocking=not live, rule=rule)
    if suffix in VIDEO_SUFFIXES:
        return VideoFileOutput(expand(target), blocking=not live, rule=rule)
    if _is_file_name(target):
        raise UsageError(
            f"vcam cannot write {target}: {suffix or 'no suffix'} is not a kind of video it knows",
            f"use {', '.join(sorted(OUTPUT_SUFFIXES))}, pipewire, /dev/videoN, window, null or -",
        )
    if target == "auto":
        from vcam.output.virtual.every import EveryCamera

        return EveryCamera()
    from vcam.output.virtual.camera import VirtualCamera

    return VirtualCamera(target)


def is_file(target: str) -> bool:
    """Whether a target is a file, which holds up nobody if it is written slowly."""
    return pipewire_name(target) is None and _suffix(target) in OUTPUT_SUFFIXES


def _suffix(target: str) -> str:
    found = _FILE_SUFFIX.search(target)
    return found[0].lower() if found else ""


def _is_file_name(target: str) -> bool:
    """Whether it can only be a file: a name with a suffix, or a path that is not a device's."""
    return bool(_suffix(target)) or ("/" in target and not target.startswith("/dev/"))
