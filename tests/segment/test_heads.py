from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from vcam.assets import data_folder
from vcam.errors import EngineError
from vcam.models.cards import OutputCard, read_card
from vcam.segment.heads import Head

HEIGHT, WIDTH = 16, 24
SHIPPED = read_card(data_folder("models") / "selfie-general.toml")


def _head(form: str, **keys: object) -> Head:
    output = OutputCard(form=form, size=(WIDTH, HEIGHT), **keys)  # type: ignore[arg-type]
    return Head(msgspec.structs.replace(SHIPPED, output=output, path=Path("x.toml")))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


LOGITS = np.random.default_rng(1).normal(0, 4, (5, HEIGHT, WIDTH)).astype(np.float32)
UNIT = _sigmoid(LOGITS)
SOFT = np.exp(LOGITS) / np.exp(LOGITS).sum(0)


@pytest.mark.parametrize(
    ("form", "keys", "raw", "wanted"),
    [
        ("probability", {}, UNIT[:1], UNIT[0]),
        ("probability", {}, LOGITS[:1], np.clip(LOGITS[0], 0, 1)),
        ("logits", {}, LOGITS[:1], _sigmoid(LOGITS[0])),
        ("two-channel", {}, UNIT[:2], UNIT[1]),
        ("two-channel", {"person": 0}, UNIT[:2], UNIT[0]),
        ("softmax", {}, LOGITS[:2], _sigmoid(LOGITS[1] - LOGITS[0])),
        ("softmax", {"person": 0}, LOGITS[:2], _sigmoid(LOGITS[0] - LOGITS[1])),
        ("classes", {"channels": 5, "person": 3}, LOGITS, SOFT[3]),
        ("class-index", {"person": 2}, LOGITS.argmax(0)[np.newaxis], LOGITS.argmax(0) == 2),
    ],
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_every_form_in_every_layout_gives_the_probability(form, keys, raw, wanted, layout):
    head = _head(form, layout=layout, **keys)
    found = head.decode([np.ascontiguousarray(raw.transpose(1, 2, 0)) if layout == "NHWC" else raw])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_huge_logits_do_not_overflow():
    raw = np.full((1, HEIGHT, WIDTH), -2000, np.float32)
    raw[..., 0] = 2000
    found = _head("logits").decode([raw])
    assert found[0, 0] == 1
    assert found[0, 1] == 0


FORMS = [
    ("probability", {}, 1),
    ("logits", {}, 1),
    ("two-channel", {}, 2),
    ("softmax", {}, 2),
    ("classes", {"channels": 3, "person": 1}, 3),
]
# a class at minus infinity is ruled out, which is a proper logit
BAD = [(*form, bad) for form in FORMS for bad in (np.nan, np.inf, -np.inf) if (form[0], bad) != ("classes", -np.inf)]


@pytest.mark.parametrize(("form", "keys", "depth", "bad"), BAD)
def test_one_value_that_is_no_number_is_an_engine_error(form, keys, depth, bad):
    head = _head(form, **keys)
    raw = np.zeros((depth, HEIGHT, WIDTH), np.float32)
    raw[min(1, depth - 1), 3, 4] = bad
    with pytest.raises(EngineError, match="not numbers"):
        head.decode([raw])
    assert not head.map.any()
