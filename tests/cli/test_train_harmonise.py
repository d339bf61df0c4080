"""`vcam train harmonise`: its words, and a tiny training as a program."""

from __future__ import annotations

import importlib.util
import json
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from vcam.cli.main import cli
from vcam.errors import UsageError

HAVE = all(importlib.util.find_spec(name) for name in ("torch", "lightning_fabric"))
pytestmark = pytest.mark.skipif(not HAVE, reason="needs pip install 'vcam[train]'")


def vcam(*words):
    return CliRunner().invoke(cli, ["train", "harmonise", *map(str, words)], prog_name="vcam")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(4):
        rough = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"p{number}.png"), cv2.resize(rough, (96, 72)))
    return folder


def test_what_is_missing_is_asked_for(tmp_path, data):
    for words, told in (
        ((data,), "needs a folder to go into"), (("--out", tmp_path / "run"), "which pictures"),
        (("--out", tmp_path / "run", "--resume"), "nothing in .* to go on with"),
    ):  # fmt: skip
        found = vcam(*words)
        assert isinstance(found.exception, UsageError)
        assert re.search(told, found.exception.message)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_training_tells_each_thing_as_json_and_goes_on(tmp_path, data):
    run = tmp_path / "light"
    small = ("--workers", 0, "--threads", 1, "--batch", 8, "--width", 4)
    done = vcam(data, "--out", run, "--steps", 2, *small, "--json")
    assert done.exit_code == 0, done.exception
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event"] for each in events][-1] == "done"
    assert events[-1]["steps"] == 2
    assert {"light.onnx", "light.toml", "best.pt", "last.pt", "recipe.toml", "result.json"} <= {
        path.name for path in run.iterdir()
    }
    with pytest.raises(UsageError, match="--batch"):
        raise vcam("--out", run, "--resume", "--batch", 16).exception
    done = vcam("--out", run, "--resume", "--steps", 3)
    assert done.exit_code == 0, done.exception
    assert "dB over the disturbed person" in done.stdout
    assert json.loads((run / "result.json").read_text())["steps"] == 3
    from vcam.models.find import load_model

    assert load_model(run / "light.toml").task == "harmonise"
