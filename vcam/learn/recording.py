"""Half a minute of the user and two seconds of the empty room, filmed with the camera.

A vcam that runs holds the camera, so it is paused meanwhile: whoever watches sees the placeholder. The films lie in the
working folder, which is for the user alone, and are gone with it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vcam.camera.base import FIRST_FRAME, Camera
from vcam.camera.factory import make_camera
from vcam.control.client import ControlClient, running_names
from vcam.errors import CameraError, CameraStalled, UsageError, VcamError
from vcam.frames import Frame
from vcam.learn.footage import Smaller
from vcam.output.encoded.file import VideoFileOutput
from vcam.settings import Settings, parse_size

SECONDS, ROOM_SECONDS = 30.0, 2.5
"""Of the user, and of the empty room."""
COUNTDOWN = 5.0
SILENCE = 3.0
"""Seconds without a frame after which a camera is lost."""
_FREED = 5.0
"""Seconds for a camera to be let go of by a vcam that was paused."""

_NAME = "vcam learn"
"""By which a vcam that runs tells this pause from a person's."""

Told = Callable[[str, float, float], None]
"""Takes the step, the seconds left of it, and the share of it that is done, 0..1. Steps: "wait me", "film me", "wait
room", "film room"."""


@contextmanager
def camera_let_go() -> Iterator[list[str]]:
    """While inside, every vcam of this user that runs is paused; gives the names of those. Those that were already stay
    so afterwards, and so do those that a person pauses meanwhile."""
    paused: list[str] = []
    try:
        for name in running_names():
            with suppress(VcamError), ControlClient(name, timeout=10) as daemon:
                if daemon.call("status")["state"] != "paused":
                    # first of all: whatever comes in between, it is not left paused
                    paused.append(name)
                    _ask(daemon, "pause")
        yield paused
    finally:
        for name in paused:
            with suppress(VcamError), ControlClient(name, timeout=10) as daemon:
                _ask(daemon, "resume")


def _ask(daemon: ControlClient, method: str) -> None:
    try:
        daemon.call(method, {"by": _NAME})
    except UsageError:
        # a vcam that was started before it was upgraded takes no names
        daemon.call(method)


_OF_THE_VIEW = ("camera.source", "camera.mirror", "camera.rotate", "camera.flip", "camera.crop", "output.size")
"""Settings that say what is in view."""


def as_running(settings: Settings) -> Settings:
    """The settings, with the view of the vcam that runs, if one does: it may have been started with another camera.

    Of an address only the own settings know what is secret in it, so then these count.
    """
    for name in running_names():
        with suppress(VcamError), ControlClient(name, timeout=10) as daemon:
            now = daemon.call("get")
            if "://" not in str(now["camera.source"]):
                return settings.replace(**{key.replace(".", "__"): now[key] for key in _OF_THE_VIEW})
    return settings


def film(
    settings: Settings, folder: Path, told: Told, *, room: bool = True, wait: float = COUNTDOWN,
    seconds: float = SECONDS, camera: Camera | None = None,
) -> tuple[Path, Path | None]:  # fmt: skip
    """Film the user, and if `room` the empty room; returns the two files, for the user alone.

    camera: in the place of the one in the settings. Raises `CameraError` for one that is missing or lost,
    `OutputError` if the disk is full. The camera is off when this returns or raises.
    """
    camera = camera or make_camera(settings.camera, parse_size(settings.output.size), settings.output.fps)
    _open(camera)
    try:
        source = _Steady(camera)
        source.wait(wait, lambda left, done: told("wait me", left, done))
        me = _taken(source, folder / "me.mkv", seconds, lambda left, done: told("film me", left, done))
        if not room:
            return me, None
        source.wait(wait, lambda left, done: told("wait room", left, done))
        empty = _taken(source, folder / "room.mkv", ROOM_SECONDS, lambda left, done: told("film room", left, done))
        return me, empty
    finally:
        camera.close()


def _open(camera: Camera) -> None:
    """Switch the camera on; one that a paused vcam has yet to let go of is waited for."""
    ends = time.monotonic() + _FREED
    while True:
        try:
            camera.open()
            return
        except CameraError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


class _Steady:
    """A camera whose moments of silence are waited for."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self._first = True

    def read(self) -> Frame:
        """The next frame. Raises `CameraError` if none comes any more."""
        ends = time.monotonic() + (FIRST_FRAME if self._first else SILENCE)
        while True:
            try:
                frame = self.camera.read()
            except CameraStalled:
                if time.monotonic() > ends:
                    raise
                continue
            if frame is None:
                raise CameraError("the camera sends nothing more", "vcam doctor tells more")
            self._first = False
            return frame

    def wait(self, seconds: float, tell: Callable[[float, float], None]) -> None:
        """Let so much time pass; the camera finds its exposure meanwhile."""
        began = time.monotonic()
        while (gone := time.monotonic() - began) < seconds:
            tell(math.ceil(seconds - gone), gone / seconds)
            self.read()


def _taken(source: _Steady, path: Path, seconds: float, tell: Callable[[float, float], None]) -> Path:
    small, output = Smaller(), VideoFileOutput(path)
    first = source.read()
    kept = small.copy(first)
    output.open(kept.size, max(source.camera.fps, 1.0))
    try:
        began = time.monotonic()
        while (gone := time.monotonic() - began) < seconds:
            tell(math.ceil(seconds - gone), gone / seconds)
            output.write(kept)
            kept = small.copy(source.read())
    except BaseException:
        output.abort()
        raise
    output.close()
    path.chmod(0o600)
    return path
