"""What tells one room from another."""

from __future__ import annotations

from vcam.errors import UsageError
from vcam.settings import Settings


def room_name(settings: Settings, source: str) -> str:
    """What tells the room as these settings show it from all others: the camera, and how its picture is cut.

    Raises `UsageError` if the picture moves by itself: all of the room would differ, and be shown as a person.
    """
    if settings.framing.auto:
        raise UsageError(
            "background subtraction and auto-framing do not go together: the room must stand still",
            "framing.auto=false, or segment.backend=auto",
        )
    camera = settings.camera
    turned = f"turned by {camera.rotate}" if camera.rotate != "0" else ""
    looks = turned, "flipped" if camera.flip else "", "mirrored" if camera.mirror else ""
    parts = (source, *looks, camera.crop, camera.zoom)
    return " ".join(part for part in parts if part)


ROOM_KEYS = frozenset(
    ("camera.source", "camera.mirror", "camera.rotate", "camera.flip", "camera.crop", "camera.zoom", "framing.auto")
)
"""The settings that `room_name` looks at."""
