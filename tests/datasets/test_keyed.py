"""Films before a screen: the screen's colour is found by itself, and the key makes a soft matte."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.datasets.test_importers import brought
from vcam.datasets.importers.base import Options
from vcam.datasets.importers.registry import IMPORTERS, find_importer
from vcam.datasets.keying import find_key, key_out
from vcam.datasets.store import read_entry
from vcam.datasets.synthetic import synthetic_clip
from vcam.errors import InputError
from vcam.images import frame_to_bgr
from vcam.output.encoded.file import VideoFileOutput
from vcam.types import U8

GREEN, BLUE, ROOM = (60, 190, 50), (190, 80, 20), (110, 120, 130)
SIZE = (320, 240)


def screen(colour: tuple[int, int, int]) -> U8:
    """A screen that is lit unevenly: a fifth darker at one side."""
    light = np.linspace(0.8, 1.0, SIZE[0])[np.newaxis, :, np.newaxis]
    return np.rint(np.full((SIZE[1], SIZE[0], 3), colour, np.float64) * light).astype(np.uint8)


def taken(colour: tuple[int, int, int], frames: int = 1) -> list[tuple[U8, U8]]:
    """Frames before such a screen, with a camera's noise, and their true mattes."""
    clip = synthetic_clip(SIZE, frames, 1, "slow", background=screen(colour))
    return [(frame_to_bgr(frame), matte.copy()) for frame, matte in clip]


def film(path: Path, colour: tuple[int, int, int], frames: int) -> list[U8]:
    output = VideoFileOutput(path, blocking=True)
    output.open(SIZE, 30)
    mattes = []
    for frame, matte in synthetic_clip(SIZE, frames, 1, "slow", background=screen(colour)):
        output.write(frame)
        mattes.append(matte)
    output.close()
    return mattes


@pytest.mark.parametrize(("colour", "word"), [(GREEN, "green"), (BLUE, "blue")])
def test_the_key_makes_the_matte_and_takes_the_screens_light_away(colour, word) -> None:
    ((picture, true),) = taken(colour)
    key = find_key([picture])
    assert key is not None
    assert key.word == word
    assert key.share > 0.95
    person, matte = key_out(picture, key)
    assert np.abs(matte.astype(int) - true).mean() < 2
    wrong = (matte >= 128) != (true >= 128)
    assert wrong.mean() < 0.01
    # soft: where the true edge is half, so is this one
    half = (true > 80) & (true < 175)
    assert np.abs(matte[half].astype(int) - true[half]).mean() < 70
    # nothing of the screen's colour is left, in the background or at the edge
    chroma = cv2.cvtColor(person, cv2.COLOR_BGR2YCrCb)[..., 1:].astype(int) - 128
    away = {"green": -(chroma[..., 0] + chroma[..., 1]), "blue": chroma[..., 1] - chroma[..., 0]}[word]
    assert np.percentile(away[true < 200], 99) < 24
    # the person is as it was
    solid = cv2.erode(true, np.ones((9, 9), np.uint8)) == 255
    assert np.abs(person[solid].astype(int) - picture[solid]).mean() < 2


def test_a_person_has_the_same_colour_up_to_the_edge() -> None:
    matte = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    cv2.ellipse(matte, (160, 160), (60, 110), 0, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(matte, (0, 0), 4)
    alpha = soft[..., np.newaxis] / 255
    skin = np.array((90, 130, 200))
    picture = np.rint(skin * alpha + screen(GREEN) * (1 - alpha)).astype(np.uint8)
    key = find_key([picture])
    assert key is not None
    person, found = key_out(picture, key)
    edge = (soft > 110) & (soft < 250)
    assert np.abs(person[edge].astype(int) - skin).mean() < 25
    assert np.abs(found.astype(int) - soft)[edge].mean() < 60


def test_a_room_is_no_screen() -> None:
    assert find_key([taken(ROOM)[0][0]]) is None
    # a wall as red as skin is none either
    assert find_key([np.full((50, 50, 3), (60, 80, 200), np.uint8)]) is None


@pytest.mark.process
def test_films_before_a_screen_become_clips(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    true = film(tmp_path / "in/take one.mkv", GREEN, 7)
    film(tmp_path / "in/zroom.mkv", ROOM, 2)
    (tmp_path / "in/zz.mp4").write_bytes(b"no film")
    data, report = brought(tmp_path / "in", tmp_path / "out", expected="keyed", every=3)
    assert [(entry.name, entry.clip, entry.frame) for entry in data.entries] == [
        (f"take one-0000{number}", "take one", number) for number in (0, 3, 6)
    ]
    assert np.abs(read_entry(data.entries[1])[1].astype(int) - true[3]).mean() < 6
    assert report.left["no green or blue screen"] == ["zroom.mkv"]
    assert "zz.mp4" in report.left["cannot be read"][0]
    assert any("take one.mkv: the screen is green" in note for note in report.notes)


@pytest.mark.process
def test_one_film_is_a_source_and_one_without_a_screen_says_so(tmp_path) -> None:
    film(tmp_path / "a.mkv", BLUE, 2)
    film(tmp_path / "b.mkv", ROOM, 2)
    assert find_importer("auto", tmp_path / "a.mkv").name == "keyed"
    data, _ = brought(tmp_path / "a.mkv", tmp_path / "out", expected="keyed")
    assert len(data.entries) == 2
    with pytest.raises(InputError, match="no green or blue screen"):
        IMPORTERS["keyed"].plan(tmp_path / "b.mkv", Options())
