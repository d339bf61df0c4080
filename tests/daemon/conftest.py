from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.helpers import Steered
from vcam.control.client import ControlClient


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that shows its placeholders, gives the camera up and tries it again without long waits."""
    monkeypatch.setattr("vcam.daemon.live.PLACEHOLDER_INTERVAL", 0.002)
    monkeypatch.setattr("vcam.daemon.states.LINGER", 0.05)
    monkeypatch.setattr("vcam.backoff.FIRST", 0.005)


@pytest.fixture
def steered(quick: None, tmp_path: Path) -> Iterator[Steered]:
    """A daemon that is live and can be steered."""
    steered = Steered(tmp_path)
    with steered.control, steered.daemon:
        steered.daemon.live()
        yield steered


@pytest.fixture
def client(steered: Steered) -> Iterator[ControlClient]:
    """A client of that daemon."""
    with ControlClient(timeout=30) as client:
        yield client


@pytest.fixture
def brief(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson takes a tenth of a second, and the server notices within a twentieth who has gone."""
    monkeypatch.setattr("vcam.daemon.lesson.SECONDS", 0.1)
    monkeypatch.setattr("vcam.control.server.TICK", 0.05)
