"""`auto`: every kind of virtual camera at once, by scripted kinds."""

from __future__ import annotations

import os
import select
import threading

import pytest

from vcam.errors import OutputDeviceError, VcamError
from vcam.frames import Frame
from vcam.output.virtual import every
from vcam.types import Size

SIZE = (64, 48)


class Kind:
    """A virtual camera that does as it is told."""

    live, finished, dropped, card = True, False, 0, None

    def __init__(self, name: str) -> None:
        self.name = self.description = self.camera_name = name
        self.there, self.refusal, self.reads, self.patience = True, "", False, 3.0
        self.frames: list[Frame] = []
        self.size: Size | None = None
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)

    def watched(self) -> bool:
        return self.reads

    def fileno(self) -> int:
        return self.fd

    def open(self, size: Size, fps: float) -> None:
        if self.refusal:
            raise OutputDeviceError(self.refusal)
        self.size = size

    def resize(self, size: Size) -> None:
        self.size = size

    def write(self, frame: Frame) -> None:
        if self.refusal:
            raise OutputDeviceError(self.refusal)
        self.frames.append(frame)

    def close(self) -> None:
        self.size = None

    abort = close


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> tuple[Kind, Kind]:
    device, node = Kind("device"), Kind("node")
    monkeypatch.setattr(every, "VirtualCamera", lambda *_, **__: device)
    monkeypatch.setattr(every, "PipeWireCamera", lambda: node)
    monkeypatch.setattr(every, "_has_device", lambda: device.there)
    monkeypatch.setattr(every.loop, "is_there", lambda: node.there)
    return device, node


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


FRAME = Frame.allocate(*SIZE)


def write_once_found(camera: every.EveryCamera) -> None:
    """One frame, which begins the search; one more when that is through."""
    camera.write(FRAME)
    for kind in camera._kinds:
        if kind.search is not None:
            kind.search.join(10)
    camera.write(FRAME)


def test_one_frame_feeds_all_and_one_reader_of_either_is_enough(kinds: tuple[Kind, Kind]) -> None:
    device, node = kinds
    camera = every.EveryCamera()
    camera.open(SIZE, 30)
    assert (camera.description, camera.camera_name) == ("device and node", "device, node")
    assert not camera.watched()
    node.reads = True
    assert camera.watched()
    camera.write(FRAME)
    assert (device.frames, node.frames) == ([FRAME], [FRAME])
    camera.resize((32, 32))
    assert (device.size, node.size) == ((32, 32), (32, 32))


@pytest.mark.parametrize("which", [0, 1])
def test_where_one_kind_is_missing_the_other_serves_and_the_missing_one_is_taken_up_when_it_comes(
    kinds: tuple[Kind, Kind], which: int
) -> None:
    clock = Clock()
    kinds[which].there = False
    camera = every.EveryCamera(clock=clock)
    camera.open(SIZE, 30)
    camera.write(FRAME)
    assert [bool(kind.frames) for kind in kinds] == [which == 1, which == 0]
    kinds[which].there = True
    camera.write(FRAME)
    assert not kinds[which].frames, "looked for with every frame"
    clock.now = 6
    write_once_found(camera)
    assert kinds[which].frames == [FRAME]
    assert "device and node" in camera.description


def test_one_that_is_lost_leaves_the_other_and_comes_back(kinds: tuple[Kind, Kind]) -> None:
    clock, (device, node) = Clock(), kinds
    camera = every.EveryCamera(clock=clock)
    camera.open(SIZE, 30)
    node.refusal = "gone"
    camera.write(FRAME)
    assert node.size is None
    camera.write(FRAME)
    assert len(device.frames) == 2
    node.refusal, clock.now = "", 6
    write_once_found(camera)
    assert len(node.frames) == 1


def test_when_the_last_is_lost_whoever_feeds_is_told(kinds: tuple[Kind, Kind]) -> None:
    device, node = kinds
    node.there = False
    camera = every.EveryCamera()
    camera.open(SIZE, 30)
    device.refusal = "unloaded"
    with pytest.raises(OutputDeviceError, match="unloaded"):
        camera.write(FRAME)


