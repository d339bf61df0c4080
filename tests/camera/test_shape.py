from __future__ import annotations

import numpy as np
import pytest

from vcam.camera.shape import ShapedCamera, parse_crop
from vcam.errors import UsageError
from vcam.frames import Box, Frame


class Still:
    """A camera with one frame of which every sample is another."""

    live = True
    dropped = 3
    fps = 30.0
    description = "a still"

    def __init__(self, size) -> None:
        self.frame = Frame.allocate(*size)
        self.frame.buffer[:] = np.arange(self.frame.buffer.size) * 7 % 251
        self.frame.timestamp, self.frame.seq, self.frame.full_range = 8.5, 21, True
        self.opened = False
        self.left = 1

    @property
    def size(self):
        return self.frame.size

    def open(self):
        self.opened = True

    def read(self):
        self.left -= 1
        return self.frame if self.left >= 0 else None

    def close(self):
        self.opened = False


class Wishing(Still):
    """A camera with several modes."""

    def __init__(self, size):
        super().__init__(size)
        self.wishes = []

    def wish(self, size):
        self.wishes.append(size)


def reframed(source, size, **what):
    camera = ShapedCamera(source, size, **what)
    camera.open()
    return camera


def test_nothing_to_do_gives_the_very_frame_of_the_camera():
    source = Still((64, 48))
    camera = reframed(source, (64, 48))
    assert camera.read() is source.frame
    assert camera.read() is None
    assert (camera.fps, camera.live, camera.dropped, camera.description) == (30.0, True, 3, "a still")


def test_crop_takes_exactly_that_part():
    source = Still((64, 48))
    frame = reframed(source, (32, 24), crop="32x24+20+6").read()
    assert np.array_equal(frame.y, source.frame.y[6:30, 20:52])
    assert np.array_equal(frame.u, source.frame.u[3:15, 10:26])
    assert np.array_equal(frame.v, source.frame.v[3:15, 10:26])
    assert np.shares_memory(frame.y, source.frame.y)
    assert (frame.timestamp, frame.seq, frame.full_range) == (8.5, 21, True)


def test_mirror_swaps_left_and_right_of_every_plane():
    source = Still((64, 48))
    frame = reframed(source, (64, 48), mirror=True).read()
    for mirrored, plane in zip(frame.planes, source.frame.planes, strict=True):
        assert np.array_equal(mirrored, plane[:, ::-1])
    assert (frame.timestamp, frame.seq, frame.full_range) == (8.5, 21, True)


def test_another_shape_is_cut_in_the_middle_then_mirrored():
    source = Still((64, 32))
    frame = reframed(source, (32, 32), mirror=True).read()
    assert np.array_equal(frame.y, source.frame.y[:, 16:48][:, ::-1])
    assert np.array_equal(frame.v, source.frame.v[:, 8:24][:, ::-1])


@pytest.mark.parametrize(("size", "way"), [((32, 24), "half"), ((128, 96), "double"), ((20, 16), "third")])
def test_scaling_keeps_colours_and_place(size, way):
    source = Still((64, 48))
    source.frame.y[:, :32], source.frame.y[:, 32:] = 50, 200
    source.frame.u[...] = 90
    source.frame.v[:12], source.frame.v[12:] = 60, 180
    frame = reframed(source, size).read()
    width, height = size
    assert frame.size == size
    assert (frame.y[:, : width // 2 - 2] == 50).all()
    assert (frame.y[:, width // 2 + 2 :] == 200).all()
    assert (frame.u == 90).all()
    assert (frame.v[: height // 4 - 1] == 60).all()
    assert (frame.v[height // 4 + 1 :] == 180).all()
    assert (frame.timestamp, frame.seq, frame.full_range) == (8.5, 21, True)


def test_what_shrinks_by_more_than_two_skips_no_sample():
    source = Still((64, 64))
    # of four columns the outer two are bright; linear interpolation would look at the inner two alone
    source.frame.y[...] = np.where(np.arange(64) % 4 % 3, 0, 200)
    assert set(np.unique(reframed(source, (16, 16)).read().y)) == {100}


def test_a_camera_with_modes_is_told_of_another_size_and_of_nothing_else():
    source = Wishing((64, 48))
    camera = reframed(source, (32, 24))
    camera.use(camera.plan(True, ""))
    assert source.wishes == []
    camera.use(camera.plan(True, "", (64, 48)))
    assert (source.wishes, camera.size) == ([(64, 48)], (64, 48))
    plain = reframed(Still((64, 48)), (32, 24))
    plain.use(plain.plan(False, "", (64, 48)))
    assert plain.size == (64, 48)


def test_scaled_frames_use_one_buffer():
    source = Still((64, 48))
    source.left = 2
    camera = reframed(source, (32, 24))
    assert camera.read() is camera.read()


@pytest.mark.parametrize(
    "crop", ["64x48+2+0", "32x24+40+0", "32x24+0+26", "8x8+0+0", "0x0+0+0", "32x24", "-2x4+0+0", "axb+0+0"]
)
def test_impossible_crops_are_refused_and_the_camera_let_go(crop):
    source = Still((64, 48))
    with pytest.raises(UsageError) as caught:
        ShapedCamera(source, (32, 24), crop=crop).open()
    assert caught.value.hint
    assert not source.opened


def test_odd_bounds_become_even():
    assert parse_crop("33x25+3+5", (64, 48)) == Box(2, 4, 34, 28)
    assert parse_crop("", (64, 48)) == Box(0, 0, 64, 48)


def test_the_camera_can_be_opened_again_after_close():
    source = Still((64, 48))
    source.left = 2
    camera = reframed(source, (32, 24), mirror=True)
    first = camera.read().y.copy()
    camera.close()
    assert not source.opened
    camera.open()
    assert np.array_equal(camera.read().y, first)
