"""What would keep `vcam start` from starting, found beforehand: where nobody watches it start."""

from __future__ import annotations

from vcam.camera.factory import make_camera
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.effects import make_effects
from vcam.daemon.targets import make_outputs, refuse_camera_as_output
from vcam.frames import check_size
from vcam.models.find import find_model
from vcam.settings import Settings, parse_size


def check_settings(settings: Settings) -> None:
    """Raise `VcamError` for what is wrong with settings, the files that they name included.

    Nothing is opened but files: which cameras and virtual cameras there are may be another thing later.
    """
    size = check_size(*parse_size(settings.output.size), "the output")
    refuse_camera_as_output(settings)
    make_camera(settings.camera, size, settings.output.fps)
    make_outputs(settings)
    make_effects(settings.filters, settings.overlay)
    background = parse_background(settings.background.spec, settings.background)
    if background.needs_alpha and settings.segment.backend != "subtraction":
        find_model(settings.segment.model, size)
