"""What the loop costs: CPU by stage, latency, page faults, memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

STAGES = ("read", "segment", "matte", "compose", "write")
"""The stages of a frame's way, in order. `read` holds the decoding of the camera's picture, not the waiting for it."""

KEPT = 4096
"""Latencies remembered: 2.3 minutes at 30 frames a second."""


@dataclass(slots=True)
class Timings:
    """Counters that the loop fills and anyone may read. CPU times are of the loop's own thread, in nanoseconds."""

    frames: int = 0
    without_person: int = 0
    """Frames shown without any person, because no matte could be made for them."""
    skipped: int = 0
    """Frames for which the network was not asked, because they were like the one before."""
    current: str = ""
    """The stage that the loop is in; empty between two."""
    cpu_ns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    _latencies: np.ndarray[tuple[int], np.dtype[np.float64]] = field(default_factory=lambda: np.zeros(KEPT))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the CPU time of the block to a stage, also if it raises."""
        self.current = name
        start = time.thread_time_ns()
        try:
            yield
        finally:
            self.current = ""
            self.cpu_ns[name] += time.thread_time_ns() - start

    def delivered(self, latency: float) -> None:
        """One more frame was handed to every output, `latency` seconds after it was captured."""
        self._latencies[self.frames % KEPT] = latency
        self.frames += 1

    def latency_ms(self) -> dict[str, float]:
        """Percentiles of the latency in milliseconds: p50, p95, p99; zeros before the first frame."""
        known = self._latencies[: min(self.frames, KEPT)]
        if not known.size:
            return {"p50": 0.0, "p95": 0.0, "p99": 0.0}
        # a fifth of what np.percentile costs, which everybody who asks for the status would pay
        ranked = np.sort(known)
        return {f"p{percent}": 1e3 * float(ranked[(known.size - 1) * percent // 100]) for percent in (50, 95, 99)}

    def stages_ms(self) -> dict[str, float]:
        """CPU milliseconds per frame, by stage."""
        return {name: ns / 1e6 / max(self.frames, 1) for name, ns in self.cpu_ns.items()}

    def reset(self) -> None:
        """Start counting anew, as after a warm-up."""
        self.frames = self.without_person = self.skipped = 0
        self.cpu_ns = dict.fromkeys(STAGES, 0)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the whole process has used so far; subtract two to get a span."""

    wall: float
    cpu: float
    faults: int

    @classmethod
    def now(cls) -> Usage:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(time.perf_counter(), used.ru_utime + used.ru_stime, used.ru_minflt)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.wall - other.wall, self.cpu - other.cpu, self.faults - other.faults)


def resident_mb() -> float:
    """Resident memory of this process in MB (10^6 bytes)."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6
