"""Every command, option and value that the documentation shows exists."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, block_commands, commands, name_of
from tests.docs.parse import complain
from tests.places import ROOT


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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
