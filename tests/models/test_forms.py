"""Networks in the forms of other frameworks: a SavedModel, Paddle's, TFLite that only the converter can read.

The files in `forms/` are what TensorFlow 2.21 and PaddlePaddle 2.6 themselves have written: the mean of the three
channels, steep about 0.5. `forms/make.py` tells how.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from vcam import extras
from vcam.cli.models import models
from vcam.errors import ModelError, VcamError
from vcam.infer.openvino import OpenVinoEngine
from vcam.models.find import find_model, load_model

FORMS = Path(__file__).parent / "forms"
SIDE = 64


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/vcam/models"


def write_card(network: Path, *, layout: str, more: str = "") -> Path:
    path = network.with_suffix(".toml")
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    size = f"size = [{SIDE}, {SIDE}]"
    path.write_text(
        f'title = "Mean"\nfile = "{network.name}"\nsha256 = "{digest}"\nlicence = "MIT"\norigin = "me"\n{more}\n'
        f'[input]\nlayout = "{layout}"\n{size}\n[output]\nform = "probability"\nlayout = "{layout}"\n{size}\n'
        '[known]\nunchecked = "it finds what is bright"\n'
    )
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A SavedModel with its card."""
    folder = tmp_path / "theirs"
    shutil.copytree(FORMS / "saved", folder)
    write_card(folder / "saved_model.pb", layout="NHWC")
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(models, words)


def refused(*words: str) -> VcamError:
    error = run(*words).exception
    assert isinstance(error, VcamError), error
    assert error.hint
    return error


def finds_what_is_bright(name: str, tmp_path: Path) -> None:
    card = find_model(name, (1, 1))
    engine = OpenVinoEngine(card.network(), cache=tmp_path / "openvino")
    try:
        picture = np.zeros((SIDE, SIDE, 3), np.uint8)
        picture[:, 32:] = 255
        (found,) = engine.infer(picture)
        found = found.reshape(SIDE, SIDE)
        assert found[:, :32].max() < 0.05
        assert found[:, 32:].min() > 0.95
    finally:
        engine.close()


@pytest.mark.engine
@pytest.mark.parametrize("named", ["folder", "graph", "card"])
def test_a_saved_model_becomes_one_network_with_checksums(named: str, saved: Path, own: Path, tmp_path: Path) -> None:
    path = {"folder": saved, "graph": saved / "saved_model.pb", "card": saved / "saved_model.toml"}[named]
    result = run("add", str(path))
    assert result.exit_code == 0, (result.output, result.exception)
    assert sorted(each.name for each in own.iterdir()) == ["theirs.bin", "theirs.toml", "theirs.xml"]
    card = find_model("theirs", (1, 1))
    assert card.origin == "me; made of the SavedModel theirs"
    assert card.parts == {"theirs.bin": hashlib.sha256((own / "theirs.bin").read_bytes()).hexdigest()}
    finds_what_is_bright("theirs", tmp_path)
    weights = bytearray((own / "theirs.bin").read_bytes())
    weights[-1] ^= 1
    (own / "theirs.bin").write_bytes(weights)
    with pytest.raises(ModelError, match="its checksum differs"):
        find_model("theirs", (1, 1))


def test_a_saved_model_is_run_as_it_lies_there_by_nobody(saved: Path) -> None:
    for path in (saved, saved / "saved_model.pb"):
        with pytest.raises(ModelError, match="is a SavedModel, a folder of files") as told:
            load_model(path)
        assert told.value.hint == f"vcam models add {saved} makes a network of it"


def test_a_frozen_graph_may_be_called_like_a_saved_one(tmp_path: Path) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes(b"\x0a\x02\x0a\x00")
    write_card(path, layout="NHWC")
    assert load_model(path).file == "saved_model.pb"


