from __future__ import annotations

import re

import pytest

from vcam.assets import data_folder
from vcam.errors import ModelError
from vcam.infer.base import Network, Output, Picture, State
from vcam.models import cards
from vcam.models.cards import read_card


@pytest.mark.parametrize(
    ("change", "to", "message", "hint"),
    [
        ('title = ".*"', "", "title is missing", "a name for people"),
        ('title = ".*"', 'titel = "x"', "title is missing|no key titel", "known are|a name"),
        ('layout = "NCHW"', 'layout = "CHW"', "input.layout = 'CHW' is not valid", "NCHW or NHWC"),
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
        (r"    \[0, 0, 0, 0\]", "    [0, 0, 0, 101]", r"known.black.* is not valid", "percent"),
        (r"    \[0, 0, 0, 0\],\n", "", r"known.black = .* is not valid", "4 rows of 4"),
        (r"person = \[\n", "persons = [\n", "no key known.persons", "known are unchecked"),
        (r"tolerance = .*|\[known\]", "[known]\ntolerance = 99", "known.tolerance = 99", "from 1 to 50"),
        (r"(?s)black = .*?\n\]\n", "", "an answer for some", "all three"),
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
    kinds = (cards.ModelCard, cards.InputCard, cards.OutputCard, cards.StateCard, cards.CostCard, cards.KnownCard)
    keys = {key for kind in kinds for key in kind.__struct_fields__} - {"path"}
    assert not {key for key in keys if f"`{key}`" not in page}


def test_what_engines_need_of_a_card_is_handed_on_to_them(model):
    text = model[1].read_text()
    text = text.replace("[input]", '[input]\nname = "in"\nmean = [1, 2, 3]\nscale = [4, 5, 6]', 1)
    text = re.sub(r"mean = \[0.*\n|scale = \[255.*\n|openvino_ms.*\n|onnxruntime_ms.*\n", "", text)
    text = text.replace("size = [256, 256]", "size = [256, 144]", 1)
    text = re.sub(r'form = ".*"', 'form = "softmax"\nname = "out"', text)
    states = '[[states]]\ninput = "a"\noutput = "b"\nshape = [1, 2]\ninit = 0.5\n\n'
    model[1].write_text(text.replace("[cost]", f"{states}[cost]\nopenvino_ms = 3.0\nonnxruntime_ms = 2.0"))
    assert read_card(model[1]).network() == Network(
        name="selfie-general",
        path=model[0],
        card=model[1],
        pictures=(Picture((256, 144), "NCHW", mean=(1, 2, 3), scale=(4, 5, 6), name="in"),),
        outputs=(Output((2, 256, 256), "out"),),
        states=(State("a", (1, 2), "b", 0.5),),
        cheapest="onnxruntime",
    )


@pytest.mark.parametrize(
    ("costs", "cheapest"),
    [
        ("openvino_ms = 2.0\nonnxruntime_ms = 3.0", "openvino"),
        ("openvino_ms = 3.0\nonnxruntime_ms = 2.0", "onnxruntime"),
        ("onnxruntime_ms = 2.0", ""),
        ("", ""),
    ],
)
def test_a_runtime_is_the_cheaper_only_where_both_were_measured(model, costs, cheapest):
    text = re.sub(r"openvino_ms.*\n|onnxruntime_ms.*\n", "", model[1].read_text())
    model[1].write_text(text.replace("[cost]", f"[cost]\n{costs}"))
    assert read_card(model[1]).network().cheapest == cheapest


@pytest.mark.parametrize(
    ("change", "to", "remembers"),
    [
        ("", "", False),
        (r"\[cost\]", '[[states]]\ninput = "a"\nshape = [1]\n[cost]', True),
        (r"mean = .*\nscale = .*", "mean = [0, 0, 0, 0]\nscale = [1, 1, 1, 1]\nprevious_mask = true", True),
    ],
    ids=["neither", "states", "previous mask"],
)
def test_a_network_with_states_or_a_previous_mask_remembers(model, change, to, remembers):
    model[1].write_text(re.sub(change, to, model[1].read_text(), count=1))
    assert read_card(model[1]).remembers is remembers
