"""Who reads a device that does not tell: seen by inotify and /proc, here on a plain file."""

from __future__ import annotations

import select
import subprocess
import time
from types import SimpleNamespace

import pytest

from vcam.testing import FakeClock
from vcam.v4l2 import opens
from vcam.v4l2.presence import ReaderWatch

pytestmark = pytest.mark.process


@pytest.fixture
def node(tmp_path):
    path = tmp_path / "video20"
    path.touch()
    return path


@pytest.fixture
def scans(monkeypatch):
    """How often all processes were looked through."""
    found, holders = [], opens.holders

    def counted(*words, **more):
        found.append(words)
        return holders(*words, **more)

    monkeypatch.setattr(opens, "holders", counted)
    return found


@pytest.fixture
def clock(monkeypatch):
    """What a watch knows of the time."""
    clock = FakeClock()
    monkeypatch.setattr(opens, "time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def watch(node, clock):
    watch = ReaderWatch()
    watch.open(node)
    assert not watch.has_event
    yield watch
    watch.close()


def program_with(path):
    """A program that holds a file open until it is told to end."""
    with path.open("rb") as file:
        return subprocess.Popen(["sleep", "60"], stdin=file)


def wait_for(watch, clock, expected):
    """While its time goes on; the seconds of it that passed."""
    deadline, began = time.monotonic() + 30, clock.now
    while watch.readers() is not expected:
        assert time.monotonic() < deadline, f"{watch.readers()} instead of {expected}"
        select.select([watch], [], [], 0.01)
        clock.now += 0.05
    return clock.now - began


def test_a_program_that_stays_is_a_reader_until_it_ends(node, watch, clock):
    assert watch.readers() is False
    program = program_with(node)
    assert watch.readers() is False
    wait_for(watch, clock, True)
    program.kill()
    program.wait()
    assert wait_for(watch, clock, False) < 2


def test_a_program_is_seen_even_if_proc_shows_it_only_after_the_kernel_told_of_it(node, watch, clock, monkeypatch):
    assert watch.readers() is False
    program = program_with(node)
    with monkeypatch.context() as patch:
        patch.setattr(opens, "holders", lambda *words, **more: [])
        assert watch.readers() is False
    assert wait_for(watch, clock, True) < 2
    program.kill()
    program.wait()


def test_while_nothing_happens_the_processes_are_not_looked_through(node, watch, clock, scans):
    wait_for(watch, clock, False)
    clock.now += 2 * opens._SETTLED_SECONDS
    watch.readers()
    before = len(scans)
    for _ in range(50):
        assert watch.readers() is False
        clock.now += 0.1
    assert len(scans) == before


def test_while_a_reader_stays_it_alone_is_looked_at(node, watch, clock, scans):
    program = program_with(node)
    wait_for(watch, clock, True)
    before = len(scans)
    for _ in range(50):
        assert watch.readers() is True
        clock.now += 0.1
    assert len(scans) == before
    program.kill()
    program.wait()
    wait_for(watch, clock, False)
