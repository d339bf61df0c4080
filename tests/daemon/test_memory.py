"""What live changes leave behind is given back, soon but not all the time."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.daemon.helpers import Daemon, refused
from tests.measurements import memory
from vcam.daemon import changer

BLUE, RED = "color:#204080", "color:#c02020"


@pytest.fixture
def given_back(quick: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time."""
    found: list[str] = []
    monkeypatch.setattr(changer, "give_back_memory", lambda: found.append("given back"))
    return found


def test_after_a_change_and_after_a_refused_one_memory_is_given_back(
    given_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changer, "_TIDY_SECONDS", 0.0)
    with Daemon() as daemon:
        daemon.live()
        daemon.set(background__spec=RED)
        daemon.until(lambda: len(given_back) == 1)
        refused(daemon, background__spec="nosuch.png")
        daemon.until(lambda: len(given_back) == 2)


def test_it_is_not_given_back_after_each_of_many_changes(
    given_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changer, "_TIDY_SECONDS", 3600.0)
    with Daemon() as daemon:
        daemon.live()
        for number in range(10):
            daemon.set(background__spec=(RED, BLUE)[number % 2])
    assert len(given_back) == 1


@pytest.mark.long
@pytest.mark.engine
@pytest.mark.process
@pytest.mark.timeout(280)
def test_memory_stays_where_it_is_under_hundreds_of_changes_with_real_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of it, 2,000 changes of full size, is `python -m tests.measurements.memory`."""
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    kinds = list(memory.wishes(memory.random.Random(), None))
    with memory.Process(tmp_path, size="640x360") as process, process.client() as client:
        found = memory.measure(process, client, 250, kinds)
        status = client.call("status")
    # both runtimes are loaded by then
    rest = found[8:]
    plateau, later = statistics.median(rest), statistics.median(rest[len(rest) // 2 :])
    # one look depends on what is shown at that moment: with which runtime, filters, text
    assert max(rest) <= plateau * 1.35, f"{plateau:.0f} MB on average: {found}"
    assert later <= plateau * (1 + memory.TOLERANCE), f"{plateau:.0f} MB on average: {found}"
    assert status["frames"] > 0
