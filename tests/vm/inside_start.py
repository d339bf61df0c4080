"""Run in the virtual machine by tests/vm/test_vm.py: `vcam start` with a webcam, its virtual camera, and readers."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time

import pytest

from tests.vm.guest import CAMERA, SIZE, VCAM, Daemon, Reader, best_of, if_full, report, show_bars, spread
from tests.vm.shown import between_bars, is_composited, is_placeholder
from vcam.errors import UsageError
from vcam.v4l2.presence import ReaderWatch


@pytest.fixture(scope="module", autouse=True)
def bars():
    show_bars()


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
    assert max(measured) >= if_full(27, 6)


def rate(reader):
    frames = reader.for_seconds(2.0)
    assert all(is_composited(frame) for _, frame in frames)
    return (len(frames) - 1) / (frames[-1][0] - frames[0][0])


def test_a_reader_gets_a_placeholder_at_once_and_a_composited_frame_within_half_a_second(daemon):
    first, composited = [], []
    for _ in range(if_full(10, 5)):
        daemon.wait_until("idle")
        time.sleep(0.2)
        with Reader() as reader:
            frame = reader.read()
            first.append(time.monotonic() - reader.began)
            assert is_placeholder(frame)
            composited.append(reader.until_composited())
    report(f"reader to first frame: {spread(first)} s; to first composited: {spread(composited)} s")
    assert statistics.median(first) < if_full(0.15, 2)
    assert statistics.median(composited) < if_full(0.5, 5)


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
        assert time.monotonic() - woken < if_full(0.3, 5)
        frames = reader.for_seconds(1.0)
    # a queue of stale frames would come as a burst
    assert len(frames) <= 35
    assert all(is_composited(frame) for _, frame in frames)


def test_while_idle_it_wakes_for_its_placeholders_and_for_nothing_else(daemon):
    daemon.wait_until("idle")
    # by then all buffers of the device hold the placeholder
    time.sleep(1)
    seconds, before, cpu = if_full(30, 4), daemon.waits(), daemon.cpu
    began = time.monotonic()
    time.sleep(seconds)
    lasted = time.monotonic() - began
    main, everywhere = daemon.process.pid, daemon.waits()
    count = everywhere[main] - before[main]
    others = sum(everywhere.values()) - sum(before.values()) - count
    report(f"idle: {count / lasted:.1f} + {others / lasted:.1f} waits a second")
    report(f"idle: {100 * (daemon.cpu - cpu) / lasted:.2f} % of the guest's processor")
    # it waits once for each of ten placeholders a second; one that spins never waits, a busy one does so all the time
    assert 2 * seconds < count < 12 * lasted + 5
    assert others < 5 * lasted


def test_when_the_clock_is_set_the_picture_goes_on(daemon):
    with Reader() as reader:
        reader.until_composited()
        now = time.clock_gettime(time.CLOCK_REALTIME)
        try:
            for jump in (3600, -7200):
                time.clock_settime(time.CLOCK_REALTIME, now + jump)
                frames = reader.for_seconds(0.7)
                # thirty a second on a machine that is left alone
                assert len(frames) > if_full(5, 2)
                assert all(is_composited(frame) for _, frame in frames)
        finally:
            time.clock_settime(time.CLOCK_REALTIME, now + 1.4)
    assert daemon.count("you cannot be shown") == 0


def set_size(daemon, size):
    with daemon.client() as client:
        client.call("set", {"output.size": f"{size[0]}x{size[1]}"})


def told_a_new_reader(daemon):
    """The size that a reader finds which comes while nobody reads; it gets composited pictures of it, without bars."""
    daemon.wait_until("idle")
    with Reader() as reader:
        reader.until_composited()
        daemon.wait_until("live")
        return reader.size


def test_a_reader_keeps_its_size_and_when_it_has_gone_the_wanted_one_is_taken(daemon):
    with Reader() as reader:
        reader.until_composited()
        told = reader.size
        set_size(daemon, (640, 480))
        frames = [frame for _, frame in reader.for_seconds(1.0)]
        assert all(is_composited(between_bars(frame)) for frame in frames)
        # the last one stands between bars: the picture of 640x480 is narrower
        assert between_bars(frames[-1]).size == (480, 360)
        assert reader.size == told
    daemon.wait_for(r"pictures of 640x480 are fitted into I420 640x360, which is held by \S+ \(process")
    # nobody tells it to
    daemon.wait_for("pictures of 640x480 are shown as they are")
    assert told_a_new_reader(daemon) == (640, 480)
    daemon.wait_until("idle")
    set_size(daemon, told)
    assert told_a_new_reader(daemon) == told


def test_a_program_that_has_the_device_open_without_reading_does_not_keep_the_size(daemon, has_event):
    daemon.wait_until("idle")
    fd = os.open(VCAM, os.O_RDWR)
    try:
        if not has_event:
            # there it counts as a reader, since nothing tells it from one
            daemon.wait_until("live")
        set_size(daemon, (320, 180))
        if has_event:
            assert told_a_new_reader(daemon) == (320, 180)
    finally:
        os.close(fd)
    if not has_event:
        # when it is noticed that it has gone
        daemon.wait_for("pictures of 320x180 are shown as they are")
    assert told_a_new_reader(daemon) == (320, 180)
    daemon.wait_until("idle")
    set_size(daemon, SIZE)


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
        assert time.monotonic() - began < if_full(3, 15)
