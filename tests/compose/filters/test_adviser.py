"""The network that harmonises: which one is taken, what counts as an answer, and how it is asked."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.compose.filters.gate import PICTURE, Gate, wait_for
from tests.standin import SIDE, stand_in
from vcam.compose.filters import adviser
from vcam.compose.filters.adviser import Beside, InLine
from vcam.errors import EngineError
from vcam.infer.choices import EngineChoice


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 7.0])
def test_an_answer_that_cannot_be_is_a_failure(bad: float) -> None:
    values = np.zeros((1, 8), np.float32)
    values[0, 3] = bad
    with pytest.raises(EngineError, match="no arguments"):
        adviser.read([values])
    with pytest.raises(EngineError, match="no arguments"):
        adviser.read([np.zeros((1, 7), np.float32)])
    np.testing.assert_array_equal(adviser.read([np.ones((1, 8), np.float32)]), np.ones(8))


def test_engines_are_tried_with_three_levels(own_models: Path) -> None:
    card = adviser.find_card(stand_in(own_models, "mine").stem)
    said = adviser.try_engines(card)
    assert said
    assert set(said.values()) == {"ok"}
    beyond = np.zeros((4, 8))
    beyond[0, 0] = 3.0
    card = adviser.find_card(stand_in(own_models, "other", by_means=beyond).stem)
    assert "no arguments" in next(iter(adviser.try_engines(card).values()))


def test_one_network_in_use_is_opened_once(own_models: Path) -> None:
    card = adviser.find_card(stand_in(own_models, "mine").stem)
    one = adviser.open_adviser(card)
    assert adviser.open_adviser(card) is one
    assert one.advise(np.zeros((SIDE, SIDE, 4), np.uint8)).tolist() == [0.0] * 8


def test_the_runtime_that_is_loaded_already_is_taken_or_the_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = [EngineChoice(name, "CPU", lambda network, threads: None) for name in ("openvino", "onnxruntime")]  # type: ignore[arg-type, return-value]

    def first(*loaded: str) -> str:
        for choice in choices:
            monkeypatch.delitem(sys.modules, choice.runtime, raising=False)
        for name in loaded:
            monkeypatch.setitem(sys.modules, name, sys)
        return min(choices, key=adviser._dear).runtime

    assert first() == first("onnxruntime") == first("onnxruntime", "openvino") == "onnxruntime"
    assert first("openvino") == "openvino"


def test_a_slow_network_holds_up_nobody_and_answers_later() -> None:
    gate = Gate(np.ones(8, np.float32))
    asked = Beside(gate)
    asked.ask(PICTURE, 5)
    assert asked.busy
    assert asked.take() is None
    gate.open.set()
    wait_for(asked)
    answer = asked.take()
    assert answer is not None
    assert answer.scene == 5
    assert answer.arguments is gate.answer
    assert asked.take() is None


@pytest.mark.parametrize("way", [Beside, InLine])
def test_a_network_that_throws_has_failed_and_is_said_to_once(
    way: type[Beside | InLine], caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(RuntimeError("broken"))
    gate.open.set()
    asked = way(gate)
    for scene in range(3):
        asked.ask(PICTURE, scene)
        if isinstance(asked, Beside):
            wait_for(asked)
        assert asked.take() == (None, scene)
    assert caplog.text.count("harmonise rests: broken") == 1


def test_where_no_thread_is_to_be_had_that_is_said_before_any_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(EngineError, match="can't start new thread"):
        Beside(Gate(np.zeros(8, np.float32)))
