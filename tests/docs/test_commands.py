"""Every command, option and value that the documentation shows exists."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, block_commands, commands, name_of
from tests.docs.parse import complain
from tests.places import ROOT
from tests.standin import stand_in
from vcam.settings import FIELDS
from vcam.settings.tree import SECTIONS


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, own_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # what the pages have trained and kept before they use it
    stand_in(own_models, "light")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_option_and_value_in_the_documentation_exists(page: Path) -> None:
    wrong = {shlex.join(words): said for words in commands(page.read_text("utf-8")) if (said := complain(words))}
    assert not wrong


@pytest.mark.parametrize(
    "line",
    [
        "vcam stort --edge 3",
        "vcam start --edgy 3",
        "vcam start --edge 99",
        "vcam start --set matte.egde=3",
        "vcam start --set matte.edge=far",
        "vcam start --background blurr",
        "vcam start --background blur:900",
        "vcam start --filter vignete",
        "vcam start --filter vignette:strength=9",
        "vcam start --output film.xyz",
        "vcam start --rtmp http://host/live/x",
        "vcam start --size 1281",
        "vcam set matte.egde=3",
        "vcam set matte.edge=99",
        "vcam set camera.mirror=maybe",
        "vcam get matte.egde",
        "vcam background blurr",
        "vcam stream start ftp://host/x",
        "vcam output add film.xyz",
        "vcam output add rtmp://host/live/x",
        "vcam config chekc",
        "vcam service install --filter nonsense",
        "VCAM_X=1 vcam apply in.png out.png --bakground blur",
        "vcam pause && vcam resme",
    ],
)
def test_what_is_wrong_would_be_found(line: str) -> None:
    for text in (f"    {line}   # so it is", f"```sh\n{line}\n```"):
        assert [words for words in commands(text) if complain(words)], text


@pytest.mark.parametrize(
    "line",
    ["vcam config check FILE", "vcam COMMAND --help", "vcam start --metrics PORT", "vcam set KEY=VALUE", "vcam start"],
)
def test_what_is_right_is_not_complained_of(line: str) -> None:
    assert [words for words in commands(f"Say `{line}`.") if complain(words)] == []


def test_python_is_not_taken_for_commands() -> None:
    assert list(commands("```python\nvcam nothing\n```\n")) == []


@pytest.mark.parametrize(("page", "least"), [("README.md", 10), ("docs/guide.md", 35), ("docs/streaming.md", 10)])
def test_the_pages_do_show_commands(page: str, least: int) -> None:
    assert len(list(block_commands((ROOT / page).read_text("utf-8")))) >= least


KEY = re.compile(r"(?<![\w./{])(?:" + "|".join(SECTIONS) + r")\.[a-z_]+(?![\w.(/])")
SOURCES = [
    path
    for path in sorted((ROOT / "vcam").rglob("*.py"))
    # cards of models have sections of their own
    if not {"models", "infer", "train"} & set(path.relative_to(ROOT / "vcam").parts)
]
SUFFIXES = {".toml", ".py", ".jpg", ".png", ".mp4", ".mkv", ".md"}


def said(path: Path) -> Iterator[str]:
    """The texts of a source that are no docstrings: messages and their cures among them."""
    tree = ast.parse(path.read_text("utf-8"))
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value


def test_every_setting_that_a_message_names_exists() -> None:
    named = {(key, path.name) for path in SOURCES for text in said(path) if " " in text for key in KEY.findall(text)}
    assert len(named) > 20
    assert [found for found in sorted(named) if found[0] not in FIELDS and Path(found[0]).suffix not in SUFFIXES] == []
