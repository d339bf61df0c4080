"""Readers without a stream, heard by inotify, here on a plain file; and other nodes of the same device."""

from __future__ import annotations

import mmap
import os
import select
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from vcam.testing import FakeClock
from vcam.v4l2 import device, discover, notices, reads
from vcam.v4l2.reads import ReadWatch

pytestmark = pytest.mark.process

HOLDS = "import sys, time; file = open(sys.argv[1], 'rb', 0); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def node(tmp_path):
    path = tmp_path / "video20"
    path.write_bytes(bytes(mmap.PAGESIZE))
    return path


@pytest.fixture
def clock(monkeypatch):
    """What a watch knows of the time."""
    clock = FakeClock()
    monkeypatch.setattr(reads, "time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def watch(node, clock):
    watch = ReadWatch(node)
    yield watch
    watch.close()


@pytest.fixture
def program(node):
    """A program that has it open and does nothing else."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(node)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"open\n"
    yield process
    process.kill()
    process.communicate()


def wait_for(watch, clock, expected):
    """While its time goes on, a tenth of a second at a time."""
    deadline = time.monotonic() + 30
    while watch.readers(streaming=False) is not expected:
        assert time.monotonic() < deadline, f"{not expected} instead of {expected}"
        select.select([watch], [], [], 0.01)
        clock.now += 0.1


def test_whoever_reads_is_a_reader_until_it_closes(node, watch, clock):
    assert watch.readers(streaming=False) is False
    with node.open("rb", 0) as file:
        assert watch.readers(streaming=False) is False
        file.read(1)
        assert watch.readers(streaming=False) is True
        clock.now += 60
        assert watch.readers(streaming=False) is True
    assert watch.readers(streaming=False) is True
    clock.now += reads._QUIET_SECONDS - 0.1
    assert watch.readers(streaming=False) is True
    clock.now += 0.2
    assert watch.readers(streaming=False) is False


def test_a_reader_is_heard_once_not_at_every_picture(node, watch):
    with node.open("rb", 0) as file:
        file.read(1)
        assert watch.readers(streaming=False) is True
        for _ in range(3):
            file.seek(0)
            file.read(1)
            assert not select.select([watch], [], [], 0)[0]
        assert watch.readers(streaming=False) is True


def test_of_two_readers_one_may_close(node, watch, clock):
    with node.open("rb", 0) as stayer:
        with node.open("rb", 0) as other:
            other.read(1)
            assert watch.readers(streaming=False) is True
        assert watch.readers(streaming=False) is True
        stayer.read(1)
        assert watch.readers(streaming=False) is True
        clock.now += reads._QUIET_SECONDS + 1
        assert watch.readers(streaming=False) is True
    wait_for(watch, clock, False)


def test_a_slow_reader_outlasts_another_programs_look(node, watch, program, clock):
    node.read_bytes()
    assert watch.readers(streaming=False) is True
    assert watch._by == [program.pid]
    clock.now += 3 * reads._QUIET_SECONDS
    assert watch.readers(streaming=False) is True
    program.kill()
    program.wait()
    began = clock.now
    wait_for(watch, clock, False)
    assert clock.now - began < 2 * reads._QUIET_SECONDS


def test_whoever_only_has_it_open_is_none(watch, program, clock):
    for _ in range(300):
        assert watch.readers(streaming=False) is False
        clock.now += 0.1


@pytest.fixture
def mapping(node):
    script = "import mmap, sys; file = open(sys.argv[1], 'r+b'); m = mmap.mmap(file.fileno(), 0); " + HOLDS
    process = subprocess.Popen([sys.executable, "-c", script, str(node)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"open\n"
    yield process
    process.kill()
    process.communicate()


def test_whoever_maps_it_and_does_not_stream_is_a_reader(node, watch, mapping, clock):
    assert discover.maps(mapping.pid, node)
    wait_for(watch, clock, True)
    mapping.kill()
    mapping.wait()
    wait_for(watch, clock, False)


def test_whoever_has_streamed_makes_a_pause(watch, mapping, clock):
    wait_for(watch, clock, True)
    assert watch.readers(streaming=True) is False
    for _ in range(100):
        assert watch.readers(streaming=False) is False
        clock.now += 0.1


def test_a_node_that_is_no_virtual_camera_has_no_count_of_opens(node):
    assert notices.other_opens(node) is None


def test_a_device_is_known_by_its_number_under_any_name(tmp_path):
    number = os.stat("/dev/null").st_rdev
    assert discover.device_number("/dev/null") == (os.major(number), os.minor(number))
    assert discover.device_number(str(tmp_path)) is None
    assert discover.device_number(str(tmp_path / "nothing")) is None
    # a container's name for it
    (tmp_path / "dev").mkdir()
    twin = tmp_path / "dev" / "cam"
    try:
        os.mknod(twin, 0o20600, os.stat("/dev/full").st_rdev)
        with twin.open("rb", 0):
            assert discover.holds(os.getpid(), "/dev/full")
    except PermissionError:
        pytest.skip("a device node cannot be made here")


def test_the_buffers_that_are_mapped_are_counted_while_others_come_and_go(monkeypatch):
    class Changing(dict):
        calls = 0

        def items(self):
            Changing.calls += 1
            if Changing.calls == 1:
                raise RuntimeError("dictionary changed size during iteration")
            return super().items()

    memory = mmap.mmap(-1, 4096)
    monkeypatch.setattr(device, "_MAPS", Changing({memory: 7}))
    assert device.kept_by_maps({7}) == 1
    assert device.kept_by_maps({8}) == 0
    memory.close()
    assert device.kept_by_maps({7}) == 0
