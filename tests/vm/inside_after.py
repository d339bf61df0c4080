"""Run in the virtual machine by tests/vm/test_vm.py: what a virtual camera hands out after whoever fed it has gone.

The background is none, so that the daemon feeds the room itself: whatever is no card afterwards is a picture of before.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.vm.guest import SIZE, VCAM, Daemon, NoFrame, Reader, patience, report, show_bars, until
from tests.vm.shown import is_placeholder
from vcam.frames import Frame
from vcam.v4l2 import device

ROOM = ("--background", "none", "--set", "output.always_on=true")
BYTES = SIZE[0] * SIZE[1] * 3 // 2
FEED = """
import sys, time
import numpy as np
from pathlib import Path
from vcam.frames import PixelFormat
from vcam.output.virtual.loopback import LoopbackWriter
layout = PixelFormat[sys.argv[1]]
frame = np.full(int(640 * 360 * (2 if layout is PixelFormat.YUYV else 1.5)), 200, np.uint8)
writer = LoopbackWriter(Path("/dev/video20"), layout, (640, 360), 30)
for _ in range(40):
    writer.send(frame)
print("on", flush=True)
time.sleep(100)
"""


@pytest.fixture(autouse=True)
def _sockets(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    show_bars()


@pytest.fixture
def holder():
    """A program that keeps the device open, as sound servers and desktops do: the module keeps its buffers then."""
    fd = os.open(VCAM, os.O_RDWR | os.O_NONBLOCK)
    yield fd
    os.close(fd)


def seen(data):
    return "card" if is_placeholder(Frame.wrap(data, *SIZE)) else "a picture of before"


def handed_out():
    """What each kind of program gets from the device now."""
    found = []
    with contextlib.suppress(NoFrame, OSError), Reader() as reader:
        # one by one: those that came count, even if the next one does not
        for _ in range(6):
            found += [f"streamed: {seen(reader.bytes(0.3))}"]
    with contextlib.suppress(OSError), device.opened(VCAM) as fd:
        for _ in range(6):
            data = np.frombuffer(os.read(fd, BYTES), np.uint8)
            found.append(f"read: {seen(data) if data.size == BYTES else 'nothing'}")
    return found + [f"mapped {index}: {seen(data)}" for index, data in enumerate(mapped())]


def mapped():
    """All buffers that can be mapped, in use or not; none where the module has let go of them."""
    import mmap

    room = -(-BYTES // mmap.PAGESIZE) * mmap.PAGESIZE
    with contextlib.suppress(OSError), device.opened(VCAM) as fd:
        for index in range(32):
            with mmap.mmap(fd, room, mmap.MAP_SHARED, mmap.PROT_READ, offset=index * room) as memory:
                yield np.frombuffer(memory[:BYTES], np.uint8)


def assert_covered(seconds=0.0):
    """Nothing of before is handed out, at the latest after so many seconds."""
    began, seconds = time.monotonic(), seconds and patience(seconds)
    while bad := [each for each in handed_out() if "before" in each]:
        assert time.monotonic() - began < seconds, bad
        time.sleep(0.05)
    return time.monotonic() - began


def feeds_the_room(daemon):
    daemon.wait_until("live", 40)

    def shown():
        with Reader() as reader:
            return seen(reader.bytes()) != "card"

    until(shown, 10, "the room is shown")
    time.sleep(0.5)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stop", "pause+stop", "output taken out"])
def test_after_an_end_nothing_of_before_is_handed_out(how, holder):
    with Daemon(*ROOM) as daemon:
        feeds_the_room(daemon)
        if how == "pause+stop":
            with daemon.client() as client:
                client.call("pause")
        if how.endswith("stop"):
            with daemon.client() as client:
                client.call("stop")
        else:
            daemon.send(signal.SIGINT if how == "SIGINT" else signal.SIGTERM)
        assert daemon.process.wait(30) in (0, 130, -signal.SIGINT)
    assert_covered()


def test_after_an_end_a_reader_that_stays_sees_the_card(holder):
    with Daemon(*ROOM) as daemon:
        feeds_the_room(daemon)
        with Reader() as reader:
            reader.bytes()
            daemon.stop()
            last = None
            with contextlib.suppress(NoFrame, OSError):
                while True:
                    last = seen(reader.bytes(0.5))
            assert last == "card"
            assert_covered()


def test_after_a_kill_the_guard_covers_what_is_left(holder):
    with Daemon(*ROOM) as daemon:
        feeds_the_room(daemon)
        daemon.kill()
        report(f"covered {assert_covered(8):.2f} s after a kill")


def test_after_a_crash_with_a_reader_that_stays(holder):
    with Daemon(*ROOM) as daemon:
        feeds_the_room(daemon)
        with Reader() as reader:
            reader.bytes()
            daemon.send(signal.SIGSEGV)
            daemon.process.wait(30)
            assert_covered(8)
    assert_covered()


@pytest.mark.parametrize("layout", ["I420", "NV12", "YUYV"])
@pytest.mark.parametrize("ending", ["kill", "hangup"])
def test_whatever_program_feeds_the_device_in_whatever_layout(layout, ending, holder):
    feeder = subprocess.Popen([sys.executable, "-c", FEED, layout], stdout=subprocess.PIPE)
    assert feeder.stdout.readline() == b"on\n"
    feeder.send_signal(signal.SIGKILL if ending == "kill" else signal.SIGHUP)
    feeder.wait()
    feeder.stdout.close()

    def bright():
        return [index for index, data in enumerate(mapped()) if (data == 200).mean() > 0.01]

    until(lambda: not bright(), 8, lambda: f"bright buffers: {bright()}")


def test_a_guard_costs_nothing_and_has_nothing_open():
    with Daemon(*ROOM) as daemon:
        feeds_the_room(daemon)
        (guard,) = guards(daemon.process.pid)
        found = {os.readlink(path) for path in Path(f"/proc/{guard}/fd").iterdir()}
        assert not [name for name in found if name.startswith("/dev/video")], found
        before = Path(f"/proc/{guard}/schedstat").read_text() if Path(f"/proc/{guard}/schedstat").exists() else ""
        times = Path(f"/proc/{guard}/stat").read_text().split()[13:15]
        select.select([], [], [], 1.0)
        assert Path(f"/proc/{guard}/stat").read_text().split()[13:15] == times
        assert before == (Path(f"/proc/{guard}/schedstat").read_text() if before else "")
        status = Path(f"/proc/{guard}/status").read_text()
        report(f"guard: {[line for line in status.splitlines() if line.startswith(('VmRSS', 'RssAnon'))]}")
        daemon.stop()
        assert not Path(f"/proc/{guard}").exists()


def guards(parent):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                    found.append(int(entry.name))
    return [pid for pid in found if b"vcam-guard" in Path(f"/proc/{pid}/cmdline").read_bytes()]
