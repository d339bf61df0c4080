"""Files that travel with vcam: networks, the systemd unit, the demo's pictures."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """The folder "models" or "systemd": inside an installed package, or at the top of a source checkout."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def asset(name: str) -> Path:
    """A picture of the demo, by file name."""
    return _PACKAGE / "assets" / name
