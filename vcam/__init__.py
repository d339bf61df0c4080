"""vcam, the virtual camera that Linux deserves.

As a library: `Pipeline` is the loop from a camera to outputs, `Segmenter` finds the person in single pictures,
`Settings` says how, `ControlClient` steers a vcam that runs. Errors are `VcamError`s. See docs/library.md.
"""

from __future__ import annotations

__version__ = "0.1.0"

# the word that type checkers know; typing itself costs more time than all else that `vcam --version` loads
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vcam.control.client import ControlClient
    from vcam.errors import VcamError
    from vcam.library import Segmenter
    from vcam.pipeline import Pipeline
    from vcam.settings import Settings

_PLACES = {
    "ControlClient": "vcam.control.client",
    "Pipeline": "vcam.pipeline",
    "Segmenter": "vcam.library",
    "Settings": "vcam.settings",
    "VcamError": "vcam.errors",
}

__all__ = ["ControlClient", "Pipeline", "Segmenter", "Settings", "VcamError", "__version__"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: the command line must not load OpenCV to print its version."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
