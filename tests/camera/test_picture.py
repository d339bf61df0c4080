"""A picture in place of a camera."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.camera.file import PictureFile
from vcam.errors import UsageError
from vcam.frames import Frame
from vcam.images import write_image
from vcam.testing import FakeClock


def test_a_picture_is_served_once(tmp_path):
    path = tmp_path / "one.png"
    write_image(path, np.full((48, 64, 3), 200, np.uint8))
    camera = PictureFile(path)
    camera.open()
    frame = camera.read()
    assert isinstance(frame, Frame)
    assert (frame.size, camera.size, camera.true_size, camera.frames) == ((64, 48), (64, 48), (64, 48), 1)
    assert abs(int(frame.y[0, 0]) - 188) <= 1
    assert camera.read() is None
    camera.close()


def test_an_odd_picture_repeats_its_last_row_and_column(tmp_path):
    path = tmp_path / "odd.png"
    picture = np.zeros((33, 47, 3), np.uint8)
    picture[-1], picture[:, -1] = 255, 255
    write_image(path, picture)
    camera = PictureFile(path)
    camera.open()
    frame = camera.read()
    assert (camera.true_size, frame.size) == ((47, 33), (48, 34))
    assert (frame.y[-2:] == 235).all()
    assert (frame.y[:, -2:] == 235).all()
    assert (frame.y[:-2, :-2] == 16).all()


def test_a_paced_picture_is_a_still_camera(tmp_path):
    path, clock = tmp_path / "one.png", FakeClock(3.0)
    write_image(path, np.full((48, 64, 3), 200, np.uint8))
    camera = PictureFile(path, 20, paced=True, clock=clock, sleep=clock.sleep)
    camera.open()
    frames = [(frame.seq, frame.timestamp) for frame in (camera.read() for _ in range(4))]
    assert [seq for seq, _ in frames] == [0, 1, 2, 3]
    assert [stamp for _, stamp in frames] == pytest.approx([3.0, 3.05, 3.1, 3.15])
    assert camera.frames is None


def test_a_picture_that_is_too_small_is_refused(tmp_path):
    write_image(tmp_path / "tiny.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UsageError, match="4x4"):
        PictureFile(tmp_path / "tiny.png").open()


def test_a_picture_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no picture"):
        PictureFile(tmp_path / "none.png").open()
