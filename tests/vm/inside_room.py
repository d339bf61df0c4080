"""Run in the virtual machine by tests/vm/test_vm.py: the empty room is told while programs read the virtual camera."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.vm.guest import CAMERA, Daemon, Reader, report, show_bars, until
from tests.vm.shown import is_composited, is_placeholder


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    show_bars()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        with Daemon() as daemon:
            daemon.wait_until("idle")
            yield daemon


class Watcher:
    """Reads all the while, in a thread; each frame is a placeholder or composited, as `Reader.read` checks."""

    def __enter__(self):
        self.reader = Reader().__enter__()
        self.reader.until_composited()
        self.frames, self.error, self.ended = [], None, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        try:
            while not self.ended.is_set():
                frame = self.reader.read()
                self.frames.append((time.monotonic(), is_placeholder(frame), is_composited(frame)))
        except BaseException as error:
            self.error = error

    def __exit__(self, *exc):
        self.ended.set()
        self.thread.join(10)
        self.reader.__exit__(*exc)
        if self.error:
            raise self.error

    def until_composited(self, seconds):
        before = len(self.frames)
        until(lambda: any(composited for *_, composited in self.frames[before:]), seconds, "no composited frame")


def learn(daemon, *options):
    command = [sys.executable, "-m", "vcam", "room", "learn", *options]
    environment = os.environ | {"XDG_RUNTIME_DIR": daemon._runtime}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_who_reads_sees_placeholders_until_it_is_done_and_then_the_picture_again(daemon):
    with Watcher() as watcher:
        process = learn(daemon, "--wait", "1")
        out, err = process.communicate(timeout=60)
        watcher.until_composited(5)
    assert process.returncode == 0, f"{err}\n{daemon.log}"
    assert out.startswith("done: ")
    report(f"the bars as a room: {out.strip()}")
    began, ended = (
        next(at for at, line in daemon.lines if text in line)
        for text in ("learning the empty room", "waiting for the camera: the room")
    )
    # what the driver had in its queue may come a moment later
    meanwhile = [placeholder for at, placeholder, _ in watcher.frames if began + 0.5 < at < ended]
    assert len(meanwhile) > 10
    assert all(meanwhile)
    with daemon.client() as client:
        room = client.call("status")["room"]
    assert room["kept"] == "told"
    assert room["known"] > 0.5
    until(lambda: Path(room["file"]).exists(), 5, "nothing was written")
    assert Path(room["file"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_goes_ends_it(daemon, how):
    with Watcher() as watcher:
        times = daemon.count("learning the empty room")
        process = learn(daemon, "--wait", "60")
        daemon.wait_for("learning the empty room", times=times + 1)
        process.send_signal(how)
        gone = time.monotonic()
        process.communicate(timeout=20)
        watcher.until_composited(5)
        report(f"from {how.name} to the picture: {time.monotonic() - gone:.2f} s")


def test_nobody_has_to_watch_and_the_camera_goes_off_after_it(daemon):
    daemon.wait_until("idle")
    until(lambda: not daemon.holds(CAMERA), 5, "the camera stays on")
    process = learn(daemon, "--wait", "0")
    until(lambda: daemon.holds(CAMERA), 10, "the camera stays off")
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 0, f"{err}\n{daemon.log}"
    daemon.wait_until("idle")
    until(lambda: not daemon.holds(CAMERA), 5, "the camera stays on")
