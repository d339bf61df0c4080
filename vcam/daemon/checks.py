"""What would keep `vcam start` from starting, found beforehand: where nobody watches it start."""

from __future__ import annotations

from vcam.camera.factory import make_camera
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.backgrounds.static import load_picture
from vcam.compose.effects import make_effects
from vcam.compose.filters.registry import parse_filters
from vcam.compose.overlay import picture_overlay
from vcam.daemon.targets import make_outputs, refuse_camera_as_output
from vcam.folders import expand
from vcam.frames import check_size
from vcam.models.find import find_model
from vcam.settings import Settings, parse_size


def check_words(settings: Settings) -> None:
    """Raise `VcamError` for words that mean nothing, and for files that are not there.

    In no time: what is in the files is looked at when they are loaded.
    """
    parse_filters(settings.filters.chain)
    spec, overlay = settings.background.spec, settings.overlay
    if not expand(spec).exists():
        parse_background(spec, settings.background).close()
    for name, place, scale in (
        (overlay.front, overlay.front_place, overlay.front_scale),
        (overlay.back, overlay.back_place, overlay.back_scale),
    ):
        if name and not expand(name).exists():
            picture_overlay(expand(name), place, scale)
    if overlay.pause_picture and not expand(overlay.pause_picture).exists():
        load_picture(expand(overlay.pause_picture), parse_size(settings.output.size), "cover")
    if settings.segment.has_network:
        find_model(settings.segment.model, parse_size(settings.output.size))


def check_settings(settings: Settings) -> None:
    """Raise `VcamError` for what is wrong with settings, the files that they name included.

    Nothing is opened but files: which cameras and virtual cameras there are may be another thing later.
    """
    size = check_size(*parse_size(settings.output.size), "the output")
    refuse_camera_as_output(settings)
    make_camera(settings.camera, size, settings.output.fps)
    make_outputs(settings)
    make_effects(settings.filters, settings.overlay)
    if settings.overlay.pause_picture:
        load_picture(expand(settings.overlay.pause_picture), size, "cover")
    background = parse_background(settings.background.spec, settings.background)
    if background.needs_alpha and settings.segment.has_network:
        find_model(settings.segment.model, size)
