"""A file is there whole or not at all, with the permissions it should have, and nothing is left beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcam.errors import OutputError, UsageError
from vcam.files import PartialFile, replace_file, write_whole


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(working: Path) -> None:
        assert working.parent == tmp_path
        assert working.suffix == ".txt"
        assert path.read_text() == "old"
        working.write_text("new")

    write_whole(path, write)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]
    assert mode(path) == 0o644


@pytest.mark.parametrize("error", [RuntimeError("broke"), KeyboardInterrupt()])
def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(working: Path) -> None:
        working.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_whole(path, write)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_of_the_system_is_told_with_its_cure(tmp_path: Path) -> None:
    def write(working: Path) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(OutputError, match=r"cannot write .*a\.txt: No space left on device \(free some space"):
        write_whole(tmp_path / "a.txt", write)
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "nowhere", "under a file", "a pipe"])
def test_where_there_can_be_no_file_nothing_is_written(tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / {"folder": "folder", "nowhere": "no/such", "under a file": "file/x", "a pipe": "pipe"}[kind]
    with pytest.raises(UsageError) as caught:
        write_whole(path, lambda working: pytest.fail("written"))
    assert caught.value.hint
    assert names(tmp_path) == ["file", "folder", "pipe"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path, real = tmp_path / "link.txt", tmp_path / "there" / "real.txt"
    path.symlink_to(real)
    for text in ("made", "replaced"):
        write_whole(path, lambda working, text=text: working.write_text(text))
        assert path.is_symlink()
        assert real.read_text() == text
    assert names(tmp_path / "there") == ["real.txt"]


def test_a_file_for_its_owner_alone_is_never_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o644)
    seen = []
    write_whole(path, lambda working: seen.append(mode(working)), mode=0o600)
    assert seen == [0o600]
    assert mode(path) == 0o600


def test_two_who_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    first, second = PartialFile(path), PartialFile(path)
    for file, text in ((first, b"first"), (second, b"second")):
        descriptor = file.create()
        os.write(descriptor, text)
        os.close(descriptor)
    first.commit()
    assert path.read_bytes() == b"first"
    second.commit()
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("given", [0o640, 0o600, 0o664])
def test_a_text_that_is_replaced_keeps_its_mode(tmp_path: Path, given: int) -> None:
    path = tmp_path / "config.toml"
    path.write_text("old")
    path.chmod(given)
    replace_file(path, "new\r\n\u00e4")
    assert path.read_bytes() == "new\r\n\u00e4".encode()
    assert mode(path) == given


def test_a_new_text_and_its_folders_are_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "config.toml"
    replace_file(path, "new")
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_text_is_on_the_disk_before_it_takes_the_files_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    flush, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        what = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        done.append("folder" if what.is_dir() else what.read_text())
        flush(descriptor)

    def rename(old: Path, new: Path) -> None:
        done.append("renamed")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    replace_file(tmp_path / "config.toml", "text")
    assert done == ["text", "renamed", "folder"]
