"""`vcam start` and `vcam demo`: the loop on a camera, and on the built-in scene."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click

from vcam.cli.options import load_settings, settings_options

DEMO_FILE = "vcam-demo.mp4"
DEMO_FRAMES = 300


@click.command()
@settings_options("camera", "segment", "matte", "background", "output")
@click.option("--frames", type=click.IntRange(min=1), metavar="N", help="Stop after N frames.")
def start(frames: int | None, profile: str, assignments: tuple[str, ...], **options: Any) -> int:
    """Read the camera, replace the background, serve the result as a camera.

    Runs until Ctrl-C. With no option at all: the first camera, a blurred room, the first virtual camera.

    \b
    vcam start --background beach.jpg
    vcam start --camera 2 --output /dev/video20 --output meeting.mkv
    """
    settings = load_settings(options, profile, assignments).settings
    from vcam.daemon.live import Live
    from vcam.signals import stop_on_signals

    log = logging.getLogger("vcam")
    if log.getEffectiveLevel() == logging.WARNING:
        # what the daemon does is its only word to whoever started it
        log.setLevel(logging.INFO)
    live = Live(settings)
    with stop_on_signals(live.stop):
        live.run(frames)
    return 0


@click.command()
@settings_options("segment", "matte", "background", "output")
@click.option(
    "--frames", type=click.IntRange(min=1), metavar="N", help=f"Stop after N frames; {DEMO_FRAMES} for a file."
)
def demo(frames: int | None, profile: str, assignments: tuple[str, ...], **options: Any) -> int:
    """See it work, without a camera: the whole pipeline on a built-in scene.

    Shows a window if there is a display, else writes vcam-demo.mp4 into this folder.
    """
    from vcam.assets import asset

    defaults = {
        "camera.source": "demo",
        "background.spec": str(asset("dusk.jpg")),
        "output.targets": ("window",) if _has_window() else (DEMO_FILE,),
    }
    settings = load_settings(options, profile, assignments, defaults=defaults).settings
    targets = settings.output.targets
    if "window" not in targets:
        frames = frames or DEMO_FRAMES
    from vcam.daemon.live import Live
    from vcam.signals import stop_on_signals

    live = Live(settings)
    with stop_on_signals(live.stop):
        timings = live.run(frames).timings
    stages = timings.stages_ms()
    cpu = sum(stages.values()) - stages["read"]
    click.echo(
        f"{timings.frames} frames of {settings.output.size}, {cpu:.1f} ms of CPU per frame to find and move the person"
    )
    for target in targets:
        if target not in ("window", "null", "-"):
            click.echo(f"the picture is in {os.path.relpath(Path(target))}")
    return 0


def _has_window() -> bool:
    from vcam.output.window import has_display

    return has_display()
