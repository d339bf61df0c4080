from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from vcam import extras
from vcam.assets import data_folder
from vcam.cli.main import cli
from vcam.cli.models import models
from vcam.errors import UsageError, VcamError
from vcam.models.find import find_model


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
    assert "title = 3 is not valid" in json.loads(result.stdout)[2]["error"]
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


@pytest.mark.engine
def test_verify_tells_an_engine_that_answers_and_is_wrong(monkeypatch):
    from vcam.infer.onnxruntime import OnnxRuntimeEngine

    right = OnnxRuntimeEngine.infer

    def ones(self, *pictures):
        (given,) = right(self, *pictures)
        given.fill(1)
        return [given]

    monkeypatch.setattr(OnnxRuntimeEngine, "infer", ones)
    checks = json.loads(_run("verify", "selfie-general", "--json").stdout)[0]["checks"]
    assert checks["openvino on CPU"] == "ok"
    assert "finds 100 % person in a black picture" in checks["onnxruntime on CPU"]
    monkeypatch.setattr("vcam.infer.openvino.OpenVinoEngine.infer", lambda self, *pictures: right(self, *pictures))
    assert _run("verify", "selfie-general").exit_code == 1


def test_verify_fails_for_a_changed_network(own_folders):
    shipped = data_folder("models")
    (own_folders / "mine.toml").write_text((shipped / "selfie-general.toml").read_text())
    (own_folders / "selfie-general.onnx").write_bytes(b"changed")
    result = _run("verify", "mine", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)[0]
    assert "checksum differs" in said["checks"]["card"]
    # the checksum that it tells one to write is whole, so that it can be copied
    checksum = hashlib.sha256(b"changed").hexdigest()
    assert f'sha256 = "{checksum}"' in said["cure"]
    assert f'sha256 = "{checksum}"' in _run("verify", "mine").stdout


GENERAL = data_folder("models") / "selfie-general.onnx"


