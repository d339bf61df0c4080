"""The house keeps its floors: who may import whom, what is imported late, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.places import ROOT

PACKAGE = ROOT / "vcam"

GROUND, ROOMS, LOOP, DAEMON, COMMANDS = range(5)

FLOORS = {
    "types": GROUND, "errors": GROUND, "frames": GROUND, "settings": GROUND, "images": GROUND, "ffmpeg": GROUND,
    "assets": GROUND, "v4l2": GROUND, "timings": GROUND, "signals": GROUND,
    "secrets": GROUND, "settings_stream": GROUND, "settings_look": GROUND, "settings_segment": GROUND,
    "tomlfile": GROUND, "settings_file": GROUND, "native": GROUND,
    "camera": ROOMS, "segment": ROOMS, "matte": ROOMS, "compose": ROOMS, "output": ROOMS,
    "pipeline": LOOP, "testing": LOOP, "batch": LOOP, "library": LOOP, "bench": LOOP, "baseline": LOOP, "quality": LOOP,
    "daemon": DAEMON,
    "machine": DAEMON, "inventory": DAEMON, "doctor": DAEMON, "loopback": DAEMON,
    "cli": COMMANDS, "__main__": COMMANDS,
}  # fmt: skip
"""The floor of each module or package directly under vcam; the five rooms do not know each other."""

HEAVY = {"openvino", "onnxruntime", "pygame", "PIL", "pyvirtualcam"}
"""Packages that cost time or libraries to import; only what needs them does so, when it does."""

MAX_LINES = 450


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("vcam", *path.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


MODULES = modules()


def statements(tree: ast.AST, *, into_functions: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run, or would run if every function did; not those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from statements(other, into_functions=into_functions)
        elif into_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(node, into_functions=into_functions)


def imported(tree: ast.AST, *, into_functions: bool) -> set[str]:
    """Full names of the modules that are imported; a name from a package counts as its module if there is one."""
    names = set()
    for node in statements(tree, into_functions=into_functions):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        else:
            assert node.level == 0, f"relative import of {node.module}"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in MODULES else str(node.module))
    return names


def room(module: str) -> str:
    return module.split(".")[1]


def floor_of(module: str) -> int:
    assert room(module) in FLOORS, f"put {room(module)} on a floor of the house"
    return FLOORS[room(module)]


@pytest.mark.parametrize("module", [name for name in MODULES if name != "vcam"])
def test_a_module_imports_only_from_floors_below_its_own_or_its_own_room(module: str) -> None:
    floor = floor_of(module)
    for name in imported(MODULES[module], into_functions=True):
        if not name.startswith("vcam.") or room(name) == room(module):
            continue
        other = floor_of(name)
        # rooms are closed to each other; elsewhere neighbours on a floor may meet, but not in a circle
        allowed = other < floor if floor == ROOMS else other <= floor
        assert allowed, f"{module} must not import {name}"


def test_no_imports_go_in_a_circle() -> None:
    edges = {name: imported(tree, into_functions=True) & set(MODULES) for name, tree in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_are_imported_only_where_they_are_used(module: str) -> None:
    first = {name.split(".")[0] for name in imported(MODULES[module], into_functions=False)}
    assert not first & HEAVY, f"{module} imports {first & HEAVY} at start"


@pytest.mark.process
def test_the_command_line_starts_without_heavy_packages() -> None:
    script = "import sys, vcam.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert not set(done.stdout.split()) & HEAVY


def test_no_file_is_too_long_to_be_one_idea() -> None:
    lengths = {path.relative_to(PACKAGE): path.read_text().count("\n") for path in PACKAGE.rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > MAX_LINES}
