"""The outputs that the settings ask for, and what cannot be meant by them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable

from vcam.camera.factory import pipewire_source
from vcam.daemon.streams import stream_outputs
from vcam.errors import OutputDeviceError, UsageError
from vcam.files import Overwriting
from vcam.folders import expand
from vcam.output.base import Output
from vcam.output.factory import is_file, make_output
from vcam.output.virtual.names import pipewire_name
from vcam.settings import Settings, files_read
from vcam.v4l2.discover import find_node, list_nodes

log = logging.getLogger(__name__)


def make_outputs(settings: Settings, present: Callable[[], Settings] | None = None) -> list[Output]:
    """Outputs, streams and the recording, none of them open. Raises `UsageError` for what cannot be meant.

    present: the settings that count when a file is finished, which may name others to be read than those of the start.
    """
    targets = targets_of(settings)
    files = [os.path.realpath(expand(target)) for target in targets if is_file(target)]
    files += [os.path.realpath(expand(settings.stream.record))] if settings.stream.record else []
    if len(set(targets)) < len(targets) or len(set(files)) < len(files):
        raise UsageError("the same output is given twice", "name each output once")
    rule = Overwriting(settings.stream.overwrite, lambda: files_read(present() if present else settings))
    return [*(make_output(target, live=True, rule=rule) for target in targets), *stream_outputs(settings)]


def targets_of(settings: Settings) -> tuple[str, ...]:
    """The targets of the section `output`; none where a stream or recording is all that this machine can have."""
    targets = settings.output.targets
    if targets != ("auto",) or not (settings.stream.rtmp or settings.stream.record):
        return targets
    from vcam.output.virtual.camera import find_outputs
    from vcam.pipewire import loop

    if loop.is_there():
        return targets
    try:
        find_outputs("auto")
    except OutputDeviceError as error:
        log.info("without a virtual camera: %s", error.message)
        return ()
    return targets


def refuse_camera_as_output(settings: Settings, targets: Iterable[str] | None = None) -> None:
    """Raise `UsageError` if vcam would read the device that it writes to.

    targets: in place of those of the settings.
    """
    source = settings.camera.source
    if any(_same_device(source, target) for target in (settings.output.targets if targets is None else targets)):
        raise UsageError(
            f"{source} cannot be camera and output at once",
            "name your real camera with --camera, a virtual one with --output; vcam devices lists them",
        )


def _same_device(source: str, target: str) -> bool:
    if (name := pipewire_name(target)) is not None:
        return (pipewire_source(source) or "").casefold() == name.casefold()
    cameras, outputs = nodes_of(source), nodes_of(target)
    # a part of a name that several devices have says nothing
    return len(cameras) == 1 and cameras == outputs


def nodes_of(name: str) -> set[str]:
    """The nodes that the name of a camera or an output may mean."""
    if name.startswith("/dev/") or name.isdigit():
        return {os.path.realpath(f"/dev/video{name}" if name.isdigit() else name)}
    if name in ("auto", "demo", "null", "window", "-") or "/" in name or pipewire_name(name) is not None:
        return set()
    return {str(node.path) for node in find_node(name, list_nodes())}
