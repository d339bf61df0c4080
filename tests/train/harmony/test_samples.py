"""Folders of pictures become samples: which belong together, what a sample holds, what is of no use."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.errors import InputError, UsageError
from vcam.train.harmony.samples import Samples, sources, split
from vcam.train.harmony.stream import PIXELS, Bank, Stream


def picture(path, seed=0, size=(96, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC))
    return path


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        picture(tmp_path / "photos" / f"p{number}.jpg", number)
    return tmp_path


def test_pictures_are_found_in_all_folders_and_mattes_are_none(tmp_path):
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "set" / "img" / "one.jpg")
    picture(tmp_path / "set" / "img" / "two.png")
    picture(tmp_path / "set" / "mask" / "one.png")
    picture(tmp_path / "deep" / "er" / "b.png")
    picture(tmp_path / ".hidden" / "c.png")
    (tmp_path / "readme.txt").write_text("no picture")
    found = {str(each.picture.relative_to(tmp_path)): each.matte for each in sources(tmp_path)}
    assert set(found) == {"a.jpg", "set/img/one.jpg", "set/img/two.png", "deep/er/b.png"}
    assert [name for name, matte in found.items() if matte] == ["set/img/one.jpg"]


def test_names_that_are_alike_before_two_dashes_are_in_one_split(tmp_path):
    for place in range(12):
        for view in range(3):
            picture(tmp_path / f"place{place}--{view}.jpg", place)
    train, val = split(sources(tmp_path))
    assert {each.group for each in train} & {each.group for each in val} == set()
    assert len(train) + len(val) == 36
    assert val
    assert len(train) > len(val)


def test_a_folder_that_nothing_can_be_learnt_from_is_named(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        sources(tmp_path / "none")
    with pytest.raises(InputError, match="no pictures"):
        sources(tmp_path)
    picture(tmp_path / "only.jpg")
    with pytest.raises(InputError, match="one picture"):
        split(sources(tmp_path))
    picture(tmp_path / "only--2.jpg")
    with pytest.raises(InputError, match="one group"):
        split([each for each in sources(tmp_path) if "--" in each.picture.name] * 2)


def test_a_sample_depends_on_seed_and_number_alone(folder):
    one, other = (Samples(sources(folder), 64, 7) for _ in range(2))
    other[5]
    for name in ("picture", "true"):
        np.testing.assert_array_equal(one[3][name], other[3][name])
    assert not np.array_equal(one[3]["picture"], Samples(sources(folder), 64, 8)[3]["picture"])


def test_only_the_region_is_disturbed_and_some_are_left(folder):
    samples = Samples(sources(folder), 64, 1)
    changed = 0
    for number in range(60):
        sample = samples[number]
        shown, true, matte = sample["picture"][:3].astype(int), sample["true"].astype(int), sample["picture"][3]
        assert sample["picture"].shape == (4, 64, 64)
        assert (shown[:, matte == 0] == true[:, matte == 0]).all()
        if not sample["changed"]:
            assert (shown == true).all()
        changed += sample["changed"]
    assert 42 <= changed <= 58


def test_the_person_of_a_picture_with_a_matte_is_the_region(tmp_path):
    for number in range(3):
        picture(tmp_path / "img" / f"p{number}.jpg", number)
        matte = np.zeros((64, 96), np.uint8)
        matte[:, :48] = 255
        (tmp_path / "mask").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "mask" / f"p{number}.png"), matte)
    samples = Samples(sources(tmp_path), 32, 2)
    # a straight edge from the top to the bottom: no outline that is drawn has that
    straight = [(samples[number]["picture"][3] > 127).std(axis=0).max() == 0 for number in range(30)]
    assert 15 < sum(straight) < 30


@pytest.mark.parametrize("damage", ["broken", "one colour"])
def test_a_picture_of_no_use_is_replaced_and_told(folder, damage):
    bad = folder / "photos" / "p0.jpg"
    if damage == "broken":
        bad.write_bytes(bad.read_bytes()[:300])
    else:
        cv2.imwrite(str(bad), np.zeros((64, 96, 3), np.uint8))
    samples = Samples(sources(folder), 32, 3)
    told = [pair for number in range(40) for pair in samples[number]["broken"]]
    assert [path.name for path, _ in told] == ["p0.jpg"]


@pytest.mark.parametrize("workers", [0, 1])
def test_where_all_are_of_no_use_that_is_the_error(tmp_path, workers):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"black{number}.png"), np.zeros((32, 32, 3), np.uint8))
    stream = Stream(Samples(sources(tmp_path), 32, 0), 2, workers)
    with pytest.raises(InputError, match=r"none of 3 pictures is of use.*of one colour"):
        stream.next()
    stream.close()


def test_the_batches_of_a_step_are_the_same_when_it_goes_on(folder):
    samples = Samples(sources(folder), 32, 4)
    whole = Stream(samples, 4, 0)
    batches = [whole.next() for _ in range(3)]
    later = Stream(samples, 4, 0, step=2).next()
    assert all(torch.equal(later[name], batches[2][name]) for name in later)


def test_the_pixels_of_a_batch_are_the_persons(folder):
    samples = Samples(sources(folder), 32, 4)
    batch = Stream(samples, 4, 0).next()
    assert batch["shown"].shape == batch["true"].shape == (4, 3, PIXELS)
    for number in range(4):
        sample = samples[number]
        inside = sample["picture"][3] > 128
        there = {tuple(pixel) for pixel in sample["picture"][:3, inside].T.tolist()}
        assert {tuple(pixel) for pixel in batch["shown"][number].T.tolist()} <= there


def test_a_full_bank_forgets_the_oldest():
    bank = Bank(4)
    for number in range(3):
        bank.add({"known": torch.full((2, 1), float(number))})
    assert bank.count == 4
    drawn = bank.draw(200, torch.Generator().manual_seed(0))["known"]
    assert set(drawn.flatten().tolist()) == {1.0, 2.0}
