from __future__ import annotations

import json
from pathlib import Path

import pytest

from vcam.errors import EngineError
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.measure import speeds
from vcam.models.find import find_model

CARD = find_model("selfie-landscape", (1, 1))


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vcam/speeds.json"


@pytest.mark.engine
def test_a_network_is_timed_on_the_engine_that_vcam_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    infer = OnnxRuntimeEngine.infer

    def counted(self: OnnxRuntimeEngine, *pictures: object) -> object:
        asked.append(len(pictures))
        return infer(self, *pictures)

    monkeypatch.setattr(OnnxRuntimeEngine, "infer", counted)
    # the clock stands still once, then more than enough has gone by
    now = iter([0.0])
    found = speeds.measure(CARD, clock=lambda: next(now, 10.0))
    assert found.engine == "onnxruntime on CPU"
    assert found.ms > 0
    assert found.cpu_ms > 0
    # the known pictures, those that warm up, and at least the fewest
    assert len(asked) == 3 + speeds.WARM_UP + speeds.FEWEST


def test_a_network_that_runs_nowhere_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise EngineError("no driver")

    monkeypatch.setattr(speeds, "open_engine", fail)
    with pytest.raises(EngineError, match=r"runs nowhere here: .*no driver"):
        speeds.measure(CARD)


def test_figures_are_kept_for_this_processor_and_these_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert speeds.known_speeds() == {}
    speed = speeds.Speed("onnxruntime on CPU", 2.0, 2.5)
    speeds.remember(CARD, speed)
    assert speeds.known_speeds() == {CARD.sha256: speed}
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(speeds, "_processor", lambda: "another")
    assert speeds.known_speeds() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"x": 3}',
        '{"": {"a": {"ms": 1}}}',
        '{"": {"a": {"engine": "e", "ms": "x", "cpu_ms": 1}}}',
        '{"": []}',
        "[" * 100_000,
    ],
)
def test_a_broken_file_is_none(text: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "_processor", lambda: "")
    file.parent.mkdir()
    file.write_text(text)
    assert speeds.known_speeds() == {}
    speeds.remember(CARD, speeds.Speed("x", 1.0, 1.0))
    assert CARD.sha256 in json.loads(file.read_text())[""]


def test_what_cannot_be_kept_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    speeds.remember(CARD, speeds.Speed("x", 1.0, 1.0))
    assert speeds.known_speeds() == {}
