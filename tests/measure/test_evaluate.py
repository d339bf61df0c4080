"""`vcam eval`: folders of every layout, the network scored on them, and what it says of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from vcam.cli.eval import eval as command
from vcam.datasets.folder import find_pairs, read_matte, read_pair
from vcam.datasets.synthetic import synthetic_clip
from vcam.errors import InputError, UsageError
from vcam.frames import Frame, Map
from vcam.images import frame_to_bgr
from vcam.matte.factory import make_matte
from vcam.measure.evaluate import Matting, score
from vcam.measure.unrefined import UnrefinedMatte
from vcam.output.encoded.file import VideoFileOutput
from vcam.settings import Settings
from vcam.testing import FakeSegmenter, middle_person

SIZE = (256, 144)


def write_picture(folder: Path, name: str, mask: Path) -> np.ndarray:
    frame, matte = next(iter(synthetic_clip(SIZE, 1, 1, "still")))
    folder.mkdir(exist_ok=True)
    mask.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), frame_to_bgr(frame))
    cv2.imwrite(str(mask), matte)
    return matte


def write_video(folder: Path, name: str, frames: int = 8, matte: str = ".matte.mkv") -> list[np.ndarray]:
    outputs = [VideoFileOutput(folder / f"{name}{end}", blocking=True) for end in (".mkv", matte)]
    for output in outputs:
        output.open(SIZE, 30)
    grey, mattes = Frame.allocate(*SIZE), []
    for frame, true in synthetic_clip(SIZE, frames, 3, "slow"):
        outputs[0].write(frame)
        grey.y[...] = np.rint(16 + true * (219 / 255))
        outputs[1].write(grey)
        mattes.append(true)
    for output in outputs:
        output.close()
    return mattes


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


def test_a_folder_without_pairs_says_how_to_lay_them_out(tmp_path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        find_pairs(tmp_path)
    assert "mask/" in caught.value.hint
    with pytest.raises(UsageError):
        find_pairs(tmp_path / "nowhere")


@pytest.mark.process
def test_a_video_whose_mattes_have_another_rate_is_refused(tmp_path) -> None:
    write_video(tmp_path, "clip")
    slow = VideoFileOutput(tmp_path / "clip.matte.mkv", blocking=True)
    slow.open(SIZE, 10)
    for _ in range(3):
        slow.write(Frame.allocate(*SIZE))
    slow.close()
    with pytest.raises(InputError, match="frames a second"):
        list(read_pair(find_pairs(tmp_path).pairs[0]))


def test_the_plain_matte_is_the_map_and_nothing_else() -> None:
    """What `--plain` scores must have neither memory nor an edge of its own."""
    frame, plain = Frame.allocate(*SIZE), UnrefinedMatte()
    plain.update(Map.whole(np.ones((24, 32), np.float32), frame), frame)
    alpha = plain.update(Map.whole(middle_person((32, 24)), frame), frame)
    expected = cv2.resize(middle_person((32, 24)) * 255, SIZE, interpolation=cv2.INTER_LINEAR)
    assert np.abs(alpha.full - expected).max() <= 1
    assert alpha.seq == frame.seq
    assert alpha.half.shape == frame.u.shape


def test_the_matte_stage_that_is_scored_is_the_one_of_the_settings() -> None:
    settings = Settings().replace(matte__edge=20, matte__temporal=0)
    frame, segmenter = Frame.allocate(*SIZE), FakeSegmenter()
    scored = Matting(settings, SIZE, segmenter=segmenter)(frame)
    alpha = make_matte(settings.matte).update(Map.whole(middle_person((32, 24)), frame), frame)
    box = alpha.box
    assert np.array_equal(scored[box.y0 : box.y1, box.x0 : box.x1], alpha.full[box.y0 : box.y1, box.x0 : box.x1])
    assert np.count_nonzero(scored) > np.count_nonzero(Matting(settings, SIZE, segmenter=segmenter, plain=True)(frame))


def test_clips_do_not_weigh_in_on_each_other() -> None:
    segmenter = FakeSegmenter()
    clip = list(synthetic_clip(SIZE, 2, 0, "still"))
    matting = Matting(Settings(), SIZE, segmenter=segmenter)
    first, again = score(clip, matting), score(clip, matting)
    assert (again.mad, again.dtssd) == (first.mad, first.dtssd)
    assert segmenter.resets == 2


@pytest.mark.engine
def test_eval_finds_the_astronaut_and_prints_stable_keys(tmp_path) -> None:
    write_picture(tmp_path / "img", "a.png", tmp_path / "mask/a.png")
    write_picture(tmp_path / "img", "b.png", tmp_path / "mask/b.png")
    done = CliRunner().invoke(command, [str(tmp_path), "--json"], standalone_mode=False)
    assert done.exception is None
    result = json.loads(done.stdout)
    assert set(result) == {"folder", "plain", "failed", "segmenter", "pictures", "videos"}
    mean = result["pictures"]["mean"]
    assert set(mean) == {"frames", "miou", "boundary", "mad", "dtssd", "lag"}
    assert mean["miou"] > 90
    assert mean["boundary"] > 80
    assert mean["dtssd"] is None
    assert [item["name"] for item in result["pictures"]["items"]] == ["a", "b"]
    assert result["videos"] == {"count": 0, "mean": None, "items": []}


@pytest.mark.engine
def test_one_damaged_picture_costs_only_itself(tmp_path) -> None:
    write_picture(tmp_path / "img", "a.png", tmp_path / "mask/a.png")
    write_picture(tmp_path / "img", "b.png", tmp_path / "mask/b.png")
    (tmp_path / "img/b.png").write_bytes(b"no picture")
    done = CliRunner().invoke(command, [str(tmp_path), "--json"], standalone_mode=False)
    assert done.return_value == 1
    assert "b.png" in done.stderr
    assert json.loads(done.stdout)["pictures"]["count"] == 1


@pytest.mark.engine
@pytest.mark.process
def test_eval_of_a_video_tells_flicker_and_lag_in_a_table(tmp_path) -> None:
    write_video(tmp_path, "clip", frames=14)
    done = CliRunner().invoke(command, [str(tmp_path), "--size", "192x108", "--temporal", "0"], standalone_mode=False)
    assert done.exception is None
    assert "flicker" in done.stdout
    assert "lag" in done.stdout
    assert "clip" in done.stdout
