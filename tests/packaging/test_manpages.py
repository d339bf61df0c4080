"""The manual, made from the commands."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from vcam import __version__
from vcam.cli.main import COMMANDS, cli
from vcam.cli.manpages import _plain, pages, write
from vcam.cli.reference import walk
from vcam.settings import FIELDS

DAY = datetime(2026, 1, 2, tzinfo=UTC)


def test_every_command_and_every_option_is_in_the_manual() -> None:
    made = pages(cli, DAY)
    assert set(made) == {"vcam.1", "vcam.5", *(f"vcam-{name}.1" for name in COMMANDS)}
    for context in walk(cli, click.Context(cli, info_name="vcam")):
        page = made["-".join(context.command_path.split()[:2]) + ".1"]
        assert context.command_path.replace("-", "\\-") in page
        for option in context.command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[-1].replace("-", "\\-") in page, (context.command_path, option.opts)
    assert all(f".B {key}\n" in made["vcam.5"] for key in FIELDS)


def test_a_page_has_the_day_and_the_version_at_its_foot() -> None:
    assert pages(cli, DAY)["vcam.1"].startswith(f'.TH VCAM 1 "2026-01-02" "vcam {__version__}" "vcam"\n')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("-x is 'y' \\ \"z\"", "\\-x is \\(aqy\\(aq \\e \\(dqz\\(dq"),
        (".rc and ~/a^b`c", "\\&.rc and \\(ti/a\\(hab\\(gac"),
        ("One.  Two is here. Three", "One.\nTwo is here.\nThree"),
    ],
)
def test_no_word_is_taken_for_a_command_of_the_typesetter(text: str, line: str) -> None:
    assert _plain(text) == line


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc: apt install mandoc")
def test_mandoc_has_nothing_to_say(tmp_path: Path) -> None:
    paths = write(tmp_path, DAY)
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *paths], capture_output=True, text=True)
    assert done.stdout == ""
