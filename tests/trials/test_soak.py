"""Hours in minutes: the real loop on an unpaced camera in memory, steered all the while, must not grow.

In the suite for a few thousand frames; `VCAM_SOAK=54000 pytest tests/trials/test_soak.py` is half an hour of video,
and with `VCAM_SOAK_ENGINE=1` real networks find the person, and are exchanged, too.
"""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcam.assets import asset
from vcam.camera.memory import MemoryCamera, encode_frames
from vcam.camera.shape import ShapedCamera
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.control.client import ControlClient
from vcam.daemon.changes import Parts
from vcam.daemon.live import Live
from vcam.daemon.methods import Control
from vcam.daemon.origin import Origin
from vcam.errors import VcamError
from vcam.frames import Frame, PixelFormat
from vcam.matte.factory import make_matte
from vcam.output.null import MemoryOutput
from vcam.pipeline import Pipeline
from vcam.segment.segmenter import open_segmenter
from vcam.settings import Settings
from vcam.testing import FakeSegmenter, pattern_frame
from vcam.timings import resident_mb
from vcam.types import F32

FRAMES = int(os.environ.get("VCAM_SOAK", "3000"))
ENGINE = "VCAM_SOAK_ENGINE" in os.environ
SIZE = (160, 96)
SETTINGS = Settings().replace(output__size="160x96", output__targets=("null",), output__fps=240)
GROWTH_MB = 5.0


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def at_rest() -> tuple[int, int]:
    """Descriptors and threads. A client that has just gone may still be counted, so the lowest count is taken."""
    looks = []
    for _ in range(5):
        looks.append((descriptors(), threading.active_count()))
        time.sleep(0.02)
    return min(looks)[0], min(count for _, count in looks)


def wishes() -> Iterator[tuple[str, dict[str, Any]]]:
    backgrounds = ("color:#204080", str(asset("dusk.jpg")), "pixelate", "nosuch.png", "blur")
    for turn in itertools.count():
        yield "background", {"spec": backgrounds[turn % 5]}
        yield "set", {"matte.edge": turn % 10, "camera.mirror": bool(turn % 2), "matte.softness": (turn % 7) / 7}
        yield "status", {}
        if turn % 40 == 20:
            yield "set", {"segment.backend": ("onnxruntime", "openvino")[turn // 40 % 2]}
        if turn % 10 == 5:
            size, chain = (("320x192", "grey;sharpen"), ("160x96", ""))[turn // 10 % 2]
            yield "set", {"output.size": size, "filters.chain": chain}
        if turn % 40 == 30:
            yield "pause", {}
            yield "resume", {}


def moving_person(frame: Frame) -> F32:
    probability = np.zeros((24, 40), np.float32)
    probability[4:, frame.seq % 30 : frame.seq % 30 + 10] = 1
    return probability


@pytest.mark.long
@pytest.mark.timeout(300 + FRAMES / 30)
def test_memory_descriptors_and_threads_stay_flat(tmp_path: Path) -> None:
    encoded = encode_frames([pattern_frame(SIZE, number) for number in range(6)], PixelFormat.I420)

    def camera(settings: Any, size: Any, fps: float) -> ShapedCamera:
        return ShapedCamera(MemoryCamera(encoded, PixelFormat.I420, SIZE, 240.0, paced=False), size, settings.mirror)

    def network(settings: Any, size: Any, *room: str) -> Any:
        return open_segmenter(settings, size, *room) if ENGINE else FakeSegmenter(moving_person, (40, 24))

    def pipeline(settings: Settings, camera: Any, size: Any, outputs: list[Any]) -> Pipeline:
        composer = PlateComposer(parse_background(settings.background.spec, settings.background), size)
        return Pipeline(camera, network(settings.segment, size), make_matte(settings.matte), composer, outputs)

    parts = Parts(camera=camera, segmenter=network)
    life = Live(
        SETTINGS,
        camera=camera(SETTINGS.camera, SIZE, 240.0),
        outputs=[MemoryOutput()],
        parts=parts,
        open_pipeline=pipeline,
    )
    runner = threading.Thread(target=life.run)
    samples: list[tuple[int, float, int, int]] = []
    warm_up = FRAMES // 3
    with Control(life, Origin()):
        runner.start()
        steps = wishes()
        done = 0
        while done < FRAMES and runner.is_alive():
            with ControlClient() as client:
                for method, params in itertools.islice(steps, 20):
                    try:
                        client.call(method, params)
                    except VcamError as error:
                        if "nosuch" not in error.message:
                            raise
                    time.sleep(0.02)
            done = life.timings.frames if life.timings else 0
            gc.collect()
            samples.append((done, resident_mb(), *at_rest()))
        life.stop()
        runner.join(30)
    assert done >= FRAMES
    warm = [sample for sample in samples if sample[0] >= warm_up]
    print(f"{done} frames, {len(samples)} samples; warm {warm[0]}, last {warm[-1]}")
    print("RSS MB:", [round(sample[1]) for sample in samples[:: max(1, len(samples) // 20)]])
    third = max(1, len(warm) // 3)
    before = min(sample[1] for sample in warm[:third])
    after = min(sample[1] for sample in warm[-third:])
    assert after - before < GROWTH_MB
    for kind in (2, 3):
        # what the loop itself has open differs from turn to turn, a leak is in every sample
        assert min(sample[kind] for sample in warm[-third:]) <= max(sample[kind] for sample in warm[:third])
    assert life.timings is not None
    assert life.timings.without_person < 0.01 * done
