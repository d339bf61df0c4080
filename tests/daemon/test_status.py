"""The status as a mapping, where the tests of the control socket do not get to."""

from __future__ import annotations

import pytest

from tests.daemon.helpers import Daemon
from vcam.daemon.status import snapshot
from vcam.errors import CameraError


def test_there_is_a_status_before_there_is_a_network() -> None:
    status = snapshot(Daemon().life)
    assert (status["state"], status["cause"], status["watched"]) == ("starting", "", False)
    assert status["camera"] == {"source": "one", "description": "camera one", "on": False}
    assert (status["segmenter"], status["frames"], status["latency_ms"]) == ("", 0, {})
    assert (status["without_person"], status["skipped"], status["fps_out"]) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (CameraError("it is gone", "plug it in"), "it is gone", "plug it in"),
        (RuntimeError("it is hot"), "it is hot", ""),
        (RuntimeError(), "RuntimeError()", ""),
    ],
)
def test_the_last_error_is_told_with_its_age(error: Exception, message: str, hint: str) -> None:
    life = Daemon().life
    life.monitor.look(error, 0, None)
    last = snapshot(life)["last_error"]
    assert (last["message"], last["hint"]) == (message, hint)
    assert 0 <= last["age_s"] < 5
