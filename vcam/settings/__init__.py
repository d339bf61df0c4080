"""Every setting of vcam: declared once, read from all places, written back among a person's own lines.

field     how one setting is described
sections  the settings themselves; look, segment and stream beside it
tree      all of them together, and values laid over the defaults
paths     values that name files
locked    what whoever administers the machine has set for all
loading   config file, environment, options
toml      the config file as tables and lines
saving    the config file written
shown     values as people read them
"""

from vcam.settings.field import Field, Paths
from vcam.settings.loading import (
    config_path,
    environment_layer,
    files_read,
    load,
    parse_assignments,
    read_config,
    read_profiles,
)
from vcam.settings.look import FilterSettings, FramingSettings, OverlaySettings, Spot
from vcam.settings.paths import absolute, absolute_text
from vcam.settings.sections import (
    BackgroundSettings,
    CameraSettings,
    DaemonSettings,
    MatteSettings,
    OutputSettings,
    parse_size,
)
from vcam.settings.segment import SegmentSettings
from vcam.settings.stream import StreamSettings
from vcam.settings.tree import FIELDS, Layer, Loaded, Settings, build, find_field, flatten

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
    "Paths",
    "SegmentSettings",
    "Settings",
    "Spot",
    "StreamSettings",
    "absolute",
    "absolute_text",
    "build",
    "config_path",
    "environment_layer",
    "files_read",
    "find_field",
    "flatten",
    "load",
    "parse_assignments",
    "parse_size",
    "read_config",
    "read_profiles",
]
