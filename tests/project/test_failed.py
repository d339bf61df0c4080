"""What is told of failed tests at the end of a log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.failed import CHARACTERS, LINES, MARK, MOST, failed_lines
from tests.places import ROOT

FAILS = """
import pytest

def test_a():
    said = "\\n".join(f"word {number}" for number in range(100))
    assert not said, said

@pytest.fixture
def broken():
    raise OSError("the disk is gone")

def test_b(broken):
    pass

def test_c():
    pass
"""


def test_of_an_error_the_last_lines_are_told_and_of_many_only_the_names() -> None:
    error = "\n".join(f"line {number}" for number in range(50)) + "\n\n" + "x" * 10_000 + "\n"
    told = list(failed_lines([(f"t{number}", error) for number in range(MOST + 3)]))
    assert all(line.startswith(MARK) for line in told)
    assert len(told) == MOST * (LINES + 1) + 3
    assert told[0] == f"{MARK}t0"
    assert told[1].endswith(f"line {50 - LINES + 1}")
    assert max(map(len, told)) == len(MARK) + 4 + CHARACTERS
    assert told[-3:] == [f"{MARK}t{MOST + number}" for number in range(3)]


@pytest.mark.process
def test_the_end_of_a_run_names_what_failed_and_why(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_terminal_summary\n")
    (tmp_path / "test_it.py").write_text(FAILS)
    words = ["-p", "no:cacheprovider", "-n", "1", "--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    told = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    names = [line for line in told if not line.startswith(" ")]
    assert sorted(names) == ["test_it.py::test_a", "test_it.py::test_b"], done.stdout
    assert any("word 99" in line for line in told)
    assert any("the disk is gone" in line for line in told)
