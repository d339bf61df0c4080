from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.places import ROOT
from vcam.datasets.store import open_dataset
from vcam.errors import InputError, VcamError
from vcam.train import samples as module
from vcam.train.samples import Samples, loader

SHAPE = (48, 64)


def lay(folder: Path, count: int = 6, *, size: tuple[int, int] = (90, 120)) -> Path:
    """A data set of people in one grey each before a textured wall; the matte is soft."""
    for part in ("img", "mask"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    width, height = size
    for number in range(count):
        matte = np.zeros((height, width), np.uint8)
        cv2.circle(matte, (width // 2, height // 2), width // 4, 255, -1)
        matte[height * 2 // 3 :, width // 4 : -width // 4] = 255
        matte = cv2.GaussianBlur(matte, (0, 0), 1.5)
        wall = np.random.default_rng(number).integers(0, 60, (height, width, 3))
        share = matte[..., None] / 255
        cv2.imwrite(str(folder / f"img/{number:02}.png"), wall * (1 - share) + (120 + 10 * number) * share)
        cv2.imwrite(str(folder / f"mask/{number:02}.png"), matte)
    return folder


@pytest.fixture
def make(tmp_path):
    """Samples of a small data set, with what a test asks for."""

    def build(count: int = 6, *, data: Path | None = None, shape: tuple[int, int] = SHAPE, **options) -> Samples:
        entries = open_dataset(data or lay(tmp_path / f"data-{count}", count)).entries
        chosen = {"augment": True, "backdrops": None, "prior": False, "texture": False, "seed": 1, **options}
        return Samples(entries, shape, **chosen)

    return build


def test_a_batch_is_what_the_losses_take(make):
    (batch,) = loader(make(3, prior=True, texture=True), 4, 0, shuffle=False)
    assert {name: (values.dtype, tuple(values.shape)) for name, values in batch.items()} == {
        "picture": (torch.float32, (3, 3, 48, 64)),
        "matte": (torch.float32, (3, 1, 48, 64)),
        "prior": (torch.float32, (3, 1, 48, 64)),
        "texture": (torch.float32, (3, 3, 48, 64)),
        "index": (torch.int64, (3,)),
    }
    assert batch["index"].tolist() == [0, 1, 2]
    assert batch["picture"].is_contiguous(memory_format=torch.channels_last)
    for name in ("picture", "matte", "prior", "texture"):
        assert 0 <= batch[name].min() <= batch[name].max() <= 1


def test_without_augmentation_it_is_the_picture_as_vcam_shows_it_to_a_network(make, tmp_path):
    samples = make(2, augment=False)
    (batch,) = loader(samples, 2, 0, shuffle=False)
    picture = cv2.cvtColor(cv2.imread(str(tmp_path / "data-2/img/01.png")), cv2.COLOR_BGR2RGB)
    expected = cv2.resize(picture, (64, 48), interpolation=cv2.INTER_AREA)
    found = batch["picture"][1].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - expected).mean() < 3
    matte = cv2.resize(cv2.imread(str(tmp_path / "data-2/mask/01.png"), 0), (64, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(batch["matte"][1, 0].numpy() * 255 - matte).max() < 12
    # the edge is as soft as it was
    assert ((batch["matte"] > 0.2) & (batch["matte"] < 0.8)).sum() > 20
    samples.set_epoch(5)
    np.testing.assert_array_equal(samples[1]["picture"], found.round().astype(np.uint8))


def test_colours_are_red_first(make, tmp_path):
    data = lay(tmp_path / "red", 1)
    cv2.imwrite(str(data / "img/00.png"), np.full((120, 90, 3), (10, 20, 200), np.uint8))
    assert make(data=data, augment=False)[0]["picture"][0, 0].tolist() == [200, 20, 10]


def batches(samples: Samples, workers: int, epoch: int) -> list[dict[str, torch.Tensor]]:
    samples.set_epoch(epoch)
    return list(loader(samples, 2, workers, shuffle=True))


@pytest.mark.process
def test_samples_are_the_same_whatever_the_number_of_workers(make):
    samples = make(prior=True, texture=True)
    alone = [batches(make(prior=True, texture=True), 0, epoch) for epoch in (0, 1)]
    # made once, the workers live on, and still know of the epoch
    shared = loader(samples, 2, 2, shuffle=True)
    for epoch in (0, 1):
        samples.set_epoch(epoch)
        for one, other in zip(alone[epoch], shared, strict=True):
            assert one.keys() == other.keys()
            for name in one:
                assert torch.equal(one[name], other[name]), name
    assert multiprocessing.active_children()
    del shared


def test_each_epoch_and_each_seed_differs(make):
    first, second = (batches(make(), 0, epoch) for epoch in (0, 1))
    assert [each["index"].tolist() for each in first] != [each["index"].tolist() for each in second]
    one, other = make(), make()
    other.set_epoch(1)
    assert not np.array_equal(one[0]["picture"], other[0]["picture"])
    assert not np.array_equal(one[0]["picture"], make(seed=2)[0]["picture"])
    np.testing.assert_array_equal(one[0]["picture"], make()[0]["picture"])


def test_pytorchs_own_chance_is_left_alone(make):
    before = torch.get_rng_state()
    list(loader(make(), 2, 0, shuffle=True))
    assert torch.equal(before, torch.get_rng_state())


def test_an_epoch_shows_every_picture_once(make):
    found = sorted(index for batch in batches(make(), 0, 3) for index in batch["index"].tolist())
    assert found == list(range(6))


def test_a_last_batch_that_is_smaller_is_left_out_of_training_alone(make):
    assert [len(batch["index"]) for batch in loader(make(5), 2, 0, shuffle=True)] == [2, 2]
    assert [len(batch["index"]) for batch in loader(make(5), 2, 0, shuffle=False)] == [2, 2, 1]
    assert [len(batch["index"]) for batch in loader(make(5), 8, 0, shuffle=True)] == [5]
    assert [len(batch["index"]) for batch in loader(make(1), 8, 0, shuffle=True)] == [1]


def break_picture(folder: Path, name: str) -> Path:
    path = next(folder.glob("data-*/img")) / name
    path.write_bytes(path.read_bytes()[:200])
    return path


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.process)])
def test_a_broken_picture_is_named_and_another_takes_its_place(make, tmp_path, workers):
    samples = make(4, augment=False)
    path = break_picture(tmp_path, "01.png")
    found = [index for batch in loader(samples, 2, workers, shuffle=False) for index in batch["index"].tolist()]
    assert found == [0, 2, 2, 3]
    assert list(samples.broken) == [path]
    assert "01.png" in samples.broken[path]


def test_a_picture_that_breaks_later_does_no_harm(make, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1)
    samples = make(3)
    assert len(batches(samples, 0, 0)) == 1
    path = break_picture(tmp_path, "02.png")
    # the last that was read is kept, and may be the first that is wanted
    for epoch in (7, 8):
        assert len(batches(samples, 0, epoch)) == 1
    assert list(samples.broken) == [path]


def test_a_strip_that_cannot_be_turned_is_left_out(make, tmp_path):
    samples = make(2)
    for path in tmp_path.glob("data-2/*/01.png"):
        cv2.imwrite(str(path), np.zeros((1, 1 << 15), np.uint8))
    batches(samples, 0, 0)
    (reason,) = samples.broken.values()
    assert "is a strip, 32768x1" in reason


def test_a_missing_matte_is_a_broken_picture(make, tmp_path):
    samples = make(3, augment=False)
    (tmp_path / "data-3/mask/00.png").unlink()
    batches(samples, 0, 0)
    assert len(samples.broken) == 1


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.process)])
def test_if_all_are_broken_it_is_said(make, tmp_path, workers):
    samples = make(2)
    for name in ("00.png", "01.png"):
        break_picture(tmp_path, name)
    with pytest.raises(InputError, match="none of the pictures can be read") as caught:
        samples[0]
    assert "00.png" in caught.value.hint
    with pytest.raises(InputError) as caught:
        list(loader(samples, 2, workers, shuffle=False))
    assert caught.value.message == "none of the pictures can be read"


