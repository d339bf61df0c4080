"""Other settings for a daemon that runs: what a change needs is made ready beside the running parts, then swapped in.

Nothing here touches the loop. `prepare` runs in a worker thread, takes as long as it takes, and either returns parts
that are ready for the next frame or raises, having left everything as it was. The loop only exchanges references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from vcam.camera.base import Camera, Remembers
from vcam.camera.controls import CONTROL_NAMES, wishes
from vcam.camera.factory import make_camera
from vcam.camera.shape import Shape, ShapedCamera
from vcam.camera.turn import Turn
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.base import Background
from vcam.compose.effects import make_effects
from vcam.compose.filters.chain import Chain
from vcam.daemon.pausepicture import pause_picture
from vcam.errors import CameraError, UsageError, VcamError
from vcam.frames import check_size
from vcam.matte.base import Matte
from vcam.matte.factory import make_matte
from vcam.matting import room_of
from vcam.segment.base import Segmenter
from vcam.segment.emptyroom import choice
from vcam.segment.emptyroom.choice import ROOM_KEYS, RoomChoice, choose_room
from vcam.segment.segmenter import open_segmenter
from vcam.settings import (
    FIELDS,
    BackgroundSettings,
    CameraSettings,
    Layer,
    MatteSettings,
    Settings,
    build,
    flatten,
    parse_size,
)
from vcam.types import Size

SHAPE = frozenset(f"camera.{name}" for name in ("mirror", "crop", "rotate", "flip"))
CONTROLS = frozenset(f"camera.{name}" for name in CONTROL_NAMES)
"""Settings of the camera that do not need it to be opened anew."""

REOPENED = frozenset(("camera.format",))
"""Settings for which the same camera is closed and opened."""

ONLY_READ = frozenset(
    (
        "output.always_on",
        "camera.timeout",
        "background.fade",
        "overlay.pause",
        "overlay.pause_picture",
        *(key for key in FIELDS if key.startswith("stream.")),
    )
)
"""Settings that nothing is made ready for: looked up for every frame, or when a stream or recording begins."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where new parts come from; tests and programs that bring their own put theirs here."""

    background: Callable[[str, BackgroundSettings], Background] = parse_background
    segmenter: Callable[..., Segmenter] = open_segmenter
    matte: Callable[[MatteSettings], Matte] = make_matte
    camera: Callable[[CameraSettings, Size, float], Camera] = make_camera
    room: Callable[[Settings, Size, str], RoomChoice] = choose_room


@dataclass(frozen=True, slots=True)
class Situation:
    """What runs at the moment, as far as a change has to know."""

    camera: Camera
    camera_on: bool
    has_segmenter: bool
    size: Size
    fps: float
    unchangeable: tuple[str, ...] = ()
    """The outputs that cannot go over to another size."""


@dataclass(slots=True)
class Prepared:
    """Parts for the next frame; None stays as it is. `camera_on`: the new camera is open already."""

    settings: Settings
    background: Background | None = None
    segmenter: Segmenter | None = None
    matte: Matte | None = None
    effects: Chain | None = None
    camera: Camera | None = None
    camera_on: bool = False
    shape: tuple[ShapedCamera, Shape] | None = None
    size: Size | None = None
    room: RoomChoice | None = None

    def discard(self) -> None:
        """Close what was made ready in vain."""
        for part in (self.background, self.segmenter, self.camera, self.room):
            if part is not None:
                with suppress(VcamError):
                    part.close()


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a wish: the settings that are other now, and those that need a new start to take effect."""

    changed: Mapping[str, Any] = field(default_factory=dict)
    restart: tuple[str, ...] = ()


def with_changes(settings: Settings, changes: Mapping[str, Any], origin: str = "") -> Settings:
    """Settings with some of them changed, by key. Raises `UsageError`, as at the start of vcam."""
    return build([Layer("settings", flatten(settings)), Layer(origin, changes)]).settings


def difference(old: Settings, new: Settings) -> dict[str, Any]:
    """The new values of the settings that differ, by key."""
    before, after = flatten(old), flatten(new)
    return {key: value for key, value in after.items() if value != before[key]}


def split(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The new settings as far as they may change live, and the keys of the others, which keep their old values."""
    fixed = tuple(key for key in difference(old, new) if not FIELDS[key].live)
    before = flatten(old)
    return with_changes(new, {key: before[key] for key in fixed}), fixed


def refuse_fixed(keys: tuple[str, ...]) -> None:
    """Raise `UsageError` if there are any."""
    if keys:
        which = ", ".join(keys)
        raise UsageError(
            f"{which} cannot change while vcam runs",
            f"vcam stop, then vcam start --set {keys[0]}=VALUE; or vcam config edit, for every start",
        )


def refuse_unchangeable(outputs: Sequence[str]) -> None:
    """Raise `UsageError` if there are outputs that cannot go over to another size."""
    if outputs:
        raise UsageError(
            f"output.size cannot change while {', '.join(outputs)} is being written: its size is fixed",
            "vcam record stop or vcam stream stop ends what was started by those; or vcam stop, and start anew",
        )


