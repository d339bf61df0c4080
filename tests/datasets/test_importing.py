"""Bringing pictures in: whole or not at all, gone on with where it ended, and everything left out is told."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.datasets.sources import person, save
from tests.datasets.test_importers import brought
from vcam.datasets import importing
from vcam.datasets.importers.base import Options, Plan, Sample
from vcam.datasets.importers.registry import IMPORTERS
from vcam.datasets.importing import bring_in
from vcam.datasets.store import open_dataset, read_entry
from vcam.errors import InputError, OutputError, UsageError


def lay(folder: Path, count: int = 12, size: tuple[int, int] = (96, 64)) -> Path:
    for number in range(count):
        colours, matte = person(number, size)
        save(folder / "images" / f"{number:03}.jpg", colours)
        save(folder / "masks" / f"{number:03}.png", matte)
    return folder


def counted(count: int, made: list[str], fails: int = -1) -> Iterator[Sample]:
    for number in range(count):

        def read(number: int = number) -> tuple[np.ndarray, np.ndarray]:
            if number == fails:
                raise KeyboardInterrupt
            made.append(f"{number}")
            return person(number)

        yield Sample(f"{number}", read)


def test_the_index_says_split_licence_and_source(tmp_path) -> None:
    data, report = brought(lay(tmp_path / "in", 40), tmp_path / "out", expected="pairs", licence="CC0-1.0")
    assert report.made == 40
    assert {(entry.licence, entry.source) for entry in data.entries} == {("CC0-1.0", "source")}
    assert 3 <= len(data.part("val")) <= 17
    assert len(data.part("train")) == 40 - len(data.part("val"))


def test_what_nobody_said_a_licence_of_is_unknown(tmp_path) -> None:
    data, _ = brought(lay(tmp_path / "in", 2), tmp_path / "out", expected="pairs")
    assert [entry.licence for entry in data.entries] == ["unknown", "unknown"]


def test_a_licence_that_is_said_later_is_noted(tmp_path) -> None:
    source = lay(tmp_path / "in", 3)
    for licence, wanted in (("", "unknown"), ("CC0-1.0", "CC0-1.0"), ("MIT", "CC0-1.0")):
        data, _ = brought(source, tmp_path / "out", expected="pairs", licence=licence)
        assert [entry.licence for entry in data.entries] == [wanted] * 3


def test_files_that_need_no_change_are_copied_and_others_made_smaller(tmp_path) -> None:
    source = lay(tmp_path / "in", 2, (400, 300))
    data, _ = brought(source, tmp_path / "whole", expected="pairs")
    assert data.entries[0].picture.read_bytes() == (source / "images/000.jpg").read_bytes()
    data, _ = brought(source, tmp_path / "small", expected="pairs", size=100)
    picture, matte = read_entry(data.entries[0])
    assert picture.shape[:2] == matte.shape == (75, 100)
    wanted = cv2.resize(person(0, (400, 300))[1], (100, 75), interpolation=cv2.INTER_AREA)
    assert np.array_equal(matte, wanted)


def test_a_picture_that_exif_turns_is_written_upright(tmp_path) -> None:
    source = lay(tmp_path / "in", 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(source / "images/000.jpg") as colours:
        turned = colours.rotate(90, expand=True)
    turned.save(source / "images/000.jpg", exif=exif, quality=95)
    data, _ = brought(source, tmp_path / "out", expected="pairs")
    with Image.open(data.entries[0].picture) as picture:
        assert picture.size == (96, 64)
        assert picture.getexif().get(0x0112, 1) == 1


def test_what_is_there_is_not_made_again(tmp_path) -> None:
    made: list[str] = []
    assert bring_in(Plan(counted(6, made)), tmp_path, source="s").made == 6
    before = (tmp_path / "index.csv").read_bytes()
    made.clear()
    report = bring_in(Plan(counted(8, made)), tmp_path, source="s")
    assert (report.made, report.there) == (2, 6)
    assert sorted(made) == ["6", "7"]
    assert (tmp_path / "index.csv").read_bytes().startswith(before)
    # one whose file is gone is
    made.clear()
    (tmp_path / "mask/3.png").unlink()
    assert bring_in(Plan(counted(8, made)), tmp_path, source="s").made == 1
    assert made == ["3"]


def test_ended_in_the_middle_it_goes_on_and_nothing_is_half(tmp_path) -> None:
    made: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        bring_in(Plan(counted(40, made, fails=20)), tmp_path, source="s")
    first = open_dataset(tmp_path)
    assert 0 < len(first.entries) <= 20
    for entry in first.entries:
        read_entry(entry)
    report = bring_in(Plan(counted(40, made)), tmp_path, source="s")
    assert report.there == len(first.entries)
    data = open_dataset(tmp_path)
    assert len(data.entries) == 40
    assert {entry.name: entry.split for entry in data.entries}.items() >= {
        entry.name: entry.split for entry in first.entries
    }.items()
    assert sorted(path.stem for path in (tmp_path / "img").iterdir()) == sorted(f"{number}" for number in range(40))


def test_killed_at_once_it_goes_on_as_if_nothing_had_been(tmp_path, monkeypatch) -> None:
    # the kernel's kill: no line of the index is written for files that are there
    with monkeypatch.context() as killed:
        killed.setattr(importing._Index, "write", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            bring_in(Plan(counted(9, [], fails=6)), tmp_path, source="s")
    assert list((tmp_path / "img").iterdir())
    assert bring_in(Plan(counted(9, [])), tmp_path, source="s").made == 9
    assert sorted(entry.name for entry in open_dataset(tmp_path).entries) == [f"{number}" for number in range(9)]


def test_a_full_disk_is_told_and_what_was_done_stays(tmp_path, monkeypatch) -> None:
    write = importing.write_image

    def full(path: Path, picture: np.ndarray) -> None:
        if path.stem == "30":
            raise OutputError(f"cannot write {path}: No space left on device", "free some space")
        write(path, picture)

    monkeypatch.setattr(importing, "write_image", full)
    with pytest.raises(OutputError, match="No space left"):
        bring_in(Plan(counted(40, [])), tmp_path, source="s")
    assert len(open_dataset(tmp_path).entries) >= 10
    assert not (tmp_path / "img/30.jpg").exists()


def test_the_index_is_written_while_it_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(importing, "_INDEX_EVERY", 0.0)
    seen = []

    def progress(done: int) -> None:
        seen.append((tmp_path / "index.csv").exists())

    bring_in(Plan(counted(10, [])), tmp_path, source="s", progress=progress)
    assert seen[-1]
    assert len(seen) == 10


@pytest.mark.parametrize("limit", [1, 5, 11])
def test_a_limit_counts_pictures_that_are_there(tmp_path, limit) -> None:
    source = lay(tmp_path / "in")
    (source / "images/001.jpg").write_bytes(b"\xff\xd8\xff broken")
    data, report = brought(source, tmp_path / "out", expected="pairs", limit=limit)
    assert report.made == len(data.entries) == limit
    assert len(list((tmp_path / "out/img").iterdir())) == limit
    _, again = brought(source, tmp_path / "out", expected="pairs", limit=limit)
    assert (again.made, again.there) == (0, limit)


def test_broken_pictures_are_left_out_and_named(tmp_path) -> None:
    source = lay(tmp_path / "in", 5)
    whole = (source / "images/001.jpg").read_bytes()
    (source / "images/001.jpg").write_bytes(whole[: len(whole) // 2])
    (source / "masks/002.png").write_bytes(b"")
    save(source / "masks/003.png", np.zeros((10, 90), np.uint8))
    data, report = brought(source, tmp_path / "out", expected="pairs")
    assert [entry.name for entry in data.entries] == ["000", "004"]
    said = " ".join(report.left["cannot be read"])
    assert "001.jpg" in said
    assert "002.png is empty" in said
    assert "003.png is 90x10" in said
    assert sorted(path.stem for path in (tmp_path / "out/img").iterdir()) == ["000", "004"]


def test_nothing_that_could_be_used_is_an_error_with_the_reasons(tmp_path) -> None:
    source = lay(tmp_path / "in", 2)
    for path in (source / "masks").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        InputError, match=r"no picture of source could be used: 2 cannot be read; the first: .*000\.png"
    ):
        brought(source, tmp_path / "out", expected="pairs")


def test_mattes_that_are_all_empty_are_told(tmp_path) -> None:
    source = lay(tmp_path / "in", 3)
    for path in (source / "masks").iterdir():
        save(path, np.zeros((64, 96), np.uint8))
    _, report = brought(source, tmp_path / "out", expected="pairs")
    assert report.empty == 3
    assert any("every matte is empty" in note for note in report.notes)


def test_another_source_with_the_same_names_takes_nothing_away(tmp_path) -> None:
    for number, name in enumerate(("one", "two")):
        colours, matte = person(number)
        save(tmp_path / name / "images/a.png", colours)
        save(tmp_path / name / "masks/a.png", matte)
        plan = IMPORTERS["pairs"].plan(tmp_path / name, Options())
        for _ in range(2):
            bring_in(plan, tmp_path / "out", source=name, licence=name)
    data = open_dataset(tmp_path / "out")
    assert [(entry.name, entry.source, entry.licence) for entry in data.entries] == [
        ("a", "one", "one"), ("a-2", "two", "two"),
    ]  # fmt: skip
    for number, entry in enumerate(data.entries):
        assert np.array_equal(read_entry(entry)[0], person(number)[0])


def test_clips_of_the_same_name_from_two_sources_are_two_clips(tmp_path) -> None:
    for source in ("one", "two", "one"):
        samples = [Sample(f"f{number}", lambda: person(), None, "walk", number) for number in range(3)]
        bring_in(Plan(samples), tmp_path, source=source)
    clips = {(entry.source, entry.clip) for entry in open_dataset(tmp_path).entries}
    assert clips == {("one", "walk"), ("two", "walk-2")}


def test_frames_that_come_later_join_the_split_of_their_clip(tmp_path) -> None:
    for _ in range(2):
        for every in (4, 1):
            samples = [Sample(f"f{number}", lambda: person(), None, "walk", number) for number in range(0, 8, every)]
            bring_in(Plan([*samples, Sample("still", lambda: person())]), tmp_path, source="s")
    entries = open_dataset(tmp_path).entries
    assert len({entry.split for entry in entries if entry.clip}) == 1
    assert {entry.split for entry in entries} == {"train", "val"}


def test_a_folder_without_an_index_keeps_its_pictures(tmp_path) -> None:
    for number in range(4):
        colours, matte = person(number)
        save(tmp_path / "img" / f"mine{number}.png", colours)
        save(tmp_path / "mask" / f"mine{number}.png", matte)
    before = {entry.name: entry.split for entry in open_dataset(tmp_path).entries}
    bring_in(Plan(counted(3, [])), tmp_path, source="s")
    after = {entry.name: entry.split for entry in open_dataset(tmp_path).entries}
    assert after.items() >= before.items()
    assert len(after) == 7


def test_names_from_a_source_stay_in_the_folder(tmp_path) -> None:
    samples = [Sample(name, lambda: person()) for name in ("../../x", "/abs/y", "a\nb", "..")]
    bring_in(Plan(samples), tmp_path / "data", source="s")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    assert len(open_dataset(tmp_path / "data").entries) == 4


def test_a_data_set_that_is_a_file_or_may_not_be_written_is_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is not a folder"):
        bring_in(Plan(counted(1, [])), tmp_path / "file", source="s")

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        bring_in(Plan(counted(1, [])), tmp_path / "new", source="s")


def test_a_file_that_the_index_has_not_is_not_written_over(tmp_path) -> None:
    bring_in(Plan(counted(2, [])), tmp_path, source="s")
    save(tmp_path / "img/2.jpg", person(9)[0])
    before = (tmp_path / "img/2.jpg").read_bytes()
    # also not after an end that was none
    with pytest.raises(KeyboardInterrupt):
        bring_in(Plan(counted(6, [], fails=4)), tmp_path, source="s")
    bring_in(Plan(counted(6, [])), tmp_path, source="s")
    assert (tmp_path / "img/2.jpg").read_bytes() == before
    assert sorted(entry.name for entry in open_dataset(tmp_path).entries) == ["0", "1", "2-2", "3", "4", "5"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["img", "index.csv", "mask"]


def killed(data: Path, source: str, samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring in what is made and never gets its line in the index."""

    def end() -> tuple[np.ndarray, np.ndarray]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(importing._Index, "write", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            bring_in(Plan([*samples, Sample("end", end)]), data, source=source)


def test_what_a_killed_import_left_is_no_picture_of_another_source(tmp_path, monkeypatch) -> None:
    killed(tmp_path, "one", [Sample("a", lambda: person(1), exact=True)], monkeypatch)
    assert (tmp_path / "img/a.png").exists()
    bring_in(Plan([Sample("a", lambda: person(2))]), tmp_path, source="two")
    (entry,) = open_dataset(tmp_path).entries
    picture, matte = read_entry(entry)
    assert np.abs(picture.astype(int) - person(2)[0]).mean() < 5
    assert np.array_equal(matte, person(2)[1])


def test_a_killed_import_that_goes_on_in_another_form_leaves_one_file_a_name(tmp_path, monkeypatch) -> None:
    killed(tmp_path, "s", [Sample("a", lambda: person(1), exact=True)], monkeypatch)
    bring_in(Plan([Sample("a", lambda: person(1))]), tmp_path, source="s")
    assert [path.name for path in (tmp_path / "img").iterdir()] == ["a.jpg"]


def test_a_picture_that_was_lost_comes_back_to_its_split_and_licence(tmp_path) -> None:
    bring_in(Plan(counted(6, [])), tmp_path, source="s", licence="CC0-1.0")
    index = tmp_path / "index.csv"
    index.write_text(index.read_text().replace("val", "test").replace("train", "test"))
    (tmp_path / "img/3.jpg").unlink()
    assert bring_in(Plan(counted(6, [])), tmp_path, source="s").made == 1
    assert {(entry.split, entry.licence) for entry in open_dataset(tmp_path).entries} == {("test", "CC0-1.0")}


def test_what_a_data_set_keeps_to_judge_by_is_not_learnt_in_another(tmp_path) -> None:
    for source, split in (("one", "test"), ("two", "train")):
        stills = [Sample(f"{source}{number}", lambda: person()) for number in range(4)]
        film = [Sample(f"{source}-f{number}", lambda: person(), None, "walk", number) for number in range(2)]
        bring_in(Plan([*stills, *film]), tmp_path / source, source=source)
        index = tmp_path / source / "index.csv"
        index.write_text(index.read_text().replace("train,unknown", "val,unknown").replace("val,unknown", f"{split},"))
    for source in ("one", "two", "one"):
        bring_in(IMPORTERS["vcam"].plan(tmp_path / source, Options()), tmp_path / "all", source=source)
    found = {(entry.source, entry.split) for entry in open_dataset(tmp_path / "all").entries}
    assert found == {("one", "test"), ("two", "train")}


def test_a_film_of_two_splits_is_brought_into_one(tmp_path) -> None:
    # "a/b" and "a_b" have one name here
    samples = [Sample(f"{number}", lambda: person(), None, clip, number, split=split)
               for number, (clip, split) in enumerate((("a/b", "test"), ("a_b", "train"), ("a_b", "")))]  # fmt: skip
    bring_in(Plan(samples), tmp_path, source="s")
    assert {entry.split for entry in open_dataset(tmp_path).entries} == {"test"}


def test_a_second_import_at_once_is_refused_and_takes_nothing_away(tmp_path) -> None:
    def second() -> tuple[np.ndarray, np.ndarray]:
        with pytest.raises(UsageError, match="something else is being brought into"):
            bring_in(Plan(counted(2, [])), tmp_path, source="other")
        return person()

    assert bring_in(Plan([Sample("a", second)]), tmp_path, source="s").made == 1
    assert bring_in(Plan(counted(2, [])), tmp_path, source="other").made == 2
    assert len(open_dataset(tmp_path).entries) == 3
