"""A tiny training from the first step to the file with its card; broken off, gone on with, and refused."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'vcam[train]'")

import cv2

from vcam.errors import EngineError, InputError, ModelError, UsageError
from vcam.train import runs
from vcam.train.harmony import training
from vcam.train.harmony.exported import export, network_of
from vcam.train.harmony.net import SIDE
from vcam.train.harmony.recipe import HarmonyRecipe, read_recipe
from vcam.train.harmony.training import Training, load_network

pytestmark = pytest.mark.long


def make_pictures(folder, count=6):
    folder.mkdir()
    for number in range(count):
        chance = np.random.default_rng(number)
        rough = chance.integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"p{number}.png"), cv2.resize(rough, (96, 72), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture
def data(tmp_path):
    return make_pictures(tmp_path / "data")


def recipe(data, **changes):
    return HarmonyRecipe(**{
        "data": str(data), "steps": 4, "batch": 8, "updates": 2, "bank": 64, "width": 4, "held": 8, "workers": 0,
        "average": 0.5, **changes,
    })  # fmt: skip


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_leaves_a_network_that_both_runtimes_run(tmp_path, data):
    told = []
    run = tmp_path / "light"
    outcome = Training(recipe(data), run, tell=lambda kind, figures: told.append(kind)).run()
    assert outcome.ended
    assert outcome.steps == 4
    assert told.count("step") == 4
    assert told.count("round") == 1
    assert json.loads((run / runs.RESULT).read_text())["steps"] == 4
    assert (run / runs.CURVES_CSV).read_text().startswith("steps,seconds,rate,loss,val_loss,gain,worse,change")
    assert read_recipe(run / runs.RECIPE).made["torch"] == torch.__version__
    network = export(run, "MIT")
    card = tomllib.loads(network.with_suffix(".toml").read_text())
    assert network.name == card["file"] == "light.onnx"
    assert (card["task"], card["licence"], card["output"]) == ("harmonise", "MIT", {"form": "arguments"})
    assert card["input"]["size"] == [SIDE, SIDE]
    assert card["input"]["channels"] == "YCbCrA"
    assert {"onnxruntime_ms", "measured_on"} <= card["cost"].keys()


def test_the_file_computes_what_the_network_does_and_is_the_same_each_time(tmp_path, data):
    from vcam.infer.onnxruntime import OnnxRuntimeEngine

    run = tmp_path / "light"
    Training(recipe(data), run).run()
    first = export(run, "MIT").read_bytes()
    network = export(run, "MIT")
    assert network.read_bytes() == first
    shown = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    engine = OnnxRuntimeEngine(network_of(network))
    (found,) = engine.infer(shown)
    true = load_network(run)(torch.from_numpy(shown.transpose(2, 0, 1)[None] / np.float32(255)))
    np.testing.assert_allclose(np.ravel(found), true.detach().numpy()[0], atol=1e-4)
    engine.close()


def test_one_that_was_broken_off_goes_on_from_its_step(tmp_path, data):
    broken = Training(recipe(data), tmp_path / "broken")
    step = broken._step

    def two():
        value = step()
        if broken.steps == 2:
            broken.stop()
        return value

    broken._step = two
    assert not broken.run().ended
    kept = runs.read_state(tmp_path / "broken" / runs.LAST)
    again = Training(recipe(data), tmp_path / "broken", resume=True)
    assert again.steps == 2
    assert same(kept["model"], again.raw.state_dict())
    assert same(kept["average"], again.average.state)
    outcome = again.run()
    assert outcome.ended
    assert outcome.steps == 4
    assert len(again.history) == 2


def test_the_best_is_kept_whatever_goes_wrong(tmp_path, data, monkeypatch):
    monkeypatch.setattr(training, "ROUND", 0.0)
    monkeypatch.setattr(training, "LEAST_ROUND", 1)
    made = Training(recipe(data), tmp_path / "run")
    step = made._step

    def fails():
        if made.steps == 3:
            raise EngineError("the loss is not a number any more", "")
        return step()

    made._step = fails
    with pytest.raises(EngineError):
        made.run()
    load_network(tmp_path / "run")
    assert runs.read_state(tmp_path / "run" / runs.LAST)["steps"] == 3


def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_do(tmp_path, data):
    made = Training(recipe(data), tmp_path / "run")
    with torch.no_grad():
        made.raw.straight.weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="not a number") as caught:
        made.run()
    assert "--rate" in caught.value.hint


def test_it_learns(tmp_path):
    # a light that is the same in every picture, so that what is another light can be seen
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(8):
        chance = np.random.default_rng(number)
        picture = np.full((64, 64, 3), 120.0) + chance.normal(0, 12, (64, 64, 1))
        cv2.imwrite(str(folder / f"p{number}.png"), picture.clip(0, 255).astype(np.uint8))
    outcome = Training(
        recipe(folder, steps=30, updates=8, batch=32, bank=1000, width=8, held=64, average=0.8), tmp_path / "run"
    ).run()
    assert outcome.gain > 1


def test_what_cannot_be_meant_is_refused(tmp_path, data):
    for changes, words in (
        ({"steps": 0}, "steps or minutes"), ({"minutes": 1.0}, "steps or minutes"), ({"rate": float("nan")}, "rate"),
        ({"width": 1}, "width"), ({"batch": 1}, "batch"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            Training(recipe(data, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="one picture"):
        Training(recipe(make_pictures(tmp_path / "one", 1)), tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="exists already"):
        Training(recipe(data), tmp_path / "run")


def test_a_run_of_something_else_is_none_of_this(tmp_path, data):
    run = tmp_path / "run"
    run.mkdir()
    runs.write_state(run / runs.BEST, {"network": "selfie", "model": {}})
    runs.write_state(run / runs.LAST, {"network": "selfie"})
    with pytest.raises(ModelError, match="no network for harmonise"):
        load_network(run)
    with pytest.raises(ModelError, match="another training"):
        Training(recipe(data), run, resume=True)
    (run / runs.RECIPE).write_text('network = "selfie"\n')
    with pytest.raises(InputError, match="no recipe of harmonise"):
        read_recipe(run / runs.RECIPE)
