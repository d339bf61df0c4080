"""The folder that the page is written into: made, renewed, and never anybody else's.

A mark in it names the files that vcam wrote there. A folder without one that holds anything is not touched. The mark is
written before the files and names the old ones as well, so that a folder whose making was cut short is made whole by
the next run, which also removes what a new version has no more.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from vcam import __version__
from vcam.errors import UsageError
from vcam.files import no_folder, write_error, write_whole
from vcam.webpage.content import Files

MARK = "vcam-page.json"
_NAME = re.compile(r"(?:[a-z]+/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_LARGEST_MARK = 1 << 20


def check(folder: Path) -> None:
    """Raise `UsageError` unless the page may be written there: a new folder, an empty one, or one of its own."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "give the name of a new folder")
    if not folder.exists():
        if not folder.parent.is_dir():
            raise no_folder(folder.parent)
        return
    try:
        empty = not any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}", "give the name of a new folder") from error
    if not empty and files_of(folder) is None:
        raise UsageError(f"{folder} holds something that vcam did not write", "give the name of a new folder")


def files_of(folder: Path) -> list[str] | None:
    """The files that vcam wrote there, or was about to write; None if the folder is no page of vcam's."""
    mark = folder / MARK
    try:
        if not mark.is_file() or mark.stat().st_size > _LARGEST_MARK:
            return None
        said = json.loads(mark.read_bytes())
        names = said["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        return None
    return names


def write_page(folder: Path, files: Files) -> int:
    """Write the page, in the order of its files, and take away what an earlier one had more; returns how many changed.

    Raises what `check` does, and `OutputError` if the system refuses.
    """
    check(folder)
    before = (files_of(folder) or []) if folder.exists() else []
    for path in sorted({folder / name for name in (MARK, *before, *files)}):
        # a folder from elsewhere may lead to other files
        if path.is_symlink() or (path.parent != folder and path.parent.is_symlink()):
            raise UsageError(f"{path} is a link, which vcam does not write", "give the name of a new folder")
    changed = 0
    try:
        for place in (folder, *sorted({(folder / name).parent for name in files})):
            place.mkdir(exist_ok=True)
        if set(before) != set(files):
            _mark(folder, sorted({*before, *files}))
        for name, content in files.items():
            path = folder / name
            if not _holds(path, content):
                write_whole(path, lambda working, content=content: working.write_bytes(content))  # type: ignore[misc]
                changed += 1
        for name in before:
            if name not in files:
                (folder / name).unlink(missing_ok=True)
                changed += 1
                with suppress(OSError):
                    # others may keep something there
                    (folder / name).parent.rmdir()
    except OSError as error:
        raise write_error(folder, error) from error
    _mark(folder, sorted(files))
    return changed


def _mark(folder: Path, names: list[str]) -> None:
    text = json.dumps({"page of vcam": __version__, "files": names}, indent=1)
    write_whole(folder / MARK, lambda working: working.write_text(text, encoding="utf-8"))


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file is that already: most of a page is the same in the next version."""
    with suppress(OSError):
        return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    return False
