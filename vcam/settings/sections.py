"""The settings of camera, matte, background, output and daemon, sections of the tree in `vcam.settings.tree`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Struct

from vcam.assets import BACKGROUNDS
from vcam.errors import UsageError
from vcam.settings.field import Paths, setting
from vcam.suffixes import OUTPUT_SUFFIXES, READ_SUFFIXES

if TYPE_CHECKING:
    # NumPy takes longer to load than all settings
    from vcam.types import Size

# a camera's control: left alone, automatic, or a number
_AUTO = r"^(auto|-?\d{1,9})?$"


class CameraSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where frames come from."""

    source: Annotated[
        str,
        setting("auto, /dev/videoN, an index, part of a camera's name, a video or picture file, an address, or demo.",
                live=True, option="--camera", metavar="SOURCE", words=("auto", "pipewire", "demo"), paths=Paths.FILES,
                suffixes=sorted(READ_SUFFIXES), address=True, min_length=1),
    ] = "auto"  # fmt: skip
    mirror: Annotated[bool, setting("Flip left and right, as a mirror does.", live=True, option="--mirror")] = False
    rotate: Annotated[
        Literal["0", "90", "180", "270"],
        setting("Turn the picture clockwise: for phones held upright, and cameras mounted on a side or on their head.",
                live=True, unit="degrees", option="--rotate"),
    ] = "0"  # fmt: skip
    flip: Annotated[
        bool, setting("Flip top and bottom; with --mirror as well, that is half a turn.", live=True, option="--flip")
    ] = False
    crop: Annotated[
        str,
        setting("Part of the camera's picture to use, WxH+X+Y, in pixels of the picture that is turned and flipped but "
                "not mirrored; empty for all of it.", live=True, unit="px",
                option="--crop", metavar="WxH+X+Y", pattern=r"^(\d+x\d+\+\d+\+\d+)?$"),
    ] = ""  # fmt: skip
    format: Annotated[
        str,
        setting("Use only this format of the camera, such as mjpeg or yuyv; auto takes the cheapest that works.",
                live=True, words=("auto",), names="formats", pattern=r"^[A-Za-z0-9]{3,8}$"),
    ] = "auto"  # fmt: skip
    wait: Annotated[
        bool, setting("At the start, wait for a missing camera or output instead of giving up.", option="--wait")
    ] = False
    timeout: Annotated[
        float,
        setting(
            "Time without a picture after which the camera is opened anew.",
            live=True,
            unit="s",
            ge=0.2,
            le=60,
        ),
    ] = 3.0
    exposure: Annotated[
        str, setting("The camera's exposure: auto, or a number from vcam devices --controls.", live=True, pattern=_AUTO)
    ] = ""
    focus: Annotated[str, setting("The camera's focus: auto, or a number.", live=True, pattern=_AUTO)] = ""
    white_balance: Annotated[
        str, setting("The camera's white balance: auto, or a number, usually in kelvin.", live=True, pattern=_AUTO)
    ] = ""
    gain: Annotated[str, setting("The camera's gain: auto, or a number.", live=True, pattern=_AUTO)] = ""
    zoom: Annotated[str, setting("The camera's own zoom: a number.", live=True, pattern=_AUTO)] = ""
    controls: Annotated[
        str,
        setting("Other controls of the camera, NAME=VALUE, separated by commas; vcam devices --controls lists them.",
                live=True, pattern=r"^\s*([a-z0-9_]+\s*=[^,=]+(,\s*[a-z0-9_]+\s*=[^,=]+)*)?$"),
    ] = ""  # fmt: skip


class MatteSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """From the network's small map to the edge of the person."""

    temporal: Annotated[
        float,
        setting("How much of the earlier mattes is kept where nothing moves: 0 none, 1 as much as possible.",
                live=True, option="--temporal", ge=0, le=1),
    ] = 0.9  # fmt: skip
    edge: Annotated[
        float,
        setting("Move the edge outward (positive) or inward, in lines of a 720-line picture.",
                live=True, unit="px at 720 lines", option="--edge", ge=-30, le=30),
    ] = 0.5  # fmt: skip
    softness: Annotated[
        float,
        setting("Width of the soft edge: 0 hard, 1 as soft as the network gives it.",
                live=True, option="--softness", ge=0, le=1),
    ] = 0.3  # fmt: skip
    islands: Annotated[
        float,
        setting("Islands and holes of the matte below this share of the picture are removed; 0 keeps all.",
                live=True, unit="%", option="--islands", ge=0, le=5),
    ] = 0.15  # fmt: skip
    refine: Annotated[
        bool, setting("Let the edge follow the picture: hair, headsets, fingers.", live=True, option="--refine")
    ] = True


class BackgroundSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is shown behind the person."""

    spec: Annotated[
        str,
        setting("An image, a video, a GIF, a folder (slide show), blur[:STRENGTH], color:#RRGGBB, green, none, screen, "
                "pixelate[:N], or one that vcam brings along, as office or sea: vcam background list.",
                live=True, option="--background", metavar="SPEC",
                words=("blur", "blur:", "pixelate", "pixelate:", "color:#", "green", "none", "screen", *BACKGROUNDS),
                paths=Paths.ENTRIES, suffixes=sorted(READ_SUFFIXES), address=True, min_length=1),
    ] = "blur"  # fmt: skip
    fit: Annotated[
        Literal["cover", "contain", "stretch"],
        setting("How a picture of another shape fills the frame.", live=True, option="--fit"),
    ] = "cover"
    interval: Annotated[
        float,
        setting(
            "Time each picture of a slide show is shown.", live=True, unit="s", option="--interval", ge=0.2, le=86400
        ),
    ] = 30.0  # fmt: skip
    fade: Annotated[
        float,
        setting("How long one background fades into the next; 0 for at once. To and from a room that is blurred, in "
                "blocks or as it is, the change is always at once.", live=True, unit="s", option="--fade", ge=0, le=10),
    ] = 0.3  # fmt: skip


class OutputSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where frames go."""

    targets: Annotated[
        tuple[str, ...],
        setting("auto (every kind of virtual camera that this machine has), pipewire[:NAME], /dev/videoN, part of a "
                "device's name, window, null, a file (.mp4 .mkv .y4m), or - (y4m on stdout); may be repeated.",
                option="--output", short="-o", metavar="TARGET",
                words=("auto", "pipewire", "window", "null", "-"), paths=Paths.LOOKS, suffixes=sorted(OUTPUT_SUFFIXES),
                min_length=1),
    ] = ("auto",)  # fmt: skip
    size: Annotated[
        str,
        setting("Width and height of the picture that vcam serves; both even.", live=True, unit="px",
                option="--size", metavar="WxH", pattern=r"^\d{1,5}x\d{1,5}$"),
    ] = "1280x720"  # fmt: skip
    fps: Annotated[float, setting("Frames a second.", unit="1/s", option="--fps", ge=1, le=240)] = 30.0
    always_on: Annotated[
        bool, setting("Keep the camera on while nobody watches.", live=True, option="--always-on")
    ] = False  # fmt: skip


class DaemonSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon is watched."""

    metrics_port: Annotated[
        int,
        setting(
            "Serve figures for Prometheus at this port of 127.0.0.1; 0 for none.", option="--metrics", ge=0, le=65535
        ),
    ] = 0


def parse_size(text: str) -> Size:
    """ "1280x720" as (1280, 720). Raises `UsageError`."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not found:
        raise UsageError(f"{text!r} is not a size", "write it as WIDTHxHEIGHT, for example 1280x720")
    return int(found[1]), int(found[2])
