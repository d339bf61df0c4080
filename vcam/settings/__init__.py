"""Every setting of vcam: declared once, read from all places, written back among a person's own lines."""

from vcam.settings.look import FilterSettings, FramingSettings, OverlaySettings, Spot
from vcam.settings.segment import SegmentSettings
from vcam.settings.stream import StreamSettings
from vcam.settings.tree import (
    FIELDS,
    BackgroundSettings,
    CameraSettings,
    DaemonSettings,
    Field,
    Layer,
    Loaded,
    MatteSettings,
    OutputSettings,
    Settings,
    build,
    config_path,
    environment_layer,
    flatten,
    load,
    parse_assignments,
    parse_size,
    read_config,
    read_profiles,
)

__all__ = [
    "FIELDS",
    "BackgroundSettings",
    "CameraSettings",
    "DaemonSettings",
    "Field",
    "FilterSettings",
    "FramingSettings",
    "Layer",
    "Loaded",
    "MatteSettings",
    "OutputSettings",
    "OverlaySettings",
    "SegmentSettings",
    "Settings",
    "Spot",
    "StreamSettings",
    "build",
    "config_path",
    "environment_layer",
    "flatten",
    "load",
    "parse_assignments",
    "parse_size",
    "read_config",
    "read_profiles",
]
