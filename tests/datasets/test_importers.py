"""Every format, laid out as its true sets are, comes into the data set with its own mattes."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from tests.datasets import sources
from tests.datasets.bringing import brought, mattes, pictures
from tests.datasets.sources import person, save
from vcam.datasets.importers.base import Options, is_person
from vcam.datasets.importers.registry import IMPORTERS, find_importer
from vcam.datasets.store import read_entry
from vcam.errors import InputError, UsageError

LAYOUTS = [
    ("img/{}.jpg", "mask/{}.png"),
    ("images/{}.jpg", "masks/{}.png"),
    ("Images/{}.jpg", "Labels/{}.png"),
    ("image/{}.png", "alpha/{}.png"),
    ("images/{}.jpg", "masks/{}_mask.png"),
    ("train/images/{}.jpg", "train/masks/{}.png"),
    ("images/train/{}.jpg", "masks/train/{}.png"),
    ("train/blurred_image/{}.jpg", "train/mask/{}.png"),
    ("deep/er/im/{}.jpg", "deep/er/gt/{}.png"),
    ("{}.jpg", "{}_mask.png"),
    ("{}.jpg", "{}_matte.png"),
    ("{}.png", "{}-alpha.png"),
    ("photos of me/{}.jpg", "photos of me/{}.mask.png"),
    ("rgb_{}.png", "alpha_{}.png"),
    ("{}_rgb.jpg", "{}_label.png"),
    ("fgr/clip/{}.jpg", "pha/clip/{}.jpg"),
    ("train_imgs/{}.jpg", "train_masks/{}.png"),
    ("portraits/{}.jpg", "portraits_masks/{}.png"),
    ("img/{}.jpg", "img-mask/{}.png"),
    ("originals/{}.jpg", "cutouts/{}.png"),
    ("{}.jpg", "{}.out.png"),
    ("images/{}_mask.jpg", "masks/{}_mask.png"),
    ("_MG_{}.jpg", "_MG_{}_mask.png"),
]


@pytest.mark.parametrize(("picture", "mask"), LAYOUTS)
def test_pairs_are_found_however_people_lay_them(tmp_path, picture, mask) -> None:
    wanted = {}
    for number in range(3):
        colours, matte = person(number)
        save(tmp_path / "in" / picture.format(f"x{number}"), colours)
        save(tmp_path / "in" / mask.format(f"x{number}"), matte)
        wanted[f"x{number}"] = matte
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert report.made == 3
    assert not report.left
    for name, matte in mattes(data).items():
        (own,) = (true for key, true in wanted.items() if key in name)
        assert np.abs(own.astype(int) - matte).mean() < 2


def test_pictures_without_a_matte_are_counted_and_named(tmp_path) -> None:
    colours, matte = person()
    for name in ("a", "b", "c"):
        save(tmp_path / "in/images" / f"{name}.jpg", colours)
    save(tmp_path / "in/masks/a.png", matte)
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert [entry.name for entry in data.entries] == ["a"]
    assert report.left == {"no matte": ["images/b.jpg", "images/c.jpg"]}


def test_the_same_name_in_two_folders_makes_two_pictures(tmp_path) -> None:
    for number, part in enumerate(("train", "val")):
        colours, matte = person(number)
        save(tmp_path / "in" / part / "images/a.png", colours)
        save(tmp_path / "in" / part / "masks/a.png", matte)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert sorted(entry.name for entry in data.entries) == ["train_a", "val_a"]
    assert np.array_equal(pictures(data)["val_a"], person(1)[0])


def test_folders_of_frames_are_films_if_that_is_said(tmp_path) -> None:
    for number in range(4):
        colours, matte = person(number)
        for clip in ("one", "two"):
            save(tmp_path / "in/fgr" / clip / f"{number:04}.jpg", colours)
            save(tmp_path / "in/pha" / clip / f"{number:04}.png", matte)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="pairs", clips=True, every=2)
    assert sorted((entry.clip, entry.frame) for entry in data.entries) == [
        ("one", 0), ("one", 2), ("two", 0), ("two", 2),
    ]  # fmt: skip


@pytest.mark.process
def test_films_with_films_of_mattes_are_clips(tmp_path) -> None:
    from tests.datasets.helpers import write_video

    (tmp_path / "in").mkdir()
    true = write_video(tmp_path / "in", "walk", 7)
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="pairs", every=3)
    assert report.made == 3
    assert [(entry.clip, entry.frame) for entry in data.entries] == [("walk", 0), ("walk", 3), ("walk", 6)]
    assert len({entry.split for entry in data.entries}) == 1
    assert np.abs(mattes(data)["walk-00003"].astype(int) - true[3]).mean() < 2


def test_two_pictures_of_one_name_are_left_out_with_their_matte(tmp_path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        save(tmp_path / "in/images" / name, person()[0])
    for name in ("a", "b"):
        save(tmp_path / f"in/masks/{name}.png", person()[1])
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert [entry.name for entry in data.entries] == ["b"]
    assert report.left == {"no matte": ["images/a.jpg", "images/a.png"]}


@pytest.mark.process
def test_films_in_folders_of_films_and_of_mattes(tmp_path) -> None:
    from tests.datasets.helpers import write_video

    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in", "0001", 3)
    for part, name in (("fgr", "0001.mkv"), ("pha", "0001.matte.mkv")):
        (tmp_path / "in/train" / part).mkdir(parents=True)
        (tmp_path / "in" / name).rename(tmp_path / "in/train" / part / "0001.mkv")
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="pairs", every=2)
    assert [(entry.name, entry.clip) for entry in data.entries] == [
        ("train_0001-00000", "train_0001"), ("train_0001-00002", "train_0001"),
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_cut_out_keeps_the_colours_that_lie_under_its_alpha(tmp_path, suffix) -> None:
    colours, matte = person()
    soft = cv2.GaussianBlur(matte, (9, 9), 0)
    sources.rgba(tmp_path / "in/a/b" / f"x{suffix}", colours, soft)
    sources.rgba(tmp_path / "in" / f"solid{suffix}", colours, np.full_like(matte, 255))
    data, report = brought(tmp_path / "in", tmp_path / "out", "cutouts")
    (entry,) = data.entries
    assert entry.name == "a_b_x"
    assert np.array_equal(read_entry(entry)[0], colours)
    assert np.array_equal(read_entry(entry)[1], soft)
    assert list(report.left) == ["cannot be read"]
    assert "has no alpha" in report.left["cannot be read"][0]
    shutil.rmtree(tmp_path / "out")
    assert find_importer("auto", tmp_path / "in/a").name == "cutouts"


def test_a_cut_out_that_is_made_smaller_does_not_mix_in_what_lies_beside_the_person(tmp_path) -> None:
    matte = np.zeros((64, 64), np.uint8)
    matte[:, 20:43] = 255
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[matte > 0] = (40, 90, 200)
    sources.rgba(tmp_path / "in/x.png", colours, matte)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="cutouts", size=16)
    ((picture, small),) = (read_entry(entry) for entry in data.entries)
    assert picture.shape == (16, 16, 3)
    assert np.unique(small).size > 2
    assert np.abs(picture[small > 0].astype(int) - (40, 90, 200)).max() <= 1


def test_aisegments_trees(tmp_path) -> None:
    root = tmp_path / "in"
    for group, batch, name in (("1803151818", "00000000", "1803151818-00000003"), ("1803151819", "00000001", "7")):
        colours, matte = person(len(name))
        save(root / "clip_img" / group / f"clip_{batch}" / f"{name}.jpg", colours)
        sources.rgba(root / "matting" / group / f"matting_{batch}" / f"{name}.png", colours, matte)
        # what macOS leaves in the published archive
        (root / "matting" / group / f"matting_{batch}" / f"._{name}.png").write_bytes(b"x")
    save(root / "clip_img/1803151818/clip_00000000/1803151818-00000004.jpg", colours)
    data, report = brought(root, tmp_path / "out", expected="aisegment")
    found = mattes(data)
    assert sorted(found) == ["1803151818-00000003", "1803151819-00000001-7"]
    assert np.array_equal(found["1803151819-00000001-7"], matte)
    assert report.left == {"no matte": ["clip_img/1803151818/clip_00000000/1803151818-00000004.jpg"]}


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path) -> None:
    colours, matte = person()
    save(tmp_path / "disk/a.png", colours)
    save(tmp_path / "in/masks/a.png", matte)
    (tmp_path / "in/images").symlink_to(tmp_path / "disk")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert [entry.name for entry in data.entries] == ["a"]


def test_of_many_mattes_with_several_objects_one_note_is_made(tmp_path, caplog) -> None:
    colours, matte = person()
    for number in range(5):
        save(tmp_path / f"in/images/{number}.png", colours)
        numbers = np.where(matte > 0, 1, 0)
        numbers[:4] = 2
        sources.palette(tmp_path / f"in/masks/{number}.png", numbers)
    _, report = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert report.made == 5
    assert len(report.notes) == 1
    assert "holds 2 objects" in report.notes[0]
    assert "4 more like this" in report.notes[0]
    assert not caplog.records


def test_a_list_without_people_says_what_it_has(tmp_path) -> None:
    told = {"categories": [{"id": 1, "name": "cat"}], "images": [], "annotations": []}
    (tmp_path / "instances_x.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="no class that is people, but cat"):
        IMPORTERS["coco"].plan(tmp_path, Options())
    (tmp_path / "instances_x.json").write_text('{"images": [')
    with pytest.raises(InputError, match=r"instances_x\.json, line 1"):
        IMPORTERS["coco"].plan(tmp_path, Options())
    (tmp_path / "instances_x.json").write_text("[1, 2]")
    with pytest.raises(InputError, match="no list of instances"):
        IMPORTERS["coco"].plan(tmp_path, Options())


@pytest.mark.parametrize(("dtype", "top", "planes"), [("u1", 255, 1), ("u1", 1, 0), ("f4", 1, 1), ("?", 1, 0)])
def test_stacks_of_numpy(tmp_path, dtype, top, planes) -> None:
    (tmp_path / "in").mkdir()
    both = [person(number, (128, 128)) for number in range(5)]
    stack = np.stack([cv2.cvtColor(colours, cv2.COLOR_BGR2RGB) for colours, _ in both])
    masks = np.stack([matte for _, matte in both])
    masks[3] = 0
    masks = (masks / 255 * top).astype(dtype)
    np.save(tmp_path / "in/img_uint8.npy", stack)
    np.save(tmp_path / "in/msk_uint8.npy", masks[..., np.newaxis] if planes else masks)
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="npy")
    assert [entry.name for entry in data.entries] == [f"in-0000{number}" for number in range(5)]
    for number, (colours, matte) in enumerate(both):
        picture, found = read_entry(data.entries[number])
        assert np.array_equal(picture, colours)
        assert np.array_equal(found, matte if number != 3 else np.zeros_like(matte))
    assert report.empty == 1
    assert "RGB" in report.notes[0]


def test_stacks_that_do_not_belong_together_are_refused(tmp_path) -> None:
    np.save(tmp_path / "img_uint8.npy", np.zeros((3, 8, 8, 3), np.uint8))
    np.save(tmp_path / "msk_uint8.npy", np.zeros((4, 8, 8, 1), np.uint8))
    with pytest.raises(InputError, match=r"msk_uint8\.npy is 4x8x8x1, img_uint8\.npy is 3x8x8x3"):
        IMPORTERS["npy"].plan(tmp_path, Options())
    np.save(tmp_path / "img_uint8.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match="no array of numbers"):
        IMPORTERS["npy"].plan(tmp_path, Options())


def test_names_of_classes_that_are_people() -> None:
    for title in ("person", "Person", "person_bmp", "HUMAN", "man standing", "Person-poly"):
        assert is_person(title)
    for title in ("manatee", "personal computer", "dog", "", "neutral"):
        assert not is_person(title)


def test_what_is_no_source_is_refused_with_the_names_of_formats(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for word in ("auto", *IMPORTERS):
        with pytest.raises(InputError) as caught:
            find_importer(word, tmp_path).plan(tmp_path, Options())
        assert caught.value.hint
    with pytest.raises(InputError, match="no format") as caught:
        find_importer("auto", tmp_path)
    assert all(word in caught.value.hint for word in IMPORTERS)
    save(tmp_path / "images/a.jpg", person()[0])
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="holds 1 pictures, but nothing that vcam knows for their mattes"):
        find_importer("auto", tmp_path)
    with pytest.raises(UsageError, match="there is no"):
        find_importer("auto", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="lmdb is no format"):
        find_importer("lmdb", tmp_path)


@pytest.mark.parametrize("word", list(IMPORTERS))
def test_nothing_recognises_what_is_not_there_or_no_folder(tmp_path, word) -> None:
    (tmp_path / "file.bin").write_bytes(b"\0" * 50)
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "file.bin", tmp_path / "empty", tmp_path / "nowhere"):
        assert not IMPORTERS[word].recognises(path)
