"""Run in the virtual machine by test_vm.py: `vcam start` through many comings and goings of all that can go."""

from __future__ import annotations

import os
import time

import pytest

from tests.vm.guest import CAMERA, Daemon, KilledReader, Reader, if_full, plug, report, show_bars, spread, until


@pytest.fixture(autouse=True)
def bars():
    show_bars()


class Growth:
    """Descriptors and memory of a daemon, before and after; the first rounds fill caches and do not count."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._before = self._look()

    def _look(self):
        # whoever came last may not have been noticed yet
        time.sleep(0.5)
        self._daemon.wait_until("idle")
        looks = []
        for _ in range(5):
            # the camera is closed in a thread, and who reads is looked for in /proc
            time.sleep(0.2)
            looks.append(sorted(self._daemon.descriptors()))
        return min(looks, key=len), self._daemon.memory

    def check(self, what):
        """No descriptor more than before, and not more memory than one frame's buffers."""
        after = self._look()
        report(
            f"{what}: descriptors {len(self._before[0])} -> {len(after[0])}, "
            f"memory {self._before[1]:.1f} -> {after[1]:.1f} MB"
        )
        assert len(after[0]) <= len(self._before[0]), f"{self._before[0]} {after[0]}"
        assert after[1] < self._before[1] + 4


def see(composited=1):
    with Reader() as reader:
        took = reader.until_composited()
        for _ in range(composited - 1):
            reader.read()
    return took


def test_readers_come_and_go():
    with Daemon() as daemon:
        for _ in range(5):
            see(5)
        growth = Growth(daemon)
        took = [see(2) for _ in range(if_full(200, 20))]
        report(f"{len(took)} readers, one after the other: to the first composited frame {spread(took)} s")
        growth.check(f"{len(took)} readers")
        took = []
        for _ in range(if_full(20, 4)):
            daemon.wait_until("idle")
            time.sleep(0.5)
            took.append(see(2))
        growth.check(f"{len(took)} readers of a camera that was off")


def test_readers_are_killed():
    with Daemon() as daemon:
        see(5)
        growth = Growth(daemon)
        for _ in range(if_full(20, 5)):
            reader = KilledReader()
            reader.wait_for_frames(5)
            reader.kill()
            see()
        growth.check("readers killed")
        assert not daemon.holds(CAMERA)


def test_the_webcam_is_pulled_and_plugged_in():
    with Daemon() as daemon:
        took = []
        with Reader() as reader:
            reader.until_composited()
            for _ in range(if_full(50, 6)):
                plug(False)
                reader.until_placeholder(3.0)
                plug()
                began = time.monotonic()
                reader.until_composited(10.0)
                took.append(time.monotonic() - began)
        report(f"webcam plugged in {len(took)} times: to the first composited frame {spread(took)} s")
        assert daemon.count("you cannot be shown: .*was unplugged") == len(took)
        growth = Growth(daemon)
        with Reader() as reader:
            reader.until_composited()
            for _ in range(if_full(10, 3)):
                plug(False)
                reader.until_placeholder(3.0)
                # a descriptor that somebody holds keeps the number taken
                plug()
                reader.until_composited(10.0)
        growth.check("webcam pulled and plugged in")


def test_the_webcam_comes_back_under_another_number():
    with Daemon() as daemon, Reader() as reader:
        reader.until_composited()
        holder = os.open(CAMERA, os.O_RDWR)
        plug(False)
        reader.until_placeholder(3.0)
        plug()
        assert not CAMERA.exists()
        reader.until_composited(10.0)
        assert daemon.count(r"camera on: vivid \(/dev/video[1-9]") == 1
        os.close(holder)
        plug(False)
        reader.until_placeholder(3.0)
        plug()
        reader.until_composited(10.0)


def test_the_webcam_is_pulled_while_nobody_watches():
    with Daemon() as daemon:
        daemon.wait_until("idle")
        plug(False)
        with Reader() as reader:
            daemon.wait_until("degraded")
            reader.until_placeholder()
            plug()
            reader.until_composited()


def test_the_daemon_is_restarted_under_a_waiting_reader():
    with Daemon():
        reader = Reader()
        reader.until_composited()
    took = []
    with reader:
        for _ in range(if_full(50, 3)):
            reader.drain()
            with Daemon(ready=False) as daemon:
                reader.until_composited(20.0)
                took.append(time.monotonic() - daemon.started)
                assert daemon.stop() == 0
    report(f"{len(took)} restarts under a reader: from the start to its first composited frame {spread(took)} s")
    with Daemon():
        see(2)


def test_the_daemon_is_killed():
    took = []
    for _ in range(if_full(20, 2)):
        with Daemon(ready=False) as daemon:
            until(lambda daemon=daemon: daemon.state, 20, lambda daemon=daemon: daemon.log)
            took.append(time.monotonic() - daemon.started)
            see(3)
            daemon.kill()
    report(f"{len(took)} times killed with SIGKILL: from the start to ready {spread(took)} s")


def test_the_daemon_is_killed_under_a_reader():
    with Daemon() as daemon:
        reader = Reader()
        reader.until_composited()
        daemon.kill()
    with reader:
        for _ in range(if_full(10, 1)):
            reader.drain()
            with Daemon(ready=False) as daemon:
                reader.until_composited(20.0)
                daemon.kill()
    with Daemon():
        see(2)
