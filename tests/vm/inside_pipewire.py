"""Run in the virtual machine by tests/vm/test_vm.py: the webcam and the loopback by way of PipeWire, as WirePlumber's
monitor of V4L2 devices and PipeWire's plugin for them make nodes of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.pipewire.helpers import frames_of, needs_gstreamer, reader
from tests.pipewire.session import Session, inside, missing
from tests.vm.guest import (
    CAMERA,
    FEED,
    SIZE,
    VCAM,
    Daemon,
    Reader,
    if_full,
    plug,
    plug_afresh,
    show_bars,
    until,
)  # fmt: skip
from tests.vm.inside_camera import BARS, bars, read_many
from tests.vm.shown import assert_safe, is_composited
from vcam.camera import pipewire
from vcam.camera.device import V4L2Camera
from vcam.camera.first import FirstCamera
from vcam.camera.pipewire import PipeWireCamera, find_camera
from vcam.errors import CameraError
from vcam.frames import Frame, PixelFormat
from vcam.output.virtual.camera import VirtualCamera
from vcam.pipewire.registry import video_nodes

UDEVD = Path("/lib/systemd/systemd-udevd")
WEBCAM, LOOPBACK = "vivid (V4L2)", "vcam (V4L2)"
# of what vcam reads by way of PipeWire all that vivid has in colour, as PipeWire's plugin for V4L2 knows it
OFFERED = [
    PixelFormat.NV12, PixelFormat.I420, PixelFormat.YV12, PixelFormat.NV21, PixelFormat.YUYV, PixelFormat.UYVY,
    PixelFormat.YVYU, PixelFormat.BGR24, PixelFormat.RGB24,
]  # fmt: skip


@pytest.fixture(scope="module")
def udev():
    """The daemon that tells WirePlumber of devices that come and go."""
    lacks = missing() if UDEVD.exists() else [*missing(), "udev"]
    if lacks:
        pytest.skip(f"needs {', '.join(lacks)}: apt install pipewire pipewire-bin wireplumber dbus-daemon udev")
    environ = os.environ | {"SYSTEMD_IGNORE_CHROOT": "1"}
    subprocess.run([UDEVD, "--daemon"], check=True, env=environ)
    subprocess.run(["udevadm", "trigger", "--action=add", "--subsystem-match=video4linux"], check=True, env=environ)
    subprocess.run(["udevadm", "settle"], check=True, env=environ)


@pytest.fixture(scope="module")
def shared_session(udev):
    show_bars()
    session = Session()
    session.start()
    yield session
    session.close()


@pytest.fixture
def session(shared_session):
    with inside(shared_session):
        if not CAMERA.exists():
            # whoever was reading it when it was unplugged keeps its number taken; PipeWire does for as long as it runs
            shared_session.stop()
            plug_afresh()
            shared_session.start()
        until(lambda: WEBCAM in listed(), 10, "WirePlumber lists the webcam")
        yield shared_session


@pytest.fixture
def looped(session):
    """The loopback is listed as well: WirePlumber has found it while it was fed. It stays listed after that."""
    if LOOPBACK not in listed():
        with fed():
            session.stop()
            session.start()
            until(lambda: {WEBCAM, LOOPBACK} <= listed(), 20, "WirePlumber lists both")
    return session


@contextmanager
def fed():
    """Another vcam feeds the loopback."""
    process = subprocess.Popen([sys.executable, "-c", FEED], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"on\n"
        yield
    finally:
        process.kill()
        process.communicate()


def listed():
    return {node.description for node in video_nodes()}


def gone():
    plug(False)
    until(lambda: WEBCAM not in listed(), 10, "WirePlumber drops the webcam")


def camera(name="vivid"):
    return PipeWireCamera(name, SIZE, 30, if_full(2.0, 5.0))


def test_wireplumber_makes_a_camera_of_the_webcam(session):
    (node,) = [node for node in video_nodes() if node.description == WEBCAM]
    assert (node.api, node.path, node.role) == ("v4l2", str(CAMERA), "Camera")
    assert find_camera("") == node == find_camera("vivid")
    done = subprocess.run([sys.executable, "-m", "vcam", "devices", "--json"], capture_output=True, check=True)
    assert WEBCAM in [camera["name"] for camera in json.loads(done.stdout)["pipewire"]["cameras"]]


@pytest.mark.parametrize("format_", OFFERED)
def test_the_webcams_formats_show_its_picture_in_its_colours(session, monkeypatch, format_):
    monkeypatch.setattr(pipewire, "_FORMATS", (format_,))
    source = camera()
    source.open()
    try:
        assert f"{SIZE[0]}x{SIZE[1]} {format_.name}" in source.description
        frame = source.read()
        assert frame.size == SIZE
        np.testing.assert_allclose(bars(frame), BARS, atol=2)
    finally:
        source.close()


def test_an_unplugged_webcam_is_an_error_and_is_found_again(session):
    source = camera()
    source.open()
    source.read()
    gone()
    with pytest.raises(CameraError, match=r"vivid \(V4L2\) is gone from PipeWire"):
        read_many(source)
    source.close()
    with pytest.raises(CameraError, match=r"vivid \(V4L2\) is not there: vcam waits for that one"):
        source.open()
    plug()
    until(lambda: WEBCAM in listed(), 10, "WirePlumber lists it again")
    source.open()
    assert source.read().size == SIZE
    source.close()


def test_vcam_serves_it_and_takes_it_up_again(session):
    with Daemon(camera="pipewire:vivid", outputs=("auto",)) as daemon, Reader() as seen:
        seen.until_composited()
        plug(False)
        daemon.wait_for(r"is gone from PipeWire")
        seen.until_placeholder(20)
        plug()
        seen.until_composited(20)


def test_programs_of_both_kinds_read_at_once(session, tmp_path):
    needs_gstreamer()
    with Daemon(camera="pipewire:vivid", outputs=("auto",)) as daemon:
        until(lambda: "vcam" in listed(), 10, lambda: f"its node:\n{daemon.log}")
        assert daemon.state == "idle"
        process = reader(session, "vcam.vcam", tmp_path / "out.yuv", 60)
        daemon.wait_until("live")
        with Reader() as seen:
            seen.until_composited()
            assert process.wait(60) == 0
        daemon.wait_until("idle")
    pictures = [Frame.wrap(each.copy(), *SIZE) for each in frames_of(tmp_path / "out.yuv", SIZE)]
    for picture in pictures:
        assert_safe(picture)
    assert is_composited(pictures[-1])


def test_its_own_loopback_is_no_camera_to_it(looped):
    own = VirtualCamera("auto")
    own.open(SIZE, 30)
    try:
        own.write(Frame.allocate(*SIZE))
        assert LOOPBACK in listed()
        assert find_camera("").description == WEBCAM
        for name in ("vcam", LOOPBACK):
            with pytest.raises(CameraError, match=r"vcam \(V4L2\) is vcam's own camera"):
                find_camera(name)
        gone()
        with pytest.raises(CameraError, match="PipeWire has no camera"):
            find_camera("")
        with pytest.raises(CameraError):
            FirstCamera(V4L2Camera("auto", SIZE, 30, 1.0), SIZE, 30, 1.0).check()
    finally:
        own.close()


def test_anothers_loopback_is_taken_only_if_it_is_named(looped):
    with fed():
        assert find_camera("vcam").description == LOOPBACK
        gone()
        with pytest.raises(CameraError, match="PipeWire has no camera"):
            find_camera("")


def test_one_that_becomes_its_own_after_it_was_chosen_is_refused(looped):
    source = camera(LOOPBACK)
    source.check()
    own = VirtualCamera("auto")
    own.open(SIZE, 30)
    try:
        own.write(Frame.allocate(*SIZE))
        with pytest.raises(CameraError, match="is vcam's own camera"):
            source.open()
    finally:
        own.close()


@pytest.mark.parametrize("output", ["auto", str(VCAM)])
def test_vcam_never_shows_itself(looped, output):
    """It shows a card, and says why; a loop would show a picture in a picture."""
    with Daemon(camera=f"pipewire:{LOOPBACK}", outputs=(output,)) as daemon, Reader() as seen:
        daemon.wait_for(r"is vcam's own camera")
        for _, frame in seen.for_seconds(2):
            assert not is_composited(frame)
        assert daemon.count(r"Traceback") == 0


def test_whoever_lists_it_in_pipewire_wakes_nothing(looped):
    with Daemon(outputs=("auto",)) as daemon:
        looped.stop()
        looped.start()
        until(lambda: {WEBCAM, LOOPBACK, "vcam"} <= listed(), 30, lambda: f"all three:\n{daemon.log}")
        looped.run("pw-dump")
        subprocess.run([sys.executable, "-m", "vcam", "devices"], stdout=subprocess.DEVNULL, check=True)
        assert daemon.count(r"vcam: live") == 0
        assert daemon.state == "idle"
