"""Weights out of Keras's files, as both of its generations write them, and files that are none or mean harm."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
h5py = pytest.importorskip("h5py", reason="needs pip install 'vcam[train]'")

from vcam.errors import ModelError
from vcam.train.weightfiles import read_weights

RNG = np.random.default_rng(5)
KERNEL = RNG.normal(size=(3, 3, 3, 4)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)
DEPTH = RNG.normal(size=(3, 3, 4, 1)).astype(np.float32)
POINT = RNG.normal(size=(1, 1, 4, 6)).astype(np.float32)
SLOPE = RNG.normal(size=(1, 1, 6)).astype(np.float32)
UP = RNG.normal(size=(2, 2, 5, 6)).astype(np.float32)
NORM = [RNG.uniform(0.5, 2, 4).astype(np.float32) for _ in range(4)]


def layer(kind: str, name: str, *after: str, keras: int = 3, **options: object) -> dict[str, object]:
    """One layer of a model's description."""
    if keras == 2:
        nodes: object = [[[source, 0, 0, {}] for source in after]] if after else []
        return {"class_name": kind, "name": name, "config": {"name": name, **options}, "inbound_nodes": nodes}
    taken = [{"class_name": "__keras_tensor__", "config": {"keras_history": [each, 0, 0]}} for each in after]
    return {
        "module": "keras.layers", "class_name": kind, "registered_name": None, "name": name,
        "config": {"name": name, **options}, "inbound_nodes": [{"args": taken, "kwargs": {}}] if after else [],
    }  # fmt: skip


def model(keras: int, *more: dict[str, object]) -> dict[str, object]:
    """Two branches of the same shape, whose norms come behind both; then each of the other kinds."""

    def each(kind: str, name: str, *after: str, **options: object) -> dict[str, object]:
        return layer(kind, name, *after, keras=keras, **options)

    layers = [
        each("InputLayer", "in"), each("Conv2D", "b", "in"), each("Conv2D", "a", "in"),
        each("BatchNormalization", "norm_a", "a", epsilon=0.25), each("BatchNormalization", "norm_b", "b", scale=False),
        each("DepthwiseConv2D", "wide", "norm_a"), each("SeparableConv2D", "split", "wide"),
        each("PReLU", "slope", "split"), each("Conv2DTranspose", "up", "slope"), *more,
    ]  # fmt: skip
    return {"class_name": "Functional", "config": {"name": "net", "layers": layers}}


WEIGHTS = {
    "b": {"kernel": 2 * KERNEL, "bias": BIAS}, "a": {"kernel": KERNEL, "bias": BIAS},
    "norm_a": dict(zip(("gamma", "beta", "moving_mean", "moving_variance"), NORM, strict=True)),
    "norm_b": dict(zip(("beta", "moving_mean", "moving_variance"), NORM[1:], strict=True)),
    "wide": {"depthwise_kernel": DEPTH}, "slope": {"alpha": SLOPE},
    "split": {"depthwise_kernel": DEPTH, "pointwise_kernel": POINT, "bias": BIAS.repeat(2)[:6]},
    "up": {"kernel": UP, "bias": BIAS.repeat(2)[:5]},
}  # fmt: skip
"""By the layers' names, in another order than the network runs."""


def keras_2(path: Path, description: dict[str, object] | None, *, within: str = "model_weights") -> Path:
    with h5py.File(path, "w") as file:
        if description is not None:
            file.attrs["model_config"] = json.dumps(description).encode()
        group = file.create_group(within) if within else file
        # those without weights are named as well
        group.attrs["layer_names"] = [name.encode() for name in ("in", *WEIGHTS)]
        group.create_group("in").attrs["weight_names"] = []
        for name, held in WEIGHTS.items():
            own = group.create_group(name)
            own.attrs["weight_names"] = [f"{name}/{leaf}:0".encode() for leaf in held]
            for leaf, values in held.items():
                own[f"{name}/{leaf}:0"] = values
    return path


PLACES = {
    "b": "conv2d", "a": "conv2d_1", "norm_a": "batch_normalization", "norm_b": "batch_normalization_1",
    "wide": "depthwise_conv2d", "split": "separable_conv2d", "slope": "p_re_lu", "up": "conv2d_transpose",
}  # fmt: skip


