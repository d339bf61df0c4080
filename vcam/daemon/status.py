"""What the daemon does and what it costs, as one plain mapping for `vcam status`, subscribers and Prometheus."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from vcam import __version__
from vcam.daemon.base import Life, State
from vcam.errors import VcamError
from vcam.secrets import show_address
from vcam.segment.emptyroom.choice import nothing_known
from vcam.timings import resident_mb


def snapshot(life: Life) -> dict[str, Any]:
    """Everything, in builtin types; docs/reference/control.md names the keys. For any thread."""
    now, timings, settings, monitor = time.monotonic(), life.timings, life.settings, life.monitor
    pipeline, keeper = life.pipeline, life.keeper
    source = show_address(settings.camera.source)
    stuck, age = life.stuck, monitor.frame_age
    segmenter = pipeline.matting.segmenter if pipeline else None
    room = pipeline.matting.room_status if pipeline else nothing_known("vcam is starting")
    return {
        "version": __version__,
        "pid": os.getpid(),
        "state": State.STUCK.value if stuck else life.state.value,
        "cause": stuck or life.cause,
        "since_s": round(age if stuck and age is not None else now - life.since, 1),
        "uptime_s": round(now - monitor.started, 1),
        "watched": life.watched,
        "camera": {"source": source, "description": keeper.camera.description, "on": keeper.ready},
        "outputs": life.outlets.states,
        "background": settings.background.spec,
        "segmenter": segmenter.description if segmenter else "",
        "room": {"setting": settings.segment.room, **room},
        "size": settings.output.size,
        "fps": settings.output.fps,
        **monitor.rates(),
        "frame_age_s": None if age is None else round(age, 2),
        "frames": timings.frames if timings else 0,
        "dropped": monitor.dropped,
        "repeated": monitor.repeated,
        "without_person": timings.without_person if timings else 0,
        "skipped": timings.skipped if timings else 0,
        "latency_ms": {name: round(ms, 2) for name, ms in timings.latency_ms().items()} if timings else {},
        "rss_mb": round(resident_mb(), 1),
        "threads": threading.active_count(),
        "last_error": _error(monitor.last_error, now),
    }


def _error(last: tuple[float, Exception] | None, now: float) -> dict[str, Any] | None:
    if last is None:
        return None
    at, error = last
    message, hint = (error.message, error.hint) if isinstance(error, VcamError) else (str(error) or repr(error), "")
    return {"message": message, "hint": hint, "age_s": round(now - at, 1)}
