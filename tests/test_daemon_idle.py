"""What vcam costs while nobody watches."""

from __future__ import annotations

import os
import threading
import time

import pytest

from vcam.compose.composer import PlateComposer
from vcam.compose.factory import parse_background
from vcam.daemon.live import Live, State
from vcam.frames import Frame
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline
from vcam.settings import BackgroundSettings, Settings
from vcam.testing import FakeCamera, FakeSegmenter

SIZE = (1280, 720)
SECONDS = 5.0
SETTINGS = Settings().replace(output__targets=("null",), background__spec="color:#204080")


class MemoryDevice:
    """An output that copies frames into the kernel, a still one only once, as a virtual camera does; unread."""

    live = True
    finished = False
    description = "memory"

    def __init__(self) -> None:
        self.shown = 0
        self._still: Frame | None = None
        self._file = os.memfd_create("device")
        self._wake = os.eventfd(0)

    def open(self, size: tuple[int, int], fps: float) -> None:
        pass

    def write(self, frame: Frame) -> None:
        assert frame.buffer is not None
        os.pwrite(self._file, frame.buffer.data, 0)

    def show(self, still: Frame) -> None:
        if still is not self._still:
            self.write(still)
            self._still = still
        self.shown += 1

    def watched(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._wake

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


def build(settings, camera, size, outputs) -> Pipeline:
    background = parse_background(settings.background.spec, BackgroundSettings())
    return Pipeline(camera, FakeSegmenter(), make_matte(settings.matte), PlateComposer(background, size), outputs)


def test_idling_costs_under_half_a_percent_of_a_core_and_the_placeholder_flows() -> None:
    device = MemoryDevice()
    life = Live(SETTINGS, camera=FakeCamera([], size=SIZE, live=True), outputs=[device], open_pipeline=build)
    thread = threading.Thread(target=life.run)
    thread.start()
    try:
        while life.state is not State.IDLE:
            assert thread.is_alive(), "it could not start"
            time.sleep(0.05)
        time.sleep(0.5)
        cpu, shown = time.process_time(), device.shown
        time.sleep(SECONDS)
        cpu, shown = time.process_time() - cpu, device.shown - shown
    finally:
        life.stop()
        thread.join()
    assert shown >= 9 * SECONDS
    assert 100 * cpu / SECONDS == pytest.approx(0, abs=0.5)