def weights_3(target: object) -> None:
    with h5py.File(target, "w") as file:
        for name, held in WEIGHTS.items():
            own = file.create_group(f"layers/{PLACES[name]}/vars")
            for number, values in enumerate(held.values()):
                own[str(number)] = values
        file.create_group("vars")
        file.create_group("optimizer/vars")["0"] = np.int64(3)


def keras_3(path: Path, description: dict[str, object]) -> Path:
    held = io.BytesIO()
    weights_3(held)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps(description))
        archive.writestr("model.weights.h5", held.getvalue())
    return path


@pytest.mark.parametrize("kind", ["net.h5", "net.keras"])
def test_each_kind_of_layer_is_read_in_the_order_in_which_the_network_runs(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    found = read_weights(keras_3(path, model(3)) if kind == "net.keras" else keras_2(path, model(2)))
    assert [each.name for each in found] == ["b", "a", "wide", "split", "split", "slope", "up"]
    assert [each.kind for each in found] == ["conv", "conv", "conv", "conv", "conv", "prelu", "transposed"]
    first, second, wide, deep, point, slope, up = found
    np.testing.assert_array_equal(first.weight, 2 * KERNEL.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(second.weight, KERNEL.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(second.bias, BIAS)
    assert second.norm is not None
    assert first.norm is not None
    np.testing.assert_array_equal(second.norm.scale, NORM[0])
    assert second.norm.eps == 0.25
    np.testing.assert_array_equal(first.norm.scale, np.ones(4))
    np.testing.assert_array_equal(first.norm.mean, NORM[2])
    assert first.norm.eps == 1e-3
    np.testing.assert_array_equal(wide.weight[2, 0], DEPTH[:, :, 2, 0])
    assert wide.bias is None
    assert deep.bias is None
    assert point.weight.shape == (6, 4, 1, 1)
    assert point.bias is not None
    np.testing.assert_array_equal(slope.weight, SLOPE.reshape(-1))
    np.testing.assert_array_equal(up.weight[3, 1], UP[:, :, 1, 3])


def test_layers_of_a_model_within_a_model_are_found(tmp_path: Path) -> None:
    inner = {"class_name": "Functional", "name": "encoder", "config": {"name": "encoder", "layers": [
        layer("InputLayer", "x", keras=2), layer("Conv2D", "one", "x", keras=2), layer("Conv2D", "two", "one", keras=2),
    ]}, "inbound_nodes": []}  # fmt: skip
    outer = {"class_name": "Sequential", "config": {"layers": [inner, layer("Conv2D", "last", "encoder", keras=2)]}}
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(outer)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = ["last", "encoder"]
        for name, parts in (("encoder", ("two", "one")), ("last", ("last",))):
            own = group.create_group(name)
            own.attrs["weight_names"] = [f"{part}/kernel:0" for part in parts]
            for number, part in enumerate(parts):
                own[f"{part}/kernel:0"] = KERNEL + number
    found = read_weights(tmp_path / "net.h5")
    assert [each.name for each in found] == ["one", "two", "last"]
    assert found[0].weight[0, 0, 0, 0] == KERNEL[0, 0, 0, 0] + 1


def test_weights_alone_are_read_and_a_norm_that_belongs_to_nobody_is_said(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "net.weights.h5", "w") as file:
        for number in (10, 2, 1):
            file[f"layers/conv2d_{number}/vars/0"] = KERNEL + number
        file["layers/conv2d/vars/0"] = KERNEL
    found = read_weights(tmp_path / "net.weights.h5")
    assert [each.name for each in found] == ["conv2d", "conv2d_1", "conv2d_2", "conv2d_10"]
    weights_3(tmp_path / "norms.weights.h5")
    with pytest.raises(ModelError, match=r"does not tell") as told:
        read_weights(tmp_path / "norms.weights.h5")
    assert "model.save" in told.value.hint


def test_weights_alone_of_keras_2_tell_of_no_norms_either(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not tell after which layer"):
        read_weights(keras_2(tmp_path / "old.h5", None, within=""))


@pytest.mark.parametrize("keras", [2, 3])
def test_a_program_within_is_not_run_and_said(keras: int, tmp_path: Path) -> None:
    # what Keras would unpack and run: marshalled code as base64; here nobody looks at it
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA", "defaults": None, "closure": None}}
    program = layer("Lambda", "evil", "up", keras=keras, function=code)
    write, name = (keras_3, "x.keras") if keras == 3 else (keras_2, "x.h5")
    path = write(tmp_path / name, model(keras, program))
    with pytest.raises(ModelError, match=r"its layer evil is a Lambda, a program of Python's") as told:
        read_weights(path)
    assert told.value.hint.startswith("save it without that layer; or where you trust it: model.export('FOLDER')")


@pytest.mark.parametrize(
    ("key", "value"), [("registered_name", "mine>Block"), ("module", "my_layers"), ("class_name", "mine>B")]
)
def test_a_layer_of_its_authors_own_is_said(key: str, value: str, tmp_path: Path) -> None:
    own = layer("Block", "odd", "up") | {key: value}
    with pytest.raises(ModelError, match=r"its layer odd is of a kind of its author's own") as told:
        read_weights(keras_3(tmp_path / "x.keras", model(3, own)))
    assert "model.export" in told.value.hint


def test_weights_of_a_kind_that_no_network_here_has_are_said(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["layers/lstm/cell/vars/0"] = np.zeros((4, 4), np.float32)
    with pytest.raises(ModelError, match="is a cell, which none of vcam's architectures has"):
        read_weights(tmp_path / "x.h5")


@pytest.mark.parametrize("kind", ["external link", "soft link", "external data", "virtual"])
def test_what_lies_in_other_files_is_not_read(kind: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["0"] = np.ones(4, np.float32)
    (tmp_path / "raw").write_bytes(b"\0" * 16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        if kind == "external link":
            group["0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/0")
        elif kind == "soft link":
            group["0"] = h5py.SoftLink("/elsewhere")
        elif kind == "external data":
            group.create_dataset("0", (4,), np.float32, external=[(str(tmp_path / "raw"), 0, 16)])
        else:
            layout = h5py.VirtualLayout((4,), np.float32)
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "0", (4,))
            group.create_virtual_dataset("0", layout)
    with pytest.raises(ModelError, match=r"link to elsewhere|lies in another file"):
        read_weights(tmp_path / "x.h5")


def test_a_file_that_tells_of_more_numbers_than_can_be_is_refused_before_they_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        # nothing of it is stored
        file.create_dataset("layers/conv2d/vars/0", (1 << 20, 1 << 20), np.float32, chunks=(1024, 1024))
    assert (tmp_path / "x.h5").stat().st_size < 1 << 20
    with pytest.raises(ModelError, match="tells of more than 64 million numbers"):
        read_weights(tmp_path / "x.h5")


def test_groups_that_hold_themselves_come_to_an_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("layers")
        for number in range(6):
            # six ways to the same place, at each of them
            group[str(number)] = group
    with pytest.raises(ModelError, match="groups within groups without end"):
        read_weights(tmp_path / "x.h5")


def test_an_archive_that_unpacks_to_more_than_a_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.train.kerasfiles._MOST_OF_WEIGHTS", 1 << 20)
    (tmp_path / "x.keras").write_bytes(zipped(**{"config.json": b"{}", "model.weights.h5": b"\0" * (2 << 20)}))
    with pytest.raises(ModelError, match=r"its model\.weights\.h5 is larger than 1 MB"):
        read_weights(tmp_path / "x.keras")


def broken(kind: str, tmp_path: Path) -> bytes:
    whole = keras_3(tmp_path / "whole.keras", model(3)).read_bytes()
    held = keras_2(tmp_path / "whole.h5", model(2)).read_bytes()
    return {
        "nothing": b"", "a page": b"<html>404</html>", "half a zip": whole[:2000],
        "half of HDF5": held[: len(held) // 2], "HDF5 head": held[:40], "a zip": zipped(),
        "no JSON": zipped(**{"config.json": b"{", "model.weights.h5": held}),
        "no model": zipped(**{"config.json": b"[]", "model.weights.h5": held}),
        "no HDF5": zipped(**{"config.json": b'{"config": []}', "model.weights.h5": b"x"}),
        "deep": zipped(**{"config.json": b"[" * 100_000, "model.weights.h5": held}),
        "numbers as names": zipped(**{"config.json": b'{"config": {"layers": [3]}}', "model.weights.h5": held}),
    }[kind]  # fmt: skip


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("hello.txt", "x")
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(
    "kind",
    ["nothing", "a page", "half a zip", "half of HDF5", "HDF5 head", "a zip", "no JSON", "no model", "no HDF5", "deep",
     "numbers as names"],
)  # fmt: skip
def test_what_is_no_file_of_keras_is_said(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(broken(kind, tmp_path))
    with pytest.raises(ModelError, match=rf"x\{suffix}") as told:
        read_weights(path)
    assert told.value.hint