@pytest.mark.process
def test_a_worker_that_is_killed_is_one_sentence(make):
    before = set(multiprocessing.active_children())
    batches = iter(loader(make(), 1, 1, shuffle=False))
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    worker.kill()
    with pytest.raises(VcamError, match="a process that prepares pictures has ended") as caught:
        list(batches)
    assert "--workers" in caught.value.hint


def test_who_keeps_an_order_gives_it(make):
    samples = make(3)
    (batch, other) = loader(samples, 2, 0, shuffle=True, order=[(4, 2), (4, 2), (0, 1)])
    assert [batch["index"].tolist(), other["index"].tolist()] == [[2, 2], [1]]
    samples.set_epoch(4)
    np.testing.assert_array_equal((batch["matte"][1, 0].numpy() * 255).round(), samples[2]["matte"])


def test_no_pictures_are_no_samples():
    with pytest.raises(InputError, match="no pictures to train on"):
        Samples([], SHAPE, augment=True, backdrops=None, prior=False, texture=False, seed=1)


def test_pictures_that_are_kept_are_bounded(make, monkeypatch):
    samples = make(6)
    one = samples._next(0, [])[1].bytes
    monkeypatch.setattr(module, "KEPT", 3 * one)
    for index in range(6):
        samples[index]
        assert samples._bytes <= 3 * one
    assert 1 <= len(samples._kept) <= 3
    assert samples._bytes == sum(each.bytes for each in samples._kept.values())


