from __future__ import annotations

import struct
import tarfile

import cv2
import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner

from tests.models.tflite_reference import Reference
from tests.segment.helpers import as_input, network_on, portraits
from vcam.assets import data_folder
from vcam.errors import ModelError
from vcam.models import convert
from vcam.models.find import find_model
from vcam.models.tflite_onnx import to_onnx

pytest.importorskip("onnx")
NAMES = {original.name: original for original in convert.ORIGINALS}


@pytest.fixture(params=NAMES)
def original(request, shared):
    path = shared / "models" / NAMES[request.param].member.removeprefix("package/")
    if not path.exists():
        pytest.skip(f"no network at {path}")
    return request.param, path


@pytest.mark.engine
def test_converted_network_agrees_with_litert_on_real_pictures(original, shared, tmp_path):
    pytest.importorskip("ai_edge_litert")
    name, path = original
    card = find_model(name, (640, 480))
    reference, finder = Reference(path), network_on("onnxruntime", card, tmp_path)
    for picture, _ in portraits(shared, 6):
        seen = as_input(picture, card)
        assert np.abs(finder.find(seen) - reference.infer(seen)).max() < 1e-3


def test_conversion_gives_the_committed_bytes(original):
    name, path = original
    assert to_onnx(path.read_bytes(), name) == (data_folder("models") / f"{name}.onnx").read_bytes()


def test_no_product_repeats_a_single_value_over_a_map(original):
    import onnx

    name, path = original
    network = onnx.shape_inference.infer_shapes(onnx.load_from_string(to_onnx(path.read_bytes(), name)))
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in network.graph.value_info
    }
    products = [node for node in network.graph.node if node.op_type == "Mul"]
    assert products
    for node in products:
        one, other = (shapes[entry] for entry in node.input)
        # ONNX Runtime has no blocked kernel for the repetition, nor for a Resize that rounds in another way
        assert one == other, node.name
    resizes = [
        {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}
        for n in network.graph.node
        if n.op_type == "Resize"
    ]
    nearest = [attributes for attributes in resizes if attributes["mode"] == b"nearest"]
    assert len(nearest) == len(products)
    assert {(a["coordinate_transformation_mode"], a["nearest_mode"]) for a in nearest} == {(b"asymmetric", b"floor")}


def _package(folder, shared, *, damage=b""):
    tarball = folder / "package.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        for known in convert.ORIGINALS:
            source = shared / "models" / known.member.removeprefix("package/")
            if not source.exists():
                pytest.skip(f"no network at {source}")
            copy = folder / source.name
            copy.write_bytes(source.read_bytes() + damage)
            archive.add(copy, known.member)
    return tarball


def test_all_writes_networks_and_checksums_into_the_cards(tmp_path, shared):
    models = tmp_path / "models"
    models.mkdir()
    for name in NAMES:
        text = (data_folder("models") / f"{name}.toml").read_text()
        (models / f"{name}.toml").write_text(text.replace('sha256 = "', 'sha256 = "0'))
    result = CliRunner().invoke(convert.main, ["--all", str(models), "--package", str(_package(tmp_path, shared))])
    assert result.exit_code == 0, result.output
    for name in NAMES:
        for suffix in (".toml", ".onnx"):
            file = f"{name}{suffix}"
            assert (models / file).read_bytes() == (data_folder("models") / file).read_bytes()


def test_all_refuses_a_package_that_was_tampered_with(tmp_path, shared):
    with pytest.raises(ModelError, match="is not the original"):
        convert.convert_all(_package(tmp_path, shared, damage=b"\0"), tmp_path)
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\0\0\0\0TFL3", b"\xff" * 4 + b"TFL3" + b"\xff" * 64])
def test_what_is_no_tflite_network_is_a_model_error(data):
    with pytest.raises(ModelError):
        to_onnx(data, "x")


