"""The backgrounds that vcam brings along: all are there, small, known by name, and go on to the next."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vcam.assets import BACKGROUNDS, asset, background_picture
from vcam.compose.backgrounds.factory import parse_background
from vcam.daemon.rounds import next_background, next_profile
from vcam.errors import UsageError
from vcam.settings import FIELDS, BackgroundSettings, absolute

SETTINGS = BackgroundSettings()


def test_there_are_a_dozen_and_nothing_else_lies_beside_them() -> None:
    there = {path.stem for path in asset("backgrounds").iterdir()}
    assert there == set(BACKGROUNDS)
    assert len(there) == 12


def test_together_they_are_small_and_each_is_of_full_hd() -> None:
    assert sum(background_picture(name).stat().st_size for name in BACKGROUNDS) < 2_000_000
    for name in BACKGROUNDS:
        picture = cv2.imread(str(background_picture(name)))
        assert picture is not None
        assert picture.shape == (1080, 1920, 3)
        # a picture, not a plain field, and neither burnt out nor black
        assert picture.std() > 8, name
        assert 15 < picture.mean() < 225, name


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_each_is_known_by_its_name(name: str) -> None:
    background = parse_background(name.upper(), SETTINGS)
    background.prepare((320, 180))
    assert background.description == name
    plate = background.without_person(0.0)
    assert plate is not None
    assert np.ptp(plate.frame.y) > 5


def test_the_name_goes_before_a_file_which_is_meant_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "office").mkdir()
    field = FIELDS["background.spec"]
    assert absolute(field, "office") == "office"
    assert absolute(field, "./office") == str(tmp_path / "office")


def test_a_name_takes_no_value_and_a_mistyped_one_is_told() -> None:
    with pytest.raises(UsageError, match="takes no value"):
        parse_background("office:3", SETTINGS)
    with pytest.raises(UsageError) as error:
        parse_background("ofice", SETTINGS)
    assert "did you mean office" in error.value.hint


def test_next_goes_through_all_of_them_and_round() -> None:
    names = list(BACKGROUNDS)
    assert next_background("blur", 1) == names[0]
    assert next_background("blur:30", -1) == names[-1]
    assert [next_background(name, 1) for name in names] == [*names[1:], names[0]]
    assert [next_background(name, -1) for name in names] == [names[-1], *names[:-1]]
    assert next_background("~nosuchuser/x.jpg", 1) == names[0]


def test_beside_a_picture_of_ones_own_the_next_of_its_folder_comes(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    assert next_background(str(tmp_path / "a.png"), 1) == str(tmp_path / "b.jpg")
    assert next_background(str(tmp_path / "a.png"), -1) == str(tmp_path / "c.png")
    assert next_background(str(tmp_path / "gone.png"), 1) == next(iter(BACKGROUNDS))


def test_the_next_profile_passes_by_none_of_them() -> None:
    assert [next_profile(["work", "home"], at, 1) for at in ("", "work", "home")] == ["work", "home", ""]
    assert next_profile(["work", "home"], "gone", 1) == ""
    with pytest.raises(UsageError, match="no profiles"):
        next_profile([], "", 1)
