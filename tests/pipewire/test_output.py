"""The camera that vcam makes in PipeWire, with a real daemon and real readers."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.pipewire.helpers import Feeder, frames_of, needs_gstreamer, reader
from tests.pipewire.session import Session, wait_for
from vcam.errors import OutputDeviceError, UsageError
from vcam.frames import Frame
from vcam.output.factory import make_output
from vcam.output.virtual.names import pipewire_name
from vcam.output.virtual.pipewire import PipeWireCamera
from vcam.pipewire import loop
from vcam.pipewire.registry import video_nodes

pytestmark = pytest.mark.process

SIZE = (320, 240)


@pytest.mark.parametrize(
    ("target", "name"),
    [("pipewire", "vcam"), ("PipeWire", "vcam"), ("pipewire:Office", "Office"), ("pipewire: My cam ", "My cam"),
     ("pipewire:a:b", "a:b"), ("pipewire:film.mp4", "film.mp4"), ("/dev/video3", None), ("pipewirex", None)],
)  # fmt: skip
def test_a_target_is_told_by_its_word(target: str, name: str | None) -> None:
    assert pipewire_name(target) == name
    if name:
        assert make_output(target, live=True).description == f"PipeWire camera {name}"


@pytest.mark.parametrize("target", ["pipewire:", "pipewire:  ", "pipewire:a\nb"])
def test_a_name_that_cannot_be_shown_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="has no name"):
        make_output(target, live=True)


def test_the_node_is_listed_as_a_camera_and_goes_with_vcam(session: Session) -> None:
    output = PipeWireCamera("Office 1")
    output.open(SIZE, 30)
    (node,) = [node for node in video_nodes() if node.is_virtual]
    assert (node.description, node.name, node.is_camera) == ("Office 1", "vcam.Office-1", True)
    assert output.watched() is False
    output.close()
    assert [node for node in video_nodes() if node.is_virtual] == []


@pytest.mark.parametrize("size", [(320, 240), (322, 240), (646, 362)])
def test_a_reader_gets_the_frames_as_they_were_written(session: Session, tmp_path: Path, size: tuple[int, int]) -> None:
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open(size, 30)
    with Feeder(output, size) as feeder:
        process = reader(session, "vcam.test", tmp_path / "out.yuv", 20, raw=True)
        assert process.wait(30) == 0
    assert feeder.error is None
    wait_for(lambda: not output.watched(), "the reader's end")
    output.close()
    # YUY2: Y Cb Y Cr
    frames = np.fromfile(tmp_path / "out.yuv", np.uint8).reshape(20, size[1], size[0] // 2, 4)
    luma = frames[..., ::2]
    assert (luma == luma[:, :1, :1, :1]).all(), "a frame is not of one piece"
    assert (np.diff(luma[:, 0, 0, 0].astype(int)) > 0).all(), "a frame came twice, or out of order"
    assert (frames[..., 1] == 90).all()
    assert (frames[..., 3] == 200).all()


def test_each_pair_of_lines_has_the_colours_that_it_had(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    output, generator = PipeWireCamera("test"), np.random.default_rng(3)
    output.open(SIZE, 30)
    frame = Frame.allocate(*SIZE)
    for plane in frame.planes:
        plane[:] = generator.integers(16, 236, plane.shape)
    process = reader(session, "vcam.test", tmp_path / "out.yuv", 2, raw=True)
    wait_for(output.watched, "the reader")
    while process.poll() is None:
        output.write(frame)
        time.sleep(0.03)
    output.close()
    seen = np.fromfile(tmp_path / "out.yuv", np.uint8).reshape(2, SIZE[1], SIZE[0] // 2, 4)[-1]
    assert (seen[..., ::2].reshape(frame.y.shape) == frame.y).all()
    for channel, plane in ((1, frame.u), (3, frame.v)):
        assert (seen[::2, :, channel] == plane).all()
        assert (seen[1::2, :, channel] == plane).all()


def test_two_readers_get_frames_at_once_and_one_that_goes_leaves_the_other(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open(SIZE, 30)
    with Feeder(output, SIZE) as feeder:
        short, long = (reader(session, "vcam.test", tmp_path / f"{count}.yuv", count) for count in (15, 60))
        assert short.wait(30) == 0
        assert output.watched()
        assert long.wait(30) == 0
    assert feeder.error is None
    output.close()
    assert (len(frames_of(tmp_path / "15.yuv", SIZE)), len(frames_of(tmp_path / "60.yuv", SIZE))) == (15, 60)


def test_whoever_waits_is_woken_when_a_reader_comes(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open(SIZE, 30)
    output.watched()
    fd = output.fileno()
    assert fd is not None
    process = reader(session, "vcam.test", tmp_path / "out.yuv", 1)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    wait_for(lambda: poll.poll(10_000) and output.watched(), "a reader")
    output.write(Frame.allocate(*SIZE))
    assert process.wait(30) == 0
    output.close()


def test_another_size_is_taken_over_when_nobody_reads_and_fitted_in_while_somebody_does(
    session: Session, tmp_path: Path
) -> None:
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open((640, 480), 30)
    output.resize(SIZE)
    with Feeder(output, SIZE):
        assert reader(session, "vcam.test", tmp_path / "small.yuv", 5).wait(30) == 0
        process = reader(session, "vcam.test", tmp_path / "same.yuv", 50)
        wait_for(output.watched, "the reader")
    output.resize((640, 480))
    with Feeder(output, (640, 480)):
        assert process.wait(30) == 0
    wait_for(lambda: not output.watched(), "the reader's end")
    output.write(Frame.allocate(640, 480))
    with Feeder(output, (640, 480)):
        assert reader(session, "vcam.test", tmp_path / "large.yuv", 5).wait(30) == 0
    output.close()
    assert len(frames_of(tmp_path / "small.yuv", SIZE)) == 5
    assert len(frames_of(tmp_path / "same.yuv", SIZE)) == 50
    assert len(frames_of(tmp_path / "large.yuv", (640, 480))) == 5


def test_a_second_vcam_of_the_same_name_is_told_so(session: Session) -> None:
    first, second = PipeWireCamera("twin"), PipeWireCamera("twin")
    first.open(SIZE, 30)
    with pytest.raises(OutputDeviceError, match="makes the PipeWire camera twin already") as caught:
        second.open(SIZE, 30)
    assert "--output pipewire:NAME" in caught.value.hint
    first.close()
    second.open(SIZE, 30)
    second.close()


def test_without_a_daemon_the_error_names_the_cure(own_session: Session) -> None:
    with pytest.raises(OutputDeviceError, match="no PipeWire daemon answers at") as caught:
        PipeWireCamera("test").open(SIZE, 30)
    assert "systemctl --user start pipewire" in caught.value.hint


def test_without_a_session_the_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("PIPEWIRE_RUNTIME_DIR", raising=False)
    with pytest.raises(OutputDeviceError, match=r"XDG_RUNTIME_DIR|no PipeWire library"):
        PipeWireCamera("test").open(SIZE, 30)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_that_ends_is_an_error_to_live_through(
    own_session: Session, tmp_path: Path, how: signal.Signals
) -> None:
    needs_gstreamer()
    own_session.start()
    output = PipeWireCamera("test")
    output.open(SIZE, 30)
    own_session.stop(how)
    with pytest.raises(OutputDeviceError, match="is gone"):
        wait_for(lambda: output.write(Frame.allocate(*SIZE)), "the loss")
    output.abort()
    own_session.start()
    output.open(SIZE, 30)
    with Feeder(output, SIZE):
        assert reader(own_session, "vcam.test", tmp_path / "out.yuv", 5).wait(30) == 0
    output.close()


def test_readers_come_and_go_and_nothing_grows(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open(SIZE, 30)
    sizes = []
    with Feeder(output, SIZE) as feeder:
        for number in range(12):
            assert reader(session, "vcam.test", tmp_path / "out.yuv", 3).wait(30) == 0
            assert len(frames_of(tmp_path / "out.yuv", SIZE)) == 3
            if number >= 3:
                sizes.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
    assert feeder.error is None
    output.close()
    assert max(sizes[-3:])[0] <= max(sizes[:3])[0] + 1
    assert sizes[-1][1] <= sizes[0][1]


def test_opening_and_closing_leaves_no_thread_and_no_descriptor(session: Session) -> None:
    def now() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    first = PipeWireCamera("first")
    first.open(SIZE, 30)
    before = now()
    for _ in range(20):
        output = PipeWireCamera("again")
        output.open(SIZE, 30)
        output.close()
        output.close()
    wait_for(lambda: now() <= before, "the threads' ends")
    first.close()


def test_a_reader_that_stops_costs_frames_and_holds_up_nobody(session: Session, tmp_path: Path) -> None:
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open(SIZE, 30)
    process = reader(session, "vcam.test", tmp_path / "out.yuv", 10_000, raw=True)
    wait_for(output.watched, "the reader")
    frame = Frame.allocate(*SIZE)
    for _ in range(10):
        output.write(frame)
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    slowest = 0.0
    for _ in range(60):
        began = time.monotonic()
        output.write(frame)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    process.kill()
    process.wait(10)
    wait_for(lambda: not output.watched(), "the reader's end")
    output.close()
    assert slowest < 0.5
    assert output.dropped > 0


def test_a_card_of_the_size_before_is_fitted_in(session: Session, tmp_path: Path) -> None:
    """The watchdog draws one before it has the outputs for itself, and the size may change in between."""
    needs_gstreamer()
    output = PipeWireCamera("test")
    output.open((640, 480), 30)
    process = reader(session, "vcam.test", tmp_path / "out.yuv", 4)
    wait_for(output.watched, "the reader")
    for size in ((640, 480), SIZE, (1280, 720), (640, 480), SIZE, SIZE, SIZE):
        frame = Frame.allocate(*size)
        frame.y[:] = 180
        output.write(frame)
        time.sleep(0.1)
    assert process.wait(30) == 0
    output.close()
    frames = frames_of(tmp_path / "out.yuv", (640, 480))
    assert len(frames) == 4
    assert (frames[:, 240 * 640 + 320] == 180).all()


def test_a_session_of_another_user_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_path: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_socket", forbidden)
    assert not loop.is_there()


def test_closing_from_two_threads_at_once_is_closing_once(session: Session) -> None:
    output = PipeWireCamera("test")
    output.open(SIZE, 30)
    stream = output._stream
    assert stream is not None
    threads = [threading.Thread(target=stream.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    output.close()
