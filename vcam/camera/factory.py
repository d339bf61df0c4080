"""From the word in the settings to a camera."""

from __future__ import annotations

import os
from pathlib import Path

from vcam.camera.base import PATIENCE, Camera
from vcam.camera.demo import DemoScene
from vcam.camera.file import open_file
from vcam.camera.shape import ShapedCamera
from vcam.camera.turn import Turn
from vcam.camera.url import UrlCamera
from vcam.errors import UsageError
from vcam.files import no_file
from vcam.folders import expand
from vcam.secrets import is_half_address
from vcam.settings import CameraSettings
from vcam.suffixes import READ_SUFFIXES
from vcam.types import Size


def make_camera(settings: CameraSettings, size: Size, fps: float, *, paced: bool = True) -> Camera:
    """The camera that `settings.source` names, in the shape `size`; it is not opened yet.

    paced: files and the demo keep a camera's pace and never end; else they may be read as fast as one likes. Raises
    `UsageError` for a file that is not there, `InputError` for one that may not be read. A device that is missing
    shows when the camera is opened.
    """
    # what lies on its side is asked for lying
    source = make_source(settings, Turn(int(settings.rotate)).size(size), fps, paced=paced)
    return ShapedCamera(source, size, settings.mirror, settings.crop, int(settings.rotate), settings.flip)


def make_source(settings: CameraSettings, size: Size, fps: float, *, paced: bool = True) -> Camera:
    """The camera itself, neither cropped nor turned nor mirrored; devices take `size` and `fps` as wishes."""
    source = settings.source.strip()
    # who waits for the next frame waits for a moment only
    pace = max(fps, 1 / PATIENCE) if paced else fps
    if source.lower() == "demo":
        return DemoScene(size, pace, paced)
    if "://" in source:
        return UrlCamera(source, size, fps, min(settings.timeout, PATIENCE))
    timeout = min(settings.timeout, PATIENCE)
    if (name := pipewire_source(source)) is not None:
        from vcam.camera.pipewire import PipeWireCamera

        return PipeWireCamera(name, size, fps, timeout)
    _refuse_half_address(source)
    path = expand(source)
    if _names_a_file(source, path):
        return open_file(path, pace, paced=paced)

    from vcam.camera.controls import wishes
    from vcam.camera.device import V4L2Camera
    from vcam.camera.modes import parse_format

    device = V4L2Camera(source, size, fps, timeout, wishes(settings), parse_format(settings.format))
    if source.lower() != "auto":
        return device
    from vcam.camera.first import FirstCamera

    return FirstCamera(device, size, fps, timeout)


def pipewire_source(source: str) -> str | None:
    """The name in "pipewire" or "pipewire:NAME", "" for the first; None if the source means something else."""
    word, colon, name = source.partition(":")
    if word.strip().lower() != "pipewire":
        return None
    if colon and not name.strip():
        raise UsageError("the PipeWire camera has no name", "write --camera pipewire, or --camera pipewire:NAME")
    return name.strip()


def _refuse_half_address(source: str) -> None:
    """Raise `UsageError` for an address that lacks a slash or its scheme, before it is looked for as a file: what would
    be said of the file would show the password."""
    if is_half_address(source) and not os.path.exists(source):
        raise UsageError("the camera's address is incomplete", "write scheme, two slashes and host: rtsp://host/path")


def _names_a_file(source: str, path: Path) -> bool:
    """Whether a word means a file rather than a device; a file that is not there is still meant by its suffix."""
    if source.lower() == "auto" or source.isdigit() or source.startswith("/dev/"):
        return False
    if path.is_file():
        return True
    if path.is_dir() and "/" in source:
        raise UsageError(f"{path} is a folder, not a camera", "name a file in it, /dev/videoN, or demo")
    if path.is_fifo() or path.is_socket():
        raise UsageError(f"{path} is {no_file(path)}, not a camera", "give a file, /dev/videoN, or demo")
    if path.exists():
        return False
    if path.suffix.lower() in READ_SUFFIXES or "/" in source:
        raise UsageError(f"there is no file {path}", "check the path")
    return False
