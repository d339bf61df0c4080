"""What commands ask, and what becomes of it where nobody can answer."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from vcam.cli.main import cli
from vcam.errors import UsageError
from vcam.machine import loopback
from vcam.machine.loopback import Plan

PLAN = Plan(("write /etc/modprobe.d/vcam.conf",), "set -e\n")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """What is carried out of `vcam loopback setup`."""
    carried: list[Plan] = []
    monkeypatch.setattr(loopback, "plan_setup", lambda *words: PLAN)
    monkeypatch.setattr(loopback, "carry_out", lambda machine, plan: carried.append(plan))
    return carried


def setup(*words: str, says: str = "") -> Any:
    return CliRunner().invoke(cli, ["loopback", "setup", *words], input=says, standalone_mode=False)


def test_where_nobody_can_answer_the_option_that_does_not_ask_is_named(done: list[Plan]) -> None:
    error = setup().exception
    assert isinstance(error, UsageError)
    assert (error.exit_status, "--yes" in error.hint, "--dry-run" in error.hint) == (2, True, True)
    assert done == []


def test_an_answer_that_is_piped_in_counts_and_so_does_the_option(done: list[Plan]) -> None:
    assert setup(says="y\n").exception is None
    assert setup("--yes").exception is None
    assert done == [PLAN, PLAN]
    # a no is no mistake of usage, but this is no terminal either
    assert setup(says="n\n").exception is not None
    assert done == [PLAN, PLAN]
