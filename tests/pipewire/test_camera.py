"""Cameras that PipeWire has, made by GStreamer, read by vcam."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.pipewire.helpers import camera, needs_gstreamer
from tests.pipewire.session import Session, wait_for
from vcam.camera.base import Camera
from vcam.camera.factory import make_source
from vcam.camera.first import FirstCamera
from vcam.camera.pipewire import PipeWireCamera, find_camera
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import Frame, PixelFormat
from vcam.output.virtual.pipewire import PipeWireCamera as Output
from vcam.pipewire import formats, pod
from vcam.pipewire.registry import video_nodes
from vcam.pipewire.sink import agreed_of
from vcam.settings import CameraSettings

WHITE, BLUE = (235, 128, 128), (41, 240, 110)
"""Y, Cb, Cr of the first and the last of the test picture's bars, BT.601."""


def there(name: str) -> None:
    wait_for(lambda: any(node.description == name for node in video_nodes()), f"the camera {name}")
    # GStreamer's sink stands still for good if somebody links to it before its first picture
    time.sleep(0.5)


def colours(source: Camera) -> list[tuple[int, ...]]:
    """Of the first and the last bar, of the first frame that comes."""
    frame = first_frame(source)
    at = [(frame.height // 2, frame.width // 14), (frame.height // 2, frame.width - frame.width // 14)]
    found = [(int(frame.y[y, x]), int(frame.u[y // 2, x // 2]), int(frame.v[y // 2, x // 2])) for y, x in at]
    source.close()
    return found


def first_frame(source: Camera) -> Frame:
    """Of a camera that is opened anew if it stands still, as vcam does it: GStreamer's sink now and then does."""
    for _ in range(5):
        source.open()
        try:
            frame = source.read()
        except CameraStalled:
            source.close()
            continue
        assert frame is not None
        return frame
    pytest.fail("it stood still five times")


@pytest.mark.process
@pytest.mark.parametrize(
    "caps",
    ["video/x-raw,format=I420", "video/x-raw,format=NV12", "video/x-raw,format=YUY2", "video/x-raw,format=UYVY",
     "video/x-raw,format=RGB", "video/x-raw,format=BGRx", "video/x-raw,format=BGR", "image/jpeg"],
)  # fmt: skip
def test_every_format_gives_the_same_colours(session: Session, caps: str) -> None:
    needs_gstreamer()
    with camera(session, f"{caps},width=640,height=480,framerate=30/1"):
        there("Test-camera")
        source = PipeWireCamera("Test-camera", (640, 480), 30, 2.0)
        found = colours(source)
    assert np.abs(np.array(found) - [WHITE, BLUE]).max() <= 3


@pytest.mark.process
def test_the_newest_frame_wins_and_its_time_is_that_of_capture(session: Session) -> None:
    needs_gstreamer()
    with camera(session, "video/x-raw,format=I420,width=320,height=240,framerate=50/1"):
        there("Test-camera")
        source = PipeWireCamera("test", (320, 240), 50, 2.0)
        source.open()
        assert (source.size, source.fps) == ((320, 240), 50)
        assert "Test-camera (PipeWire), 320x240 I420 at 50 fps" in source.description
        source.read()
        time.sleep(0.2)
        frame = source.read()
        assert frame is not None
        assert time.monotonic() - frame.timestamp < 0.1, "an old frame waited in front of it"
        assert source.dropped > 0
        source.close()
        source.close()


@pytest.mark.process
def test_a_camera_that_vanishes_is_an_error_and_it_is_found_again_by_its_name(session: Session) -> None:
    needs_gstreamer()
    caps = "video/x-raw,format=I420,width=320,height=240,framerate=30/1"
    source = PipeWireCamera("test", (320, 240), 30, 0.3)
    with camera(session, caps):
        there("Test-camera")
        source.open()
        source.read()
    with pytest.raises(CameraError):
        wait_for(lambda: source.read() is None, "the loss")
    source.close()
    with pytest.raises(CameraError, match="vcam waits for that one"):
        source.open()
    with camera(session, caps):
        there("Test-camera")
        source.open()
        assert source.read() is not None
        source.close()


@pytest.mark.process
def test_a_daemon_that_ends_is_an_error(own_session: Session) -> None:
    needs_gstreamer()
    own_session.start()
    source = PipeWireCamera("test", (320, 240), 30, 0.3)
    with camera(own_session, "video/x-raw,format=I420,width=320,height=240,framerate=30/1"):
        there("Test-camera")
        source.open()
        source.read()
        own_session.stop()
        with pytest.raises(CameraError) as caught:
            wait_for(lambda: source.read() is None, "the loss")
        assert not isinstance(caught.value, CameraStalled) or "no picture" in caught.value.message
    source.close()
    with pytest.raises(CameraError, match="no PipeWire daemon answers"):
        source.open()


@pytest.mark.process
def test_vcams_own_camera_is_never_read(session: Session) -> None:
    output = Output("mirror")
    output.open((320, 240), 30)
    with pytest.raises(CameraError, match="vcam's own camera"):
        find_camera("mirror")
    with pytest.raises(CameraError, match="PipeWire has no camera"):
        find_camera("")
    output.close()


@pytest.mark.process
def test_a_name_that_nobody_has_is_told_with_those_that_are_there(session: Session) -> None:
    needs_gstreamer()
    with camera(session, "video/x-raw,format=I420,width=320,height=240,framerate=30/1", "Built-in"):
        there("Built-in")
        with pytest.raises(CameraError, match="no camera named 'Other'") as caught:
            find_camera("Other")
        assert caught.value.hint == "it has Built-in"


@pytest.mark.process
def test_auto_takes_a_camera_of_the_machine_where_there_is_no_v4l2_camera_but_nothing_of_a_program(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_gstreamer()
    monkeypatch.setattr("vcam.camera.sources.list_nodes", list)
    source = make_source(CameraSettings(source="auto"), (320, 240), 30)
    assert isinstance(source, FirstCamera)
    caps = "video/x-raw,format=I420,width=320,height=240,framerate=30/1"
    with camera(session, caps, "Program", api=""):
        there("Program")
        with pytest.raises(CameraError, match="no camera was found"):
            source.open()
        with camera(session, caps, "Sensor"):
            there("Sensor")
            source.open()
            assert "Sensor (PipeWire)" in source.description
            assert source.read() is not None
            source.close()


@pytest.mark.parametrize(
    ("word", "name"), [("pipewire", ""), ("PipeWire:Built-in", "Built-in"), ("pipewire:/dev/video0", "/dev/video0")]
)
def test_the_word_makes_the_camera(word: str, name: str) -> None:
    source = make_source(CameraSettings(source=word), (320, 240), 30)
    assert isinstance(source, PipeWireCamera)
    assert source.description == f"PipeWire's camera {name}".rstrip()


def test_a_colon_with_nothing_behind_it_is_refused() -> None:
    with pytest.raises(UsageError, match="has no name"):
        make_source(CameraSettings(source="pipewire:"), (320, 240), 30)


def agreed(**more: pod.Value) -> dict[int, pod.Value]:
    return {
        pod.Key.MEDIA_SUBTYPE: pod.Id(pod.SUBTYPE_RAW),
        pod.Key.FORMAT: pod.Id(23),
        pod.Key.SIZE: pod.Rectangle(640, 480),
        pod.Key.FRAMERATE: pod.Fraction(30, 1),
        **{getattr(pod.Key, name): value for name, value in more.items()},
    }


def test_range_and_matrix_come_from_the_format() -> None:
    assert agreed_of(agreed()).full_range is None
    said = agreed_of(agreed(COLOR_RANGE=pod.Id(formats.RANGE_FULL), COLOR_MATRIX=pod.Id(formats.MATRIX_BT709)))
    assert (said.full_range, said.matrix, said.format) == (True, "bt709", PixelFormat.NV12)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("FORMAT", pod.Id(60), "does not read"), ("FORMAT", 3, "does not read"), ("SIZE", 5, "no size"),
     ("SIZE", pod.Rectangle(0, 0), "must be between"),
     ("SIZE", pod.Rectangle(1 << 31, 2), "must be between")],
)  # fmt: skip
def test_a_format_that_cannot_be_read_is_named(key: str, value: pod.Value, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        agreed_of(agreed(**{key: value}))


def test_a_rate_of_nothing_is_no_rate() -> None:
    assert agreed_of(agreed(FRAMERATE=pod.Fraction(0, 0))).fps == 0
