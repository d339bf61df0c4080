"""The documentation does not promise what vcam does not have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES
from tests.places import ROOT
from vcam.cli.reference import RENEW, write
from vcam.compose.filters.registry import KINDS


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
