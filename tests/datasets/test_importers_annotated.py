"""Sets whose people are marked by numbers, colours or outlines, laid out as the true ones are."""

from __future__ import annotations

import base64
import json
import zlib

import cv2
import numpy as np
import pytest

from tests.datasets import sources
from tests.datasets.bringing import brought, mattes
from tests.datasets.sources import person, save
from vcam.datasets.importers.base import Options
from vcam.datasets.importers.registry import IMPORTERS, find_importer
from vcam.errors import InputError


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
