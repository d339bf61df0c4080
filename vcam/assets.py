"""Files that travel with vcam: networks, the systemd unit, the demo's pictures."""

from __future__ import annotations

from pathlib import Path

BACKGROUNDS = {
    "office": "white walls, shelves of oak, daylight from the left",
    "living-room": "an evening at home, with two lamps",
    "loft": "brick, and tall windows",
    "library": "a wall of books",
    "studio": "slats of oak, a line of light, plants",
    "wall": "warm plaster, and the light of a window on it",
    "mountains": "ridges in the haze of a morning",
    "forest": "trunks and leaves before the sun, out of focus",
    "sea": "the sun low over calm water",
    "city": "the lights of a town at night",
    "dawn": "soft colours from peach to blue",
    "slate": "a photographer's backdrop in grey and blue",
}
"""The backgrounds that come with vcam, by name, and what is in them. docs/drawing draws them."""

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """The folder "models" or "systemd": inside an installed package, or at the top of a source checkout."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def asset(name: str) -> Path:
    """A picture of the demo, by file name."""
    return _PACKAGE / "assets" / name


def background_picture(name: str) -> Path:
    """The picture of one of `BACKGROUNDS`."""
    return asset("backgrounds") / f"{name}.jpg"