def test_an_unknown_operator_is_named(original):
    _, path = original
    # an operator of somebody's own
    data = path.read_bytes().replace(b"Convolution2DTransposeBias", b"Convolution2DTransposeBiaz")
    with pytest.raises(ModelError, match=r"operator Convolution2DTransposeBiaz cannot be converted") as told:
        to_onnx(data, "x")
    assert "RESHAPE" in told.value.hint


OTHERS = {
    "body-pix-float-050-8.tflite": 1e-4,
    "deeplabv3_257_mv_gpu.tflite": 2e-4,
    "seed_mnv3_seg_float.tflite": 2e-4,
    "seed_prisma-net.tflite": 1e-4,
    "seed_slim_reshape_v2.tflite": 1e-4,
    "selfie_multiclass_256x256.tflite": 1e-3,
}
"""Networks of floats, and the largest difference that their numbers may have, which go to 28."""


@pytest.mark.engine
@pytest.mark.parametrize("file", OTHERS)
def test_networks_of_others_agree_with_litert(file, shared):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    original = interpreter.Interpreter(str(_of_others(shared, file)), num_threads=1)
    given = np.random.default_rng(1).random(_shape(original), np.float32)
    found = _as_litert(_run(_of_others(shared, file), given))
    np.testing.assert_allclose(found, _ask(original, given).reshape(-1), atol=OTHERS[file])


@pytest.mark.engine
def test_a_quantised_network_becomes_one_of_floats(shared):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = _of_others(shared, "seed_portrait_video_quant.tflite")
    plain = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    original = interpreter.Interpreter(str(path), num_threads=1, experimental_op_resolver_type=plain)
    _, height, width, _ = _shape(original)
    (detail,) = original.get_input_details()
    scale, zero = detail["quantization"]
    for picture, _ in portraits(shared, 3):
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        stored = (np.dstack([small, np.zeros_like(small[..., 0])]).astype(int) - 128).astype(np.int8)[np.newaxis]
        wanted = _ask(original, stored).reshape(-1) > 0
        found = _as_litert(_run(path, (scale * (stored.astype(np.float32) - zero)).astype(np.float32))) > 0.5
        assert np.count_nonzero(found & wanted) > 0.98 * np.count_nonzero(found | wanted)


def _of_others(shared, file):
    path = shared / "models" / file
    if not path.exists():
        pytest.skip(f"no network at {path}")
    return path


def _shape(interpreter):
    interpreter.allocate_tensors()
    return tuple(interpreter.get_input_details()[0]["shape"])


def _ask(interpreter, given):
    """What LiteRT finds, as it is stored: 0..255 is -128..127 there."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _run(path, given):
    session = onnxruntime.InferenceSession(to_onnx(path.read_bytes(), "x"))
    (entry,) = session.get_inputs()
    return session.run(None, {entry.name: np.ascontiguousarray(given.transpose(0, 3, 1, 2))})[0]


def _as_litert(found):
    return (found.transpose(0, 2, 3, 1) if found.ndim == 4 else found).reshape(-1)


def test_a_truncated_network_is_a_model_error(original):
    _, path = original
    data = path.read_bytes()
    for length in (40, len(data) // 2, len(data) - 20000):
        with pytest.raises(ModelError):
            to_onnx(data[:length], "x")


def test_options_of_the_transposed_convolution_are_read_as_mediapipe_writes_them(original):
    import onnx

    _, path = original
    assert struct.pack("<iii", 1, 2, 2) in path.read_bytes()
    (node,) = [
        n for n in onnx.load_from_string(to_onnx(path.read_bytes(), "x")).graph.node if n.op_type == "ConvTranspose"
    ]
    attributes = {a.name: list(a.ints) for a in node.attribute}
    assert attributes["strides"] == [2, 2]
    assert attributes["pads"] == [0, 0, 0, 0]


def test_a_missing_source_is_a_plain_error_with_a_cure(tmp_path):
    result = CliRunner().invoke(convert.main, [str(tmp_path / "no.tflite"), str(tmp_path / "out.onnx")])
    assert result.exit_code == 2
    assert "there is no file" in result.stderr
    assert not (tmp_path / "out.onnx").exists()
