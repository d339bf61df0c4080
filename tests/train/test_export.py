"""Exports of small networks: tried as a user does, by the commands and on vcam's engines."""

from __future__ import annotations

import copy
import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("onnxscript", reason="needs pip install 'vcam[train]'")

from vcam.cli.train_export import export as command
from vcam.errors import ModelError, OutputError, UsageError
from vcam.models.find import find_model
from vcam.segment.known import try_engines
from vcam.train.export import Wish, export
from vcam.train.forms import form_of
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import architecture
from vcam.train.onnxfile import multiplications, ready, to_onnx, without_mask
from vcam.train.quantise import with_float16, with_int8_weights
from vcam.train.runs import values_of, write_state

FRAME = (1280, 720)


def lay_run(folder, network="prisma-net", size=(64, 64), **options):
    """A run as a training leaves it, of a network that finds what is bright."""
    kind = architecture(network)
    torch.manual_seed(3)
    net = kind.build(size=size, **options)
    folder.mkdir()
    write_state(folder / "best.pt", {
        "network": network, "options": options, "size": list(size), "prior": net.channels == 4,
        "values": list(values_of(kind)), "model": net.state_dict(),
    })  # fmt: skip
    return net.eval()


@pytest.fixture(scope="module")
def exported():
    """The network of `run` as ONNX: PyTorch's exporter takes seconds."""
    torch.manual_seed(3)
    return to_onnx(ready(architecture("prisma-net").build(size=(64, 64), width=0.25)), "prisma-net")


@pytest.fixture
def run(tmp_path, exported, monkeypatch):
    lay_run(tmp_path / "mine", width=0.25)
    monkeypatch.setattr("vcam.train.export.to_onnx", lambda net, name: copy.deepcopy(exported))
    return tmp_path / "mine"


@pytest.fixture
def data(tmp_path):
    """Six portraits of a bright disc."""
    chance = np.random.default_rng(1)
    for part in ("img", "mask"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for number in range(6):
        picture = chance.integers(0, 90, (80, 80, 3), np.uint8)
        matte = np.zeros((80, 80), np.uint8)
        cv2.circle(matte, (30 + 4 * number, 40), 22, 255, -1)
        picture[matte > 0] = 200
        cv2.imwrite(str(tmp_path / f"data/img/{number}.png"), picture)
        cv2.imwrite(str(tmp_path / f"data/mask/{number}.png"), matte)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("prisma-net", {"width": 0.25, "norm": True}),
        ("slim-net", {}),
    ],
)
def test_what_is_exported_computes_what_the_network_does(network, options):
    import onnxruntime

    net = architecture(network).build(size=(64, 96), **options).train()
    # batch norms that do something
    with torch.no_grad():
        net(torch.rand(4, net.channels, 96, 64))
    net.eval()
    model = to_onnx(ready(net), "test")
    assert model.opset_import[0].version == 18
    kinds = {node.op_type for node in model.graph.node}
    # what belongs to a convolution is in it, and one channel comes out
    assert not kinds & {"BatchNormalization", "Slice", "Softmax", "Pad"}
    assert multiplications(model) > 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    picture = torch.rand(1, net.channels, 96, 64)
    with torch.no_grad():
        expected = probability(net(picture)).numpy()
    (found,) = session.run(None, {"picture": picture.numpy()})
    assert found.shape == (1, 1, 96, 64)
    assert np.abs(found - expected).max() < 1e-5


def test_the_file_says_nothing_of_the_machine_that_made_it(exported):
    data = exported.SerializeToString()
    for trace in (os.path.dirname(torch.__file__), "site-packages", ".py", os.getcwd()):
        assert trace.encode() not in data


def test_smaller_weights_are_read_as_floats(exported):
    import onnxruntime

    torch.manual_seed(3)
    net = ready(architecture("prisma-net").build(size=(64, 64), width=0.25))
    model = exported
    plain = len(model.SerializeToString())
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = net(picture).numpy()
    for make, share, apart in ((with_float16, 0.75, 1e-3), (with_int8_weights, 0.75, 0.02)):
        data = make(model).SerializeToString()
        assert len(data) < share * plain
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"picture": picture.numpy()})
        assert 0 < np.abs(found - expected).max() < apart


@pytest.mark.engine
def test_a_run_is_exported_and_the_run_is_a_model(run, monkeypatch):
    done = CliRunner().invoke(command, [str(run), "--to", "onnx", "--json"], standalone_mode=False)
    assert done.exception is None
    told = json.loads(done.stdout)
    assert set(told["apart"]) == {"onnxruntime", "openvino"}
    assert all(each["worst"] < 1e-3 for each in told["apart"].values())
    card = find_model(str(run), FRAME)
    assert str(card.file_path) == told["file"] == str(run / "mine.onnx")
    assert card.input.size == card.output.size == (64, 64)
    assert card.cost is not None
    assert card.cost.cheapest in ("onnxruntime", "openvino")
    assert set(try_engines(card).values()) == {"ok"}
    # as a bare word, beside the folder
    monkeypatch.chdir(run.parent)
    assert find_model("mine", FRAME).path == card.path
    assert sorted(path.name for path in run.iterdir()) == ["best.pt", "mine.onnx", "mine.toml"]


@pytest.mark.engine
def test_the_mask_before_is_in_the_card(tmp_path):
    lay_run(tmp_path / "video", "portrait-net-video", width=0.35)
    card = export(Wish(tmp_path / "video", form_of("onnx"))).card
    assert card.input.previous_mask
    assert card.input.channels == "BGR"
    assert card.input.mean[3] == 0
    assert card.input.scale[3] == 255
    assert card.remembers
    assert "ok" in try_engines(card).values()


