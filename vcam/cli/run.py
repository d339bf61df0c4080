"""`vcam start` and `vcam demo`: the loop on a camera, and on the built-in scene."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam import extras
from vcam.assets import asset
from vcam.cli.options import given, load_isolated, load_settings, overwrite_option, settings_options

if TYPE_CHECKING:
    from vcam.settings import Settings
    from vcam.timings import Timings

DEMO_FILE = "vcam-demo.mp4"
DEMO_FRAMES = 300


@click.command()
@settings_options(
    "camera", "segment", "matte", "background", "filters", "overlay", "framing", "output", "stream", "daemon"
)
@click.option("--frames", type=click.IntRange(min=1), metavar="N", help="Stop after N frames.")
@click.option("--name", default="control", metavar="NAME", help="Its name, where several serve several devices.")
def start(frames: int | None, name: str, profile: str, assignments: tuple[str, ...], **options: Any) -> int:
    """Read the camera, replace the background, serve the result as a camera.

    Runs until Ctrl-C or vcam stop. With no option at all: the first camera, a blurred room, every virtual camera.
    While it runs, vcam status, set, background, profile, pause and resume steer it.

    \b
    vcam start --background beach.jpg
    vcam start --camera 2 --output /dev/video20 --output meeting.mkv
    """
    settings = load_settings(options, profile, assignments).settings
    from vcam.control.place import check_name
    from vcam.daemon import logs
    from vcam.daemon.checks import check_words
    from vcam.daemon.live import Live
    from vcam.daemon.methods import Control
    from vcam.daemon.notify import Notifier
    from vcam.daemon.origin import Origin
    from vcam.daemon.streams import hide_keys
    from vcam.signals import on_signals, stop_on_signals

    hide_keys(settings)
    check_name(name)
    # now, and not after the camera has gone on
    check_words(settings)
    logs.set_up()
    log = logging.getLogger("vcam")
    if log.getEffectiveLevel() == logging.WARNING:
        # what the daemon does is its only word to whoever started it
        log.setLevel(logging.INFO)
    live = Live(settings, notifier=Notifier())
    origin = Origin(given(options), assignments, profile or os.environ.get("VCAM_PROFILE", ""))
    with Control(live, origin, name) as control, stop_on_signals(live.stop), on_signals(control.signals):
        live.run(frames)
    return 0


DEMO_DEFAULTS = {"background.spec": str(asset("dusk.jpg")), "output.targets": ("a window, or " + DEMO_FILE,)}


@click.command()
@settings_options(
    "segment", "matte", "background", "filters", "overlay", "framing", "output", defaults=DEMO_DEFAULTS, profile=False
)
@click.option(
    "--frames", type=click.IntRange(min=1), metavar="N", help=f"Stop after N frames; {DEMO_FRAMES} for a file."
)
@overwrite_option
def demo(frames: int | None, overwrite: bool, assignments: tuple[str, ...], **options: Any) -> int:
    """See it work, without a camera: the whole pipeline on a built-in scene.

    Shows a window if there is a display, else writes vcam-demo.mp4 into this folder, over that of an earlier demo.
    """
    from vcam.errors import OutputDeviceError
    from vcam.output.window import has_display

    # the name is vcam's own, and what lies there an earlier demo's: anybody can have it again
    options |= {"stream__overwrite": overwrite or not options["output__targets"]}
    if has_display() and not options["output__targets"]:
        try:
            return _demo(("window",), frames, assignments, options)
        except OutputDeviceError as error:
            cure = f" ({error.hint})" if extras.is_missing("window") else ""
            click.echo(f"vcam: {error.message}{cure}; writing {DEMO_FILE} instead", err=True)
    return _demo((DEMO_FILE,), frames, assignments, options)


def _demo(targets: tuple[str, ...], frames: int | None, assignments: tuple[str, ...], options: dict[str, Any]) -> int:
    from vcam.output.factory import is_file

    options |= {"camera__source": "demo"}
    settings = load_isolated(options, assignments, DEMO_DEFAULTS | {"output.targets": targets}).settings
    targets = settings.output.targets
    files = [target for target in targets if is_file(target)]
    if "window" not in targets:
        frames = frames or DEMO_FRAMES
    timings = _film(settings, frames) if frames and len(files) == len(targets) else _play(settings, frames)
    stages = timings.stages_ms()
    cpu = sum(stages.values()) - stages["read"]
    size = settings.output.size
    click.echo(
        f"{timings.frames} frames of {size}, {cpu:.1f} ms of CPU each to find the person and change the background"
    )
    for target in files:
        click.echo(f"the picture is in {os.path.relpath(Path(target))}")
    return 0


def _film(settings: Settings, frames: int) -> Timings:
    from rich.console import Console
    from rich.progress import Progress

    from vcam.batch import film_demo

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("filming", total=frames)
        return film_demo(settings, frames, lambda done, of: bar.update(task, completed=done))


def _play(settings: Settings, frames: int | None) -> Timings:
    from vcam.daemon.live import Live
    from vcam.signals import stop_on_signals

    # whoever closes the window has seen enough
    live = Live(settings, together=True)
    with stop_on_signals(live.stop):
        return live.run(frames).timings
