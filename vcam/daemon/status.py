"""What the daemon does and what it costs, as one plain mapping for `vcam status`, subscribers and metrics."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vcam import __version__
from vcam.errors import VcamError
from vcam.timings import STAGES, resident_mb

if TYPE_CHECKING:
    from vcam.daemon.live import Live

INTERVAL = 1.0
WINDOW = 4
"""Rates are those of the last WINDOW - 1 intervals."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu: float
    frames: int
    dropped: int
    repeated: int
    stages: tuple[int, ...]


class Monitor:
    """What figures are made of: samples a second apart, and the last error. Filled by the loop, read by anyone."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[_Sample] = deque(maxlen=WINDOW)
        self._due = clock()
        self._camera_dropped = 0
        self.started = clock()
        self.dropped = self.repeated = 0
        self.last_error: tuple[float, Exception] | None = None

    def look(self, life: Live) -> None:
        """Once for every turn of the loop."""
        error = life.trouble
        if error is not None and (self.last_error is None or self.last_error[1] is not error):
            self.last_error = (self._clock(), error)
        now = self._clock()
        if now < self._due:
            return
        self._due = now + INTERVAL
        self._count_dropped(life.camera.dropped)
        timings = life.timings
        frames = timings.frames if timings else 0
        stages = tuple(timings.cpu_ns[stage] for stage in STAGES) if timings else (0,) * len(STAGES)
        self._samples.append(_Sample(now, time.process_time(), frames, self.dropped, self.repeated, stages))

    def _count_dropped(self, by_camera: int) -> None:
        # a camera counts anew each time it is opened
        self.dropped += by_camera - self._camera_dropped if by_camera >= self._camera_dropped else by_camera
        self._camera_dropped = by_camera

    def rates(self) -> dict[str, Any]:
        """Frames a second in and out, CPU milliseconds a frame by stage, and the process's share of a core."""
        samples = list(self._samples)
        quiet = {"fps_in": 0.0, "fps_out": 0.0, "cpu_percent": 0.0, "cpu_ms": dict.fromkeys(STAGES, 0.0)}
        if len(samples) < 2 or self._clock() - samples[-1].at > 2.5 * INTERVAL:
            return quiet
        first, last = samples[0], samples[-1]
        span, frames = last.at - first.at, last.frames - first.frames
        spent = [(after - before) / 1e6 for before, after in zip(first.stages, last.stages, strict=True)]
        return {
            "fps_in": round((frames + last.dropped - first.dropped) / span, 2),
            "fps_out": round((frames + last.repeated - first.repeated) / span, 2),
            "cpu_percent": round(100 * (last.cpu - first.cpu) / span, 1),
            "cpu_ms": {name: round(ms / max(frames, 1), 3) for name, ms in zip(STAGES, spent, strict=True)},
        }


def snapshot(life: Live, monitor: Monitor) -> dict[str, Any]:
    """Everything, in builtin types; docs/reference/control.md names the keys. For any thread."""
    now, timings, settings = time.monotonic(), life.timings, life.settings
    camera, segmenter = life.camera, life.segmenter
    return {
        "version": __version__,
        "pid": os.getpid(),
        "state": life.state.value,
        "cause": life.cause,
        "since_s": round(now - life.since, 1),
        "uptime_s": round(now - monitor.started, 1),
        "watched": life.watched,
        "camera": {"source": settings.camera.source, "description": camera.description, "on": life.camera_on},
        "outputs": life.outlets.states,
        "background": settings.background.spec,
        "segmenter": segmenter.description if segmenter else "",
        "size": settings.output.size,
        "fps": settings.output.fps,
        **monitor.rates(),
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
