"""What the loop's figures are made of: samples a second apart, and the last error."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vcam.timings import STAGES, Timings

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
    """Filled by the loop, read by any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[_Sample] = deque(maxlen=WINDOW)
        self._due = clock()
        self._camera_dropped = 0
        self.started = clock()
        self.dropped = self.repeated = 0
        """Frames since the start: of the camera that never got here, and pictures shown again."""
        self.last_error: tuple[float, Exception] | None = None
        """When it was first seen, and what it was."""
        self._shown: float | None = None

    def shown(self) -> None:
        """A picture was shown; on every turn of the loop, the first time before there is one."""
        self._shown = self._clock()

    def ended(self) -> None:
        """No picture is to come any more."""
        self._shown = None

    @property
    def frame_age(self) -> float | None:
        """Seconds since a picture was shown, a frame or a placeholder; None while the loop does not run."""
        shown = self._shown
        return None if shown is None else max(0.0, self._clock() - shown)

    def look(self, trouble: Exception | None, dropped: int, timings: Timings | None) -> None:
        """Once for every turn of the loop: what is wrong now, what the camera has dropped since it was opened, and
        the pipeline's timings if it has been loaded."""
        if trouble is not None and (self.last_error is None or self.last_error[1] is not trouble):
            self.last_error = (self._clock(), trouble)
        now = self._clock()
        if now < self._due:
            return
        self._due = now + INTERVAL
        self._count_dropped(dropped)
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
