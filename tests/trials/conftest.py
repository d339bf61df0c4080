from __future__ import annotations

import pytest

from tests.trials.faults import FaultyRoom
from vcam.daemon import live


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon waits for nothing: a trial is thousands of frames, and a fault every few of them."""
    monkeypatch.setattr(live, "PLACEHOLDER_INTERVAL", 0.0005)
    for name, value in (("FIRST", 0.0005), ("LONGEST", 0.001)):
        monkeypatch.setattr(f"vcam.backoff.{name}", value)


@pytest.fixture(autouse=True)
def faulty_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a room is known, its memory fails now and then."""
    monkeypatch.setattr("vcam.segment.emptyroom.keeping.RoomMemory", FaultyRoom)
    monkeypatch.setattr(FaultyRoom, "faults", None)
