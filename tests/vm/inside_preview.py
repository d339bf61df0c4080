"""Run in the virtual machine by tests/vm/test_vm.py: who looks beside a call, and that the call notices nothing."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise

from tests.vm.guest import Daemon, Reader, report, show_bars
from vcam.control.viewing import Viewer
from vcam.output.window import WindowOutput
from vcam.v4l2 import device

TIMES = 50


class Call:
    """A program that takes every frame, in a process of its own, and tells the number and the moment of each.

    It goes before everything else on the guest's one processor: what it loses, vcam has not given.
    """

    def __enter__(self):
        mine, its = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(mine)
                os.nice(-15)
                with Reader() as reader, os.fdopen(its, "w", buffering=1) as told:
                    reader.until_composited()
                    while True:
                        filled = device.dequeue_buffer(reader.fd)
                        if filled is None:
                            reader._poll.poll(1000)
                            continue
                        device.queue_buffer(reader.fd, filled.index)
                        told.write(f"{filled.sequence} {time.monotonic()}\n")
            finally:
                os._exit(1)
        os.close(its)
        self._told = os.fdopen(mine)
        self.frames = [self._next()]
        return self

    def _next(self):
        number, moment = self._told.readline().split()
        return int(number), float(moment)

    def until_now(self):
        """Take in what it has told so far."""
        now = time.monotonic()
        while self.frames[-1][1] < now:
            self.frames.append(self._next())

    def __exit__(self, *exc):
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._told.close()


def test_a_preview_is_opened_and_closed_fifty_times_under_a_call_that_loses_no_frame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    show_bars()
    with Daemon() as daemon:
        daemon.wait_until("idle")
        with Call() as call:
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
                call.until_now()
            with daemon.client() as client:
                after = client.call("status")
        pairs = list(pairwise(call.frames))
        lost = sum(after[0] - before[0] - 1 for before, after in pairs)
        report(
            f"{TIMES} previews in {call.frames[-1][1] - call.frames[0][1]:.1f} s: {len(call.frames)} frames read, "
            f"{lost} lost, {1000 * max(b[1] - a[1] for a, b in pairs):.0f} ms between two at most"
        )
        assert len(call.frames) > 2 * TIMES
        assert lost == 0
        assert after["state"] == "live"