def test_what_is_kept_covers_what_is_made_of_it(make):
    samples = make(1, backdrops=None)
    kept = samples._next(0, [])[1]
    taken = sum(each.nbytes for each in (kept.picture, kept.matte, kept.cut_out.layer, kept.surroundings))
    assert taken <= 1.3 * kept.bytes


def test_a_picture_is_read_once(make, monkeypatch):
    reads, read = [], module.read_entry
    monkeypatch.setattr(module, "read_entry", lambda entry, side: reads.append(side) or read(entry, side))
    samples = make(3)
    for epoch in range(3):
        batches(samples, 0, epoch)
    # the training size, and a quarter more
    assert reads == [80] * 3


def test_mattes_are_where_people_are(make):
    samples = make(6, texture=True, backdrops=[])
    for index in range(6):
        for epoch in range(4):
            samples.set_epoch(epoch)
            sample = samples[index]
            grey, matte = sample["picture"].mean(2), sample["matte"]
            assert grey[matte > 230].min(initial=255) > 95
            assert grey[matte < 20].max(initial=0) < 80


def test_backdrops_are_only_used_where_they_are_wanted(make, tmp_path):
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((80, 120, 3), (250, 40, 40), np.uint8))
    samples = make(4, texture=True, backdrops=[wall])
    blue = []
    for epoch in range(20):
        samples.set_epoch(epoch)
        blue += [bool((samples[index]["picture"][:4, :4, 2] > 200).all()) for index in range(4)]
    assert 0.2 < np.mean(blue) < 0.6


def test_nobody_is_in_a_share_and_several_in_another(make):
    samples = make(6)
    shares = []
    for epoch in range(40):
        samples.set_epoch(epoch)
        shares += [(samples[index]["matte"] > 127).mean() for index in range(6)]
    assert 0.02 < np.mean(np.array(shares) < 0.002) < 0.12


def test_a_broken_backdrop_is_named_and_does_without(make, tmp_path):
    wall = tmp_path / "wall.png"
    wall.write_bytes(b"no picture")
    samples = make(4, backdrops=[wall, tmp_path / "missing.png"])
    for epoch in range(4):
        batches(samples, 0, epoch)
    assert set(samples.broken) == {wall, tmp_path / "missing.png"}


def test_a_data_set_of_rooms_alone_works(make, tmp_path):
    data = lay(tmp_path / "rooms", 2)
    for path in (data / "mask").iterdir():
        cv2.imwrite(str(path), np.zeros((120, 90), np.uint8))
    samples = make(data=data, prior=True)
    for epoch in range(8):
        for batch in batches(samples, 0, epoch):
            assert not batch["matte"].any()


def test_the_texture_enhanced_form_shows_the_same_scene(make):
    samples = make(4, texture=True)
    differing = 0
    for index in range(4):
        sample = samples[index]
        differing += not np.array_equal(sample["picture"], sample["texture"])
        one, other = (cv2.GaussianBlur(sample[name].mean(2), (0, 0), 3).ravel() for name in ("picture", "texture"))
        assert np.corrcoef(one, other)[0, 1] > 0.7
    assert differing >= 3


_KILLED = """
import os, signal, sys
from pathlib import Path
from vcam.datasets.store import open_dataset
from vcam.train.samples import Samples, loader

if __name__ == "__main__":
    entries = open_dataset(Path(sys.argv[1])).entries
    samples = Samples(entries, (64, 64), augment=False, backdrops=[], prior=False, texture=False, seed=0)
    batches = iter(loader(samples, 2, 1, shuffle=False))
    next(batches)
    import multiprocessing
    print(multiprocessing.active_children()[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.long
@pytest.mark.process
def test_a_worker_does_not_outlive_a_training_that_is_killed(tmp_path, data):
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    done = subprocess.run(
        [sys.executable, script, data], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    worker, ends = int(done.stdout), time.monotonic() + 30
    while _is_there(worker):
        assert time.monotonic() < ends, "the worker is still there"
        time.sleep(0.1)


def _is_there(process: int) -> bool:
    """Whether it runs; one that has ended and that nobody has fetched does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
