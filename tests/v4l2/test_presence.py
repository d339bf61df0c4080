"""Who reads a device that does not tell: seen by inotify and /proc, here on a plain file."""

from __future__ import annotations

import select
import subprocess
import time

import pytest

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
        found.append(time.monotonic())
        return holders(*words, **more)

    monkeypatch.setattr(opens, "holders", counted)
    return found


@pytest.fixture
def watch(node):
    watch = ReaderWatch()
    watch.open(node)
    assert not watch.has_event
    yield watch
    watch.close()


def program_with(path):
    """A program that holds a file open until it is told to end."""
    with path.open("rb") as file:
        return subprocess.Popen(["sleep", "60"], stdin=file)


def wait_for(watch, expected, seconds=5.0):
    deadline = time.monotonic() + seconds
    while watch.readers() is not expected:
        assert time.monotonic() < deadline, f"{watch.readers()} instead of {expected}"
        select.select([watch], [], [], 0.05)


def test_a_program_that_stays_is_a_reader_until_it_ends(node, watch):
    assert watch.readers() is False
    program = program_with(node)
    assert watch.readers() is False
    wait_for(watch, True)
    program.kill()
    program.wait()
    wait_for(watch, False)


def test_a_program_is_seen_even_if_proc_shows_it_only_after_the_kernel_told_of_it(node, watch, monkeypatch):
    assert watch.readers() is False
    program = program_with(node)
    with monkeypatch.context() as patch:
        patch.setattr(opens, "holders", lambda *words, **more: [])
        assert watch.readers() is False
    wait_for(watch, True, 2.0)
    program.kill()
    program.wait()


def test_while_nothing_happens_the_processes_are_not_looked_through(node, watch, scans):
    wait_for(watch, False)
    time.sleep(opens._SETTLED_SECONDS)
    watch.readers()
    before = len(scans)
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert watch.readers() is False
        time.sleep(0.05)
    assert len(scans) == before


def test_while_a_reader_stays_it_alone_is_looked_at(node, watch, scans):
    program = program_with(node)
    wait_for(watch, True)
    before = len(scans)
    deadline = time.monotonic() + 2 * opens._LOOK_SECONDS + 0.2
    while time.monotonic() < deadline:
        assert watch.readers() is True
        time.sleep(0.05)
    assert len(scans) == before
    program.kill()
    program.wait()
    wait_for(watch, False)
