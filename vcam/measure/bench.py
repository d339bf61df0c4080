"""`vcam bench`: what a frame costs in the real loop, fed by an in-memory camera at a camera's rate.

The loop is the one of `vcam start`; only the two devices are replaced: the camera by real encoded frames in memory, the
virtual camera by one copy into memory.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vcam import native
from vcam.camera.demo import DemoScene
from vcam.camera.memory import MemoryCamera, encode_frames
from vcam.camera.pace import Pacer
from vcam.datasets.synthetic import Grain
from vcam.errors import UsageError
from vcam.frames import Frame, PixelFormat, check_size
from vcam.measure.baseline import NaiveLoop
from vcam.output.null import MemoryOutput
from vcam.pipeline import Pipeline, give_back_memory, open_pipeline, tune_process
from vcam.settings import Settings, parse_size
from vcam.timings import Usage, resident_mb
from vcam.types import Size

INPUTS = {"mjpeg": PixelFormat.MJPEG, "yuyv": PixelFormat.YUYV, "nv12": PixelFormat.NV12, "i420": PixelFormat.I420}
WARM_UP = 30
BLOCK = 30
"""Frames that are run in one go; with a baseline the two loops take turns after so many."""
NOISE = 2.0
"""Of the camera, where the person does not move: standard deviation in levels."""

SETTLE = 0.2
"""Seconds after a turn of the baseline: its threads spin on for a while, and that is not what our loop uses."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What to measure. `frames` counts after the warm-up."""

    settings: Settings
    source: PixelFormat = PixelFormat.MJPEG
    frames: int = 300
    paced: bool = True
    baseline: bool = False
    still: bool = False
    """The person does not move; only the camera's noise changes."""


def _demo_frames(size: Size, source: PixelFormat, count: int, still: bool) -> list[bytes]:
    scene = DemoScene(size, 30.0, paced=False)
    scene.open()
    frames = []
    grain = Grain(size, NOISE, np.random.default_rng(0))
    first, noisy = scene.read(), Frame.allocate(*size)
    for number in range(count):
        frame = first if number == 0 or still else scene.read()
        assert frame is not None
        if still:
            noisy.copy_from(frame)
            grain.add(noisy)
            frame = noisy
        frames += encode_frames([frame], source)
    return frames


def demo_frames(size: Size, source: PixelFormat, still: bool = False) -> list[bytes]:
    """A second of the demo scene as a camera would send it, or of one moment of it with a camera's noise.

    Made in a process of its own, so that the scene's memory is not taken for the loop's.
    """
    count = 30 if source is PixelFormat.MJPEG else 6
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_demo_frames, size, source, count, still).result()


class _Runner:
    """Runs one loop in blocks and adds up what it used."""

    def __init__(self, step: Callable[[], object], camera: MemoryCamera | None = None) -> None:
        self._step, self._camera = step, camera
        self.frames = self.dropped = self.faults = 0
        self.wall = self.cpu = 0.0

    def block(self, frames: int) -> None:
        if self._camera:
            # its clock starts anew, so that a pause between blocks is no delay
            self._camera.open()
        start = Usage.now()
        for _ in range(frames):
            self._step()
        used = Usage.now() - start
        self.frames += frames
        self.dropped += self._camera.dropped if self._camera else 0
        self.wall, self.cpu, self.faults = self.wall + used.wall, self.cpu + used.cpu, self.faults + used.faults

    def clear(self) -> None:
        self.frames = self.dropped = self.faults = 0
        self.wall = self.cpu = 0.0

    @property
    def cpu_ms(self) -> float:
        return 1e3 * self.cpu / self.frames


def run(bench: Bench, progress: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """Measure, and return the report whose keys `docs/reference/bench.md` names.

    `progress` is told how many frames are done. Raises what opening the pipeline raises.
    """
    tune_process()
    settings = bench.settings
    size = check_size(*parse_size(settings.output.size))
    if bench.frames < BLOCK:
        raise UsageError(f"{bench.frames} frames are too few to measure", f"take at least {BLOCK}")
    frames = demo_frames(size, bench.source, bench.still)
    own = sum(map(len, frames)) / 1e6
    camera = MemoryCamera(frames, bench.source, size, settings.output.fps, paced=bench.paced)
    camera.open()
    # the scene is not the room of a camera, and nothing of it is to be kept
    settings = settings.replace(segment__private=True)
    with open_pipeline(settings, camera, size, [MemoryOutput()], source="bench") as pipeline:
        pipeline.open_outputs(size, settings.output.fps)
        ours = _Runner(pipeline.step, camera)
        ours.block(WARM_UP)
        give_back_memory()
        ours.block(WARM_UP)
        ours.clear()
        pipeline.timings.reset()
        rss = resident_mb() - own
        naive = _naive_runner(bench, frames, size) if bench.baseline else None
        time.sleep(SETTLE)
        for done in range(0, bench.frames, BLOCK):
            ours.block(min(BLOCK, bench.frames - done))
            if naive is None:
                rss = max(rss, resident_mb() - own)
            else:
                _block_of_baseline(naive, bench.frames - done)
            progress(ours.frames)
        return _report(bench, size, pipeline, ours, naive, rss)


def _naive_runner(bench: Bench, frames: Sequence[bytes], size: Size) -> _Runner:
    loop = NaiveLoop(frames, bench.source, size)
    pacer = Pacer(bench.settings.output.fps)

    def step() -> None:
        if bench.paced:
            pacer.wait()
        loop.step()

    runner = _Runner(step)
    runner.block(5)
    runner.clear()
    return runner


def _block_of_baseline(naive: _Runner, left: int) -> None:
    cv2.setNumThreads(-1)
    try:
        naive.block(min(BLOCK, left))
    finally:
        cv2.setNumThreads(1)
        time.sleep(SETTLE)


def _report(
    bench: Bench, size: Size, pipeline: Pipeline, ours: _Runner, naive: _Runner | None, rss: float
) -> dict[str, Any]:
    settings = bench.settings
    fps = settings.output.fps
    report: dict[str, Any] = {
        "size": f"{size[0]}x{size[1]}",
        "input": bench.source.name.lower(),
        "background": settings.background.spec,
        "segmenter": pipeline.matting.description or "none",
        "compiled": native.kernels() is not None,
        "paced": bench.paced,
        "frames": ours.frames,
        "cpu_ms_per_frame": ours.cpu_ms,
        "core_percent": 100 * ours.cpu / ours.wall,
        "core_percent_at_rate": ours.cpu_ms * fps / 10,
        "fps": ours.frames / ours.wall,
        "dropped": ours.dropped,
        "without_person": pipeline.timings.without_person,
        "skipped": pipeline.timings.skipped,
        "latency_ms": pipeline.timings.latency_ms(),
        "stages_ms": pipeline.timings.stages_ms(),
        "faults_per_frame": ours.faults / ours.frames,
        "rss_mb": rss,
    }
    if naive is not None:
        report["baseline"] = {
            "cpu_ms_per_frame": naive.cpu_ms,
            "fps": naive.frames / naive.wall,
            "faults_per_frame": naive.faults / naive.frames,
        }
        report["ratio"] = naive.cpu_ms / ours.cpu_ms
    return report
