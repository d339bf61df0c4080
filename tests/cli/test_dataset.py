"""`vcam dataset` as somebody types it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.cli.helpers import offered
from tests.datasets.sources import save
from tests.datasets.test_check import face
from vcam.cli import dataset as module
from vcam.cli.dataset import dataset
from vcam.datasets.importers.registry import IMPORTERS
from vcam.errors import InputError, UsageError, VcamError


def run(*words: object) -> Result:
    return CliRunner().invoke(dataset, [str(word) for word in words])


def refused(kind: type[VcamError], *words: object) -> VcamError:
    with pytest.raises(kind) as caught:
        CliRunner().invoke(dataset, [str(word) for word in words], catch_exceptions=False, standalone_mode=False)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "my pictures"
    for number in range(20):
        picture, matte = face(number)
        save(folder / f"images/{number}.png", picture)
        save(folder / f"masks/{number}.png", matte)
    save(folder / "images/alone.png", face(30)[0])
    return folder


@pytest.fixture
def data(source, tmp_path) -> Path:
    assert run("import", source, tmp_path / "data", "--licence", "CC0-1.0").exit_code == 0
    return tmp_path / "data"


def index(data: Path) -> list[dict[str, str]]:
    with (data / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_import_says_what_it_did_and_what_it_left_out(source, tmp_path) -> None:
    result = run("import", source, tmp_path / "data")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"pairs: 20 brought into {tmp_path / 'data'}",
        "  left out, no matte: 1 (images/alone.png)",
    ]
    assert "the licence of 20 is unknown" in result.stderr
    assert "vcam dataset check" in result.stderr
    rows = index(tmp_path / "data")
    assert len(rows) == 20
    assert {row["source"] for row in rows} == {f"{tmp_path.name}/my pictures"}
    again = run("import", source, tmp_path / "data")
    assert "0 brought" in again.stdout
    assert "20 were there" in again.stdout


def test_import_for_scripts(source, tmp_path) -> None:
    result = run("import", source, tmp_path / "data", "--json", "--limit", 5, "--every", 2, "--size", 64,
                 "--source", "mine", "--licence", "CC0-1.0")  # fmt: skip
    told = json.loads(result.stdout)
    assert (told["format"], told["source"], told["made"], told["there"]) == ("pairs", "mine", 5, 0)
    assert told["left_out"] == {"no matte": ["images/alone.png"]}
    assert told["unlicensed"] == 0
    assert [row["name"] for row in index(tmp_path / "data")] == ["0", "10", "12", "14", "16"]
    assert cv2.imread(str(tmp_path / "data/img/0.jpg")).shape == (48, 64, 3)


def test_another_data_set_brings_its_licences_and_films(data, tmp_path) -> None:
    rows = index(data)
    for row in rows[:4]:
        row.update(clip="walk", split="train")
    with (data / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert run("import", data, tmp_path / "both", "--source", "x").exit_code == 0
    brought = index(tmp_path / "both")
    assert {row["licence"] for row in brought} == {"CC0-1.0"}
    assert [row["clip"] for row in brought[:5]] == ["walk"] * 4 + [""]
    assert len({row["split"] for row in brought[:4]}) == 1


def test_check_ends_with_one_if_anything_is_wrong(data, tmp_path) -> None:
    good = run("check", data)
    assert good.exit_code == 0
    assert "nothing is wrong" in good.stdout
    assert "CC0-1.0 (20)" in good.stdout
    save(data / "mask/3.png", np.zeros((120, 160), np.uint8))
    save(data / "mask/4.png", 255 - face(4)[1])
    bad = run("check", data)
    assert bad.exit_code == 1
    assert "wrong, empty: an empty matte (1)" in bad.stdout
    assert f"vcam dataset check {data} --fix" in bad.stdout
    told = json.loads(run("check", data, "--json").stdout)
    assert told["ok"] is False
    assert [(one["kind"], one["name"]) for one in told["findings"]] == [("inverted", "4"), ("empty", "3")]
    mended = run("check", data, "--fix", "--allow", "empty")
    assert mended.exit_code == 0
    assert "mended: 1 inverted" in mended.stdout
    assert np.array_equal(cv2.imread(str(data / "mask/4.png"), 0), face(4)[1])
    refused(UsageError, "check", data, "--allow", "nothing")


@pytest.mark.parametrize("name", ["sheet.png", "sheet.JPG", "sheet.html"])
def test_check_writes_a_sheet_with_what_is_wrong_first(data, tmp_path, name) -> None:
    (data / "img/7.png").write_bytes(b"x")
    path = tmp_path / name
    assert run("check", data, "--sheet", path).exit_code == 1
    if path.suffix == ".html":
        page = path.read_text()
        assert page.count("<figure>") == 20
        assert page.index("<figcaption class=wrong>7<br>broken") < page.index("<figcaption>0<br>train")
        assert "http" not in page
    else:
        assert cv2.imread(str(path)).shape[0] > 500
    assert "exists" in refused(UsageError, "check", data, "--sheet", path).message
    assert run("check", data, "--sheet", path, "--overwrite").exit_code == 1
    assert "picture or a page" in refused(UsageError, "check", data, "--sheet", tmp_path / "a.pdf").message
    assert (
        "the input itself" in refused(UsageError, "check", data, "--sheet", data / "mask/0.png", "--overwrite").message
    )


def test_split_says_how_many_are_where(data) -> None:
    result = run("split", data, "--val", 0.3, "--test", 0.2, "--seed", 4)
    rows = index(data)
    counts = {name: sum(row["split"] == name for row in rows) for name in ("train", "val", "test")}
    assert all(counts.values())
    assert result.stdout.strip() == ", ".join(f"{name}: {count}" for name, count in counts.items())
    told = json.loads(run("split", data, "--val", 0.3, "--test", 0.2, "--seed", 4, "--json").stdout)
    assert told["splits"] == counts
    save(data / "img/3.png", face(4)[0])
    assert "kept together, nearly the same: 3, 4" in " ".join(run("split", data).stdout.split("\n"))
    assert run("check", data).exit_code == 1
    assert [one["kind"] for one in json.loads(run("check", data, "--json").stdout)["findings"]] == ["twice"]


def test_split_writes_an_index_for_a_folder_that_has_none(data) -> None:
    (data / "index.csv").unlink()
    assert run("split", data, "--val", 0.5, "--test", 0).exit_code == 0
    assert len(index(data)) == 20


def test_show_has_a_table_and_a_sheet_in_a_file(data, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    plain = run("show", data)
    assert plain.exit_code == 0
    assert "CC0-1.0" in plain.stdout
    assert "--out FILE.png" in plain.stderr
    assert run("show", data, "--split", "train", "--out", tmp_path / "s.png").exit_code == 0
    sheet = cv2.imread(str(tmp_path / "s.png"))
    # outlines are green
    assert (np.abs(sheet.astype(int) - (60, 255, 60)).max(axis=2) < 30).sum() > 500
    rows = json.loads(run("show", data, "--json").stdout)
    assert sum(row["pictures"] for row in rows) == 20
    assert {row["split"] for row in rows} == {"train", "val"}
    assert "no picture in test" in refused(InputError, "show", data, "--split", "test").message


def test_show_opens_a_window_where_there_is_a_display(data, monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    shown = []
    monkeypatch.setattr(module, "in_window", lambda picture: shown.append(picture.shape))
    assert run("show", data).exit_code == 0
    assert len(shown) == 1


def test_mistakes_are_a_sentence_each(source, data, tmp_path) -> None:
    assert "there is no" in refused(UsageError, "import", tmp_path / "nowhere", data).message
    assert "lies in" in refused(UsageError, "import", source, source / "data").message
    assert "is no format" in refused(UsageError, "import", source, data, "--from", "lmdb").message
    (tmp_path / "x.zip").write_bytes(b"PK")
    assert "is an archive" in refused(InputError, "import", tmp_path / "x.zip", data).message
    for command in ("check", "split", "show"):
        assert "there is no folder" in refused(UsageError, command, tmp_path / "nowhere").message
        assert "no pictures with mattes" in refused(InputError, command, source).message
    (data / "index.csv").write_text("name\n")
    for command in ("check", "split", "show"):
        assert "line 1" in refused(InputError, command, data).message


def test_shells_offer_formats_and_kinds() -> None:
    assert set(offered("dataset", "import", "--from", "")) == {"auto", *IMPORTERS}
    assert offered("dataset", "check", "--allow", "em") == ["empty"]
    assert offered("dataset", "show", "--split", "t") == ["train", "test"]


def test_help_names_every_format() -> None:
    text = run("import", "--help").output
    assert all(f"  {word} " in text for word in IMPORTERS)
