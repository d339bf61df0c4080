"""Folders of every layout, and what is said of bad ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.datasets.helpers import SIZE, read_matte, write_picture, write_video
from vcam.datasets import folder
from vcam.datasets.folder import find_pairs, read_pair
from vcam.errors import InputError, UsageError
from vcam.files import Overwriting
from vcam.frames import Frame
from vcam.output.encoded.file import VideoFileOutput


@pytest.mark.process
def test_all_layouts_are_found_in_one_folder(tmp_path) -> None:
    write_picture(tmp_path / "img", "a.png", tmp_path / "mask/a.png")
    write_picture(tmp_path, "b.png", tmp_path / "b_mask.png")
    write_video(tmp_path, "c")
    write_video(tmp_path, "d", matte="_alpha.mp4")
    (tmp_path / "img" / "alone.jpg").write_bytes(b"x")
    found = find_pairs(tmp_path)
    assert [(pair.name, pair.video) for pair in found.pairs] == [("a", False), ("b", False), ("c", True), ("d", True)]
    assert [path.name for path in found.alone] == ["alone.jpg"]


@pytest.mark.process
def test_mattes_of_a_video_come_with_their_own_frames(tmp_path) -> None:
    mattes = write_video(tmp_path, "clip")
    (pair,) = find_pairs(tmp_path).pairs
    read = [(frame.seq, true.copy()) for frame, true in read_pair(pair)]
    assert [seq for seq, _ in read] == list(range(8))
    for (_, true), written in zip(read, mattes, strict=True):
        # the file is compressed
        assert np.abs(true.astype(int) - written).mean() < 1.5
        assert int(true.min()) == 0
        assert int(true.max()) >= 250


def test_mattes_of_zero_and_one_and_of_sixteen_bits_are_understood(tmp_path) -> None:
    matte = np.zeros((20, 30), np.uint8)
    matte[5:15] = 1
    cv2.imwrite(str(tmp_path / "ones.png"), matte)
    cv2.imwrite(str(tmp_path / "deep.png"), matte.astype(np.uint16) * 65535)
    for name in ("ones.png", "deep.png"):
        assert set(np.unique(read_matte(tmp_path / name))) == {0, 255}


def test_a_pair_is_scaled_as_a_whole(tmp_path) -> None:
    matte = write_picture(tmp_path, "a.png", tmp_path / "a_mask.png")
    (pair,) = find_pairs(tmp_path).pairs
    ((own, true),) = read_pair(pair)
    assert own.size == SIZE
    assert np.array_equal(true, matte)
    for size in ((128, 72), (512, 288)):
        ((frame, scaled),) = read_pair(pair, size)
        assert frame.size == scaled.shape[::-1] == size
        assert np.abs(cv2.resize(own.y, size).astype(int) - frame.y).mean() < 6
        assert np.abs(cv2.resize(matte, size).astype(int) - scaled).mean() < 4
    ((odd, odd_matte),) = read_pair(pair, (65, 37))
    assert (odd.size, odd_matte.shape) == ((66, 38), (37, 65))


def test_the_luma_of_a_video_of_mattes_is_stretched_to_the_whole_range() -> None:
    luma = np.array([[0, 16, 17, 126, 235, 255]], np.uint8)
    assert folder._expanded(luma).tolist() == [[0, 0, 1, 128, 255, 255]]


def test_a_folder_without_pairs_says_how_to_lay_them_out(tmp_path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="no pictures or videos with mattes") as caught:
        find_pairs(tmp_path)
    assert "mask/" in caught.value.hint
    with pytest.raises(UsageError, match="there is no folder"):
        find_pairs(tmp_path / "nowhere")


@pytest.mark.process
def test_a_video_whose_mattes_have_another_rate_is_refused(tmp_path) -> None:
    write_video(tmp_path, "clip")
    slow = VideoFileOutput(tmp_path / "clip.matte.mkv", blocking=True, rule=Overwriting(True))
    slow.open(SIZE, 10)
    for _ in range(3):
        slow.write(Frame.allocate(*SIZE))
    slow.close()
    with pytest.raises(InputError, match="frames a second"):
        list(read_pair(find_pairs(tmp_path).pairs[0]))
