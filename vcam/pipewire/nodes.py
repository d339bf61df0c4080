"""Which nodes of PipeWire's are made by this process."""

from __future__ import annotations

OWN: set[int] = set()
"""Their numbers, so that none is read as a camera."""
