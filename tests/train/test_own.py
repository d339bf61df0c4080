"""The parts of what `vcam learn` does that need PyTorch."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.assets import data_folder
from vcam.train.own import finetune, tuning
from vcam.train.own.finetune import FineTuning
from vcam.train.own.scenes import Mine, Others, Taught
from vcam.train.runs import load_run

START = data_folder("models") / "selfie-landscape.onnx"
SHAPE = (144, 256)


@pytest.fixture(scope="module")
def material() -> tuning.Material:
    """Pictures in which the left half is to be the person, whatever is in them."""
    chance = np.random.default_rng(1)
    pictures = [chance.integers(0, 255, (90, 160, 3)).astype(np.uint8) for _ in range(4)]
    pictures = [cv2.GaussianBlur(each, (0, 0), 6) for each in pictures]
    matte = np.zeros((90, 160), np.uint8)
    matte[:, :80] = 255
    return tuning.Material(pictures, [matte] * 4)


def shown(pictures) -> np.ndarray:
    return np.stack([cv2.resize(each, SHAPE[::-1])[..., ::-1] for each in pictures])


def test_what_is_learnt_comes_nearer_and_what_others_show_hardly_changes(material):
    tuned = FineTuning("selfie-landscape", START, rate=5e-4)
    pictures = shown(material.pictures)
    target = np.stack([cv2.resize(each, SHAPE[::-1]) for each in material.mattes]).astype(np.float32) / 255
    scenes = Others([], SHAPE, judging=False, seed=1)
    others = np.stack([scenes.scene(number)[0] for number in range(2)])
    # nothing has been learnt: all shares are the original
    assert np.array_equal(tuned.answers(pictures, 1.0), tuned.answers(pictures, 0.0))
    kept = tuned.answers(others, 0.0)
    for number in range(16):
        tuned.step(pictures[:2], target[:2], others, number / 16)
    before, after = (float(np.abs(tuned.answers(pictures, share) - target).mean()) for share in (0.0, 1.0))
    assert before - after > 0.05
    assert np.abs(tuned.answers(others, 1.0) - kept).mean() < (before - after) / 4


def test_what_is_taught_begins_softer_than_the_published_network_with_the_same_edges(monkeypatch):
    scenes = Others([], SHAPE, judging=False, seed=1)
    pictures = np.stack([scenes.scene(number)[0] for number in range(6)])
    found = FineTuning("selfie-landscape", START).answers(pictures, 0.0)
    monkeypatch.setattr(finetune, "CALMER", 1.0)
    published = FineTuning("selfie-landscape", START).answers(pictures, 0.0)
    assert np.mean((found >= 0.5) != (published >= 0.5)) < 1e-4
    soft, hard = (np.mean((each > 0.05) & (each < 0.95)) for each in (found, published))
    assert soft > 1.2 * hard


def test_it_is_written_as_a_run_and_read_as_one(material, tmp_path):
    tuned = FineTuning("selfie-landscape", START)
    tuned.write(tmp_path, 1.0)
    run = load_run(tmp_path)
    assert (run.network, run.size) == ("selfie-landscape", (256, 144))
    pictures = shown(material.pictures)
    given = torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        found = run.net(given).sigmoid()[:, 0].numpy()
    assert np.abs(found - tuned.answers(pictures, 0.0)).max() < 1e-4


def test_samples_depend_on_their_number_alone_and_keep_to_the_shape(material):
    taught = [Taught(picture, matte) for picture, matte in zip(material.pictures, material.mattes, strict=True)]
    mine = Mine(taught, SHAPE, seed=3, plate=material.pictures[0])
    kinds = [mine.sample(number) for number in range(40)]
    assert {picture.shape for picture, _ in kinds} == {(*SHAPE, 3)}
    assert {target.shape for _, target in kinds} == {SHAPE}
    assert max(target.max() for _, target in kinds) <= 1
    # the empty room, and somebody who is not the user in it, are among them
    assert any(target.max() == 0 for _, target in kinds)
    again = Mine(taught, SHAPE, seed=3, plate=material.pictures[0]).sample(17)
    assert np.array_equal(again[0], kinds[17][0])
    assert np.array_equal(again[1], kinds[17][1])


def test_scenes_to_judge_by_have_other_rooms_than_those_to_learn_with():
    learning, judging = (Others([], SHAPE, judging=each, seed=3) for each in (False, True))
    mine, theirs = ({picture.tobytes() for picture in each._rooms._pictures} for each in (learning, judging))
    assert not mine & theirs
    assert learning.scene(5)[0].shape == (*SHAPE, 3)
    assert judging.scene(5)[1].max() == 255


def test_time_ends_it_and_so_does_a_wish(material, monkeypatch):
    monkeypatch.setattr(tuning, "GUARD", 4)
    began = time.monotonic()
    done = tuning.tune("selfie-landscape", START, material, minutes=0.02, steps=10_000)
    assert 0 < done.steps < 10_000
    assert time.monotonic() - began < 60
    assert set(done.others) == {0.0, *tuning.SHARES}
    asked = iter([False, True])
    stopped = tuning.tune("selfie-landscape", START, material, minutes=5, stop=lambda: next(asked))
    assert stopped.stopped
    assert stopped.steps == 1


def test_the_largest_share_that_forgets_nobody_is_kept(material, monkeypatch):
    monkeypatch.setattr(tuning, "GUARD", 2)
    told = {0.0: 0.95, 1.0: 0.9, 0.75: 0.949, 0.5: 0.951}
    monkeypatch.setattr(tuning, "_miou", lambda tuning, scenes, share: told[share])
    assert tuning.tune("selfie-landscape", START, material, minutes=5, steps=1).share == 0.75
