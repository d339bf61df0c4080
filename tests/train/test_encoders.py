"""Encoders that others have trained, with other pictures than the network is given."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.assets import asset
from vcam.datasets.store import Entry
from vcam.errors import ModelError, UsageError
from vcam.train.encoders import given_to, load_encoder
from vcam.train.fed import Fed
from vcam.train.nets.mobilenet_v2 import MobileNetV2
from vcam.train.nets.registry import architecture
from vcam.train.norms import folded
from vcam.train.recipe import Recipe
from vcam.train.samples import Samples
from vcam.train.start import begin_with

MEAN, SPREAD = (torch.tensor(each).reshape(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
GIVEN = {
    "0..1": lambda picture: picture,
    "-1..1": lambda picture: 2 * picture - 1,
    "imagenet": lambda picture: (picture - MEAN) / SPREAD,
}
"""What an encoder is given of RGB, 0..1."""


@pytest.fixture
def source():
    """A trained encoder, and the same with folded norms."""
    net = MobileNetV2(act="relu", symmetric=True)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
    return net.eval()


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("said", GIVEN)
@pytest.mark.parametrize("name", ["portrait-net", "portrait-net-video", "mobile-unet"])
def test_an_encoder_finds_in_a_picture_what_it_found_before(source, tmp_path, name, said, fold):
    file = folded(source) if fold else source
    torch.save(file.state_dict(), tmp_path / "encoder.pt")
    kind = architecture(name)
    options = {"width": 1.0, "act": "relu", "symmetric": True} if name == "mobile-unet" else {}
    net = kind.build(norm=True, **options).eval()
    load_encoder(net, tmp_path / "encoder.pt", kind, said)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        given = Fed(net, kind).given(picture, torch.rand(1, 1, 64, 64))
        expected, found = source.stem(GIVEN[said](picture)), net.encoder.stem(given)
        # beside the outermost there are zeros, which are another colour
        assert torch.allclose(found[..., 1:, 1:], expected[..., 1:, 1:], atol=1e-4)
        # what lies behind, PortraitNet's convolution more included, does the same with the same
        theirs, mine = expected, expected
        for before, after in zip(source.blocks, net.encoder.blocks, strict=True):
            theirs, mine = before(theirs), after(mine)
        assert float(theirs.abs().max()) > 0
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4)


def test_by_default_a_file_says_what_its_encoder_was_given(tmp_path):
    kind, run = architecture("portrait-net"), tmp_path / "best.pt"
    torch.save({"network": "mobile-unet", "model": {}}, run)
    other = tmp_path / "imagenet.pth"
    torch.save({"features.0.0.weight": torch.zeros(1)}, other)
    assert given_to(run, kind, "auto").scale[0] == 255
    assert given_to(run, kind, "same").order == "BGR"
    assert given_to(other, kind, "auto").scale[0] == pytest.approx(58.395)
    assert given_to(Path("model.json"), kind, "auto").scale[0] == 127.5


def test_an_encoder_of_another_kind_is_refused(tmp_path, source):
    torch.save(source.state_dict(), tmp_path / "encoder.pt")
    for name in ("prisma-net", "mobile-unet-v3"):
        kind = architecture(name)
        with pytest.raises(ModelError, match="does not fit"):
            load_encoder(kind.build(norm=True), tmp_path / "encoder.pt", kind)


@pytest.mark.parametrize("name", ["prisma-net", "slim-net", "selfie"])
def test_an_encoder_that_only_its_kind_has_is_taken_out_of_such_a_network(tmp_path, name):
    kind = architecture(name)
    # as published: norms folded into the weights, or never there
    theirs, net = kind.build(norm=False).eval(), kind.build(norm=True)
    torch.save(theirs.state_dict(), tmp_path / "whole.pt")
    before = {key: each.clone() for key, each in net.state_dict().items()}
    side = kind.size[0] // 4
    made = Recipe(network=name, data="d", size=(side, side), epochs=1, losses={"dice": 1.0},
                  encoder=str(tmp_path / "whole.pt"))  # fmt: skip
    samples = Samples([Entry("a", asset("astronaut.png"), asset("astronaut.png"), "train", "", "", "", 0)],
                      (side, side), augment=False, backdrops=[], prior=False, texture=False, seed=0)  # fmt: skip
    begin_with(made, net, samples)
    taken = {key.partition(".")[0] for key, each in net.state_dict().items() if not torch.equal(each, before[key])}
    assert taken == {
        "prisma-net": {"stem", "encode", "down", "deep"}, "slim-net": {"stem", "eighth", "sixteenth", "deep"},
        "selfie": {"stem", "quarter", "eighth", "deep"},
    }[name]  # fmt: skip
    picture = torch.from_numpy(samples[0]["picture"].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        given = Fed(net, kind).given(picture, None)
        found = _deepest(net.eval(), given)
        expected = _deepest(theirs, given)
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
        # and where norms go by the batch, which is this picture
        assert torch.allclose(_deepest(net.train(), given), expected, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("name", ["prisma-net", "slim-net", "selfie"])
def test_such_an_encoder_comes_out_of_runs_and_exports_and_fits_a_mask_of_the_frame_before(tmp_path, name):
    from vcam.train.onnxfile import ready, to_onnx

    kind = architecture(name)
    theirs = kind.build(norm=True).eval()
    run, export = tmp_path / "run.pt", tmp_path / "export.onnx"
    torch.save({"network": name, "model": theirs.state_dict()}, run)
    # one channel comes out of it, where slim-net has two
    export.write_bytes(to_onnx(ready(theirs), name).SerializeToString())
    picture = torch.rand(1, 3, 64, 64)
    prior = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        expected = _deepest(theirs, picture)
        for path in (run, export):
            net = kind.build(norm=True, channels=4).eval()
            load_encoder(net, path, kind)
            found = _deepest(net, torch.cat([picture, prior], 1))
            assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4), path


def _deepest(net, given):
    """What the last of the encoder's layers gives."""
    seen = []
    deep = net.deep[-1]
    hook = deep.register_forward_hook(lambda module, taken, made: seen.append(made))
    net(given)
    hook.remove()
    return seen[0][0] if isinstance(seen[0], tuple) else seen[0]


