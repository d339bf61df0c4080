"""What is wrong with a data set is found, each kind of it, and nothing where nothing is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.datasets import sources
from tests.datasets.sources import person, save
from tests.places import SHARED
from vcam.datasets import fingerprints
from vcam.datasets.check import KINDS, Verdict, check
from vcam.datasets.fingerprints import fingerprint, near_pairs
from vcam.datasets.store import entry_of, open_dataset, read_entry, write_index

SIZE = (160, 120)


def face(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with detail of its own, and a matte as of a portrait."""
    chance = np.random.default_rng(seed)
    picture = cv2.resize(chance.integers(0, 256, (12, 16, 3), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    matte = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    cv2.ellipse(matte, (80 + int(chance.integers(-9, 10)), 80), (35, 60), 0, 0, 360, 255, -1)
    return picture, matte


def lay(folder: Path, count: int = 8) -> Path:
    for number in range(count):
        picture, matte = face(number)
        save(folder / f"img/{number}.png", picture)
        save(folder / f"mask/{number}.png", matte)
    write_index(folder, [entry_of(folder, f"{number}", "val" if number % 4 == 3 else "train", "CC0", "s")
                         for number in range(count)])  # fmt: skip
    return folder


def kinds(verdict: Verdict) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in verdict.findings:
        found.setdefault(one.kind, []).append(one.name)
    return found


def checked(folder: Path, **options: bool) -> Verdict:
    return check(open_dataset(folder), **options)


def test_nothing_is_found_where_nothing_is_wrong(tmp_path) -> None:
    verdict = checked(lay(tmp_path))
    assert verdict.findings == []
    figures = verdict.statistics
    assert figures["pictures"] == figures["read"] == 8
    assert {split: each["pictures"] for split, each in figures["splits"].items()} == {"train": 6, "val": 2}
    assert figures["licences"] == {"CC0": 8}
    assert figures["sizes"] == {"160x120": 8}
    assert 0.2 < figures["person"][1] < 0.5


@pytest.mark.skipif(not (SHARED / "data/portraits").is_dir(), reason="needs ../shared/data")
def test_true_portraits_are_in_order_and_inverted_ones_are_not(tmp_path) -> None:
    for entry in open_dataset(SHARED / "data/portraits").entries[::3]:
        picture, matte = read_entry(entry, 200)
        for folder, own in (("true", matte), ("inverted", 255 - matte)):
            save(tmp_path / folder / f"img/{entry.name}.jpg", picture)
            save(tmp_path / folder / f"mask/{entry.name}.png", own)
    assert checked(tmp_path / "true").findings == []
    found = kinds(checked(tmp_path / "inverted"))
    assert list(found) == ["inverted"]
    assert len(found["inverted"]) == 40


def test_each_kind_is_found_and_named(tmp_path) -> None:
    folder = lay(tmp_path)
    whole = (folder / "img/0.png").read_bytes()
    (folder / "img/0.png").write_bytes(whole[: len(whole) // 2])
    (folder / "mask/1.png").unlink()
    save(folder / "mask/2.png", np.zeros((50, 160), np.uint8))
    save(folder / "mask/3.png", np.zeros((120, 160), np.uint8))
    save(folder / "mask/4.png", np.full((120, 160), 255, np.uint8))
    save(folder / "mask/5.png", face(5)[1] // 255)
    save(folder / "mask/6.png", 255 - face(6)[1])
    (folder / "img/8.png").write_bytes((folder / "img/7.png").read_bytes())
    verdict = checked(folder)
    assert kinds(verdict) == {
        "broken": ["0"], "missing": ["1"], "shape": ["2"], "inverted": ["6"], "values": ["5"], "empty": ["3"],
        "full": ["4"], "unlisted": ["8"],
    }  # fmt: skip
    assert {one.kind for one in verdict.wrong()} == {kind for kind in kinds(verdict) if KINDS[kind].wrong}
    assert all(one.kind != "empty" for one in verdict.wrong(("empty",)))
    assert verdict.statistics["read"] == 6


def test_files_without_their_other_half_are_found_where_there_is_no_index(tmp_path) -> None:
    folder = lay(tmp_path)
    (folder / "index.csv").unlink()
    (folder / "mask/1.png").unlink()
    (folder / "img/2.png").unlink()
    assert kinds(checked(folder)) == {"missing": ["1", "2"]}


def test_fix_mends_mattes_and_nothing_else(tmp_path) -> None:
    folder = lay(tmp_path)
    wanted = {f"{number}": face(number)[1] for number in range(8)}
    save(folder / "mask/5.png", wanted["5"] // 255)
    save(folder / "mask/6.png", 255 - wanted["6"])
    save(folder / "mask/4.png", (wanted["4"].astype(np.uint16) * 257))
    sources.palette(folder / "mask/3.png", np.where(wanted["3"] > 0, 15, 0))
    save(folder / "mask/2.png", (wanted["2"].astype(int) * 100 // 255).astype(np.uint8))
    picture, matte = face(1)
    (folder / "mask/1.png").unlink()
    sources.rgba(folder / "mask/1.webp", picture, matte)
    pictures = {path: path.read_bytes() for path in (folder / "img").iterdir()}
    assert set(kinds(checked(folder))) == {"inverted", "values", "form"}
    verdict = checked(folder, fix=True)
    assert verdict.wrong() == []
    assert sorted(one.name for one in verdict.mended) == ["1", "2", "3", "4", "5", "6"]
    assert checked(folder).findings == []
    for entry in open_dataset(folder).entries:
        stored = cv2.imread(str(folder / f"mask/{entry.name}.png"), cv2.IMREAD_UNCHANGED)
        assert stored.dtype == np.uint8
        assert np.abs(stored.astype(int) - wanted[entry.name]).max() <= 2
    assert {path: path.read_bytes() for path in (folder / "img").iterdir()} == pictures
    assert not (folder / "mask/1.webp").exists()


def test_if_most_of_a_source_are_inverted_all_are(tmp_path) -> None:
    folder = lay(tmp_path)
    for number in range(8):
        save(folder / f"mask/{number}.png", 255 - face(number)[1])
    # somebody whose shoulders fill the picture, so that the corners tell nothing
    wide = np.zeros((120, 160), np.uint8)
    wide[:, 12:] = 255
    save(folder / "mask/7.png", 255 - wide)
    # and somebody who fills it
    save(folder / "mask/5.png", np.zeros((120, 160), np.uint8))
    assert kinds(checked(folder)) == {"inverted": [f"{number}" for number in range(8)]}
    checked(folder, fix=True)
    assert np.array_equal(cv2.imread(str(folder / "mask/7.png"), 0), wide)


def test_one_picture_under_two_names_is_found_in_whatever_splits(tmp_path) -> None:
    folder = lay(tmp_path)
    for number in (1, 3):
        (folder / f"img/{number}.png").write_bytes((folder / "img/0.png").read_bytes())
    verdict = checked(folder)
    assert [(one.kind, one.name, one.other, one.said) for one in verdict.findings] == [
        ("twice", "0", "1", "train"), ("twice", "0", "3", "train and val"),
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["jpeg", "half", "cut", "lighter", "mirror"])
def test_nearly_the_same_picture_in_two_splits_is_found(tmp_path, change) -> None:
    folder = lay(tmp_path)
    picture, _ = face(0)
    changed = {
        "jpeg": cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR),
        "half": cv2.resize(cv2.resize(picture, (80, 60), interpolation=cv2.INTER_AREA), SIZE),
        "cut": cv2.resize(picture[1:-1, 2:-2], SIZE),
        "lighter": cv2.convertScaleAbs(picture, alpha=0.8, beta=40),
        "mirror": np.ascontiguousarray(picture[:, ::-1]),
    }[change]
    save(folder / "img/3.png", changed)
    assert [(one.kind, one.name, one.other) for one in checked(folder).findings] == [("leak", "0", "3")]
    save(folder / "img/1.png", changed)
    save(folder / "img/3.png", face(3)[0])
    verdict = checked(folder)
    assert [(one.kind, one.name, one.other) for one in verdict.findings] == [("near", "0", "1")]
    assert verdict.wrong() == []


def test_frames_of_one_film_may_be_alike(tmp_path) -> None:
    folder = lay(tmp_path)
    for number in (0, 1, 2):
        save(folder / f"img/{number}.png", face(0)[0])
    entries = list(open_dataset(folder).entries)
    write_index(folder, [entry_of(folder, entry.name, entry.split, "", "s", "film" if entry.split == "train" else "")
                         for entry in entries])  # fmt: skip
    assert checked(folder).findings == []


def test_a_set_of_one_picture_has_nothing_to_choose_by(tmp_path) -> None:
    assert kinds(checked(lay(tmp_path, 1))) == {"split": ["val"]}


def test_small_pictures_and_smaller_mattes_are_notes(tmp_path) -> None:
    folder = lay(tmp_path)
    picture, matte = person(0, (80, 60))
    save(folder / "img/0.png", picture)
    save(folder / "mask/0.png", cv2.resize(matte, (40, 30), interpolation=cv2.INTER_AREA))
    verdict = checked(folder)
    assert kinds(verdict) == {"smaller": ["0"], "small": ["0"]}
    assert verdict.wrong() == []


def test_hashes_of_other_pictures_are_not_near_and_planes_are_near_to_nothing() -> None:
    prints = [fingerprint(face(number)[0]) for number in range(60)]
    assert near_pairs(prints) == []
    plane = fingerprint(np.full((50, 50, 3), 90, np.uint8))
    assert near_pairs([plane, plane]) == []
    assert near_pairs([prints[0], prints[1], prints[0]]) == [(0, 2)]
    assert near_pairs([]) == []


def test_near_pairs_are_those_that_looking_at_all_of_them_finds() -> None:
    chance = np.random.default_rng(5)
    small = fingerprint(face(0)[0]).small
    prints = []
    for number in range(160):
        if number % 4 == 0:
            base = chance.integers(0, 2, 64, dtype=np.uint8)
        bits = base.copy()
        bits[chance.choice(64, int(chance.integers(0, 8)), replace=False)] ^= 1
        mirrored = chance.integers(0, 256, 8, dtype=np.uint8)
        prints.append(fingerprints.Fingerprint(np.packbits(bits), mirrored, small))
    wanted = {
        (one, two)
        for one in range(160)
        for two in range(one + 1, 160)
        if np.unpackbits(prints[one].bits ^ prints[two].bits).sum() <= 7
    }
    assert len(wanted) > 80
    assert set(near_pairs(prints)) >= wanted
    clips = [f"{number // 4}" for number in range(160)]
    assert not {pair for pair in near_pairs(prints, clips) if pair in wanted}


def test_very_many_that_are_all_alike_take_no_time_and_stay_together() -> None:
    one = fingerprint(face(0)[0])
    pairs = near_pairs([one] * 400)
    assert len(pairs) < 400 * 20
    assert set(fingerprints.groups(400, pairs)) == {0}


def test_groups_are_named_by_their_first() -> None:
    assert Counter(fingerprints.groups(4, [(1, 3), (0, 3)])) == {0: 3, 2: 1}


def test_thousands_that_are_all_alike_do_not_take_their_square(monkeypatch) -> None:
    bits, compared = fingerprints._BITS, []

    class Counted:
        def __getitem__(self, apart: np.ndarray) -> np.ndarray:
            compared.append(len(apart))
            return bits[apart]

    monkeypatch.setattr(fingerprints, "_BITS", Counted())
    monkeypatch.setattr(fingerprints, "_AT_ONCE", 32)
    one = fingerprint(face(1)[0])
    assert len(near_pairs([one] * 400)) > 400
    assert sum(compared) <= 8 * 400 * 32
