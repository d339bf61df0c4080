"""What `vcam doctor` says of engines that answer, and are right or wrong."""

from __future__ import annotations

import pytest

from tests.doctor.helpers import PROBLEM
from vcam.doctor.answers import check_answers, try_model
from vcam.errors import UsageError
from vcam.settings import SegmentSettings

WRONG = "selfie-general finds 100 % person in a black picture, where 0 % are right"


def test_an_engine_that_is_wrong_is_named_with_what_it_said_while_another_is_right(world):
    world.answers = {"openvino on GPU": WRONG, "onnxruntime on CPU": "ok"}
    assert world.said("network") == [
        f"openvino on GPU is passed over: {WRONG}", "right answers to the known pictures: onnxruntime on CPU",
    ]  # fmt: skip
    assert world.status() == 0


def test_if_none_is_right_vcam_cannot_run(world):
    world.answers = {"onnxruntime on CPU": WRONG}
    (finding,) = [finding for finding in world.findings() if finding.status is PROBLEM]
    assert (finding.seen, finding.cure) == (WRONG, ("vcam models verify",))
    assert world.status() == 1


def test_a_model_that_is_missing_is_a_problem_and_without_a_network_nothing_is_said():
    def missing(*_):
        raise UsageError("there is no model x", "known are a, b")

    (finding,) = check_answers(SegmentSettings(), (640, 480), missing)
    assert (finding.status, finding.exit_status) == (PROBLEM, 2)
    assert list(check_answers(SegmentSettings(backend="subtraction"), (640, 480))) == []


@pytest.mark.engine
def test_the_engines_here_are_right(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert set(try_model(SegmentSettings(backend="onnxruntime"), (640, 480)).values()) == {"ok"}
