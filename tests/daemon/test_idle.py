"""What vcam costs while nobody watches."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import pytest

from tests.daemon.helpers import Daemon
from vcam.daemon.base import State
from vcam.daemon.live import PLACEHOLDER_INTERVAL
from vcam.frames import Frame
from vcam.settings import Settings
from vcam.testing import FakeCamera

SIZE = (1280, 720)
SECONDS = 3.0
SETTINGS = Settings().replace(output__targets=("null",), background__spec="color:#204080")


class MemoryDevice:
    """An output that copies frames into the kernel, a still one only once, as a virtual camera does; unread."""

    live = True
    finished = False
    description = "memory"

    def __init__(self) -> None:
        self.shown = self.copied = 0
        self._still: Frame | None = None
        self._file = os.memfd_create("device")
        self._wake = os.eventfd(0)

    def open(self, size: tuple[int, int], fps: float) -> None:
        pass

    def write(self, frame: Frame) -> None:
        assert frame.buffer is not None
        os.pwrite(self._file, frame.buffer.data, 0)
        self.copied += 1

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


def waits(thread: threading.Thread) -> int:
    """How often a thread has gone to sleep so far."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text("ascii")
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])


@pytest.mark.long
def test_while_idle_it_sleeps_between_its_placeholders_and_makes_none_anew() -> None:
    device = MemoryDevice()
    with Daemon(SETTINGS, camera=FakeCamera([], size=SIZE, live=True), screen=device) as daemon:
        daemon.until(lambda: daemon.life.state is State.IDLE)
        time.sleep(0.5)
        shown, slept, copied = device.shown, waits(daemon.thread), device.copied
        began, cpu = time.monotonic(), time.process_time()
        time.sleep(SECONDS)
        lasted, cpu = time.monotonic() - began, time.process_time() - cpu
        shown, slept, copied = device.shown - shown, waits(daemon.thread) - slept, device.copied - copied
    # a figure for people: on a busy machine the same work takes longer
    print(f"idle: {100 * cpu / lasted:.2f} % of a core")
    # one that spins hardly sleeps, a busy one sleeps all the time
    assert 0.5 * SECONDS / PLACEHOLDER_INTERVAL < shown <= slept + 1
    assert slept <= 1.2 * lasted / PLACEHOLDER_INTERVAL + 2
    assert not copied
