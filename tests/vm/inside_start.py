"""Run in the virtual machine by tests/test_vm.py: `vcam start` with a webcam, its virtual camera, and readers."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time

import pytest
from guest import (
    CAMERA,
    VCAM,
    Daemon,
    Reader,
    best_of,
    is_composited,
    is_placeholder,
    plug_afresh,
    report,
    set_control,
    spread,
    times,
)

from vcam.errors import UsageError
from vcam.v4l2.presence import ReaderWatch


@pytest.fixture(scope="module", autouse=True)
def bars():
    """The webcam shows the colour bars: white in one upper corner, black in the other."""
    plug_afresh()
    set_control("test_pattern", 1)
    set_control("osd_text_mode", 2)


@pytest.fixture(scope="module")
def daemon(bars):
    with Daemon(backend="auto") as daemon:
        daemon.wait_until("idle")
        yield daemon


@pytest.fixture(scope="module")
def has_event(daemon):
    watch = ReaderWatch()
    watch.open(VCAM)
    yield watch.has_event
    watch.close()


def test_the_camera_is_closed_while_nobody_watches(daemon):
    daemon.wait_until("idle")
    assert daemon.holds(VCAM)
    assert not daemon.holds(CAMERA)


def test_readers_get_thirty_composited_frames_a_second(daemon):
    with Reader() as reader:
        reader.until_composited()
        time.sleep(0.5)
        measured = best_of(3, lambda: rate(reader), 29)
    report(f"vivid 640x360 at 30 fps: {', '.join(f'{each:.1f}' for each in measured)} frames a second")
    assert max(measured) >= 24


def rate(reader):
    frames = reader.for_seconds(2.0)
    assert all(is_composited(frame) for _, frame in frames)
    return (len(frames) - 1) / (frames[-1][0] - frames[0][0])


def test_a_reader_gets_a_placeholder_at_once_and_a_composited_frame_within_half_a_second(daemon):
    first, composited = [], []
    for _ in range(times(10, 5)):
        daemon.wait_until("idle")
        time.sleep(0.2)
        with Reader() as reader:
            frame = reader.read()
            first.append(time.monotonic() - reader.began)
            assert is_placeholder(frame)
            composited.append(reader.until_composited())
    report(f"reader to first frame: {spread(first)} s; to first composited: {spread(composited)} s")
    assert statistics.median(first) < 0.15
    assert statistics.median(composited) < 0.5


def test_the_camera_goes_off_when_the_last_reader_has_gone(daemon):
    with Reader() as reader:
        reader.until_composited()
        daemon.wait_until("live")
        assert daemon.holds(CAMERA)
    daemon.wait_until("idle")
    time.sleep(0.3)
    assert not daemon.holds(CAMERA)


def test_listing_devices_does_not_switch_the_camera_on(daemon, has_event):
    daemon.wait_until("idle")
    before = daemon.count("camera on")
    for _ in range(5):
        for question in (["--list-devices"], ["-d", str(VCAM), "--all"], ["-d", str(VCAM), "--list-formats-ext"]):
            subprocess.run(["v4l2-ctl", *question], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    assert daemon.count("camera on") == before
    # a program that keeps the device open, as a browser's list does, can be told from a reader only by the event
    fd = os.open(VCAM, os.O_RDWR)
    time.sleep(0.8)
    os.close(fd)
    if has_event:
        assert daemon.count("camera on") == before
    daemon.wait_until("idle")


def test_after_a_sleep_of_the_daemon_a_fresh_frame_comes_at_once_and_no_old_ones(daemon):
    with Reader() as reader:
        reader.until_composited()
        daemon.send(signal.SIGSTOP)
        time.sleep(3)
        reader.drain()
        woken = time.monotonic()
        daemon.send(signal.SIGCONT)
        reader.read()
        report(f"first frame after a sleep of 3 s: {time.monotonic() - woken:.3f} s")
        assert time.monotonic() - woken < 0.3
        frames = reader.for_seconds(1.0)
    # a queue of stale frames would come as a burst
    assert len(frames) <= 35
    assert all(is_composited(frame) for _, frame in frames)


def test_idling_costs_little(daemon):
    daemon.wait_until("idle")
    # by then all buffers of the device hold the placeholder
    time.sleep(1)
    began, before = time.monotonic(), daemon.cpu
    time.sleep(times(30, 4))
    share = 100 * (daemon.cpu - before) / (time.monotonic() - began)
    report(f"idle: {share:.2f} % of the guest's processor")
    # far above what it should be, since whatever else runs on this machine makes it dearer
    assert share < 2.5


def test_when_the_clock_is_set_the_picture_goes_on(daemon):
    with Reader() as reader:
        reader.until_composited()
        now = time.clock_gettime(time.CLOCK_REALTIME)
        try:
            for jump in (3600, -7200):
                time.clock_settime(time.CLOCK_REALTIME, now + jump)
                frames = reader.for_seconds(0.7)
                # thirty a second on a machine that is left alone
                assert len(frames) > 5
                assert all(is_composited(frame) for _, frame in frames)
        finally:
            time.clock_settime(time.CLOCK_REALTIME, now + 1.4)
    assert daemon.count("degraded") == 0


def test_the_size_changes_while_somebody_reads_and_while_nobody_does(daemon):
    with Reader() as reader:
        reader.until_composited()
        told = reader.size
        with daemon.client() as client:
            client.call("set", {"output.size": "320x180"})
        frames = reader.for_seconds(1.0)
        assert len(frames) > 10
        assert all(is_composited(frame) for _, frame in frames)
        assert reader.size == told
    daemon.wait_until("idle")
    with daemon.client() as client:
        client.call("set", {"output.size": "640x480"})
    with Reader() as reader:
        reader.until_composited()
        report(f"a reader that was there was told {told}, one that came {reader.size}")
        assert reader.size == (640, 480)
    daemon.wait_until("idle")
    with daemon.client() as client:
        client.call("set", {"output.size": f"{told[0]}x{told[1]}"})


def test_the_cameras_controls_are_set_while_it_runs_and_what_it_cannot_do_is_refused(daemon):
    with Reader() as reader, daemon.client() as client:
        reader.until_composited()
        client.call("set", {"camera.controls": "brightness=90"})
        assert control_of(CAMERA, "brightness") == 90
        with pytest.raises(UsageError, match="brightness"):
            client.call("set", {"camera.controls": "brightness=9000"})
        assert control_of(CAMERA, "brightness") == 90
        assert client.call("get", {"key": "camera.controls"}) == {"camera.controls": "brightness=90"}
        client.call("set", {"camera.controls": "brightness=128"})
        assert all(is_composited(frame) for _, frame in reader.for_seconds(1.0))
        assert daemon.holds(CAMERA)


def control_of(path, name):
    words = ["v4l2-ctl", "-d", str(path), "--get-ctrl", name]
    told = subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    return int(told.split(":")[1])


def test_the_process_leaves_with_success_when_it_is_told_to():
    # the last test of this file: the shared one has served all others
    with Daemon("--always-on", outputs=["null"]) as daemon:
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 3
