"""A picture of one's own for a pause, read before there is one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vcam.compose.backgrounds.static import load_picture
from vcam.folders import expand
from vcam.frames import Frame
from vcam.types import Size


def pause_picture(picture: str, size: Size) -> Frame:
    """The picture for a pause as a frame of `size`, the caller's own. Raises `InputError`, `UsageError`.

    The last one is kept, so that it is there at once for the loop if another thread has asked for it before. A large
    one takes a second, and so long everybody would see the last frame before the pause.
    """
    path = expand(picture)
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    frame = Frame.allocate(*size)
    frame.copy_from(_load(path, size, changed))
    return frame


@lru_cache(maxsize=1)
def _load(path: Path, size: Size, changed: int) -> Frame:
    return load_picture(path, size, "cover")
