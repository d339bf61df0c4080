"""Weights of others become networks that vcam runs, as a user does it: `vcam models add FILE --network NAME`."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("onnxscript", reason="needs pip install 'vcam[train]'")

from vcam.assets import data_folder
from vcam.cli.models import models
from vcam.errors import VcamError
from vcam.infer.choices import engine_choices
from vcam.infer.runner import asking, open_engine
from vcam.models.find import find_model
from vcam.segment.known import PERSON, KnownPictures
from vcam.train.nets.registry import architecture
from vcam.train.onnxfile import ready, to_onnx
from vcam.train.weights import load, slots


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/vcam/models"


def run(*words: str) -> Result:
    return CliRunner().invoke(models, words)


def status(*words: str) -> tuple[int, str]:
    error = run(*words).exception
    assert isinstance(error, VcamError), error
    return error.exit_status, str(error)


@pytest.fixture(scope="module")
def trained() -> torch.nn.Module:
    """vcam's own network, as PyTorch holds it."""
    net = architecture("selfie").build(norm=False)
    load(net, data_folder("models") / "selfie-general.onnx")
    return net.eval()


@pytest.fixture(scope="module")
def written(trained: torch.nn.Module) -> Any:
    """The same as ONNX: PyTorch's exporter takes seconds. A network whose weights were read wrong is not this one, and
    refused when both are run beside each other."""
    return to_onnx(ready(trained), "selfie")


def write_pth(net: torch.nn.Module, path: Path) -> None:
    torch.save({"state_dict": net.state_dict()}, path)


def write_h5(net: torch.nn.Module, path: Path) -> None:
    """As Keras 2 keeps weights: sides turned, and each by the name of its layer."""
    h5py = pytest.importorskip("h5py", reason="needs pip install 'vcam[train]'")
    width, height = net.size
    with h5py.File(path, "w") as file:
        found = slots(net, torch.zeros(1, 3, height, width))
        file.attrs["layer_names"] = [f"layer{number}" for number in range(len(found))]
        for number, slot in enumerate(found):
            depthwise = slot.layer.groups > 1
            weight = slot.layer.weight.detach().numpy().transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            held = {"depthwise_kernel" if depthwise else "kernel": weight}
            if slot.layer.bias is not None:
                held["bias"] = slot.layer.bias.detach().numpy()
            group = file.create_group(f"layer{number}")
            group.attrs["weight_names"] = [f"layer{number}/{leaf}:0" for leaf in held]
            for leaf, values in held.items():
                group[f"layer{number}/{leaf}:0"] = values


