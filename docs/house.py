"""The house: which module stands on which floor, checked by the tests, and drawn for docs/architecture.md.

    python -m docs.house        writes the table and the picture anew; `make docs` does it

A module imports only from floors below its own, or from its own room. Neighbours on a floor do not know each other.
Imports for type checkers count, and so do those inside functions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "vcam"
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "house.svg"


@dataclass(frozen=True)
class Floor:
    """Rooms and single modules beside each other, by their names under `vcam`, and what they have in common."""

    name: str
    modules: tuple[str, ...]
    about: str


FLOORS = (
    Floor("workshop", ("packaging",), "What makes the packages that people install; it does not travel in them."),
    Floor("door", ("__main__",), "`python -m vcam`"),
    Floor("commands", ("cli",), "Options, tables and progress bars; no logic."),
    Floor("pages", ("web", "webpage"),
          "The panel, a page in the browser that speaks to vcam as any client does; and a page that needs no vcam."),
    Floor("learning", ("learn",), "Training and measuring put together: a network of one's own room and face."),
    Floor("programs", ("daemon", "doctor", "measure", "train", "batch"),
          "What a command starts: the virtual camera's life, the search for causes, measurements, networks made here, "
          "work on files."),
    Floor("parts of programs", ("control", "machine", "datasets", "filmroom", "pipeline", "library"),
          "The wire to a vcam that runs; this computer; pictures with mattes; the room behind films; the loop; "
          "vcam for other programs."),
    Floor("matting", ("matting",), "From a frame to its matte: network and matte stage put together, in one place."),
    Floor("stages", ("camera", "segment", "matte", "compose", "output"), "A frame's way, one stage a room."),
    Floor("networks", ("models",), "What is known of networks: cards, where they lie, conversion."),
    Floor("engines", ("infer", "scaling"),
          "Networks run: tensors in, tensors out, on whichever engine works. Planes made smaller and larger."),
    Floor("ground rooms", ("settings", "media", "images", "native", "fitting", "v4l2", "pipewire", "testing"),
          "Every setting; ffmpeg; pictures in files; the compiled loops; one shape fitted into another; "
          "the kernel's devices; PipeWire; stand-ins for tests."),
    Floor("frames", ("frames", "harmony"),
          "The frame, the map and the matte that belong to it; how a person is given another light."),
    Floor("foundation", ("colour", "files", "folders", "secrets"),
          "BT.601; files written whole; where vcam's own files lie; words that nobody shall see."),
    Floor("stones", ("types", "errors", "assets", "timings", "signals", "backoff", "silent", "extras", "printable",
                     "suffixes"), "What everybody stands on."),
)  # fmt: skip
"""From the top to the ground."""


def level(module: str) -> int:
    """The number of a room's floor, 0 at the top. Raises `KeyError` if it stands nowhere."""
    return {name: number for number, floor in enumerate(FLOORS) for name in floor.modules}[module]