def test_of_neither_the_error_names_both_cures_pipewires_first(
    kinds: tuple[Kind, Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in kinds:
        kind.there = False

    def none(_target: str) -> None:
        raise OutputDeviceError("there is no virtual camera on this machine", "sudo modprobe v4l2loopback")

    monkeypatch.setattr(every, "find_outputs", none)
    with pytest.raises(OutputDeviceError) as caught:
        every.EveryCamera().open(SIZE, 30)
    first, _, second = caught.value.hint.partition("; or with a module: ")
    assert "systemctl --user start pipewire" in first
    assert second == "sudo modprobe v4l2loopback"


def test_a_reason_of_one_kind_is_told_where_the_other_is_missing(kinds: tuple[Kind, Kind]) -> None:
    device, node = kinds
    node.there, device.refusal = False, "held by obs"
    with pytest.raises(OutputDeviceError, match="held by obs"):
        every.EveryCamera().open(SIZE, 30)


def test_whoever_waits_is_woken_by_either(kinds: tuple[Kind, Kind]) -> None:
    camera = every.EveryCamera()
    camera.open(SIZE, 30)
    for kind in kinds:
        poll = select.poll()
        fd = camera.fileno()
        assert fd is not None
        poll.register(fd, select.POLLIN)
        assert not poll.poll(0)
        os.eventfd_write(kind.fd, 1)
        assert poll.poll(0)
        os.eventfd_read(kind.fd)
    camera.close()
    assert camera.fileno() is None
    assert [kind.size for kind in kinds] == [None, None]


@pytest.mark.parametrize("failure", [OSError(24, "Too many open files"), VcamError("anything")])
def test_whatever_one_kind_fails_for_the_other_goes_on(kinds: tuple[Kind, Kind], failure: Exception) -> None:
    device, node = kinds

    def fail(*_: object) -> None:
        raise failure

    camera = every.EveryCamera()
    node.open = fail  # type: ignore[method-assign]
    camera.open(SIZE, 30)
    camera.write(FRAME)
    device.write = fail  # type: ignore[method-assign]
    with pytest.raises(OutputDeviceError):
        camera.write(FRAME)


class Hanging:
    """A daemon that is there and does not answer, until it does."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.asked, self.answers, self.open = kind, threading.Event(), threading.Event(), kind.open
        kind.open = self  # type: ignore[method-assign, assignment]

    def __call__(self, size: Size, fps: float) -> None:
        self.asked.set()
        assert self.answers.wait(10)
        self.open(size, fps)


def searching(kinds: tuple[Kind, Kind]) -> tuple[every.EveryCamera, Hanging]:
    """The device alone is there, and PipeWire's daemon comes, and hangs while it is asked."""
    clock, (_, node) = Clock(), kinds
    node.there = False
    camera = every.EveryCamera(clock=clock)
    camera.open(SIZE, 30)
    node.there, clock.now = True, 6
    hanging = Hanging(node)
    camera.write(FRAME)
    assert hanging.asked.wait(10)
    return camera, hanging


def test_while_a_daemon_hangs_the_device_gets_its_frames(kinds: tuple[Kind, Kind]) -> None:
    device, node = kinds
    camera, hanging = searching(kinds)
    for _ in range(30):
        camera.write(FRAME)
    assert (len(device.frames), len(node.frames)) == (31, 0)
    camera.resize((32, 32))
    hanging.answers.set()
    write_once_found(camera)
    assert (len(device.frames), len(node.frames)) == (33, 1)
    assert node.size == (32, 32), "the size has changed while it was searched for"
    camera.close()
    assert node.size is None


def test_whoever_ends_it_during_a_search_leaves_nothing_open(kinds: tuple[Kind, Kind]) -> None:
    _, node = kinds
    camera, hanging = searching(kinds)
    threading.Timer(0.1, hanging.answers.set).start()
    camera.close()
    assert node.size is None
    assert not any(thread.name == "vcam-search" for thread in threading.enumerate())


def test_who_is_lost_during_a_search_waits_for_its_end(kinds: tuple[Kind, Kind]) -> None:
    device, node = kinds
    camera, hanging = searching(kinds)
    device.refusal = "gone"
    camera.write(FRAME)
    camera.write(FRAME)
    hanging.answers.set()
    write_once_found(camera)
    assert node.frames
    camera.close()


@pytest.mark.parametrize("how", ["the last one is lost", "the last one is lost, and the search is in vain"])
def test_who_is_lost_is_told_of_once_nothing_else_comes(kinds: tuple[Kind, Kind], how: str) -> None:
    device, node = kinds
    camera, hanging = searching(kinds)
    device.refusal = "gone"
    camera.write(FRAME)
    if how.endswith("vain"):
        hanging.open = fail
        hanging.answers.set()
        with pytest.raises(OutputDeviceError, match="gone"):
            write_once_found(camera)
    else:
        hanging.answers.set()
        write_once_found(camera)
        node.refusal = "gone as well"
        with pytest.raises(OutputDeviceError, match="gone as well"):
            camera.write(FRAME)
    camera.close()


def fail(*_: object) -> None:
    raise OutputDeviceError("it does not come")


def test_only_a_search_has_patience_with_a_daemon(kinds: tuple[Kind, Kind]) -> None:
    # whoever opens the node for the frames of others is not to wait for it
    _, node = kinds
    camera, hanging = searching(kinds)
    assert node.patience == 1.0
    hanging.answers.set()
    write_once_found(camera)
    assert node.patience == 0.3
    camera.close()


def test_without_a_thread_for_the_search_the_device_gets_its_frames(
    kinds: tuple[Kind, Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, (device, node) = Clock(), kinds
    node.there = False
    camera = every.EveryCamera(clock=clock)
    camera.open(SIZE, 30)
    node.there, clock.now = True, 6

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        camera.write(FRAME)
    assert len(device.frames) == 1
    clock.now = 100
    write_once_found(camera)
    assert node.frames
    camera.close()


def test_why_a_search_is_in_vain_is_told_once(kinds: tuple[Kind, Kind], caplog: pytest.LogCaptureFixture) -> None:
    clock, (_, node) = Clock(), kinds
    node.there = False
    camera = every.EveryCamera(clock=clock)
    camera.open(SIZE, 30)
    node.there, node.refusal = True, "another vcam makes it"
    for now in (10, 100, 1000):
        clock.now = now
        write_once_found(camera)
    assert [record.getMessage() for record in caplog.records].count("another vcam makes it") == 1
    node.refusal, clock.now = "", 10_000
    write_once_found(camera)
    assert node.frames