@pytest.mark.engine
@pytest.mark.parametrize("write", [write_pth, write_h5])
def test_weights_of_others_become_a_network_that_finds_people(
    write: Callable[[torch.nn.Module, Path], None], trained: torch.nn.Module, written: Any, own: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("vcam.train.adopt.to_onnx", lambda net, name: copy.deepcopy(written))
    path = tmp_path / f"theirs.{write.__name__.removeprefix('write_')}"
    write(trained, path)
    result = run("add", str(path), "--network", "selfie", "--name", "mine", "--licence", "Apache-2.0")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "vcam start --model mine" in result.output
    assert sorted(each.name for each in own.iterdir()) == ["mine.onnx", "mine.toml"]
    card = find_model("mine", (1, 1))
    assert (card.licence, card.input.size, card.title) == ("Apache-2.0", (256, 256), "mine (selfie)")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.origin == f"{path.name}, SHA-256 {digest}, as selfie"
    # what it finds is what the network finds that vcam ships
    found = []
    for name in ("mine", "selfie-general"):
        card = find_model(name, (1, 1))
        engine = open_engine(engine_choices(card.network(), "onnxruntime")[0], card.network(), lambda ask: None)
        found.append(KnownPictures(card).answer(asking(engine), PERSON).copy())
        engine.close()
    assert abs(found[0] - found[1]).max() < 1e-3
    assert found[0].max() > 0.9


@pytest.mark.engine
def test_weights_of_another_network_are_found_out_before_anything_is_kept(
    trained: torch.nn.Module, written: Any, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.train.adopt.to_onnx", lambda net, name: copy.deepcopy(written))
    other = copy.deepcopy(trained)
    with torch.no_grad():
        for values in other.parameters():
            values.mul_(1.2)
    write_pth(other, tmp_path / "x.pth")
    code, said = status("add", str(tmp_path / "x.pth"), "--network", "selfie")
    assert code == 1
    assert "computes something else on onnxruntime" in said
    assert not own.exists()


@pytest.mark.engine
def test_weights_that_find_nobody_are_refused_unless_one_says_why(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    net = architecture("selfie").build(size=(64, 64), norm=False).eval()
    made = to_onnx(ready(net), "selfie")
    monkeypatch.setattr("vcam.train.adopt.to_onnx", lambda net, name: copy.deepcopy(made))
    torch.save(net.state_dict(), tmp_path / "raw.pt")
    words = ("add", str(tmp_path / "raw.pt"), "--network", "selfie", "--size", "64x64")
    code, said = status(*words)
    assert code == 1
    assert "does not make a selfie that finds people" in said
    assert "--unchecked WHY" in said
    assert "/vcam-" not in said
    assert not own.exists()
    result = run(*words, "--unchecked", "it is new")
    assert result.exit_code == 0, (result.output, result.exception)
    card = find_model("raw", (1, 1))
    assert (card.known.unchecked, card.input.size) == ("it is new", (64, 64))


class Evil:
    """Runs when it is unpacked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", ["a pickle", "a state dict with a program", "a module", "TorchScript"])
def test_a_program_within_is_neither_run_nor_kept(kind: str, own: Path, tmp_path: Path) -> None:
    path, ran = tmp_path / "x.pth", tmp_path / "ran"
    if kind == "a pickle":
        path.write_bytes(pickle.dumps(Evil(ran)))
    elif kind == "a state dict with a program":
        torch.save({"state_dict": {"w": torch.zeros(1, 1, 1, 1)}, "more": Evil(ran)}, path)
    elif kind == "a module":
        torch.save(torch.nn.Conv2d(3, 1, 1), path)
    else:
        torch.jit.save(torch.jit.trace(torch.nn.Conv2d(3, 1, 1), torch.zeros(1, 3, 4, 4)), path)
    code, said = status("add", str(path), "--network", "selfie")
    assert code == 1
    if kind == "a pickle":
        # not even as PyTorch writes them
        assert "it is no file of PyTorch" in said
    else:
        assert "program" in said
        assert "torch.save(model.state_dict(), 'net.pt')" in said
    assert "weights_only" not in said
    assert not ran.exists()
    assert not own.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("x.pth",), 2, "holds weights, and vcam runs no program"),
        (("x.h5",), 2, "model.export('FOLDER') and vcam models add FOLDER"),
        (("x.pth", "--network", "selfi"), 2, "there is no architecture selfi"),
        (("x.pth", "--network", "portrait-net"), 1, "does not fit: it holds 1 layers"),
        (("x.pth", "--network", "selfie", "--size", "100x100"), 2, "multiples of 16"),
        (("x.pth", "--network", "selfie", "--name", "a/b"), 2, "is no name for a model"),
        (("x.pth", "--network", "selfie", "--name", "selfie-general"), 2, "is a model of vcam itself"),
        (("nothing.pth", "--network", "selfie"), 2, "there is no file"),
        (("x.txt", "--network", "selfie"), 2, "is no file of weights that vcam knows"),
        (("x.pth", "--size", "64x64"), 2, "--size goes with --network"),
        (("x.pth", "--unchecked", "so"), 2, "--unchecked goes with --network"),
        (("cut.pth", "--network", "selfie"), 1, "is damaged"),
        (("page.pth", "--network", "selfie"), 1, "no file of PyTorch"),
        (("folder.pth", "--network", "selfie"), 1, "is a folder"),
    ],
)
def test_what_does_not_make_a_network_is_said(
    words: tuple[str, ...], code: int, said: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv.weight": torch.zeros(4, 3, 3, 3)}, "x.pth")
    for name in ("x.h5", "x.txt"):
        Path(name).write_text("x")
    Path("cut.pth").write_bytes(Path("x.pth").read_bytes()[:300])
    Path("page.pth").write_text("<html>404</html>")
    Path("folder.pth").mkdir()
    found, told = status("add", *words)
    assert said in told
    assert found == code
    assert not own.exists()
