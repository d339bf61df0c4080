"""Run in the virtual machine by tests/vm/test_vm.py, once for each version of v4l2loopback: who counts as a reader."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.vm.inside_output import DEVICE, RED, Feeder, Reader
from vcam.v4l2 import device, discover, opens
from vcam.v4l2.loopback import version
from vcam.v4l2.notices import other_opens
from vcam.v4l2.presence import ReaderWatch

# maps the buffers as any reader does, and takes pictures without ever saying STREAMON
MAPS = """
import os, sys, time
from pathlib import Path
from vcam.v4l2 import device
fd = os.open("/dev/video20", os.O_RDWR)
maps = [device.map_buffer(fd, index) for index in range(device.request_buffers(fd, 4))]
for index in range(len(maps)):
    device.queue_buffer(fd, index)
while True:
    device.queue_buffer(fd, device.dequeue_buffer(fd).index)
    print("picture", flush=True)
"""
# the same with a stream, from a node of its own in namespaces of its own, as in a container
CONTAINER = """
mount -t tmpfs none /media && mkdir /media/dev && mknod /media/dev/cam c $1 $2 && exec "$3" -c '
from pathlib import Path
from tests.vm.guest import Reader
with Reader(Path("/media/dev/cam")) as reader:
    while True:
        reader.bytes(10.0)
        print("picture", flush=True)
' || exit 1
"""


class Program:
    """A program that reads the device and says so by a line for each picture, until it is killed."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def took(self):
        line = self.process.stdout.readline()
        assert line, "the program has ended"
        return line

    def __enter__(self):
        self.took()
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()


READS = """
with open("/dev/video20", "rb", 0) as file:
    while file.read(345600):
        print("picture", flush=True)
"""


def reads_with_read(*before):
    """A program that calls read(), as dd, motion and zoneminder do; `before` starts it as somebody else."""
    return Program(*before, sys.executable, "-c", READS)


def wait_for(watch, expected, seconds=30):
    deadline = time.monotonic() + seconds
    while watch.readers() is not expected:
        assert time.monotonic() < deadline, f"{watch.readers()} instead of {expected}"
        select.select([watch], [], [], 0.1)


@pytest.fixture
def watch():
    watch = ReaderWatch()
    yield watch
    watch.close()


