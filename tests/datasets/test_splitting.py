"""Splitting anew: by the seed alone, with films and nearly the same pictures kept together."""

from __future__ import annotations

import cv2
import pytest

from tests.datasets.sources import save
from tests.datasets.test_check import face
from vcam.datasets.splitting import split_anew
from vcam.datasets.store import entry_of, open_dataset, write_index
from vcam.errors import UsageError


def lay(folder, count: int = 30, clips: int = 0):
    for number in range(count):
        picture, matte = face(number)
        save(folder / f"img/{number}.png", picture)
        save(folder / f"mask/{number}.png", matte)
    names = [f"clip{number % clips}" if clips else "" for number in range(count)]
    write_index(folder, [entry_of(folder, f"{number}", "train", clip=clip) for number, clip in enumerate(names)])
    return open_dataset(folder)


def test_the_same_seed_gives_the_same_split(tmp_path) -> None:
    data = lay(tmp_path)
    one, _ = split_anew(data, val=0.2, test=0.1, seed=1)
    two, _ = split_anew(data, val=0.2, test=0.1, seed=1)
    other, _ = split_anew(data, val=0.2, test=0.1, seed=2)
    assert one == two
    assert [entry.split for entry in one] != [entry.split for entry in other]
    assert {entry.split for entry in one} == {"train", "val", "test"}
    assert [entry.name for entry in one] == [entry.name for entry in data.entries]


def test_clips_are_never_split_apart(tmp_path) -> None:
    data = lay(tmp_path, 24, clips=6)
    for seed in range(5):
        entries, kept = split_anew(data, val=0.3, test=0.2, seed=seed)
        assert len({(entry.clip, entry.split) for entry in entries}) == 6
        assert kept == []
        write_index(tmp_path, entries)
        open_dataset(tmp_path)


def test_nearly_the_same_pictures_stay_together_and_take_their_clips_along(tmp_path) -> None:
    data = lay(tmp_path, 24, clips=8)
    for number in (1, 2):
        # frames of other clips that show what frame 0 does
        save(tmp_path / f"img/{number}.png", cv2.convertScaleAbs(face(0)[0], alpha=0.9, beta=number * 5))
    for seed in range(6):
        entries, kept = split_anew(data, val=0.3, test=0.2, seed=seed)
        together = [entry.split for entry in entries if entry.clip in ("clip0", "clip1", "clip2")]
        assert len(together) == 9
        assert len(set(together)) == 1
        assert [sorted(names, key=int) for names in kept] == [["0", "1", "2", "8", "9", "10", "16", "17", "18"]]


def test_a_broken_picture_is_split_as_any_other(tmp_path) -> None:
    data = lay(tmp_path, 6)
    (tmp_path / "img/2.png").write_bytes(b"x")
    entries, _ = split_anew(data, val=0.2, test=0.1)
    assert len(entries) == 6


@pytest.mark.parametrize(("val", "test"), [(0.6, 0.4), (1, 0), (0.9, 0.9), (-0.1, 0)])
def test_shares_that_leave_nothing_are_refused(tmp_path, val, test) -> None:
    with pytest.raises(UsageError, match="leave nothing to learn from"):
        split_anew(lay(tmp_path, 3), val=val, test=test)
