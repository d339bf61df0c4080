"""The documentation does not promise what vcam does not have."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.places import ROOT
from vcam.cli.main import cli
from vcam.cli.reference import RENEW, write
from vcam.cli.train import TrainGroup
from vcam.compose.filters.registry import KINDS
from vcam.settings.saving import problems

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = {"", "sh", "bash", "console"}
"""Languages of fenced blocks that hold commands."""


def blocks(text: str) -> Iterator[str]:
    """The lines of indented blocks, and of fenced ones that hold commands."""
    fence: str | None = None
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fence = line.strip().removeprefix("```") if fence is None else None
        elif fence is not None:
            if fence in SHELL:
                yield line.strip()
        elif line.startswith("    "):
            yield line.strip()


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `vcam ...` in a page, in blocks and between backticks; not those with gaps to fill in."""
    spans = re.findall(r"`((?:vcam|VCAM_\w+=\S+ vcam) [^`]*)`", re.sub(r"(?ms)^```.*?^```", "", text))
    for line in (*blocks(text), *spans):
        # two spaces and more part a command from what is said of it
        line = re.split(r"\s{2,}", line.removeprefix("$ "))[0]
        if not re.match(r"(\w+=\S+ )*vcam( |$)", line) or "..." in line or "[OPTIONS]" in line or "|" in line:
            continue
        words = shlex.split(line, comments=True)
        yield words[words.index("vcam") + 1 :]


def complain(words: list[str]) -> str:
    """What click says against a command; empty if it would run. Words in capitals stand for what people fill in."""
    if not words or words[0] in ("--help", "--version"):
        return ""
    group: click.Group = cli
    context = click.Context(cli, info_name="vcam")
    while True:
        name, *words = words
        command = None if name.isupper() else group.get_command(context, name)
        if command is None and isinstance(group, TrainGroup):
            # what is no command's name is the training's first word
            name, command, words = "fit", group.own, [name, *words]
            break
        if command is None:
            return "" if name.isupper() else f"there is no command {name}"
        if not isinstance(command, click.Group) or not words or words[0] == "--help":
            break
        group, context = command, click.Context(command, info_name=name, parent=context)
    if isinstance(command, click.Group) or "--help" in words:
        return ""
    options = [word for word in words if word.startswith("-")]
    if not [word for word in words if not word.startswith("-")] and command.params and not options:
        # a command that is only spoken of
        return ""
    try:
        command.make_context(name, words, parent=context)
    except click.MissingParameter:
        # spoken of with an option, but without what it is for
        return ""
    except click.UsageError as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_in_the_documentation_exists(page: Path) -> None:
    wrong = {shlex.join(words): said for words in commands(page.read_text("utf-8")) if (said := complain(words))}
    assert not wrong


def test_a_command_that_does_not_exist_would_be_found() -> None:
    text = (
        "# Title\n\n    vcam stort --edge 3   # x\n\nSay `vcam start --edgy 3` or `vcam config chekc`.\n"
        "```sh\nVCAM_X=1 vcam apply in.png out.png --bakground blur\n```\n```python\nvcam nothing\n```\n"
        "`vcam config check FILE` and `vcam COMMAND --help` are right.\n"
    )
    assert [bool(complain(words)) for words in commands(text)] == [True, True, True, True, False, False]


def test_the_guide_and_the_readme_do_show_commands() -> None:
    for page in (ROOT / "README.md", ROOT / "docs/guide.md"):
        assert len(list(commands(page.read_text("utf-8")))) > 5


def dead_links(text: str, folder: Path) -> list[str]:
    """The files beside a page in `folder` that its text links to and that are not there."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    return [target for target in targets if not (folder / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_another_file_leads_somewhere(page: Path) -> None:
    assert dead_links(page.read_text("utf-8"), page.parent) == []


def test_a_link_that_leads_nowhere_would_be_found() -> None:
    text = "[a](docs/guide.md), [b](docs/gide.md#how), ![c](docs/none.png), [d](https://example.org/x), [e](#here)"
    assert dead_links(text, ROOT) == ["docs/gide.md", "docs/none.png"]


def headings(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8")):
        assert anchor in headings(page.parent / target if target else page), f"{target}#{anchor}"


def test_every_config_file_in_the_documentation_is_valid(tmp_path: Path) -> None:
    # other pages show the cards of models
    pages = [ROOT / name for name in ("README.md", "docs/guide.md", "docs/reference/settings.md")]
    shown = [block for page in pages for block in re.findall(r"(?ms)^```toml\n(.*?)^```", page.read_text("utf-8"))]
    assert shown
    for block in shown:
        (tmp_path / "config.toml").write_text(block)
        assert problems(tmp_path / "config.toml") == [], block


@pytest.mark.parametrize("name", ["settings.md", "commands.md"])
def test_the_reference_pages_are_those_of_this_program(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    page = ROOT / "docs/reference" / name
    assert page.read_text("utf-8") == (tmp_path / name).read_text("utf-8"), f"out of date; renew it: {RENEW}"


def test_the_page_names_every_filter_and_parameter() -> None:
    page = (ROOT / "docs" / "filters.md").read_text()
    for kind in KINDS.values():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{kind.name}` {kind.help}")), "")
        assert row, f"there is no row of {kind.name}"
        for parameter in kind.parameters:
            assert f"`{parameter.name}` {parameter.help}" in row, (kind.name, parameter.name)
            if isinstance(parameter.default, float):
                assert f"default {parameter.default:g}" in row


def test_the_gallery_has_its_pictures_and_they_are_small() -> None:
    docs = ROOT / "docs"
    page = (docs / "gallery.md").read_text()
    names = re.findall(r"\((images/gallery/[^)]+)\)", page)
    assert len(names) > 20
    for name in names:
        assert 2000 < (docs / name).stat().st_size < 40_000, name
    for name in KINDS:
        assert f"`--filter {name}" in page or f"`--{name}" in page, name


def test_the_cost_of_every_filter_stands_in_the_page_of_filters() -> None:
    page = (ROOT / "docs" / "filters.md").read_text()
    rows = page.partition("## What they cost\n")[2]
    for name in KINDS:
        assert f"| `{name}` | " in rows, name
