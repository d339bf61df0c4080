"""The folder of the page: made, renewed, made whole, and never anybody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vcam.errors import OutputError, UsageError
from vcam.webpage import folder
from vcam.webpage.folder import MARK, check, files_of, write_page

FILES = {"index.html": b"page", "models/a.onnx": b"network", "sw.js": b"worker"}


def _found(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name != MARK
    }


def test_it_is_made_and_renewed(tmp_path: Path) -> None:
    place = tmp_path / "page"
    assert write_page(place, FILES) == 3
    assert _found(place) == FILES
    assert write_page(place, FILES) == 0
    newer = {"index.html": b"newer", "app.js": b"more", "sw.js": b"worker"}
    (place / "own.txt").write_bytes(b"somebody's")
    assert write_page(place, newer) == 3
    assert _found(place) == newer | {"own.txt": b"somebody's"}
    assert not (place / "models").exists()
    assert files_of(place) == sorted(newer)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    write_page(tmp_path, FILES)
    assert _found(tmp_path) == FILES


@pytest.mark.parametrize(
    "mark",
    [
        None, b"", b"{}", b"[]", b'{"files": 3}', b'{"files": [3]}', b'{"files": ["../own.txt"]}',
        b'{"files": ["/etc/passwd"]}', b'{"files": ["a/../own.txt"]}', b"[" * 100_000, b"\xff",
    ],
)  # fmt: skip
def test_the_folder_of_somebody_else_is_not_touched(tmp_path: Path, mark: bytes | None) -> None:
    place = tmp_path / "theirs"
    place.mkdir()
    (tmp_path / "own.txt").write_bytes(b"theirs")
    (place / "index.html").write_bytes(b"theirs")
    if mark is not None:
        (place / MARK).write_bytes(mark)
    for act in (check, lambda each: write_page(each, FILES)):
        with pytest.raises(UsageError, match="did not write"):
            act(place)
    assert (place / "index.html").read_bytes() == b"theirs"
    assert (tmp_path / "own.txt").exists()


def test_what_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="is not a folder"):
        check(file)
    with pytest.raises(UsageError, match="there is no folder"):
        check(tmp_path / "a" / "b")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is not a folder"):
        check(link)


def test_a_making_that_was_cut_short_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "page"
    write_page(place, {"old.js": b"old", "sw.js": b"worker of before"})
    written: list[str] = []

    def full(path: Path, write: object, **_: object) -> None:
        if path.name == "a.onnx":
            raise OutputError("the disk is full")
        written.append(path.name)
        true(path, write)  # type: ignore[arg-type]

    true = folder.write_whole
    monkeypatch.setattr(folder, "write_whole", full)
    with pytest.raises(OutputError):
        write_page(place, FILES)
    # what browsers go by is the last to change
    assert (place / "sw.js").read_bytes() == b"worker of before"
    assert written[0] == MARK
    monkeypatch.undo()
    write_page(place, FILES)
    assert _found(place) == FILES
    assert json.loads((place / MARK).read_bytes())["files"] == sorted(FILES)


@pytest.mark.parametrize("link", ["index.html", "models", MARK])
def test_a_link_in_a_folder_from_elsewhere_is_not_followed(tmp_path: Path, link: str) -> None:
    place, outside = tmp_path / "page", tmp_path / "outside"
    outside.mkdir()
    (outside / "a.onnx").write_bytes(b"somebody's")
    write_page(place, FILES)
    if link == "models":
        (place / "models/a.onnx").unlink()
        (place / "models").rmdir()
        (place / "models").symlink_to(outside)
    else:
        content = (place / link).read_bytes()
        (place / link).unlink()
        (outside / link).write_bytes(content)
        (place / link).symlink_to(outside / link)
    before = {path: path.read_bytes() for path in outside.iterdir()}
    with pytest.raises(UsageError, match="is a link"):
        write_page(place, {"index.html": b"newer"})
    assert {path: path.read_bytes() for path in outside.iterdir()} == before
