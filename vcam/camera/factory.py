"""From the word in the settings to a camera."""

from __future__ import annotations

from pathlib import Path

from vcam.camera.base import Camera
from vcam.camera.demo import DemoScene
from vcam.camera.file import open_file
from vcam.camera.shape import ShapedCamera
from vcam.camera.url import UrlCamera
from vcam.errors import UsageError
from vcam.folders import expand
from vcam.images import PICTURE_SUFFIXES
from vcam.settings import CameraSettings
from vcam.types import Size

_VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".y4m", ".gif", ".m4v", ".ts", ".mjpg", ".mjpeg"})

_PATIENCE = 0.2
"""Seconds that a device's `read` waits for a frame. Longer would leave those who watch without a picture; whoever reads
decides how many such silences are one too many."""


def make_camera(settings: CameraSettings, size: Size, fps: float, *, paced: bool = True) -> Camera:
    """The camera that `settings.source` names, in the shape `size`; it is not opened yet.

    paced: files and the demo keep a camera's pace and never end; else they may be read as fast as one likes. Raises
    `UsageError` for a file that is not there, `InputError` for one that may not be read. A device that is missing
    shows when the camera is opened.
    """
    return ShapedCamera(make_source(settings, size, fps, paced=paced), size, settings.mirror, settings.crop)


def make_source(settings: CameraSettings, size: Size, fps: float, *, paced: bool = True) -> Camera:
    """The camera itself, neither cropped nor mirrored; devices take `size` and `fps` as wishes."""
    source = settings.source.strip()
    if source.lower() == "demo":
        return DemoScene(size, fps, paced)
    if "://" in source:
        return UrlCamera(source, size, fps, settings.timeout)
    path = expand(source)
    if _names_a_file(source, path):
        return open_file(path, fps, paced=paced)

    from vcam.camera.controls import wishes
    from vcam.camera.device import V4L2Camera

    return V4L2Camera(source, size, fps, min(settings.timeout, _PATIENCE), wishes(settings))


def _names_a_file(source: str, path: Path) -> bool:
    """Whether a word means a file rather than a device; a file that is not there is still meant by its suffix."""
    if source.lower() == "auto" or source.isdigit() or source.startswith("/dev/"):
        return False
    if path.is_file():
        return True
    if path.is_dir() and "/" in source:
        raise UsageError(f"{path} is a folder, not a camera", "name a file in it, /dev/videoN, or demo")
    if path.exists():
        return False
    if path.suffix.lower() in PICTURE_SUFFIXES | _VIDEO_SUFFIXES or "/" in source:
        raise UsageError(f"there is no file {path}", "check the path")
    return False
