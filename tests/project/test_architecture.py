"""The house keeps its floors: who may import whom, what is imported late, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from docs import house
from docs.house import FLOORS, imported, level, modules, room

HEAVY = {"openvino", "onnxruntime", "pygame", "PIL", "pyvirtualcam", "torch", "lightning_fabric"}
"""Packages that cost time or libraries to import; only what needs them does so, when it does."""

MAX_LINES = 450


def test_every_module_stands_on_one_floor_and_every_floor_is_there() -> None:
    standing = [name for floor in FLOORS for name in floor.modules]
    assert len(set(standing)) == len(standing)
    assert set(standing) == {room(name) for name in modules()}


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_floors_below_its_own_or_its_own_room(module: str) -> None:
    for name in imported(modules()[module]):
        if name.startswith("vcam.") and room(name) != room(module):
            assert level(room(name)) > level(room(module)), f"{module} must not import {name}"


def test_an_import_for_types_or_inside_a_function_counts() -> None:
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from vcam.daemon import live
def late():
    from vcam.cli.main import main
import vcam.errors
"""
    tree = ast.parse(source)
    assert imported(tree) - {"typing"} == {"vcam.daemon.live", "vcam.cli.main", "vcam.errors"}
    assert imported(tree, late=False) - {"typing"} == {"vcam.errors"}


def test_no_imports_go_in_a_circle() -> None:
    edges = {name: imported(tree) & set(modules()) for name, tree in modules().items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())
    assert done == set(modules())


@pytest.mark.parametrize("module", modules())
def test_heavy_packages_are_imported_only_where_they_are_used(module: str) -> None:
    first = {name.split(".")[0] for name in imported(modules()[module], late=False)}
    # classes of layers need PyTorch's; who imports that room does so late
    allowed = {"torch"} if room(module) == "train" else set()
    assert not first & HEAVY - allowed, f"{module} imports {first & HEAVY} at start"


@pytest.mark.parametrize("module", modules())
def test_pytorch_is_for_the_training_room_alone_and_that_room_is_imported_late(module: str) -> None:
    if room(module) == "train":
        return
    assert not {name for name in imported(modules()[module]) if name.split(".")[0] in ("torch", "lightning_fabric")}
    assert not {name for name in imported(modules()[module], late=False) if name.startswith("vcam.train")}


def test_architectures_are_listed_without_pytorch() -> None:
    for name in ("vcam.train", "vcam.train.nets", "vcam.train.nets.registry"):
        assert not {other for other in imported(modules()[name], late=False) if other.split(".")[0] == "torch"}


@pytest.mark.parametrize("module", [name for name in modules() if name != "vcam.silent"])
def test_packages_that_would_report_to_somebody_are_imported_in_one_place(module: str) -> None:
    talkers = {"openvino", "onnxruntime", "pygame"}
    assert not {name for name in imported(modules()[module]) if name.split(".")[0] in talkers}, "see vcam.silent"


@pytest.mark.process
def test_the_command_line_starts_without_heavy_packages() -> None:
    script = "import sys, vcam.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert "vcam.cli.main" in done.stdout
    assert not set(done.stdout.split()) & HEAVY


def test_no_file_is_too_long_to_be_one_idea() -> None:
    lengths = {str(path): path.read_text().count("\n") for path in house.PACKAGE.rglob("*.py")}
    assert lengths
    assert not {path: length for path, length in lengths.items() if length > MAX_LINES}


def test_the_page_shows_the_table_and_the_picture_that_are_checked_here() -> None:
    text = house.PAGE.read_text("utf-8")
    assert house.table() in text
    assert house.page(text) == text, "out of date; renew it: make docs"
    assert house.PICTURE.read_text("utf-8") == house.picture(), "out of date; renew it: make docs"
