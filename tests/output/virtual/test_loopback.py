"""The virtual camera without one: which device is meant, what is said, and how frames fit a held format."""

from __future__ import annotations

import errno
import gc
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.output.virtual.helpers import WAITING, picture
from vcam.errors import OutputDeviceError
from vcam.frames import Box, Frame, PixelFormat
from vcam.output.virtual import camera as virtual
from vcam.output.virtual import loopback as v4l2_backend
from vcam.output.virtual.layout import Fit
from vcam.testing import FakeClock
from vcam.v4l2 import discover, loopback, raw
from vcam.v4l2.device import Capabilities
from vcam.v4l2.discover import Node, holders, list_nodes, who_holds

FED = replace(WAITING, card="OBS", flags=raw.V4L2_CAP_VIDEO_CAPTURE)
UNCLEAR = replace(WAITING, card="Dummy", flags=raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_VIDEO_OUTPUT)
CAMERA = Capabilities("uvcvideo", "Integrated Camera", "usb-1", raw.V4L2_CAP_VIDEO_CAPTURE)


def nodes_are(monkeypatch, *capabilities):
    nodes = [
        Node(Path(f"/dev/video{index}"), index, entry.card if entry else "", entry, 0 if entry else errno.EACCES)
        for index, entry in enumerate(capabilities)
    ]
    monkeypatch.setattr(virtual, "list_nodes", lambda: nodes)
    return nodes


def test_auto_tries_a_waiting_device_first_and_never_a_camera(monkeypatch):
    nodes = nodes_are(monkeypatch, CAMERA, FED, UNCLEAR, WAITING)
    assert virtual.find_outputs("auto") == [nodes[3], nodes[2], nodes[1]]


def test_a_device_is_found_by_label_number_and_path(monkeypatch):
    nodes = nodes_are(monkeypatch, CAMERA, FED, WAITING)
    for name in ("VCAM", "2", "/dev/video2"):
        assert virtual.find_outputs(name) == [nodes[2]]


@pytest.mark.parametrize(
    ("present", "target", "words", "hint"),
    [
        ((CAMERA, WAITING), "0", r"/dev/video0 \(Integrated Camera\) is not a virtual camera", "/dev/video1"),
        ((CAMERA, WAITING), "zoom", "there is no virtual camera 'zoom'", "/dev/video1"),
        ((CAMERA, WAITING), __file__, "is not a video device", "/dev/video1"),
        ((CAMERA, WAITING, None), "2", "you may not open the virtual camera /dev/video2", "usermod"),
        (
            (CAMERA,),
            "auto",
            "there is no virtual camera on this machine",
            "exclusive_caps=1 max_buffers=4",
        ),
    ],
)
def test_a_device_that_cannot_be_meant_is_refused_with_a_cure(monkeypatch, present, target, words, hint):
    nodes_are(monkeypatch, *present)
    with pytest.raises(OutputDeviceError, match=words) as caught:
        virtual.find_outputs(target)
    assert hint in caught.value.hint
    assert caught.value.exit_status == 69


@pytest.mark.parametrize(
    ("loaded", "installed", "hint"),
    [(False, False, "apt install v4l2loopback-dkms"), (False, True, "sudo modprobe v4l2loopback"), (True, True, "-r")],
)
def test_a_missing_device_is_explained_by_the_state_of_the_module(monkeypatch, loaded, installed, hint):
    nodes_are(monkeypatch, CAMERA)
    monkeypatch.setattr(loopback, "is_loaded", lambda: loaded)
    monkeypatch.setattr(loopback, "is_installed", lambda: installed)
    with pytest.raises(OutputDeviceError) as caught:
        virtual.VirtualCamera("auto").open((64, 32), 30)
    assert hint in caught.value.hint
    assert ("apt install" in caught.value.hint) == (not installed)


def test_a_frame_is_written_as_it_is_and_the_rate_is_set(loopback_with):
    device, path = loopback_with()
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 25)
    frame = picture((64, 32), (81, 90, 240))
    camera.write(frame)
    camera.write(frame.view(Box(0, 0, 64, 32)))
    camera.close()
    assert path.read_bytes() == frame.buffer.tobytes() * 2
    assert device.interval == (1, 25)


