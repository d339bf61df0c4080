from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from vcam.assets import asset
from vcam.errors import InputError, OutputError, UsageError, VcamError
from vcam.web import gallery


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/vcam/backgrounds"


def add(name: str, data: bytes) -> Path:
    with gallery.Arriving(name) as arriving:
        for at in range(0, len(data), 1000):
            arriving.add(data[at : at + 1000])
        return arriving.keep()


PICTURE = asset("room.jpg").read_bytes()


def test_a_picture_is_kept_and_listed(own: Path) -> None:
    assert gallery.listed() == []
    path = add("beach.jpg", PICTURE)
    assert path == own / "beach.jpg"
    assert path.read_bytes() == PICTURE
    assert path.stat().st_mode & 0o777 == 0o600
    assert gallery.listed() == [{"name": "beach.jpg", "path": str(path), "film": False}]
    assert gallery.path_of("beach.jpg") == path


def test_a_small_picture_is_made_of_it() -> None:
    small = cv2.imdecode(np.frombuffer(gallery.small(add("beach.jpg", PICTURE)), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape[1] == 256


def test_a_second_of_the_name_takes_no_place_of_the_first(own: Path) -> None:
    add("beach.jpg", PICTURE)
    assert add("beach.jpg", PICTURE) == own / "beach 2.jpg"


@pytest.mark.parametrize(
    "name",
    ["../../evil.jpg", "/etc/evil.jpg", ".hidden.jpg", "-x.jpg", "a\x1b[31mb.jpg", "a\nb.jpg", "x" * 300 + ".jpg"],
)
def test_no_name_leads_out_of_the_folder(name: str, own: Path) -> None:
    path = add(name, PICTURE)
    assert path.parent == own
    assert path.name.isprintable()
    assert not path.name.startswith((".", "-"))


@pytest.mark.parametrize("name", ["evil.sh", "x.toml", "x", "x.jpg.exe", ""])
def test_what_is_neither_picture_nor_film_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UsageError, match="neither a picture nor a film"):
        gallery.Arriving(name)


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n" * 50, PICTURE[: len(PICTURE) // 2], b"<svg/>"])
def test_what_vcam_cannot_show_is_not_kept(data: bytes, own: Path) -> None:
    with pytest.raises(InputError):
        add("beach.jpg", data)
    assert list(own.iterdir()) == []


def test_what_grows_too_large_is_left_at_once(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "MOST_OF_A_PICTURE", 2 << 20)
    with gallery.Arriving("beach.jpg") as arriving:
        arriving.add(bytes(2 << 20))
        with pytest.raises(UsageError, match="larger than 2 MB"):
            arriving.add(b"x")
    assert list(own.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(OutputError):
        gallery.Arriving("beach.jpg")


@pytest.mark.parametrize("name", ["../secret.jpg", "..", ".", "", "/etc/passwd", "gone.jpg", ".x.jpg"])
def test_only_what_is_in_the_folder_can_be_named(name: str, own: Path) -> None:
    add("beach.jpg", PICTURE)
    (own.parent / "secret.jpg").write_bytes(PICTURE)
    with pytest.raises(UsageError, match="there is no background"):
        gallery.path_of(name)
    with pytest.raises(VcamError):
        gallery.remove(name)
    assert (own.parent / "secret.jpg").exists()


def test_a_link_out_of_the_folder_is_none(own: Path, tmp_path: Path) -> None:
    add("beach.jpg", PICTURE)
    (own / "link.jpg").symlink_to("/etc/passwd")
    with pytest.raises(UsageError):
        gallery.path_of("link.jpg")


def test_one_can_be_taken_out(own: Path) -> None:
    add("beach.jpg", PICTURE)
    gallery.remove("beach.jpg")
    assert gallery.listed() == []


def test_two_of_one_name_at_once_are_both_kept(own: Path) -> None:
    other = asset("dusk.jpg").read_bytes()
    with gallery.Arriving("beach.jpg") as first, gallery.Arriving("beach.jpg") as second:
        first.add(PICTURE)
        second.add(other)
        paths = [second.keep(), first.keep()]
    assert paths[0] == own / "beach.jpg"
    assert [path.read_bytes() for path in paths] == [other, PICTURE]
    assert sorted(own.iterdir()) == sorted(paths)
    assert len(gallery.listed()) == 2


def test_many_of_one_name_at_once_are_all_kept(own: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: add("beach.jpg", PICTURE), range(16)))
    assert len(set(paths)) == 16
    assert all(path.read_bytes() == PICTURE for path in paths)


def test_a_link_that_leads_nowhere_keeps_its_name(own: Path, tmp_path: Path) -> None:
    own.mkdir(parents=True)
    (own / "beach.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    assert add("beach.jpg", PICTURE) == own / "beach 2.jpg"
    assert not (tmp_path / "elsewhere.jpg").exists()
