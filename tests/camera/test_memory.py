from __future__ import annotations

import numpy as np
import pytest

from vcam.camera.memory import MemoryCamera, encode_frames
from vcam.camera.pace import Pacer
from vcam.errors import CameraError, UsageError
from vcam.frames import Frame, PixelFormat
from vcam.testing import FakeClock


def pictures(count=4, size=(32, 16)):
    return [np.full((size[1], size[0], 3), 40 * number, np.uint8) for number in range(count)]


def camera(time, pixel_format=PixelFormat.NV12, fps=10.0, paced=True, frames=None):
    frames = encode_frames(pictures(), pixel_format) if frames is None else frames
    made = MemoryCamera(frames, pixel_format, (32, 16), fps, paced=paced, clock=time, sleep=time.sleep)
    made.open()
    return made


def test_a_reader_in_time_gets_every_frame_when_it_is_due():
    time = FakeClock(100.0)
    source = camera(time)
    seen = [(frame.seq, frame.timestamp) for frame in (source.read() for _ in range(5))]
    assert [seq for seq, _ in seen] == [0, 1, 2, 3, 4]
    assert [stamp for _, stamp in seen] == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])
    assert time.slept == pytest.approx([0.1] * 4)
    assert source.dropped == 0
    assert source.live


def test_a_late_reader_gets_the_newest_frame_and_the_others_count_as_dropped():
    time = FakeClock(100.0)
    source = camera(time)
    source.read()
    time.now += 0.35
    frame = source.read()
    assert frame.seq == 3
    assert frame.timestamp == pytest.approx(100.3)
    assert time.slept == []
    assert source.dropped == 2
    assert source.read().seq == 4
    assert time.slept == pytest.approx([0.05])


def test_the_schedule_does_not_drift():
    time = FakeClock(100.0)
    source = camera(time, fps=30.0)
    for _ in range(3000):
        frame = source.read()
        time.now += 0.004
    assert frame.seq == 2999
    assert frame.timestamp == pytest.approx(100.0 + 2999 / 30)
    assert source.dropped == 0


def test_unpaced_gives_each_frame_in_turn_without_waiting():
    time = FakeClock(100.0)
    source = camera(time, paced=False)
    time.now += 5
    frames = [(frame.seq, int(frame.y[0, 0])) for frame in (source.read() for _ in range(6))]
    assert [seq for seq, _ in frames] == list(range(6))
    assert frames[4][1] == frames[0][1] != frames[1][1]
    assert time.slept == []
    assert not source.live


@pytest.mark.parametrize("paced", [True, False])
def test_damaged_frames_are_skipped_and_counted(paced):
    time = FakeClock(100.0)
    frames = encode_frames(pictures(3), PixelFormat.MJPEG)
    frames[1] = frames[1][:50]
    source = camera(time, PixelFormat.MJPEG, paced=paced, frames=frames)
    assert [source.read().seq for _ in range(4)] == [0, 2, 3, 5]
    assert source.dropped == 2


def test_frames_that_are_all_damaged_are_a_stalled_camera():
    with pytest.raises(CameraError, match="can be decoded"):
        camera(FakeClock(100.0), frames=[b"x", b"y"]).read()


def test_a_camera_that_is_not_open_says_so():
    made = MemoryCamera(encode_frames(pictures(), PixelFormat.NV12), PixelFormat.NV12, (32, 16), 30)
    assert (made.size, made.fps) == ((32, 16), 30)
    with pytest.raises(CameraError, match="is not open"):
        made.read()


def test_a_camera_without_frames_is_refused():
    with pytest.raises(UsageError, match="at least one frame"):
        MemoryCamera([], PixelFormat.NV12, (32, 16), 30)


def test_it_can_be_opened_again():
    time = FakeClock(100.0)
    source = camera(time)
    source.read()
    source.close()
    source.close()
    time.now += 3
    source.open()
    assert (source.read().seq, source.dropped) == (0, 0)


def test_frames_encode_the_same_from_a_picture_and_from_planes():
    picture = pictures(2)[1]
    frame = Frame.allocate(32, 16)
    frame.fill(round(16 + 40 * 219 / 255), 128, 128)
    for pixel_format in (PixelFormat.I420, PixelFormat.NV12, PixelFormat.YUYV):
        assert encode_frames([picture], pixel_format) == encode_frames([frame], pixel_format)


def test_a_pacer_keeps_its_rate_and_never_sends_a_burst():
    time = FakeClock(100.0)
    pacer = Pacer(20, time, time.sleep)
    assert [pacer.wait() for _ in range(3)] == pytest.approx([100.0, 100.05, 100.1])
    time.now += 0.07
    assert pacer.wait() == pytest.approx(100.15)
    time.now += 5
    late = pacer.wait()
    assert late == pytest.approx(time.now)
    assert pacer.wait() == pytest.approx(late + 0.05)
