from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from torch import nn

from vcam.errors import ModelError, UsageError
from vcam.train.nets.layers import ConvBlock, InvertedResidual, SameConvTranspose2d, UpConvBlock
from vcam.train.nets.mobile_unet_v3 import Transition
from vcam.train.nets.mobilenet_v2 import MobileNetV2
from vcam.train.norms import calibrate, folded
from vcam.train.weightfiles import read_weights
from vcam.train.weights import Loaded, load, slots

PICTURE = torch.linspace(-1, 1, 3 * 16 * 24).reshape(1, 3, 16, 24)


class Small(nn.Module):
    """Every kind of layer that takes weights."""

    def __init__(self, norm: bool = True) -> None:
        super().__init__()
        self.size, self.channels = (24, 16), 3
        self.stem = ConvBlock(3, 4, 3, stride=2, norm=norm, act="prelu")
        self.block = InvertedResidual(4, 4, 8, norm=norm)
        self.up = UpConvBlock(4, 2, norm=norm)

    def forward(self, x):
        return self.up(self.block(self.stem(x)))


def trained(net: nn.Module) -> nn.Module:
    """With norms, slopes and biases that are not those of the beginning."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                nn.init.uniform_(values, 0.5, 2)
            for values in (module.bias, module.running_mean):
                nn.init.uniform_(values, -1, 1)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, -0.5, 0.5)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
            nn.init.uniform_(module.bias, -1, 1)
    return net.eval()


def answer(net: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return net.eval()(PICTURE)


@pytest.mark.parametrize("there", [False, True], ids=["folded-file", "norms-in-file"])
@pytest.mark.parametrize("here", [False, True], ids=["folded-net", "norms-in-net"])
def test_norms_of_a_checkpoint_go_where_the_network_has_a_place_for_them(there, here, tmp_path):
    source, net = trained(Small(there)), Small(here)
    torch.save({"state_dict": source.state_dict()}, tmp_path / "net.pt")
    assert load(net, tmp_path / "net.pt") == Loaded(6, "name")
    assert torch.allclose(answer(net), answer(source), atol=1e-5)
    if here == there:
        assert all(torch.allclose(mine, net.state_dict()[name]) for name, mine in source.state_dict().items())


def test_names_count_more_than_the_order_of_a_checkpoint(tmp_path):
    # both ways of a transition have a 1x1 convolution of the same shape, and either may come first
    source, net = trained(Transition(3, 3, norm=True, shortcut_last=True)), Transition(3, 3, norm=True)
    net.size, net.channels = (24, 16), 3
    torch.save(source.state_dict(), tmp_path / "net.pth")
    assert load(net, tmp_path / "net.pth") == Loaded(5, "name")
    assert torch.allclose(answer(net), answer(source), atol=1e-6)


def test_an_encoder_is_found_within_a_checkpoint_of_the_whole(tmp_path):
    source = trained(Small())
    torch.save({"net": source.state_dict()}, tmp_path / "net.pt")
    block = InvertedResidual(4, 4, 8, norm=False)
    assert load(block, tmp_path / "net.pt", sample=torch.zeros(1, 4, 8, 8), whole=False) == Loaded(3, "name")
    given = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        assert torch.allclose(block.eval()(given), source.block(given), atol=1e-5)


def test_weights_for_imagenet_fit_the_encoder_by_their_order(tmp_path):
    """Names like torchvision's, a last layer of 1280 channels, a classifier."""
    source = trained(MobileNetV2(width=1.0, symmetric=True))
    named = {}
    for number, slot in enumerate(slots(source, torch.zeros(1, 3, 32, 32))):
        named[f"features.{number}.0.weight"] = slot.layer.weight
        named |= {f"features.{number}.1.{name}": value for name, value in slot.norm.state_dict().items()}
    named |= {"last.0.weight": torch.zeros(1280, 320, 1, 1), "classifier.1.weight": torch.zeros(1000, 1280)}
    torch.save(named, tmp_path / "mobilenet_v2.pth")
    net = MobileNetV2(width=1.0, symmetric=True)
    assert load(net, tmp_path / "mobilenet_v2.pth", sample=torch.zeros(1, 3, 32, 32), whole=False).layers == 51
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(net.eval()(picture)[1][-1], source(picture)[1][-1], atol=1e-4)


