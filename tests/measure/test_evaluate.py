"""`vcam eval`: the network and the matte scored on folders of pictures and videos."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.datasets.helpers import SIZE, write_picture, write_video
from vcam.cli.eval import eval as command
from vcam.datasets.folder import find_pairs
from vcam.datasets.synthetic import synthetic_clip
from vcam.frames import Frame, Map
from vcam.matte.factory import make_matte
from vcam.matting import Matting
from vcam.measure.evaluate import Evaluation, open_scored, report, score
from vcam.measure.unrefined import UnrefinedMatte
from vcam.settings import Settings
from vcam.testing import FakeSegmenter, middle_person


@pytest.mark.engine
@pytest.mark.parametrize(("still", "model"), [(True, "selfie-general"), (False, "selfie-landscape")])
def test_pictures_of_their_own_get_the_better_model_and_films_that_of_their_shape(still: bool, model: str) -> None:
    with open_scored(Settings().replace(segment__backend="onnxruntime"), (1280, 720), still=still) as matting:
        assert matting.description.startswith(model)


def test_the_plain_matte_is_the_map_and_nothing_else() -> None:
    """What `--plain` scores must have neither memory nor an edge of its own."""
    frame, plain = Frame.allocate(*SIZE), UnrefinedMatte()
    plain.update(Map.whole(np.ones((24, 32), np.float32), frame), frame)
    alpha = plain.update(Map.whole(middle_person((32, 24)), frame), frame)
    expected = cv2.resize(middle_person((32, 24)) * 255, SIZE, interpolation=cv2.INTER_LINEAR)
    assert np.abs(alpha.full - expected).max() <= 1
    assert alpha.seq == frame.seq
    assert alpha.half.shape == frame.u.shape


def test_the_matte_stage_that_is_scored_is_the_one_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings().replace(matte__edge=20, matte__temporal=0)
    frame = Frame.allocate(*SIZE)
    monkeypatch.setattr("vcam.matting.open_segmenter", lambda *given, still: FakeSegmenter())
    scored = open_scored(settings, SIZE).picture(frame)
    alpha = make_matte(settings.matte).update(Map.whole(middle_person((32, 24)), frame), frame)
    box = alpha.box
    assert np.array_equal(scored[box.y0 : box.y1, box.x0 : box.x1], alpha.full[box.y0 : box.y1, box.x0 : box.x1])
    assert np.count_nonzero(scored) > np.count_nonzero(open_scored(settings, SIZE, plain=True).picture(frame))


def test_clips_do_not_weigh_in_on_each_other() -> None:
    segmenter = FakeSegmenter()
    clip = list(synthetic_clip(SIZE, 2, 0, "still"))
    matting = Matting(segmenter, make_matte(Settings().matte))
    first, again = score(clip, matting), score(clip, matting)
    assert (again.mad, again.dtssd) == (first.mad, first.dtssd)
    assert segmenter.resets == 2


def test_pictures_share_one_network_which_is_closed_at_the_end(tmp_path, opened) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path, f"{name}.png", tmp_path / f"{name}_mask.png")
    told: list[tuple[int, int | None]] = []
    with Evaluation(Settings()) as evaluation:
        assert evaluation.network == ""
        items = [evaluation.run(pair, lambda *progress: told.append(progress)) for pair in find_pairs(tmp_path).pairs]
        assert evaluation.network == "fake network"
        ((settings, _, network),) = opened
        assert settings.model == "selfie-general"
        assert network.closed == 0
    assert network.closed == 1
    assert told == [(1, 1), (1, 1)]
    assert (network.calls, network.resets) == (2, 2)
    result = report(items, evaluation.network)
    assert result["segmenter"] == "fake network"
    assert [item["name"] for item in result["pictures"]["items"]] == ["a", "b"]
    assert result["pictures"]["mean"]["mad"] == pytest.approx(items[0].scores.mad)
    assert result["pictures"]["mean"]["dtssd"] is None
    assert result["videos"] == {"count": 0, "mean": None, "items": []}


@pytest.mark.parametrize("plain", [False, True])
def test_the_plain_map_is_that_of_the_whole_frame(opened, plain) -> None:
    with open_scored(Settings(), SIZE, plain=plain) as matting:
        assert matting.picture(Frame.allocate(*SIZE)).shape == SIZE[::-1]
    ((settings, size, network),) = opened
    assert settings.region is not plain
    assert (size, network.closed) == (SIZE, 1)


def test_progress_is_told_frame_by_frame() -> None:
    done: list[int] = []
    score(synthetic_clip(SIZE, 3), Matting(FakeSegmenter(), make_matte(Settings().matte)), done.append)
    assert done == [1, 2, 3]


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
