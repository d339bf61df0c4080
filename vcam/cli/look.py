"""`vcam preview` and `vcam snapshot`: what others see, shown to oneself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vcam import extras
from vcam.cli import complete
from vcam.cli.options import Named, overwrite_option
from vcam.errors import OutputDeviceError, UsageError, VcamError
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from vcam.control.viewing import Shown, Viewer
    from vcam.frames import Frame
    from vcam.output.window import WindowOutput

_name = click.option("--name", default="control", metavar="NAME", help="Which daemon, if it was given a name.")

FIRST = 5.0
"""Seconds for a camera that was off to give its first picture."""

_TURN = 0.2


@click.command()
@click.option("--mirror", is_flag=True, help="Show it as a mirror does; others go on seeing it as it is.")
@_name
def preview(mirror: bool, name: str) -> int:
    """Show in a window what others see, while vcam runs.

    Open and close it as you like, by Q or Ctrl-C: a call goes on. The camera is on while it is open.
    """
    from vcam.control.viewing import Viewer

    instead = "without one, vcam snapshot FILE.png writes what others see"
    with Viewer(name) as viewer:
        from vcam.output.window import WindowOutput, has_display

        if not has_display():
            raise OutputDeviceError("there is no display to open a window on", instead)
        window = WindowOutput(caption="vcam preview")
        try:
            _show(viewer, window, mirror)
        except OutputDeviceError as error:
            cure = f"{error.hint}; {instead}" if extras.is_missing("window") else instead
            raise OutputDeviceError(error.message, cure) from error
        finally:
            window.close()
    return 0


def _show(viewer: Viewer, window: WindowOutput, mirror: bool) -> None:
    from vcam.control.viewing import VcamEnded
    from vcam.frames import Frame

    frame: Frame | None = None
    mirrored: Frame | None = None
    try:
        while not window.finished:
            shown = viewer.next(_TURN)
            if shown is not None and frame is None:
                window.open(shown.frame.size, 30.0)
            elif shown is not None and frame is not None and shown.frame.size != frame.size:
                window.resize(shown.frame.size)
            if shown is not None:
                frame = shown.frame
                if mirror:
                    if mirrored is None or mirrored.size != frame.size:
                        mirrored = Frame.allocate(*frame.size)
                    _flip(frame, mirrored)
                    frame = mirrored
            if frame is not None:
                # the last one again, where none has come: the window must answer whoever is at it
                window.write(frame)
    except VcamEnded as error:
        if frame is None:
            raise
        click.echo(f"vcam: {error.message}", err=True)


def _flip(source: Frame, target: Frame) -> None:
    import cv2

    for mine, theirs in zip(source.planes, target.planes, strict=True):
        cv2.flip(mine, 1, dst=theirs)


@click.command()
@click.argument("file", type=Named(), shell_complete=complete.files)
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
@_name
def snapshot(file: Path, overwrite: bool, as_json: bool, name: str) -> int:
    """Write what others see at this moment into FILE, a .png or .jpg.

    If nobody has watched, the camera is switched on for it. While vcam is paused that is the card of the pause.
    """
    from vcam.control.viewing import Viewer
    from vcam.files import Overwriting
    from vcam.suffixes import IMAGE_SUFFIXES

    if file.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{file.name}: {file.suffix or 'no suffix'} is not a kind of picture", "use .png or .jpg")
    rule = Overwriting(overwrite)
    rule.check(file)
    with Viewer(name) as viewer:
        shown = _finished(viewer, name)
        from vcam.images import frame_to_bgr
        from vcam.images.writing import write_image

        write_image(file, frame_to_bgr(shown.frame), rule)
        size = shown.frame.size
    if as_json:
        click.echo(json_text({"file": str(file.absolute()), "size": list(size), "composited": shown.composited}))
    else:
        click.echo(printable(str(file)))
        if not shown.composited:
            click.echo("vcam: it is a placeholder that others see: vcam status tells why", err=True)
    return 0


def _finished(viewer: Viewer, name: str) -> Shown:
    """A finished picture; a placeholder where there will be none soon."""
    from vcam.control.client import ControlClient

    end = time.monotonic() + FIRST
    with ControlClient(name) as daemon:
        while True:
            shown = viewer.next(_TURN)
            late = time.monotonic() >= end
            if shown is not None and (shown.composited or late):
                return shown
            if shown is not None and daemon.call("status")["state"] in ("paused", "degraded", "learning"):
                return shown
            if late:
                raise VcamError("vcam shows nothing at the moment", "vcam status tells why")
