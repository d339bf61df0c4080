"""Packages that would report to somebody are imported here and nowhere else, with their mouths shut.

vcam sends nothing to anybody. The packages below do by themselves, unless they are told not to before they are
imported. A test runs vcam in a network of its own, where it would notice a look-up, a packet, or a file that they write
into the user's home.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_VARIABLES = {
    # ONNX Runtime from 1.32 on looks up a host of Microsoft's, and keeps an identity in ~/.cache/Microsoft
    "ORT_DISABLE_TELEMETRY": "1",
    # pygame would greet on standard output
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}
"""What must stand in the environment; whatever the user wrote there, vcam's promise is the stronger."""


def onnxruntime() -> Any:
    """The package onnxruntime. Raises `ImportError` or `OSError` where it is missing or broken."""
    _set_variables()
    import onnxruntime as package

    # another program, that uses vcam as a library, may have imported it before
    if off := getattr(package, "disable_telemetry_events", None):
        off()
    return package


def onnxruntime_quantization() -> Any:
    """Its part that quantises networks, which needs the package onnx as well. Raises as `onnxruntime` does."""
    onnxruntime()
    from onnxruntime import quantization

    return quantization


def openvino() -> Any:
    """The package openvino. Raises `ImportError` or `OSError` where it is missing or broken.

    `import openvino` loads the model converter `openvino.tools.ovc`, which reports the import to Google Analytics in a
    thread and keeps an identity in ~/intel. vcam has no use for the converter; the package allows for its absence.
    """
    if "openvino" not in sys.modules:
        _set_variables()
        blocked = ("openvino.tools.ovc", "openvino_telemetry")
        for name in blocked:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]
        try:
            import openvino as package
        finally:
            if sys.modules.get("openvino.tools.ovc", "") is None:
                del sys.modules["openvino.tools.ovc"]
    import openvino as package

    return package


def pygame() -> Any:
    """The package pygame. Raises `ImportError` where it is missing."""
    _set_variables()
    import pygame as package

    return package


def _set_variables() -> None:
    os.environ.update(_VARIABLES)