def room(module: str) -> str:
    """The room, or single module, that a module belongs to: "camera" for "vcam.camera.jpeg"."""
    return module.split(".")[1]


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its full name, parsed, without the package's own `__init__`.

    That one only hands on names, and imports them when they are asked for.
    """
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("vcam", *path.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "vcam":
            found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imported(tree: ast.AST, *, late: bool = True) -> set[str]:
    """Full names of the modules that are imported; a name from a package counts as its module if there is one.

    late: imports inside functions and those for type checkers as well.
    """
    names: set[str] = set()
    for node in _statements(tree, late=late):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif node.level == 0:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(name if name in modules() else str(node.module) for name in inner)
        else:
            raise ValueError(f"a relative import, line {node.lineno}")
    return names


def _statements(tree: ast.AST, *, late: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif not late and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _statements(other, late=late)
        else:
            yield from _statements(node, late=late)


def edges() -> dict[str, set[str]]:
    """Which rooms a room imports from."""
    found: dict[str, set[str]] = {name: set() for floor in FLOORS for name in floor.modules}
    for name, tree in modules().items():
        others = {room(other) for other in imported(tree) if other.startswith("vcam.")}
        found.setdefault(room(name), set()).update(others - {room(name)})
    return found


def needed_edges() -> set[tuple[str, str]]:
    """The edges that do not follow from others: their transitive reduction, for a house without circles."""
    direct = edges()
    within: dict[str, set[str]] = {}
    for floor in reversed(FLOORS):
        # who is below is known already
        for name in floor.modules:
            within[name] = {far for other in direct[name] for far in ({other} | within.get(other, set()))}
    return {
        (name, other)
        for name, others in direct.items()
        for other in others
        if not any(other in within[between] for between in others - {other})
    }


def table() -> str:
    """The floors as a table of Markdown, from the top."""
    rows = ["| floor | rooms and modules | |", "|---|---|---|"]
    for floor in FLOORS:
        names = " ".join(f"`{name}/`" if _is_room(name) else f"`{name}`" for name in floor.modules)
        rows.append(f"| {floor.name} | {names} | {floor.about} |")
    return "\n".join(rows) + "\n"


WIDTH, LEFT, HIGH, GAP, BOX = 1180, 150, 66, 30, 40
MARGIN, FONT = 14, "font-family='DejaVu Sans, Verdana, sans-serif'"


def picture() -> str:
    """The house as SVG: a box for each room, the wider the more files it has, and an arrow for each import needed."""
    places = _places()
    height = 2 * MARGIN + len(FLOORS) * (HIGH + GAP) - GAP
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'>",
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
        "<path d='M0,0 L8,4 L0,8 z' fill='#5b6b7b'/></marker></defs>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
    ]
    for number, floor in enumerate(FLOORS):
        top = MARGIN + number * (HIGH + GAP)
        parts.append(f"<rect x='6' y='{top}' width='{WIDTH - 12}' height='{HIGH}' rx='6' fill='#eef2f6'/>")
        parts.append(f"<text x='18' y='{top + HIGH / 2 + 5}' font-size='14' fill='#44525f' {FONT}>{floor.name}</text>")
    for name, other in sorted(needed_edges()):
        parts.append(_arrow(places[name], places[other]))
    for name, (x, y, wide) in places.items():
        files = _files(name)
        kind = "#ffffff" if _is_room(name) else "#f9f4e6"
        left, middle = f"x='{x:.0f}' y='{y}' width='{wide:.0f}' height='{BOX}' rx='5'", x + wide / 2
        parts.append(f"<rect {left} fill='{kind}' stroke='#5b6b7b'/>")
        parts.append(_text(name, middle, y + (18 if files else 24), 13, "#16202a"))
        parts.extend([_text(f"{files} files", middle, y + 33, 10, "#5b6b7b")] if files else [])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _is_room(name: str) -> bool:
    return (PACKAGE / name / "__init__.py").exists()


def _text(words: str, x: float, y: int, size: int, colour: str) -> str:
    place = f"x='{x:.0f}' y='{y}' font-size='{size}' text-anchor='middle'"
    return f"<text {place} fill='{colour}' {FONT}>{escape(words)}</text>"


def _files(name: str) -> int:
    """Files of a room, those in C included; 0 for a single module."""
    folder = PACKAGE / name
    return len([*folder.rglob("*.py"), *folder.rglob("*.[ch]")]) if _is_room(name) else 0


def _places() -> dict[str, tuple[float, int, float]]:
    """Left, top and width of each box."""
    found = {}
    for number, floor in enumerate(FLOORS):
        wide = [max(7.6 * len(name) + 22, 5 * _files(name)) for name in floor.modules]
        space = (WIDTH - LEFT - 20 - sum(wide)) / (len(wide) + 1)
        x = LEFT + space
        for name, each in zip(floor.modules, wide, strict=True):
            found[name] = (x, MARGIN + number * (HIGH + GAP) + (HIGH - BOX) // 2, each)
            x += each + space
    return found


def _arrow(upper: tuple[float, int, float], lower: tuple[float, int, float]) -> str:
    x0, y0 = upper[0] + upper[2] / 2, upper[1] + BOX
    x1, y1 = lower[0] + lower[2] / 2, lower[1] - 1
    bend = (y1 - y0) / 2
    path = f"M{x0:.0f},{y0} C{x0:.0f},{y0 + bend:.0f} {x1:.0f},{y1 - bend:.0f} {x1:.0f},{y1}"
    return f"<path d='{path}' fill='none' stroke='#5b6b7b' stroke-opacity='.55' marker-end='url(#tip)'/>"


def page(text: str) -> str:
    """The page of the architecture with today's table between its two marks."""
    begin, end = "<!-- floors: made by `make docs` -->\n", "<!-- end of floors -->"
    return re.sub(rf"(?s)(?<={re.escape(begin)}).*?(?={re.escape(end)})", lambda _: f"\n{table()}\n", text)


def main() -> None:
    """Write table and picture."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
