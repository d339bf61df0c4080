from __future__ import annotations

import re

import pytest

from vcam.assets import data_folder
from vcam.errors import ModelError, UsageError
from vcam.models import cards
from vcam.models.cards import find_model, read_card

SHIPPED = data_folder("models") / "selfie-general.toml"


@pytest.fixture
def model(tmp_path):
    """A copy of a shipped model that may be spoilt: (network, card)."""
    network, card = tmp_path / "selfie-general.onnx", tmp_path / "selfie-general.toml"
    network.write_bytes(SHIPPED.with_suffix(".onnx").read_bytes())
    card.write_text(SHIPPED.read_text())
    return network, card


@pytest.mark.parametrize(
    ("size", "name"),
    [((1280, 720), "selfie-landscape"), ((720, 480), "selfie-landscape"), ((640, 480), "selfie-general"),
     ((720, 1280), "selfie-general")],
)  # fmt: skip
def test_auto_goes_by_the_shape_of_the_frame(size, name):
    assert find_model("auto", size).name == name


def test_a_path_of_a_network_or_its_card_is_taken(model):
    for path in model:
        assert find_model(str(path), (640, 480)).network == model[0]


def test_a_model_of_the_users_own_folder_is_found_by_name(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "vcam/models"
    folder.mkdir(parents=True)
    model[0].rename(folder / model[0].name)
    model[1].rename(folder / "mine.toml")
    assert find_model("mine", (640, 480)).network == folder / model[0].name


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match="did you mean selfie-landscape"):
        find_model("selfie-landscap", (640, 480))


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there is no model file"):
        find_model(str(tmp_path / "no.onnx"), (640, 480))


def test_a_network_without_a_card_is_refused(model):
    model[1].unlink()
    with pytest.raises(ModelError, match="no model card") as caught:
        find_model(str(model[0]), (640, 480))
    assert "selfie-general.toml" in caught.value.hint


def test_a_changed_network_is_refused_and_the_hint_gives_its_checksum(model):
    model[0].write_bytes(model[0].read_bytes() + b"\0")
    with pytest.raises(ModelError, match="checksum differs") as caught:
        find_model(str(model[0]), (640, 480))
    assert cards.checksum(model[0]) in caught.value.hint


def test_a_card_whose_network_is_gone_is_refused(model):
    model[0].unlink()
    with pytest.raises(ModelError, match="there is no network"):
        find_model(str(model[1]), (640, 480))


def test_a_card_of_another_network_is_refused(model):
    other = model[0].with_name("other.onnx")
    other.write_bytes(b"x")
    other.with_suffix(".toml").write_text(model[1].read_text())
    with pytest.raises(ModelError, match="is the card of selfie-general"):
        find_model(str(other), (640, 480))


@pytest.mark.parametrize(
    ("change", "to", "message", "hint"),
    [
        ('title = ".*"', "", "title is missing", "a name for people"),
        ('title = ".*"', 'titel = "x"', "title is missing|no key titel", "known are|a name"),
        ('layout = "NCHW"', 'layout = "CHW"', "input.layout = 'CHW' will not do", "NCHW or NHWC"),
        ('channels = "RGB"', 'channels = "RGBA"', "input.channels = 'RGBA'", "RGB or BGR"),
        (r"size = \[256, 256\]", "size = [256, 3]", "input.size", "from 16 to 2048"),
        (r"size = \[256, 256\]", "size = [256]", "input.size", "width, height"),
        (r"mean = .*", "mean = [0, 0]", "input.mean has 2 numbers", "needs 3"),
        (r"scale = .*", "scale = [255, 0, 255]", "input.scale holds a 0", "use 1"),
        (r"scale = .*", "scale = [255, 255, 255]\nprevious_mask = true", "input.mean has 3 numbers", "needs 4"),
        ('form = ".*"', 'form = "mask"', "output.form = 'mask'", "one of probability, logits"),
        ('form = ".*"', 'form = "classes"', "output.channels is missing", "how many"),
        ('form = ".*"', 'form = "softmax"\nperson = 2', "output.person = 2", "from 0 to 1"),
        ('form = ".*"', 'form = "softmax"\nsigma = 2', "no key output.sigma", "known are form, size"),
        ('file = ".*"', 'file = "../x.onnx"', "file = '../x.onnx'", "file name"),
        ('file = ".*"', 'file = "x.exe"', "file = 'x.exe'", r"\.onnx"),
        ('sha256 = ".*"', 'sha256 = "abc"', "sha256 = 'abc'", "64 hexadecimal"),
        ('licence = ".*"', 'licence = 3', "licence = 3", "SPDX"),
        (r"\[input\]", 'path = "x"\n[input]', "no key path", "known are title"),
        (r"\[cost\]", '[[states]]\ninput = "a"\nshape = [0]\n[cost]', r"states.0.shape", "1 or more"),
        (r"\[cost\]", '[[states]]\ninput = "a"\nshape = []\n[cost]', r"shape \[\] of state a", "1 or more"),
        (r"\[cost\]", "[costs]", "no key costs", "cost"),
        (r"\[input\]", "[input", "not valid TOML", "mend"),
    ],
)  # fmt: skip
def test_a_bad_card_is_refused_naming_the_key_and_what_is_allowed(model, change, to, message, hint):
    text, count = re.subn(change, to, model[1].read_text(), count=1)
    assert count == 1
    model[1].write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        read_card(model[1])
    assert re.search(hint, caught.value.hint)
    assert str(model[1]) in caught.value.message


def test_every_key_of_a_card_is_documented():
    page = (data_folder("models").parent / "docs/models.md").read_text()
    kinds = (cards.ModelCard, cards.InputCard, cards.OutputCard, cards.StateCard, cards.CostCard)
    keys = {key for kind in kinds for key in kind.__struct_fields__} - {"path"}
    assert not {key for key in keys if f"`{key}`" not in page}
