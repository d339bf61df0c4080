"""What comes next: the neighbour of the present background or profile, over and over."""

from __future__ import annotations

from collections.abc import Sequence

from vcam.assets import BACKGROUNDS
from vcam.errors import UsageError
from vcam.folders import expand
from vcam.images import pictures_in

STEPS = {"next": 1, "previous": -1}
"""The words for a step."""


def neighbour(ring: Sequence[str], present: str, step: int) -> str:
    """The one so many steps on; without the present one among them the first, or for steps back the last."""
    if present in ring:
        return ring[(ring.index(present) + step) % len(ring)]
    return ring[0 if step > 0 else -1]


def next_background(present: str, step: int) -> str:
    """The background beside the present one: for a picture of one's own the next of its folder, else one of vcam's."""
    return neighbour(_beside(present) or tuple(BACKGROUNDS), present, step)


def _beside(present: str) -> list[str]:
    """The pictures in the folder of a picture, itself among them as it is written; none for what is no picture."""
    if present in BACKGROUNDS:
        return []
    try:
        path = expand(present)
        names = [other.name for other in pictures_in(path.parent)] if path.is_file() else []
    except (OSError, UsageError):
        return []
    return [present if name == path.name else str(path.with_name(name)) for name in names] if path.name in names else []


def next_profile(profiles: Sequence[str], present: str, step: int) -> str:
    """The profile beside the present one; no profile is one of them. Raises `UsageError` if there are none."""
    if not profiles:
        raise UsageError(
            "there are no profiles in the config file", "vcam config edit; the guide has two as an example"
        )
    return neighbour(("", *profiles), present, step)