def test_what_an_encoder_was_given_needs_an_encoder():
    made = Recipe(network="mobile-unet", data="d", size=(128, 128), epochs=1, losses={"dice": 1.0},
                  encoder_input="imagenet")  # fmt: skip
    with pytest.raises(UsageError, match="encoder"):
        made.checked()


@pytest.mark.parametrize("fold", [False, True])
def test_a_training_begins_where_the_encoder_was_and_with_a_fresh_decoder(source, tmp_path, fold):
    file = folded(source) if fold else source
    torch.save(file.state_dict(), tmp_path / "encoder.pt")
    made = Recipe(network="portrait-net", data="d", size=(224, 224), epochs=1, losses={"dice": 1.0},
                  encoder=str(tmp_path / "encoder.pt"), encoder_input="imagenet")  # fmt: skip
    net = made.kind.build(norm=True)
    samples = Samples([Entry("a", asset("astronaut.png"), asset("astronaut.png"), "train", "", "", "", 0)],
                      (224, 224), augment=False, backdrops=[], prior=False, texture=False, seed=0)  # fmt: skip
    begin_with(made, net, samples)
    norms = [each for each in net.transitions.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert norms
    assert all(bool((each.weight == 1).all()) for each in norms)
    picture = torch.from_numpy(samples[0]["picture"].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        given = Fed(net, made.kind).given(picture, None)
        expected = source(GIVEN["imagenet"](picture))[1][1]
        # beside the edges a little else, since zeros are another colour there
        found = net.eval().encoder(given)[1][1]
        assert float((found - expected).abs().mean()) < 0.05 * float(expected.abs().mean())
        # PortraitNet's convolution more lets through what comes, also where its norm goes by the batch
        stem = net.encoder.stem(given)
        through = net.encoder.blocks[0].expand.train()(stem)
        assert float((through - stem).abs().mean()) < 0.05 * float(stem.abs().mean())


def test_a_network_that_vcam_has_exported_says_what_it_was_given(tmp_path):
    from vcam.train.onnxfile import ready, to_onnx

    path = tmp_path / "x.onnx"
    path.write_bytes(to_onnx(ready(architecture("selfie").build()), "selfie").SerializeToString())
    assert given_to(path, architecture("portrait-net"), "auto").scale[0] == 255


def test_a_file_whose_first_convolution_is_another_takes_no_input(tmp_path, source):
    torch.save(MobileNetV2(width=0.5).state_dict(), tmp_path / "encoder.pt")
    kind = architecture("portrait-net")
    load = lambda said: load_encoder(kind.build(norm=True), tmp_path / "encoder.pt", kind, said)  # noqa: E731
    with pytest.raises(ModelError, match="does not fit"):
        load("auto")
    with pytest.raises(ModelError, match="first convolution"):
        load("imagenet")


def test_a_mask_of_the_frame_before_keeps_its_weights(tmp_path):
    kind, other = architecture("portrait-net-video"), architecture("mobile-unet")
    theirs = kind.build(norm=True)
    torch.save(theirs.encoder.state_dict(), tmp_path / "encoder.pt")
    net = other.build(norm=True, width=1.0, channels=4)
    load_encoder(net, tmp_path / "encoder.pt", other, "imagenet")
    mine, before = net.encoder.stem.conv.weight, theirs.encoder.stem.conv.weight
    assert torch.equal(mine[:, 3], before[:, 3])
    assert torch.allclose(mine[:, 0], before[:, 0] / 0.229, rtol=1e-4)