@pytest.fixture
def served(tmp_path):
    """A folder, and the address under which a server of this machine gives its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        # an answer that nobody reads to its end must have ended before the test does
        server.daemon_threads = False
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def copy_to(folder, name="theirs"):
    """A network with its card, as somebody else would publish them."""
    card = GENERAL.with_suffix(".toml").read_text().replace("selfie-general.onnx", f"{name}.onnx")
    (folder / f"{name}.toml").write_text(card)
    (folder / f"{name}.onnx").write_bytes(GENERAL.read_bytes())
    return folder / f"{name}.onnx"


def status(*words):
    """The exit status that `vcam models` would have, and what it says."""
    result = _run(*words)
    error = result.exception
    return (error.exit_status, str(error)) if isinstance(error, VcamError) else (result.exit_code, result.output)


@pytest.mark.engine
def test_add_keeps_network_and_card_under_a_name_of_its_own(own_folders, tmp_path):
    theirs = copy_to(tmp_path)
    result = _run("add", str(theirs), "--name", "mine", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["name"] == "mine"
    card = find_model("mine", (1, 1))
    assert (card.path, card.file_path.read_bytes()) == (own_folders / "mine.toml", theirs.read_bytes())
    assert sorted(path.name for path in own_folders.iterdir()) == ["mine.onnx", "mine.toml"]


@pytest.mark.engine
def test_add_takes_no_name_that_is_taken_unless_told_to(own_folders, tmp_path):
    theirs = copy_to(tmp_path)
    (own_folders / "theirs.toml").write_text("old")
    code, said = status("add", str(theirs))
    assert (code, (own_folders / "theirs.toml").read_text()) == (2, "old")
    assert "--replace" in said
    assert status("add", str(theirs), "--replace")[0] == 0
    assert find_model("theirs", (1, 1)).sha256 in (own_folders / "theirs.toml").read_text()
    for name in ("selfie-general", "../elsewhere", "auto", ".hidden"):
        assert status("add", str(theirs), "--name", name)[0] == 2


@pytest.mark.engine
@pytest.mark.parametrize(
    ("spoil", "code", "word"),
    [
        (lambda network: network.with_suffix(".toml").unlink(), 1, "has no model card"),
        (lambda network: network.write_bytes(b"other"), 1, "checksum differs"),
        (lambda network: network.unlink(), 2, "no model file"),
        (
            lambda network: network.with_suffix(".toml").write_text(
                network.with_suffix(".toml").read_text().replace('"probability"', '"softmax"')
            ),
            1, "runs nowhere",
        ),
    ],
    ids=["no card", "another file", "no file", "a card of another network"],
)  # fmt: skip
def test_add_keeps_nothing_that_would_not_work(spoil, code, word, own_folders, tmp_path):
    theirs = copy_to(tmp_path)
    spoil(theirs)
    found, said = status("add", str(theirs))
    assert found == code
    assert word in said
    assert list(own_folders.iterdir()) == []


@pytest.mark.engine
@pytest.mark.parametrize("suffix", [".toml", ".onnx"])
def test_pull_fetches_card_and_network(suffix, served, own_folders):
    folder, address = served
    theirs = copy_to(folder)
    result = _run("pull", f"{address}/theirs{suffix}")
    assert result.exit_code == 0, result.output
    assert "--model theirs" in result.stdout
    assert (own_folders / "theirs.onnx").read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ("address", "code", "word"),
    [
        ("{}/missing.onnx", 1, "404"),
        ("{}/lonely.toml", 1, "404"),
        ("{}/wrong.toml", 1, "wrong.toml does not give the network of its card"),
        ("{}/wrong.onnx", 1, "wrong.onnx does not give the network of its card"),
        ("{}/odd.onnx", 1, "/odd.onnx runs nowhere here"),
        ("{}/huge.toml", 1, "larger than"),
        ("{}/theirs.zip", 2, "neither a network nor a card"),
        ("http://127.0.0.1:9/theirs.onnx", 1, "cannot be fetched"),
        ("file:///etc/theirs.onnx", 2, "vcam models add"),
        ("theirs", 2, "the catalogue has no model"),
    ],
)
def test_pull_says_what_went_wrong_and_keeps_nothing(address, code, word, served, own_folders):
    folder, base = served
    copy_to(folder, "wrong").write_bytes(b"another network")
    copy_to(folder, "lonely").unlink()
    (folder / "huge.toml").write_bytes(b"#" * 100_000)
    odd = copy_to(folder, "odd").with_suffix(".toml")
    odd.write_text(odd.read_text().replace('"probability"', '"softmax"'))
    found, said = status("pull", address.format(base))
    assert found == code
    assert word in said
    # a folder for temporary files is gone by then
    assert "/vcam-" not in said
    assert list(own_folders.iterdir()) == []


def test_pull_of_what_is_here_fetches_nothing(own_folders):
    assert status("pull", "selfie-general")[0] == 0
    assert list(own_folders.iterdir()) == []


def test_pull_by_name_shows_the_licence_and_asks_where_it_is_not_permissive(monkeypatch):
    from vcam.models import published

    asked = []

    def fetch(entry, name, *, agreed, **_):
        asked.append((entry.name, name, agreed))
        raise VcamError("enough")

    monkeypatch.setattr(published, "pull_entry", fetch)
    for words in (["selfie-multiclass"], ["prisma-net"], ["prisma-net", "--accept-licence", "--name", "p"]):
        result = _run("pull", *words)
        assert "licence: " in result.stderr
    # nobody is at the keyboard: nothing is agreed to
    assert asked == [("selfie-multiclass", "", True), ("prisma-net", "", False), ("prisma-net", "p", True)]
    assert "weights unclear" in result.stderr


def test_pull_offers_the_names_of_the_catalogue():
    from vcam.cli import complete

    assert [item.value for item in complete.catalogue(None, None, "selfie-m")] == ["selfie-multiclass"]


def test_a_checksum_is_shown_whole_however_narrow_the_terminal_is() -> None:
    shown = CliRunner().invoke(models, ["show", "selfie-landscape"], env={"COLUMNS": "40"}).stdout
    (line,) = [line for line in shown.splitlines() if "sha256" in line]
    assert re.search(r"  [0-9a-f]{64}$", line)


def test_a_model_of_ones_own_is_removed_and_one_of_vcams_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vcam.models import store
    from vcam.models.find import card_paths, find_model, model_folders

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    source = find_model("selfie-general", (256, 256))
    store.add(str(source.path), "mine")
    store.add(str(source.path), "other")
    folder = model_folders()[1]
    runner = CliRunner()
    told = runner.invoke(cli, ["models", "remove", "mine", "--json"], standalone_mode=False)
    assert {Path(path).name for path in json.loads(told.output)["removed"]} == {"mine.toml", "mine.onnx"}
    assert {path.stem for path in folder.iterdir()} == {"other"}
    for name in ("mine", "selfie-general", "../other", "nosuch"):
        error = runner.invoke(cli, ["models", "remove", name], standalone_mode=False).exception
        assert isinstance(error, UsageError), name
        assert "other" in error.hint
    assert "selfie-general" in {path.stem for path in card_paths()}


def test_weights_need_the_extra_for_training_which_is_said(
    own_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vcam.train import forms

    monkeypatch.setattr(forms, "find_spec", lambda name: None)
    (tmp_path / "x.h5").write_bytes(b"x")
    code, said = status("add", str(tmp_path / "x.h5"), "--network", "selfie")
    assert code == 2
    assert f"--network needs torch, onnx, onnxscript, which are not installed ({extras.command('train')})" in said
    code, said = status("add", str(tmp_path / "x.h5"))
    assert code == 2
    assert "holds weights" in said
    assert list(own_folders.iterdir()) == []