def onnx_file(folder, nodes, **constants):
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    path = folder / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


class Two(nn.Module):
    """A convolution, a slope, a transposed convolution with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.channels = (24, 16), 3
        self.first = ConvBlock(3, 4, 3, norm=False, act="prelu")
        self.second = SameConvTranspose2d(4, 2, 2)

    def forward(self, x):
        return self.second(self.first(x))


def test_norms_biases_beside_and_quantised_weights_of_onnx_are_read(tmp_path):
    from onnx import helper

    rng = np.random.default_rng(0)
    steps = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    step = np.float32([0.01, 0.02, 0.03, 0.04])
    norm = {name: rng.uniform(0.5, 2, 4).astype(np.float32) for name in ("scale", "shift", "mean", "variance")}
    slope, second, bias = rng.normal(size=(4, 1, 1)), rng.normal(size=(4, 2, 2, 2)), rng.normal(size=(1, 2, 1, 1))
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "step"], ["first"], axis=0),
        helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", *norm], ["b"], epsilon=0.25),
        helper.make_node("PRelu", ["b", "slope"], ["c"]),
        helper.make_node("Identity", ["second"], ["same"]),
        helper.make_node("ConvTranspose", ["c", "same"], ["d"], strides=[2, 2]),
        helper.make_node("Add", ["d", "bias"], ["y"]),
    ]
    floats = {"slope": slope, "second": second, "bias": bias}
    path = onnx_file(
        tmp_path, nodes, w=steps, step=step, **norm, **{name: np.float32(each) for name, each in floats.items()}
    )
    net = Two()
    assert load(net, path) == Loaded(3, "order")
    factor = norm["scale"] / np.sqrt(norm["variance"] + 0.25)
    expected = steps * step.reshape(-1, 1, 1, 1) * factor.reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(net.first.conv.weight.detach(), expected, rtol=1e-5)
    np.testing.assert_allclose(net.first.conv.bias.detach(), norm["shift"] - norm["mean"] * factor, rtol=1e-5)
    np.testing.assert_allclose(net.first.act.weight.detach(), slope.reshape(-1), rtol=1e-6)
    np.testing.assert_allclose(net.second.weight.detach(), second, rtol=1e-6)
    np.testing.assert_allclose(net.second.bias.detach(), bias.reshape(-1), rtol=1e-6)


def test_layers_in_another_order_are_found_by_their_shapes(tmp_path):
    from onnx import helper

    nodes = [
        helper.make_node("ConvTranspose", ["x", "second"], ["p"], strides=[2, 2]),
        helper.make_node("Conv", ["x", "first"], ["q"]),
        helper.make_node("PRelu", ["q", "slope"], ["y"]),
    ]
    first, second = np.full((4, 3, 3, 3), 0.5, np.float32), np.full((4, 2, 2, 2), 0.25, np.float32)
    path = onnx_file(tmp_path, nodes, first=first, second=second, slope=np.full((4, 1, 1), 0.1, np.float32))
    net = Two()
    assert load(net, path) == Loaded(3, "shape")
    assert net.second.weight[0, 0, 0, 0] == 0.25
    assert net.first.conv.weight[0, 0, 0, 0] == 0.5
    assert not net.second.bias.any(), "no bias in the file is one of zeros"


def test_a_file_that_does_not_fit_is_named_and_changes_nothing(tmp_path):
    source, net = Small(), Small()
    torch.save(source.state_dict(), tmp_path / "net.pt")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    wider, more = Two(), nn.Sequential(Small(), nn.Conv2d(2, 2, 1))
    with pytest.raises(ModelError, match=r"net\.pt does not fit: it holds 6 layers, the network has 3"):
        load(wider, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"it has no weights of 4x3x3x3 for first\.conv"):
        load(wider, one_layer_else(tmp_path))
    with pytest.raises(ModelError, match="holds 6 layers, the network has 7"):
        load(more, tmp_path / "net.pt", sample=PICTURE, whole=False)
    torch.save({**source.state_dict(), "up.conv.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"no weights of 4x2x3x3 for up\.conv"):
        load(net, tmp_path / "other.pt")
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


def one_layer_else(folder):
    weights = {"a.weight": torch.zeros(9, 3, 3, 3), "b.weight": torch.zeros(4), "c.weight": torch.zeros(4, 2, 2, 2)}
    torch.save(weights, folder / "else.pt")
    return folder / "else.pt"


def test_a_bias_that_the_network_has_no_place_for_is_not_dropped(tmp_path):
    net = nn.Conv2d(3, 4, 1, bias=False)
    holder = nn.Sequential(net)
    torch.save({"0.weight": torch.ones(4, 3, 1, 1), "0.bias": torch.ones(4)}, tmp_path / "net.pt")
    with pytest.raises(ModelError, match="has a bias for 0, which has none"):
        load(holder, tmp_path / "net.pt", sample=PICTURE)


@pytest.mark.parametrize("name", ["net.tflite", "net.onnx", "net.pt"])
@pytest.mark.parametrize(
    "bytes_", [b"", b"no network at all", b"\x1c\0\0\0TFL3" + b"\xff" * 200], ids=["empty", "text", "cut"]
)
def test_a_damaged_file_is_named(name, bytes_, tmp_path):
    (tmp_path / name).write_bytes(bytes_)
    with pytest.raises(ModelError) as caught:
        read_weights(tmp_path / name)
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("part", "value"), [("up.conv.weight", float("nan")), ("up.norm.bias", float("inf")), ("up.norm.running_var", -1.0)]
)
def test_weights_that_are_not_numbers_are_refused(part, value, tmp_path):
    # a training that went wrong leaves such
    state = Small().state_dict()
    state[part].reshape(-1)[0] = value
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"weights that are not numbers, in up\.conv"):
        read_weights(tmp_path / "net.pt")


def test_a_file_that_runs_code_is_not_unpacked(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    (tmp_path / "net.pt").write_bytes(pickle.dumps({"weight": Evil()}))
    with pytest.raises(ModelError, match="damaged"):
        read_weights(tmp_path / "net.pt")
    assert not (tmp_path / "written").exists()


def test_no_file_and_another_kind_of_file_are_told_apart(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        read_weights(tmp_path / "net.pt")
    with pytest.raises(UsageError, match="no file of weights"):
        read_weights(tmp_path / "net.ckpt")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(ModelError, match="folder"):
        read_weights(tmp_path / "folder.pt")


def test_folding_changes_nothing_but_the_norms():
    net = trained(Small())
    twin = folded(net)
    assert torch.allclose(answer(twin), answer(net), atol=1e-5)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in twin.modules())
    assert any(isinstance(each, nn.BatchNorm2d) for each in net.modules())
    assert sum(each.numel() for each in twin.parameters()) == sum(each.numel() for each in Small(False).parameters())


def test_calibrated_norms_compute_the_same_in_training_as_in_eval(tmp_path):
    torch.save(trained(Small(False)).state_dict(), tmp_path / "net.pt")
    net = Small()
    load(net, tmp_path / "net.pt")
    before = answer(net)
    with torch.no_grad():
        assert not torch.allclose(net.train()(PICTURE), before, atol=0.1), "uncalibrated norms undo what was learnt"
        # that moved the means
        load(net, tmp_path / "net.pt")
        calibrate(net, PICTURE)
        assert net.training
        assert torch.allclose(net.eval()(PICTURE), before, atol=1e-5)
        assert torch.allclose(net.train()(PICTURE), before, atol=1e-3)


def test_looking_for_layers_leaves_the_mode_and_no_hooks():
    net = Small().train()
    assert [slot.name for slot in slots(net, PICTURE)] == [
        "stem.conv", "stem.act", "block.expand.conv", "block.depthwise.conv", "block.project.conv", "up.conv"
    ]  # fmt: skip
    assert net.training
    assert not any(each._forward_hooks for each in net.modules())
    assert not net.stem.norm.num_batches_tracked


def test_a_small_file_that_tells_of_numbers_without_end_is_refused(tmp_path):
    path = tmp_path / "bomb.pth"
    torch.save({"a.weight": torch.zeros(1).expand(1, 1, 100_000, 100_000)}, path)
    assert path.stat().st_size < 10_000
    with pytest.raises(ModelError, match="more than 64 million numbers"):
        read_weights(path)