@pytest.mark.parametrize("counts_round", [False, True], ids=["EINVAL beyond the last", "counts round"])
def test_a_still_is_handed_over_until_all_buffers_hold_it_and_then_only_shown(loopback_with, counts_round):
    device, path = loopback_with(buffers=3, counts_round=counts_round)
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    card, other = picture((64, 32), (40, 130, 127)), picture((64, 32), (81, 90, 240))
    for _ in range(7):
        camera.show(card)
    assert path.read_bytes() == card.buffer.tobytes() * 3
    assert device.shown == [(0, 3072), (1, 3072), (2, 3072), (0, 3072)]
    camera.write(other)
    camera.show(card)
    camera.show(other)
    assert path.read_bytes()[3 * 3072 :] == (other.buffer.tobytes() + card.buffer.tobytes() + other.buffer.tobytes())
    assert len(device.shown) == 4
    camera.close()


def test_a_still_is_shown_from_the_buffer_that_is_next_by_the_drivers_own_count(loopback_with):
    """Which is the one that the picture after it leaves alone, while a reader may still copy the still."""
    device, _ = loopback_with(buffers=3, before=1000)
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    card = picture((64, 32), (40, 130, 127))
    for _ in range(3):
        camera.show(card)
    for _ in range(4):
        due = device.count() % 3
        camera.show(card)
        assert device.shown[-1][0] == due
    camera.close()


def test_a_reader_that_comes_while_a_still_is_handed_over_does_not_hide_the_place_of_the_next_picture(
    loopback_with,
):
    device, _ = loopback_with(buffers=3, before=1000)
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    card = picture((64, 32), (40, 130, 127))
    camera.show(card)
    camera.show(card)
    device.cleared = device.count() + 1
    while not device.shown:
        due = device.count() % 3
        camera.show(card)
    assert device.shown == [(due, 3072)]
    camera.close()


@pytest.mark.parametrize(("before", "after"), [(8, 3), (3, 8), (0, 0)])
def test_a_still_is_handed_over_anew_if_the_number_of_buffers_changes_meanwhile(loopback_with, before, after):
    device, path = loopback_with(buffers=before)
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    card = picture((64, 32), (40, 130, 127))
    camera.show(card)
    device.buffers = after
    for _ in range(20):
        camera.show(card)
    copies = len(path.read_bytes()) // 3072
    assert copies == (before + after if after else 21)
    assert len(device.shown) == 21 - copies
    camera.close()