def prepare(
    old: Settings, new: Settings, now: Situation, parts: Parts, *, renew: frozenset[str] = frozenset()
) -> Prepared:
    """Make ready what the new settings need. Raises what making it raises; nothing is left open then.

    renew: sections of the settings to be made ready although nothing in them differs, as for a picture that has been
    painted over.
    """
    keys = frozenset(difference(old, new))
    # background subtraction keeps its room by itself, and has to know whether that may be written
    own = choice.OWN_KEYS - ({"segment.private"} if new.segment.backend == "subtraction" else set())
    sections = {key.split(".")[0] for key in keys - ONLY_READ - own} | renew
    prepared = Prepared(new)
    if "output.size" in keys:
        prepared.size = _another_size(new, now)
        now = replace(now, size=prepared.size)
        # the model, too, is chosen by the size; and a learnt room has its shape
        depends = new.segment.model == "auto" or new.segment.backend == "subtraction"
        sections |= {"background", "filters", "camera"} | ({"segment"} if depends and now.has_segmenter else set())
    try:
        if keys & {"overlay.pause_picture", "output.size"} and new.overlay.pause_picture:
            # so that a wrong one is told to who names it, not during the pause, and it is there at once then
            with nullcontext() if "overlay.pause_picture" in keys else suppress(VcamError):
                pause_picture(new.overlay.pause_picture, now.size)
        if "background" in sections:
            prepared.background = parts.background(new.background.spec, new.background)
            prepared.background.prepare(now.size)
        needs_network = prepared.background is not None and prepared.background.needs_alpha and not now.has_segmenter
        # what was learnt of a room belongs to the camera and to the part of it that is seen
        room = room_of(new, new.camera.source)
        if "segment" in sections or needs_network or (room and keys & ROOM_KEYS):
            prepared.segmenter = parts.segmenter(new.segment, now.size, *([room] if room else []))
        if "matte" in sections or prepared.segmenter is not None:
            # what another network saw must not weigh in
            prepared.matte = parts.matte(new.matte)
        if sections & {"filters", "overlay"}:
            prepared.effects = _effects(new, now.camera, now.size)
        if "camera" in sections:
            _prepare_camera(prepared, old, {key for key in keys if key.startswith("camera.")}, now, parts)
        if prepared.camera is not None and prepared.camera.live != now.camera.live:
            # a film waits for its filters, a camera does not
            prepared.effects = _effects(new, prepared.camera, now.size)
        if keys & choice.KEYS:
            live = (prepared.camera or now.camera).live
            prepared.room = parts.room(new, now.size, new.camera.source if live else "")
    except BaseException:
        prepared.discard()
        raise
    return prepared


def _effects(settings: Settings, camera: Camera, size: Size) -> Chain:
    """The filters, prepared, for what such a camera gives."""
    effects = make_effects(settings.filters, settings.overlay, live=camera.live)
    effects.prepare(size)
    return effects


def _another_size(new: Settings, now: Situation) -> Size:
    size = check_size(*parse_size(new.output.size), "the output")
    refuse_unchangeable(now.unchangeable)
    return size


def _prepare_camera(prepared: Prepared, old: Settings, keys: set[str], now: Situation, parts: Parts) -> None:
    settings = prepared.settings.camera
    same = keys <= SHAPE | CONTROLS and now.camera_on
    if same and isinstance(now.camera, ShapedCamera) and _may_stay(now.camera, old.camera, settings):
        prepared.shape = (now.camera, _shape(now.camera, settings, now.size))
        if keys & CONTROLS:
            # last of all, since the camera obeys at once
            now.camera.adjust(wishes(settings))
        return
    prepared.camera = parts.camera(settings, now.size, now.fps)
    if isinstance(prepared.camera, Remembers):
        prepared.camera.remember(now.camera)
    if not now.camera_on:
        if not settings.wait:
            prepared.camera.check()
        return
    if keys & REOPENED and "camera.source" not in keys:
        # it can be opened only once: the old one is closed first
        prepared.camera.check()
        return
    try:
        prepared.camera.open()
    except CameraError:
        # another name for the camera that is open already: it can be opened only once
        if _node(old.camera.source) is None or _node(old.camera.source) != _node(settings.source):
            raise
        if keys & REOPENED:
            prepared.camera.check()
            return
        prepared.camera = None
        if isinstance(now.camera, ShapedCamera):
            prepared.shape = (now.camera, _shape(now.camera, settings, now.size))
        return
    prepared.camera_on = True


def _may_stay(camera: ShapedCamera, old: CameraSettings, new: CameraSettings) -> bool:
    """What comes at any size is made anew for a picture that lies; a device stays, since it can be opened only once."""
    return camera.has_modes or Turn(int(old.rotate)).lies == Turn(int(new.rotate)).lies


def _shape(camera: ShapedCamera, settings: CameraSettings, size: Size) -> Shape:
    return camera.plan(settings.mirror, settings.crop, size, int(settings.rotate), settings.flip)


def _node(source: str) -> str | None:
    """The device that a source means, None if it is none or not to be found."""
    from vcam.camera.sources import resolve

    try:
        return str(resolve(source).path)
    except CameraError:
        return None
