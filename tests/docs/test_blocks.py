"""Blocks of the documentation that are no commands: settings, JSON, scripts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, fenced, lines, name_of
from vcam.settings import load
from vcam.settings.saving import problems, template
from vcam.settings.toml import parse
from vcam.settings.tree import SECTIONS

LANGUAGES = {"", "sh", "bash", "console", "toml", "python", "json", "text"}


def config_blocks() -> list[tuple[str, str]]:
    """The blocks of TOML that are settings of vcam; others are cards of models."""
    found = [(name_of(page), block) for page in PAGES for block in fenced(page.read_text("utf-8"), "toml")]
    return [(page, block) for page, block in found if {*parse(block, page)} <= {*SECTIONS, "profiles"}]


@pytest.mark.parametrize(("page", "block"), config_blocks())
def test_settings_can_be_pasted_into_the_file_that_config_edit_makes(page: str, block: str, tmp_path: Path) -> None:
    """At its beginning and at its end; and they count then."""
    path = tmp_path / "config.toml"
    for text in (block, template() + block, block + template()):
        path.write_text(text)
        assert problems(path) == []
        alone = load(environ={}, path=path).settings
        path.write_text(block)
        assert load(environ={}, path=path).settings == alone


def test_the_guide_shows_settings() -> None:
    assert [page for page, _ in config_blocks()].count("docs/guide.md") >= 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_are_what_their_language_says(page: Path) -> None:
    text = page.read_text("utf-8")
    for block in fenced(text, "json"):
        json.loads(block)
    for block in fenced(text, "python"):
        compile(block, name_of(page), "exec")
    openings = [line.removeprefix("```") for line in text.splitlines() if line.startswith("```")][::2]
    assert set(openings) <= LANGUAGES


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("bash"), reason="no bash: apt install bash")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_shells_understand_the_blocks_of_commands(page: Path) -> None:
    scripts = fenced(page.read_text("utf-8"), "sh", "bash")
    done = subprocess.run(["bash", "-n"], input="\n".join(scripts), capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_command_writes_into_a_folder_that_need_not_be_there(page: Path) -> None:
    """Into one of the home folder: below it a new account has hardly any."""
    made: set[str] = set()
    for line in lines(page.read_text("utf-8")):
        words = re.split(r"(?:^|\s)#", line)[0].split()
        made |= {word for word in words if "mkdir -p " in line and word.startswith("~/")}
        targets = [words[at + 1] for at, word in enumerate(words[:-1]) if word == ">"]
        # its -D makes the folder
        targets += words[-1:] if words[:1] in (["install"], ["cp"]) and "-D" not in words else []
        for target in targets:
            folder = target.rpartition("/")[0]
            assert not folder.startswith("~/") or folder in made, line