def test_a_device_that_refuses_to_show_a_buffer_gets_the_still_as_any_picture(loopback_with, monkeypatch):
    _, path = loopback_with()

    def refuse(*_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(v4l2_backend, "queue_output_buffer", refuse)
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    card = picture((64, 32), (40, 130, 127))
    for _ in range(10):
        camera.show(card)
    assert len(path.read_bytes()) // 3072 == 10
    camera.close()


@pytest.mark.parametrize("busy", [False, True], ids=["answered silently", "answered with EBUSY"])
def test_a_held_format_is_served(loopback_with, busy):
    _, path = loopback_with(code="YUYV", size=(128, 32), busy=busy)
    camera = virtual.VirtualCamera("auto")
    camera.open((64, 32), 30)
    camera.write(picture((64, 32), (81, 90, 240)))
    camera.close()
    lines = np.frombuffer(path.read_bytes(), np.uint8).reshape(32, 128, 2)
    assert (lines[:, :32] == (16, 128)).all()
    assert (lines[:, 32:96:2] == (81, 90)).all()
    assert (lines[:, 33:96:2] == (81, 240)).all()


def test_another_size_is_set_while_nobody_reads(loopback_with, monkeypatch):
    device, path = loopback_with()
    camera = virtual.VirtualCamera("auto")
    monkeypatch.setattr(camera, "watched", lambda: False)
    camera.open((64, 32), 25)
    device.size = (128, 64)
    camera.resize((128, 64))
    frame = picture((128, 64), (81, 90, 240))
    camera.write(frame)
    camera.close()
    assert path.read_bytes() == frame.buffer.tobytes()
    assert device.interval == (1, 25)


def test_another_size_is_fitted_into_the_one_that_a_reader_was_told(loopback_with, monkeypatch):
    _, path = loopback_with()
    camera = virtual.VirtualCamera("auto")
    monkeypatch.setattr(camera, "watched", lambda: True)
    camera.open((64, 32), 25)
    camera.resize((128, 64))
    camera.write(picture((128, 64), (81, 90, 240)))
    camera.resize((64, 32))
    camera.write(picture((64, 32), (81, 90, 240)))
    camera.close()
    assert path.read_bytes() == picture((64, 32), (81, 90, 240)).buffer.tobytes() * 2


@pytest.mark.parametrize("still", [False, True], ids=["write", "show"])
def test_when_the_reader_that_held_the_size_has_gone_the_wanted_one_is_taken(loopback_with, monkeypatch, still):
    device, path = loopback_with()
    clock, watched = FakeClock(), [True]
    camera = virtual.VirtualCamera("auto", clock=clock)
    monkeypatch.setattr(camera, "watched", lambda: watched[0])
    camera.open((64, 32), 25)
    device.size = (128, 64)
    frame = picture((128, 64), (81, 90, 240))
    deliver = camera.show if still else camera.write
    camera.resize((128, 64))
    sizes = []
    for gone, passed in ((False, 60), (True, 0.5), (True, 2.0)):
        watched[0] = not gone
        clock.now += passed
        path.write_bytes(b"")
        deliver(frame)
        sizes.append(path.stat().st_size)
    camera.close()
    # fitted while somebody reads, and a little longer, since readers often come back at once
    small, large = 64 * 32 * 3 // 2, 128 * 64 * 3 // 2
    assert sizes == [small, 2 * small, large]
    assert path.read_bytes() == frame.buffer.tobytes()


@pytest.mark.parametrize("when", ["opened", "resized"])
def test_a_device_that_keeps_its_size_is_taken_anew_less_and_less_often(loopback_with, monkeypatch, when):
    pytest.importorskip("pyvirtualcam")
    device, _ = loopback_with()
    clock, watched, asked = FakeClock(), [True], []
    camera = virtual.VirtualCamera("auto", clock=clock)
    monkeypatch.setattr(camera, "watched", lambda: watched[0])
    camera.open((128, 64) if when == "opened" else (64, 32), 25)
    if when == "resized":
        clock.now += 60
        camera.resize((128, 64))
    began, answer = clock.now, device.ioctl

    def ioctl(fd, request, argument):
        if request == raw.VIDIOC_S_FMT:
            asked.append(clock.now - began)
        return answer(fd, request, argument)

    monkeypatch.setattr(raw, "ioctl", ioctl)
    watched[0] = False
    for _ in range(40):
        clock.now += 0.5
        camera.write(picture((128, 64), (81, 90, 240)))
    # it may be asked twice: for the wanted format, and for the one that it keeps
    assert sorted(set(asked)) == [2, 4, 8, 16]
    asked.clear()
    camera.resize((128, 64))
    clock.now += 2
    camera.write(picture((128, 64), (81, 90, 240)))
    assert sorted(set(asked)) == [20, 22]
    camera.close()


def test_a_held_format_that_cannot_be_served_is_an_error_that_names_it(loopback_with):
    loopback_with(code="RGB3")
    with pytest.raises(OutputDeviceError, match="held in the format RGB3 64x32 by"):
        virtual.VirtualCamera("auto").open((64, 32), 30)


def test_a_device_is_fed_by_one_output_only_whatever_it_is_called(loopback_with):
    loopback_with()
    first, second = virtual.VirtualCamera("20"), virtual.VirtualCamera("vcam")
    first.open((64, 32), 30)
    with pytest.raises(OutputDeviceError, match="fed already by another output of this vcam"):
        second.open((64, 32), 30)
    first.close()
    second.open((64, 32), 30)
    second.close()


def test_a_frame_of_another_size_is_not_shown(loopback_with):
    _, path = loopback_with()
    camera = virtual.VirtualCamera("auto")
    camera.open((64, 32), 30)
    for size in ((64, 16), (128, 32)):
        for deliver in (camera.write, camera.show):
            with pytest.raises(ValueError, match="3072 bytes are shown"):
                deliver(picture(size, (81, 90, 240)))
    camera.close()
    assert path.read_bytes() == b""


def test_samples_that_are_no_bytes_are_not_shown(loopback_with):
    _, path = loopback_with()
    writer = v4l2_backend.LoopbackWriter(path, PixelFormat.I420, (64, 32), 30)
    with pytest.raises(ValueError, match="3072 samples of float32"):
        writer.send(np.zeros(3072, np.float32))
    writer.close()
    assert path.read_bytes() == b""


def test_a_camera_that_is_forgotten_lets_go_of_its_device(loopback_with):
    loopback_with()
    camera = virtual.VirtualCamera("auto")
    camera.open((64, 32), 30)
    del camera
    gc.collect()
    again = virtual.VirtualCamera("auto")
    again.open((64, 32), 30)
    again.close()


def test_a_write_that_fails_is_raised(loopback_with, monkeypatch):
    loopback_with()
    camera = virtual.VirtualCamera("auto")
    camera.open((64, 32), 30)
    with monkeypatch.context() as patch:
        patch.setattr(v4l2_backend.os, "write", lambda *_: 5)
        with pytest.raises(OutputDeviceError, match="took 5 of 3072 bytes"):
            camera.write(picture((64, 32), (81, 90, 240)))
    camera.close()


@pytest.mark.parametrize(
    ("layout", "code"), [(PixelFormat.NV12, cv2.COLOR_YUV2BGR_NV12), (PixelFormat.YUYV, cv2.COLOR_YUV2BGR_YUY2)]
)
def test_layouts_show_the_same_picture(layout, code):
    frame = Frame.allocate(64, 32)
    ramp = np.arange(64, dtype=np.uint8)
    frame.y[:] = ramp * 3 + 16
    frame.u[:] = np.arange(16, dtype=np.uint8)[:, None] * 6 + 60
    frame.v[:] = np.arange(32, dtype=np.uint8) * 4 + 60
    data = Fit((64, 32), (64, 32), layout).render(frame)
    seen = cv2.cvtColor(data.reshape((48, 64) if layout is PixelFormat.NV12 else (32, 64, 2)), code)
    wanted = cv2.cvtColor(frame.packed().reshape(48, 64), cv2.COLOR_YUV2BGR_I420)
    np.testing.assert_array_equal(seen, wanted)


def test_a_holder_is_named_and_ones_own_process_too(tmp_path):
    path = tmp_path / "video0"
    assert who_holds(path) == "another program, which you may not see"
    with path.open("w"):
        assert [holder.pid for holder in holders(path)] == [os.getpid()]
        assert holders(path, but=os.getpid()) == []
        assert who_holds(path) == "vcam itself"


def test_nodes_are_listed_with_their_names_and_links(tmp_path, monkeypatch):
    sysfs, dev = tmp_path / "sys", tmp_path / "dev"
    for name, card in (("video10", "Ten"), ("video2", "Two"), ("v4l-subdev0", "Sensor")):
        (sysfs / name).mkdir(parents=True)
        (sysfs / name / "name").write_text(card + "\n")
    (dev / "v4l" / "by-id").mkdir(parents=True)
    (dev / "video2").touch()
    link = dev / "v4l" / "by-id" / "usb-Two-video-index0"
    link.symlink_to("../../video2")
    monkeypatch.setattr(discover, "SYSFS", sysfs)
    monkeypatch.setattr(discover, "DEV", dev)
    two, ten = list_nodes()
    assert (two.card, two.links, two.error) == ("Two", (link,), errno.ENOTTY)
    assert (ten.card, ten.index, ten.error) == ("Ten", 10, errno.ENOENT)
    assert two.stable_name == link
    assert discover.find_node(str(link), [two, ten]) == [two]