def test_readers_are_seen_coming_and_going_and_dying(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        assert watch.readers() is False
        for _ in range(3):
            with Reader((640, 360)) as reader:
                reader.read()
                wait_for(watch, True)
            wait_for(watch, False)


def test_whoever_waits_for_readers_is_woken_when_one_comes(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        wait_for(watch, False)
        # to ask must not be a reason to ask again
        wakes = 0
        deadline = time.monotonic() + 1.0
        while (left := deadline - time.monotonic()) > 0:
            wakes += len(select.select([watch], [], [], left)[0])
            assert watch.readers() is False
        assert wakes <= 1
        with Reader((640, 360)):
            assert select.select([watch], [], [], 20)[0]
            wait_for(watch, True)


def test_a_reader_that_was_there_first_is_seen(watch):
    with Feeder((640, 360), RED), Reader((640, 360)) as reader:
        reader.read()
        watch.open(Path(DEVICE))
        wait_for(watch, True)


def test_a_program_that_only_lists_devices_is_no_reader(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        look = "import os; os.open('/dev/video20', os.O_RDWR); print('open', flush=True); input()"
        program = subprocess.Popen([sys.executable, "-c", look], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert program.stdout.readline() == b"open\n"
        # without the kernel's event, whoever keeps the device open may be reading
        wait_for(watch, not watch.has_event)
        program.communicate(b"\n")
        wait_for(watch, False)


def test_an_unopened_watch_does_not_know():
    assert ReaderWatch().readers() is None


def stays(watch, expected, seconds):
    """It answers the same all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert watch.readers() is expected
        select.select([watch], [], [], 0.1)


def test_a_program_that_calls_read_is_a_reader_until_it_ends(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        wait_for(watch, False)
        for _ in range(2):
            with reads_with_read():
                wait_for(watch, True)
                stays(watch, True, 3.0)
            wait_for(watch, False)


def test_whoever_waits_is_woken_when_a_program_calls_read(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        wait_for(watch, False)
        while select.select([watch], [], [], 0.3)[0]:
            assert watch.readers() is False
        with reads_with_read():
            assert select.select([watch], [], [], 20)[0]
            wait_for(watch, True)
            # and not at each of its pictures
            wakes, deadline = 0, time.monotonic() + 2.0
            while (left := deadline - time.monotonic()) > 0:
                wakes += len(select.select([watch], [], [], left)[0])
                assert watch.readers() is True
            assert wakes < 10


def test_a_program_that_called_read_first_is_seen(watch):
    with Feeder((640, 360), RED), reads_with_read():
        watch.open(Path(DEVICE))
        wait_for(watch, True)


def test_of_two_that_call_read_one_may_leave(watch):
    if version() >= "0.14":
        pytest.skip("this version lets one program read")
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        with reads_with_read() as stayer:
            with reads_with_read():
                wait_for(watch, True)
            stays(watch, True, 3.0)
            stayer.took()
        wait_for(watch, False)


def test_a_program_that_opens_it_beside_a_reader_does_not_outlast_the_reader(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        if not watch.has_event:
            pytest.skip("without the kernel's event, whoever keeps the device open may be reading")
        opener = os.open(DEVICE, os.O_RDWR)
        try:
            stays(watch, False, 1.0)
            with reads_with_read():
                wait_for(watch, True)
            wait_for(watch, False)
        finally:
            os.close(opener)


def test_a_program_of_another_user_is_a_reader(watch, monkeypatch):
    os.chmod(DEVICE, 0o666)
    # what vcam sees of others' processes when it is not root
    monkeypatch.setattr(opens, "holders", lambda *words, **more: [])
    other = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs")
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        wait_for(watch, False)
        with reads_with_read(*other):
            # None: somebody has it open, and nobody can be seen
            wait_for(watch, True if watch.has_event else None)
            stays(watch, True if watch.has_event else None, 2.0)
        wait_for(watch, False)


@pytest.mark.parametrize("seen", [True, False])
def test_a_program_in_a_container_with_a_node_of_its_own_is_a_reader(watch, monkeypatch, seen):
    if not seen:
        monkeypatch.setattr(opens, "holders", lambda *words, **more: [])
    number = os.stat(DEVICE).st_rdev
    numbers = str(os.major(number)), str(os.minor(number))
    command = ("unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", CONTAINER, "sh", *numbers, sys.executable)
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        wait_for(watch, False)
        with Program(*command) as program:
            wait_for(watch, True if seen or watch.has_event else None)
            program.took()
        wait_for(watch, False)


def test_mapped_buffers_without_a_stream_are_read_as_well(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        wait_for(watch, False)
        with Program(sys.executable, "-c", MAPS) as program:
            wait_for(watch, True)
            program.took()
            stays(watch, True, 2.0)
        wait_for(watch, False)


def test_a_reader_that_stops_its_stream_and_keeps_its_buffers_has_gone(watch):
    pauses = MAPS.split("while True")[0] + "device.stream_on(fd); print('on', flush=True); time.sleep(2)\n"
    pauses += "device.stream_off(fd); print('off', flush=True); time.sleep(60)\n"
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        if not watch.has_event:
            pytest.skip("without the kernel's event, whoever keeps the device open may be reading")
        with Program(sys.executable, "-c", pauses) as program:
            wait_for(watch, True)
            assert program.took() == b"off\n"
            wait_for(watch, False)
            stays(watch, False, 4.0)


def test_the_programs_that_have_it_open_are_counted_without_being_seen(watch):
    with Feeder((640, 360), RED):
        watch.open(Path(DEVICE))
        assert other_opens(Path(DEVICE)) == 0
        with reads_with_read() as program:
            assert other_opens(Path(DEVICE)) == 1
            assert [holder.pid for holder in discover.holders(Path(DEVICE), but=os.getpid())] == [program.process.pid]
        # the virtual camera may be vcam's own camera: the buffers that it maps are no opens
        with device.opened(Path(DEVICE)) as fd:
            maps = [device.map_buffer(fd, index) for index in range(device.request_buffers(fd, 4))]
            assert len(maps) > 1
            assert other_opens(Path(DEVICE)) == 0
            with Program(sys.executable, "-c", "file = open('/dev/video20'); print('open', flush=True); input()"):
                assert other_opens(Path(DEVICE)) == 1
            for memory in maps:
                memory.close()
        assert other_opens(Path(DEVICE)) == 0
    assert other_opens(Path("/dev/video0")) is None
