"""Every format, laid out as its true sets are, comes into the data set with its own mattes."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.datasets import sources
from tests.datasets.sources import person, save
from vcam.datasets.importers.base import Options, is_person
from vcam.datasets.importers.registry import IMPORTERS, find_importer
from vcam.datasets.importing import Report, bring_in
from vcam.datasets.store import Dataset, open_dataset, read_entry
from vcam.errors import InputError, UsageError


def brought(
    source: Path, data: Path, word: str = "auto", expected: str = "", **options: object
) -> tuple[Dataset, Report]:
    importer = find_importer(word, source)
    assert importer.name == (expected or word)
    how = {name: options.pop(name) for name in ("every", "clips") if name in options}
    report = bring_in(importer.plan(source, Options(**how)), data, source="source", **options)
    return open_dataset(data), report


def mattes(data: Dataset) -> dict[str, np.ndarray]:
    return {entry.name: read_entry(entry)[1] for entry in data.entries}


def pictures(data: Dataset) -> dict[str, np.ndarray]:
    return {entry.name: read_entry(entry)[0] for entry in data.entries}


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


def test_superviselys_bitmaps_and_polygons(tmp_path) -> None:
    root = tmp_path / "in"
    colours, matte = person()
    hole = [[40, 40], [50, 40], [50, 50], [40, 50]]
    square = {"exterior": [[10, 10], [80, 10], [80, 60], [10, 60]], "interior": [hole]}
    objects = {
        "bitmap": [{"classTitle": "person_bmp", "geometryType": "bitmap", "bitmap": sources.supervisely_bitmap(matte)}],
        "poly": [
            {"classTitle": "Person_poly", "geometryType": "polygon", "points": square},
            {"classTitle": "neutral", "bitmap": sources.supervisely_bitmap(np.full_like(matte, 255))},
            {"classTitle": "person", "geometryType": "rectangle", "points": {"exterior": [[0, 0], [9, 9]]}},
        ],
        "old": [
            {"classTitle": "person_bmp", "bitmap": sources.supervisely_bitmap(matte),
             "points": {"exterior": [], "interior": []}},
        ],
        "nobody": [{"classTitle": "dog", "geometryType": "polygon", "points": square}],
        "bad": [{"classTitle": "person", "bitmap": {"origin": [0, 0], "data": "AAAA"}}],
        "moved": [{"classTitle": "person", "bitmap": {**sources.supervisely_bitmap(matte), "origin": [-5, 1000]}}],
    }  # fmt: skip
    for name, told in objects.items():
        save(root / "ds1/img" / f"{name}.jpg", colours)
        end = ".json" if name == "old" else ".jpg.json"
        sources.supervisely(root / "ds1/ann" / f"{name}{end}", sources.SIZE, told)
    (root / "meta.json").write_text("{}")
    save(root / "ds1/img/alone.jpg", colours)
    data, report = brought(root, tmp_path / "out", expected="supervisely")
    found = mattes(data)
    assert sorted(found) == ["ds1_bitmap", "ds1_old", "ds1_poly"]
    assert np.array_equal(found["ds1_bitmap"], matte)
    assert np.array_equal(found["ds1_old"], matte)
    poly = found["ds1_poly"]
    assert (poly[12, 12], poly[45, 45], poly[30, 30], poly[5, 5]) == (255, 0, 255, 0)
    assert {why: len(what) for why, what in report.left.items()} == {
        "no annotation": 1, "no person": 2, "cannot be read": 1,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["palette", "grey", "colours"])
def test_pascal_voc(tmp_path, form) -> None:
    root = tmp_path / "in/VOCdevkit/VOC2012"
    colours, matte = person()
    rim = cv2.dilate(matte, np.ones((5, 5))) - cv2.erode(matte, np.ones((5, 5)))
    numbers = np.where(matte > 0, 15, 0)
    numbers[:10] = 9
    numbers[rim > 0] = 255
    folder = "SegmentationClassAug" if form == "grey" else "SegmentationClass"
    for name, told in (("2007_000032", numbers), ("2007_000033", np.where(numbers == 15, 7, numbers))):
        save(root / "JPEGImages" / f"{name}.jpg", colours)
        path = root / folder / f"{name}.png"
        if form == "palette":
            sources.palette(path, told)
        elif form == "grey":
            save(path, told.astype(np.uint8))
        else:
            palette = np.zeros((256, 3), np.uint8)
            palette[[7, 9, 15, 255]] = (128, 128, 128), (192, 0, 0), (192, 128, 128), (224, 224, 192)
            save(path, palette[told][..., ::-1])
    save(root / "JPEGImages/2007_000034.jpg", colours)
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="voc")
    ((name, found),) = mattes(data).items()
    assert name == "VOC2012_2007_000032"
    assert set(np.unique(found)) == {0, 255}
    # half of the rim to each side
    assert np.mean(found != matte) < 0.02
    assert list(report.left) == ["no person"]


def test_pascal_voc_with_colours_of_its_own(tmp_path) -> None:
    colours, matte = person()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nperson:61,61,245::\ncat:9,9,9::\n"
    )
    classes = np.full((*matte.shape, 3), 9, np.uint8)
    classes[matte > 0] = (245, 61, 61)
    save(tmp_path / "in/JPEGImages/a.jpg", colours)
    save(tmp_path / "in/SegmentationClass/a.png", classes)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="voc")
    assert np.array_equal(mattes(data)["a"], matte)
    (tmp_path / "in/labelmap.txt").write_text("person:red::\n")
    with pytest.raises(InputError, match=r"labelmap\.txt, line 1"):
        IMPORTERS["voc"].plan(tmp_path / "in", Options())


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path) -> None:
    colours, matte = person()
    save(tmp_path / "disk/a.png", colours)
    save(tmp_path / "in/masks/a.png", matte)
    (tmp_path / "in/images").symlink_to(tmp_path / "disk")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="pairs")
    assert [entry.name for entry in data.entries] == ["a"]


def test_the_palette_of_the_tests_is_vocs() -> None:
    assert tuple(sources.VOC_PALETTE[15]) == (192, 128, 128)
    assert tuple(sources.VOC_PALETTE[255]) == (224, 224, 192)


@pytest.mark.parametrize("layout", ["annotations", "beside"])
def test_coco(tmp_path, layout) -> None:
    root = tmp_path / "in"
    colours, matte = person()
    left, right = np.zeros_like(matte), np.zeros_like(matte)
    left[5:60, 3:20] = 255
    right[30:, 70:] = 255
    size = {"size": [sources.SIZE[1], sources.SIZE[0]]}
    annotations = [
        (1, 1, [[10, 10, 50.5, 10, 50.5, 40, 10, 40], [60, 10, 70, 10, 70, 20]]),
        (1, 18, [[0, 0, 95, 0, 95, 63, 0, 63]]),
        (2, 1, {**size, "counts": sources.runs(matte)}),
        (2, 1, {**size, "counts": sources.coco_string(left)}),
        (2, 1, {**size, "counts": sources.coco_string(right)}),
        (3, 18, [[0, 0, 95, 0, 95, 63]]),
        (5, 1, {**size, "counts": "ZZZ~~"}),
        (6, 1, [[0, 0, 95, 0, 95, 63]]),
        (7, 1, [[0, 0, 95, 0, 95, 63]]),
    ]
    told = {
        "licenses": [{"id": 4, "name": "Attribution License"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "images": [{"id": number, "file_name": name, "license": 4, "width": 96, "height": 64}
                   for number, name in ((1, "a.jpg"), (2, "b.jpg"), (3, "dog.jpg"), (4, "none.jpg"), (5, "bad.jpg"),
                                        (6, "gone.jpg"), (7, "../../outside.jpg"))],
        "annotations": [{"image_id": image, "category_id": category, "segmentation": shape, "iscrowd": 0}
                        for image, category, shape in annotations],
    }  # fmt: skip
    where = root / ("train2017" if layout == "annotations" else "train")
    for name in ("a", "b", "dog", "none", "bad"):
        save(where / f"{name}.jpg", colours)
    save(tmp_path / "outside.jpg", colours)
    index = (
        root / "annotations/instances_train2017.json" if layout == "annotations" else where / "_annotations.coco.json"
    )
    index.parent.mkdir(exist_ok=True)
    index.write_text(json.dumps(told))
    data, report = brought(root, tmp_path / "out", expected="coco")
    prefix = "" if layout == "annotations" else "train_"
    found = mattes(data)
    assert sorted(found) == [f"{prefix}a", f"{prefix}b"]
    assert np.array_equal(found[f"{prefix}b"], np.maximum(np.maximum(matte, left), right))
    one = found[f"{prefix}a"]
    assert (one[25, 30], one[11, 68], one[25, 65], one[60, 90]) == (255, 255, 0, 0)
    assert data.entries[0].licence == "Attribution License"
    assert {why: sorted(what) for why, what in report.left.items()} == {
        "no person": ["dog.jpg", "none.jpg"],
        "no picture": ["../../outside.jpg", "gone.jpg"],
        "cannot be read": report.left["cannot be read"],
    }
    assert "bad.jpg in" in report.left["cannot be read"][0]
    assert find_importer("auto", index).name == "coco"
    index.rename(root / "result.json")
    assert find_importer("auto", root).name == "coco"


def test_cocos_pictures_may_have_been_made_smaller_but_not_cut(tmp_path) -> None:
    colours, _ = person()
    save(tmp_path / "in/images/small.png", colours)
    save(tmp_path / "in/images/cut.png", colours)
    told = {
        "categories": [{"id": 1, "name": "person"}],
        "images": [{"id": 1, "file_name": "small.png", "width": 192, "height": 128},
                   {"id": 2, "file_name": "cut.png", "width": 192, "height": 64}],
        "annotations": [{"image_id": number, "category_id": 1, "segmentation": [[0, 0, 96, 0, 96, 128, 0, 128]]}
                        for number in (1, 2)],
    }  # fmt: skip
    (tmp_path / "in/instances_default.json").write_text(json.dumps(told))
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="coco")
    ((name, found),) = mattes(data).items()
    assert name == "small"
    assert (found[:, :47] == 255).all()
    assert (found[:, 50:] == 0).all()
    assert "cut.png is 96x64, its annotation is for 192x64" in report.left["cannot be read"][0]


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


@pytest.mark.parametrize(("packed", "order", "dtype"), [(True, "<", "u1"), (False, "<", "f8"), (False, ">", "i2")])
def test_pfcns_masks(tmp_path, packed, order, dtype) -> None:
    root = tmp_path / "in"
    colours, matte = person()
    save(root / "images_data_crop/00001.jpg", colours)
    save(root / "images_data_crop/00002.jpg", colours)
    mask = (matte > 0).astype(dtype)
    sources.mat(
        root / "images_mask/00001_mask.mat", {"note": np.ones((1, 3)), "mask": mask}, packed=packed, order=order
    )
    sources.mat(root / "images_mask/00003_mask.mat", {"mask": mask})
    (root / "images_mask/00002_mask.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(200))
    data, report = brought(root, tmp_path / "out", expected="pfcn")
    ((name, found),) = mattes(data).items()
    assert name == "00001"
    assert np.array_equal(found, matte)
    assert report.left["no picture"] == ["images_mask/00003_mask.mat"]
    assert "MATLAB 7.3" in report.left["cannot be read"][0]


@pytest.mark.parametrize("size", [0, 60, 127, 140, 200, 300])
def test_a_truncated_mat_is_an_error_that_names_it(tmp_path, size) -> None:
    from vcam.datasets.importers.matfile import read_mat

    sources.mat(tmp_path / "x.mat", {"mask": person()[1]}, packed=size % 40 == 20)
    (tmp_path / "x.mat").write_bytes((tmp_path / "x.mat").read_bytes()[:size])
    with pytest.raises(InputError, match=r"x\.mat"):
        read_mat(tmp_path / "x.mat")


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


def test_davis(tmp_path) -> None:
    root = tmp_path / "in"
    colours, matte = person()
    for clip in ("bear", "dancer"):
        for number in range(4):
            save(root / "JPEGImages/480p" / clip / f"{number:05}.jpg", colours)
            if number < 3:
                numbers = np.where(matte > 0, 1, 0)
                numbers[:4] = 2
                # nobody in view
                numbers *= not (clip == "bear" and number == 1)
                sources.palette(root / "Annotations/480p" / clip / f"{number:05}.png", numbers)
    data, report = brought(root, tmp_path / "out", expected="davis", every=2)
    assert [(entry.name, entry.clip, entry.frame) for entry in data.entries] == [
        ("bear-00000", "bear", 0), ("bear-00002", "bear", 2), ("dancer-00000", "dancer", 0),
        ("dancer-00002", "dancer", 2),
    ]  # fmt: skip
    wanted = matte.copy()
    wanted[:4] = 255
    assert np.array_equal(mattes(data)["bear-00000"], wanted)
    assert any("all of them" in note for note in report.notes)
    assert len(report.left["not annotated"]) == 2
    assert len({(entry.clip, entry.split) for entry in data.entries}) == 2


def test_youtube_vos(tmp_path) -> None:
    root = tmp_path / "in/train"
    colours, matte = person()
    told = {"videos": {
        "0a": {"objects": {"1": {"category": "dog", "frames": ["00000"]},
                           "2": {"category": "person", "frames": ["00000"]},
                           "3": {"category": "person", "frames": ["00005"]}}},
        "0b": {"objects": {"1": {"category": "giant_panda", "frames": ["00000"]}}},
    }}  # fmt: skip
    numbers = np.where(matte > 0, 2, 0)
    numbers[:6] = 1
    numbers[:, :3] = 3
    for clip in ("0a", "0b"):
        for number in (0, 5):
            save(root / "JPEGImages" / clip / f"{number:05}.jpg", colours)
            sources.palette(
                root / "Annotations" / clip / f"{number:05}.png", numbers if number == 0 else numbers * 0 + 1
            )
    (root / "meta.json").write_text(json.dumps(told))
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="youtube-vos")
    ((name, found),) = mattes(data).items()
    assert name == "0a-00000"
    assert np.array_equal(found > 0, np.isin(numbers, (2, 3)))
    assert report.left["no person in the clip"] == ["0b"]
    assert len(report.left["no person"]) == 1


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


def test_superviselys_alpha_masks_keep_their_soft_edge(tmp_path) -> None:
    colours, matte = person()
    soft = cv2.GaussianBlur(matte, (0, 0), 2)
    packed = zlib.compress(cv2.imencode(".png", np.dstack((colours, soft)))[1].tobytes())
    mask = {"origin": [0, 0], "data": base64.b64encode(packed).decode()}
    save(tmp_path / "in/img/a.jpg", colours)
    told = [{"classTitle": "person", "geometryType": "alpha_mask", "bitmap": mask}]
    sources.supervisely(tmp_path / "in/ann/a.jpg.json", sources.SIZE, told)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="supervisely")
    assert np.array_equal(mattes(data)["a"], soft)


def test_superviselys_pictures_of_one_name_and_two_suffixes_are_two(tmp_path) -> None:
    for number, name in enumerate(("a.jpg", "a.png")):
        colours, matte = person(number)
        save(tmp_path / "in/img" / name, colours)
        told = [{"classTitle": "person", "bitmap": sources.supervisely_bitmap(matte)}]
        sources.supervisely(tmp_path / f"in/ann/{name}.json", sources.SIZE, told)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="supervisely")
    found = mattes(data)
    assert sorted(found) == ["a", "a-2"]
    for number, name in enumerate(("a", "a-2")):
        assert np.array_equal(found[name], person(number)[1])


@pytest.mark.parametrize("form", ["palette", "numbers", "white"])
def test_what_davis_leaves_undecided_is_no_person(tmp_path, form) -> None:
    colours, matte = person()
    numbers = np.where(matte > 0, 255 if form == "white" else 1, 0)
    if form != "white":
        numbers[:8] = 255
        matte[:8] = 0
    if form == "palette":
        sources.palette(tmp_path / "in/Annotations/480p/a/0.png", numbers)
    else:
        save(tmp_path / "in/Annotations/480p/a/0.png", numbers.astype(np.uint8))
    save(tmp_path / "in/JPEGImages/480p/a/0.jpg", colours)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="davis")
    (found,) = mattes(data).values()
    assert np.array_equal(found, matte)


def test_pictures_that_only_vocs_augmented_set_has_are_brought_in(tmp_path) -> None:
    colours, matte = person()
    for name, folder in (("a", "SegmentationClass"), ("a", "SegmentationClassAug"), ("b", "SegmentationClassAug")):
        save(tmp_path / "in/JPEGImages" / f"{name}.jpg", colours)
        numbers = np.where(matte > 0, 15, 0).astype(np.uint8)
        if name == "a" and folder.endswith("Aug"):
            numbers[:] = 15
        save(tmp_path / "in" / folder / f"{name}.png", numbers)
    data, _ = brought(tmp_path / "in", tmp_path / "out", expected="voc")
    found = mattes(data)
    assert sorted(found) == ["a", "b"]
    assert all(np.array_equal(each, matte) for each in found.values())


@pytest.mark.parametrize("counts", ["[1e999]", "[" + "9" * 400 + "]", '"' + "o" * 400 + '0"'])
def test_numbers_of_coco_that_no_machine_has_leave_one_picture_out(tmp_path, counts) -> None:
    colours, _ = person()
    for name in "ab":
        save(tmp_path / f"in/images/{name}.png", colours)
    told = {
        "categories": [{"id": 1, "name": "person"}],
        "images": [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate("ab")],
        "annotations": [
            {"image_id": 0, "category_id": 1, "segmentation": [[5, 5, 50, 5, 50, 50]]},
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [64, 96], "counts": "HERE"}},
        ],
    }
    (tmp_path / "in/instances_default.json").write_text(json.dumps(told).replace('"HERE"', counts))
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="coco")
    assert [entry.name for entry in data.entries] == ["a"]
    assert "b.png" in report.left["cannot be read"][0]


@pytest.mark.parametrize("images", ["9" * 5000, '[{"id": [], "file_name": "x"}]'])
def test_lists_of_coco_that_are_none_are_told(tmp_path, images) -> None:
    rest = '"categories": [{"id": 1, "name": "person"}], "annotations": []'
    (tmp_path / "instances_a.json").write_text(f'{{"images": {images}, {rest}}}')
    with pytest.raises(InputError, match=r"instances_a\.json"):
        IMPORTERS["coco"].plan(tmp_path, Options())
