"""What ffmpeg is asked, and what it is made to do once."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import pytest

from vcam import extras
from vcam.errors import VcamError
from vcam.media.ffmpeg import ask, find_ffmpeg, last_line, run_once
from vcam.media.rate import exact_rate


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.process
def test_an_answer_is_remembered_and_no_answer_is_an_error_that_is_not(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    with pytest.raises(VcamError, match="does not run") as caught:
        ask(str(program), "-encoders")
    assert "VCAM_FFMPEG" in caught.value.hint
    script(program, f'echo "asked $2"; echo >>{tmp_path}/times')
    assert ask(str(program), "-encoders") == ask(str(program), "-encoders") == "asked -encoders\n"
    assert ask(str(program), "-devices") == "asked -devices\n"
    assert (tmp_path / "times").read_text().count("\n") == 2


@pytest.mark.process
def test_what_is_done_once_either_works_or_says_why_not(tmp_path: Path) -> None:
    acts = 'well) ;; slow) exec sleep 60;; *) echo "[x @ 1] no $4" >&2; exit 1;;'
    program = script(tmp_path / "ffmpeg", f'case "$4" in {acts} esac')
    assert run_once(program, ["well"]) is None
    assert run_once(program, ["badly"]) == "no badly"
    assert run_once(program, ["slow"], patience=0.2, late="no sound comes") == "no sound comes"
    assert run_once(str(tmp_path / "nothing"), []) == "No such file or directory"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\n[mp4 @ 0x55d] two\nConversion failed!\n", "two"),
        ("\n \n", "no message"),
        ("Conversion failed!", "no message"),
    ],
)
def test_the_last_message_that_says_something_counts(text: str, said: str) -> None:
    assert last_line(text) == said


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (47.95, Fraction(48000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (119.88, Fraction(120000, 1001)),
        (24.0, Fraction(24)),
        (12.5, Fraction(25, 2)),
        (29.9, Fraction(299, 10)),
    ],
)
def test_a_rate_that_is_written_in_decimals_is_taken_for_what_it_stands_for(written: float, exact: Fraction) -> None:
    assert exact_rate(written) == exact


def test_where_there_is_no_ffmpeg_both_ways_to_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VCAM_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    find_ffmpeg.cache_clear()
    try:
        with pytest.raises(VcamError, match="ffmpeg was not found") as caught:
            find_ffmpeg()
    finally:
        find_ffmpeg.cache_clear()
    assert caught.value.hint == f"sudo apt install ffmpeg, or {extras.command('ffmpeg')}"