def test_a_mask_that_nothing_was_learnt_of_is_not_asked_for():
    """Four channels, trained without the mask before: the fourth was always empty."""
    net = architecture("portrait-net-video").build(size=(32, 32), width=0.35).eval()
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = net(torch.cat([picture, torch.zeros(1, 1, 32, 32)], 1))
        assert torch.allclose(without_mask(net)(picture), expected, atol=1e-6)
    assert net.channels == 4


@pytest.mark.engine
def test_openvinos_own_form_has_both_its_files_and_reports_to_nobody(run, tmp_path):
    made = export(Wish(run, form_of("openvino", float16=True), folder=tmp_path / "out" / "deep", name="thin"))
    assert sorted(path.name for path in (tmp_path / "out/deep").iterdir()) == ["thin.bin", "thin.toml", "thin.xml"]
    assert set(made.card.parts) == {"thin.bin"}
    assert made.apart["openvino"][0] < 2e-2
    assert set(try_engines(find_model(str(tmp_path / "out/deep"), FRAME)).values()) == {"ok"}


@pytest.mark.engine
@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_whole_numbers_are_judged_by_the_pictures_given(run, data, target):
    made = export(Wish(run, form_of(target, int8=True), data=data))
    assert set(made.miou) == {"pytorch", *made.apart}
    assert made.judged >= 1
    assert all(abs(value - made.miou["pytorch"]) < 0.1 for value in made.miou.values())
    assert made.card.known.tolerance == 20
    assert made.card.name == run.name + made.form.adds
    assert set(try_engines(made.card).values()) <= {"ok"}


@pytest.mark.engine
def test_training_for_8_bits_leaves_the_run_as_it_was(run, data, monkeypatch):
    monkeypatch.setattr("vcam.train.export.to_onnx", to_onnx)
    before = (run / "best.pt").read_bytes()
    said = []
    made = export(Wish(run, form_of("onnx", int8=True), data=data, minutes=0.05), said.append)
    assert any("training for 8 bits" in words for words in said)
    assert (run / "best.pt").read_bytes() == before
    assert made.miou


def test_several_models_in_a_folder_are_named(run):
    export(Wish(run, form_of("onnx"), name="one"))
    assert find_model(str(run), FRAME).name == "one"
    export(Wish(run, form_of("onnx"), name="two"))
    with pytest.raises(UsageError, match=r"several models: one.toml, two.toml"):
        find_model(str(run), FRAME)
    export(Wish(run, form_of("onnx")))
    assert find_model(str(run), FRAME).name == "mine"


def test_what_is_there_is_kept_unless_it_may_be_replaced(run):
    export(Wish(run, form_of("onnx")))
    before = (run / "mine.onnx").stat().st_ino
    with pytest.raises(UsageError, match="exists") as caught:
        export(Wish(run, form_of("onnx")))
    assert "--overwrite" in caught.value.hint
    assert (run / "mine.onnx").stat().st_ino == before
    export(Wish(run, form_of("onnx"), overwrite=True))
    assert (run / "mine.onnx").stat().st_ino != before


@pytest.mark.parametrize(
    ("error", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), OutputError)]
)
def test_a_broken_off_export_leaves_nothing(run, tmp_path, monkeypatch, error, raised):
    def fail(*given, **more):
        raise error

    monkeypatch.setattr("vcam.train.export.complete", fail)
    with pytest.raises(raised):
        export(Wish(run, form_of("onnx"), folder=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert [path.name for path in run.iterdir()] == ["best.pt"]


def test_a_full_disk_leaves_nothing(run, tmp_path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vcam.models.store.shutil.copyfile", full)
    with pytest.raises(OutputError, match="No space left") as caught:
        export(Wish(run, form_of("onnx"), folder=tmp_path / "out"))
    assert "df -h" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_file_that_computes_something_else_is_not_kept(run, monkeypatch):
    monkeypatch.setattr("vcam.train.export.with_float16", lambda model: _shifted(model))
    with pytest.raises(ModelError, match="computes something else on onnxruntime") as caught:
        export(Wish(run, form_of("onnx", float16=True)))
    assert "--list" in caught.value.hint
    assert [path.name for path in run.iterdir()] == ["best.pt"]


def _shifted(model):
    from onnx import numpy_helper

    first = model.graph.initializer[0]
    first.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(first) + 3, first.name))
    return model


@pytest.mark.parametrize("name", ["auto", "a/b", "x.onnx", "-x"])
def test_a_name_that_would_not_be_found_again_is_refused(run, name):
    with pytest.raises(UsageError, match="is no name for a network"):
        export(Wish(run, form_of("onnx"), name=name))


def test_no_run_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="there is no run"):
        export(Wish(tmp_path / "none", form_of("onnx")))


def test_a_training_without_a_model_says_how_to_make_one(run):
    with pytest.raises(UsageError) as caught:
        find_model(str(run), FRAME)
    assert caught.value.hint == f"vcam train export {run} --to onnx"


@pytest.mark.engine
@pytest.mark.parametrize("options", [{}, {"float16": True}, {"weights": "int8"}, {"int8": True}], ids=str)
@pytest.mark.long
def test_tflite_runs_on_phones_runtime_and_on_vcams(run, data, options):
    pytest.importorskip("litert_torch", reason="needs pip install 'vcam[tflite]'")
    made = export(Wish(run, form_of("tflite", **options), data=data if "int8" in options else None))
    assert set(made.apart) == {"litert", "openvino"}
    assert made.card.input.layout == made.card.output.layout == "NHWC"
    said = try_engines(made.card)
    assert said["openvino on CPU"] == "ok"
