"""Run in the virtual machine by tests/vm/test_vm.py: who looks beside a call, and that the call notices nothing."""

from __future__ import annotations

import threading
import time

from tests.vm.guest import Daemon, Reader, report, show_bars
from vcam.control.viewing import Viewer
from vcam.output.window import WindowOutput
from vcam.v4l2 import device

TIMES = 50


class Call:
    """A program that takes every frame, in a thread, and keeps their numbers and moments."""

    def __init__(self):
        self.numbers, self.moments = [], []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        reader = self._reader
        while not self._ended.is_set():
            filled = device.dequeue_buffer(reader.fd)
            if filled is None:
                reader._poll.poll(1000)
                continue
            self.numbers.append(filled.sequence)
            self.moments.append(time.monotonic())
            device.queue_buffer(reader.fd, filled.index)

    @property
    def lost(self):
        return sum(after - before - 1 for before, after in zip(self.numbers, self.numbers[1:], strict=False))

    def __enter__(self):
        self._reader = Reader().__enter__()
        self._reader.until_composited()
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._ended.set()
        self._thread.join(10)
        self._reader.__exit__(*exc)


def test_a_preview_is_opened_and_closed_fifty_times_under_a_call_that_loses_no_frame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    show_bars()
    with Daemon() as daemon:
        daemon.wait_until("idle")
        with Call() as call:
            with daemon.client() as client:
                before = client.call("status")
            for _ in range(TIMES):
                monkeypatch.setenv("XDG_RUNTIME_DIR", daemon._runtime)
                with Viewer() as viewer:
                    window = WindowOutput()
                    shown = viewer.next(10)
                    assert shown is not None
                    assert shown.composited
                    window.open(shown.frame.size, 30.0)
                    window.write(shown.frame)
                    window.close()
                time.sleep(0.05)
            with daemon.client() as client:
                after = client.call("status")
        worst = max(b - a for a, b in zip(call.moments, call.moments[1:], strict=False))
        report(
            f"{TIMES} previews in {call.moments[-1] - call.moments[0]:.1f} s: {len(call.numbers)} frames read, "
            f"{call.lost} lost, {1000 * worst:.0f} ms between two at most; the camera's, on one processor with all of "
            f"this: {after['dropped'] - before['dropped']} lost"
        )
        assert len(call.numbers) > 2 * TIMES
        assert call.lost == 0
        assert after["state"] == "live"