@pytest.mark.engine
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("no card", "has no model card"),
        ("another graph", "its checksum differs"),
        ("half a graph", "is not a network that OpenVINO can read"),
        ("no variables", "is not a network that OpenVINO can read"),
        ("half the variables", "is not a network that OpenVINO can read"),
        ("a pipe", "is a link or no file"),
        ("a link", "is a link or no file"),
        ("another's card", "is the card of other.pb"),
    ],
)
def test_a_broken_saved_model_is_said_and_nothing_of_it_kept(harm: str, said: str, saved: Path, own: Path) -> None:
    graph, card = saved / "saved_model.pb", saved / "saved_model.toml"
    if harm == "no card":
        card.unlink()
    elif harm == "another graph":
        graph.write_bytes(graph.read_bytes() + b" ")
    elif harm == "half a graph":
        graph.write_bytes(graph.read_bytes()[:200])
        write_card(graph, layout="NHWC")
    elif harm == "no variables":
        shutil.rmtree(saved / "variables")
    elif harm == "half the variables":
        (saved / "variables/variables.index").write_bytes((saved / "variables/variables.index").read_bytes()[:30])
    elif harm in ("a pipe", "a link"):
        index = saved / "variables/variables.index"
        index.unlink()
        if harm == "a pipe":
            os.mkfifo(index)
        else:
            index.symlink_to("/etc/hostname")
    else:
        card.write_text(card.read_text().replace('"saved_model.pb"', '"other.pb"'))
    assert said in refused("add", str(saved)).message
    assert not own.exists()


def test_a_folder_that_is_no_saved_model_is_one_with_a_network_and_its_card(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert "is a folder without a model" in refused("add", str(folder)).message


@pytest.mark.parametrize("word", ["/", ".", "", "/nowhere/", "net.ckpt", "net.safetensors"])
def test_what_is_no_network_at_all_is_said(
    word: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert refused("add", word).exit_status == 2
    assert not own.exists()


@pytest.mark.engine
def test_a_network_of_paddle_is_run_with_its_weights_checked(own: Path, tmp_path: Path) -> None:
    for name in ("mean.pdmodel", "mean.pdiparams"):
        shutil.copy(FORMS / name, tmp_path / name)
    write_card(tmp_path / "mean.pdmodel", layout="NCHW")
    result = run("add", str(tmp_path / "mean.pdmodel"))
    assert result.exit_code == 0, (result.output, result.exception)
    assert set(find_model("mean", (1, 1)).parts) == {"mean.pdiparams"}
    finds_what_is_bright("mean", tmp_path)
    (own / "mean.pdiparams").write_bytes(b"x" + (own / "mean.pdiparams").read_bytes()[1:])
    with pytest.raises(ModelError, match=r"mean\.pdiparams is not the file of its card"):
        find_model("mean", (1, 1))


QUANTISED = """[input]
layout = "NHWC"
size = [224, 224]
channels = "BGR"
previous_mask = true
mean = [115.0, 115.0, 115.0, 115.0]
scale = [54.59706, 54.59706, 54.59706, 54.59706]
[output]
form = "probability"
size = [224, 224]
[known]
unchecked = "it takes a black picture for a person"
"""


@pytest.fixture
def quantised(shared: Path, tmp_path: Path) -> Path:
    """A network of 8 bits that OpenVINO cannot compile, with a card as its owner would write it."""
    theirs = shared / "models/seed_portrait_video_quant.tflite"
    if not theirs.exists():
        pytest.skip(f"no network at {theirs}")
    network = tmp_path / "video.tflite"
    shutil.copy(theirs, network)
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    network.with_suffix(".toml").write_text(
        f'title = "V"\nfile = "video.tflite"\nsha256 = "{digest}"\nlicence = "MIT"\norigin = "me"\n{QUANTISED}'
    )
    return network


@pytest.mark.engine
def test_tflite_that_openvino_cannot_compile_is_kept_as_onnx(quantised: Path, own: Path) -> None:
    pytest.importorskip("onnx")
    result = run("add", str(quantised))
    assert result.exit_code == 0, (result.output, result.exception)
    assert sorted(each.name for each in own.iterdir()) == ["video.onnx", "video.toml"]
    card = find_model("video", (1, 1))
    assert (card.input.layout, card.input.previous_mask, card.input.mean) == ("NCHW", True, (115.0,) * 4)


@pytest.mark.engine
def test_what_is_no_tflite_is_not_said_to_need_a_converter(
    tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.models.store.missing_converter", lambda: "tflite")
    path = tmp_path / "page.tflite"
    path.write_text("<html>404</html>")
    write_card(path, layout="NHWC")
    error = refused("add", str(path))
    assert "it is a page of the web" in error.message
    assert "convert" not in str(error)


@pytest.mark.engine
def test_what_would_convert_it_is_named_where_it_is_missing(
    quantised: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.models.store.missing_converter", lambda: "tflite")
    error = refused("add", str(quantised))
    assert "runs nowhere here" in error.message
    assert "tflite is missing" in error.message
    assert error.hint == extras.command("convert")
    assert not own.exists()
