from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from vcam.assets import data_folder
from vcam.cli.models import models
from vcam.segment.cards import find_model


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "vcam/models"
    folder.mkdir(parents=True)
    return folder


def _run(*words):
    return CliRunner().invoke(models, words)


def test_list_names_the_shipped_models_for_people_and_for_scripts():
    rows = json.loads(_run("list", "--json").stdout)
    assert [row["name"] for row in rows] == ["selfie-general", "selfie-landscape"]
    assert rows[1]["size"] == [256, 144]
    assert "selfie-landscape" in _run("list").stdout


def test_list_shows_a_broken_card_with_its_error_among_the_others(own_folders):
    (own_folders / "mine.toml").write_text("title = 3")
    result = _run("list", "--json")
    assert result.exit_code == 0
    assert "title = 3 will not do" in json.loads(result.stdout)[2]["error"]
    assert "mine" in _run("list").stdout


def test_show_gives_the_card():
    card = json.loads(_run("show", "auto", "--json").stdout)
    assert card["sha256"] == find_model("selfie-landscape", (1280, 720)).sha256
    assert card["output"]["form"] == "probability"
    assert "Apache-2.0" in _run("show", "selfie-general").stdout


@pytest.mark.engine
def test_verify_runs_every_shipped_model_on_the_cpu():
    result = _run("verify", "--json")
    assert result.exit_code == 0, result.output
    for model in json.loads(result.stdout):
        assert model["checks"]["openvino on CPU"] == "ok"
        assert model["checks"]["onnxruntime on CPU"] == "ok"


def test_verify_fails_for_a_changed_network(own_folders):
    shipped = data_folder("models")
    (own_folders / "mine.toml").write_text((shipped / "selfie-general.toml").read_text())
    (own_folders / "selfie-general.onnx").write_bytes(b"changed")
    result = _run("verify", "mine", "--json")
    assert result.exit_code == 1
    assert "checksum differs" in json.loads(result.stdout)[0]["checks"]["card"]
