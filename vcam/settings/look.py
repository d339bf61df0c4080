"""The settings of what the picture looks like, sections of the tree in `vcam.settings.tree`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Struct

from vcam.settings.field import Paths, setting

Spot: TypeAlias = Literal[
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"
]
"""A place in the picture."""


class FilterSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to the matte, the person, the background and the finished picture."""

    chain: Annotated[
        tuple[str, ...],
        setting("NAME[:PARAM=VALUE,...], applied in this order; as text separated by semicolons. vcam filters lists "
                "them.", live=True, option="--filter", metavar="NAME[:PARAM=VALUE,...]", separator=";", names="filters",
                paths=Paths.FILTERS, parameters={"lut": "file"}),
    ] = ()  # fmt: skip
    decontaminate: Annotated[
        float,
        setting("Take the old background's colour out of the person's edge: 0 not at all, 1 all of it.",
                live=True, option="--decontaminate", ge=0, le=1),
    ] = 1.0  # fmt: skip
    light_wrap: Annotated[
        float,
        setting("Let the light of the background spill round the person's edge: 0 none, 1 as bright as it is.",
                live=True, option="--light-wrap", ge=0, le=1),
    ] = 0.0  # fmt: skip


class OverlaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures and words over the picture, or behind the person."""

    front: Annotated[
        str,
        setting("A picture with transparency before everything: a logo, a desk.",
                live=True, option="--front", metavar="FILE", paths=Paths.ALWAYS),
    ] = ""  # fmt: skip
    front_place: Annotated[Spot, setting("Its place in the picture.", live=True)] = "bottom-right"
    front_scale: Annotated[
        float, setting("Its width, as a share of the picture's.", live=True, unit="of the width", ge=0.02, le=1)
    ] = 0.2
    back: Annotated[
        str,
        setting("A picture with transparency behind the person, before the background.",
                live=True, option="--back", metavar="FILE", paths=Paths.ALWAYS),
    ] = ""  # fmt: skip
    back_place: Annotated[Spot, setting("Its place in the picture.", live=True)] = "center"
    back_scale: Annotated[
        float, setting("Its width, as a share of the picture's.", live=True, unit="of the width", ge=0.02, le=1)
    ] = 0.5
    text: Annotated[
        str,
        setting("Words over the picture: a name, or be right back; \\n begins a line.",
                live=True, option="--text", max_length=200),
    ] = ""  # fmt: skip
    text_place: Annotated[Spot, setting("Their place in the picture.", live=True)] = "bottom-left"
    text_size: Annotated[float, setting("Size of the letters.", live=True, unit="px at 720 lines", ge=8, le=200)] = 36.0
    pause: Annotated[
        str,
        setting("Words that others see while vcam is paused, in place of paused: back in five minutes.",
                live=True, option="--pause-text", max_length=200),
    ] = ""  # fmt: skip
    pause_picture: Annotated[
        str,
        setting("A picture that others see while vcam is paused, with those words on it if there are any.",
                live=True, option="--pause-picture", metavar="FILE", paths=Paths.ALWAYS),
    ] = ""  # fmt: skip
    clock: Annotated[bool, setting("Show the time.", live=True, option="--clock")] = False
    clock_place: Annotated[Spot, setting("Its place in the picture.", live=True)] = "top-right"


class FramingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A camera operator who keeps the person well placed."""

    auto: Annotated[
        bool, setting("Pan and zoom so that whoever is there is well placed.", live=True, option="--auto-frame")
    ] = False
    zoom: Annotated[float, setting("Maximum zoom.", live=True, unit="times", ge=1, le=4)] = 1.8
    margin: Annotated[
        float,
        setting("Room round the person, as a share of the picture.", live=True, ge=0, le=0.45),
    ] = 0.18
    dead_zone: Annotated[
        float,
        setting("How far the person may move before the picture follows, as a share of the picture.",
                live=True, ge=0, le=0.5),
    ] = 0.08  # fmt: skip
    speed: Annotated[float, setting("Maximum speed.", live=True, unit="pictures a second", ge=0.02, le=2)] = 0.25
