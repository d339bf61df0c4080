"""`vcam eval`, `compare`, `apply` and `mask` with what is known of the room behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.datasets.helpers import write_picture
from tests.datasets.rooms import SIZE, shots, write_film
from vcam.batch import Batch, Job
from vcam.camera.demo import room
from vcam.camera.file import VideoFile
from vcam.cli.compare import compare as compare_command
from vcam.cli.eval import eval as eval_command
from vcam.cli.files import apply as apply_command
from vcam.datasets.folder import find_pairs
from vcam.errors import InputError, UsageError
from vcam.files import Overwriting
from vcam.filmroom import RoomSource
from vcam.images import frame_to_bgr
from vcam.matte.factory import make_matte
from vcam.matting import open_matting
from vcam.measure.compare import compare, plan_variants
from vcam.measure.evaluate import Evaluation, score, score_both
from vcam.settings import Settings
from vcam.types import U8

LARGE = (640, 360)
"""As small as the network sees the demo's person well."""


def plate(folder: Path, picture: U8, name: str = "empty.png") -> Path:
    cv2.imwrite(str(folder / name), picture)
    return folder / name


@pytest.mark.engine
def test_the_scores_without_the_room_are_those_of_every_day_and_the_room_makes_them_better(tmp_path: Path) -> None:
    taken = shots(0, 20, size=LARGE)
    source = RoomSource.parse(str(plate(tmp_path, room(LARGE))))
    with open_matting(Settings(), LARGE) as matting:
        told = source.of(Path("talk.mkv"), LARGE, matting)
        alone, helped = score_both(taken, matting, told, make_matte(Settings().matte))
        assert alone == score(taken, matting)
    assert (helped.recognised, helped.learnt_from, helped.scores.frames) == (20, 0, 20)
    assert helped.scores.boundary > alone.boundary + 1
    assert helped.scores.mad < 0.85 * alone.mad
    # the room of another place helps nobody, and harms nobody
    other = RoomSource.parse(str(plate(tmp_path, np.ascontiguousarray(room(LARGE)[::-1]))))
    with open_matting(Settings(), LARGE) as matting:
        told = other.of(Path("talk.mkv"), LARGE, matting)
        same, useless = score_both(taken, matting, told, make_matte(Settings().matte))
    assert useless.recognised == 0
    assert (same, useless.scores) == (alone, alone)


@pytest.mark.engine
@pytest.mark.process
def test_eval_learns_the_room_from_the_beginning_of_each_film_and_scores_the_rest(tmp_path: Path) -> None:
    write_film(tmp_path, "talk", shots(20, 12, size=LARGE))
    write_film(tmp_path, "there", shots(0, 6, size=LARGE))
    done = CliRunner().invoke(eval_command, [str(tmp_path), "--room", "learn", "--json"], standalone_mode=False)
    # one film begins with somebody
    assert done.return_value == 1
    assert "there.mkv from its beginning" in done.stderr
    result = json.loads(done.stdout)
    assert (result["room"], result["failed"], result["videos"]["count"]) == ("learn", 1, 1)
    (item,) = result["videos"]["items"]
    assert (item["name"], item["frames"], item["with_room"]["frames"]) == ("talk", 22, 22)
    assert set(item["with_room"]) == {
        "frames", "miou", "boundary", "mad", "dtssd", "lag", "recognised", "learnt_from"
    }  # fmt: skip
    assert (item["with_room"]["learnt_from"], item["with_room"]["recognised"]) == (10, 100)
    assert item["with_room"]["boundary"] > item["boundary"] + 0.6
    assert result["videos"]["mean"]["with_room"]["boundary"] == item["with_room"]["boundary"]


@pytest.mark.engine
@pytest.mark.process
def test_eval_shows_both_scores_in_a_table_and_says_where_the_room_was_not_recognised(tmp_path: Path) -> None:
    write_film(tmp_path, "talk", shots(0, 9, size=LARGE, drift=14.0))
    path = plate(tmp_path, room((1280, 720)))
    done = CliRunner().invoke(eval_command, [str(tmp_path), "--room", str(path)], standalone_mode=False)
    assert done.exception is None
    assert "with" in done.stdout
    assert "room" in done.stdout
    assert "was scaled to the 640x360 of talk.mkv" in done.stderr
    assert "of 9 frames of talk.mkv" in done.stderr


@pytest.mark.engine
@pytest.mark.process
def test_a_picture_that_is_of_no_use_ends_eval_at_once_and_a_film_of_nobody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    film = write_film(tmp_path / "films", "a", shots(0, 2, size=LARGE))
    for path in (film, film.with_suffix(".matte.mkv")):
        shutil.copy(path, path.with_name(path.name.replace("a", "b", 1)))
    person = plate(tmp_path, frame_to_bgr(shots(0, 1, size=LARGE)[0][0]))
    words = [str(tmp_path / "films"), "--room", str(person)]
    done = CliRunner().invoke(eval_command, words, standalone_mode=False)
    assert isinstance(done.exception, InputError)
    assert "somebody is in the picture" in str(done.exception)
    assert done.stderr == ""
    (tmp_path / "empty").mkdir()
    write_film(tmp_path / "empty", "nobody", shots(24, 0, size=LARGE))
    (pair,) = find_pairs(tmp_path / "empty").pairs
    with (
        Evaluation(Settings(), room=RoomSource.parse("learn")) as evaluation,
        pytest.raises(InputError, match="nobody is to be seen"),
    ):
        evaluation.run(pair)


def test_the_network_alone_and_what_moves_by_itself_have_no_room(tmp_path: Path) -> None:
    path = str(plate(tmp_path, room(SIZE)))
    write_picture(tmp_path / "pairs", "a.png", tmp_path / "pairs" / "a_mask.png")
    cases = (
        (eval_command, [str(tmp_path), "--plain", "--room", path], "--plain"),
        (eval_command, [str(tmp_path), "--room", ""], "--room is empty"),
        (apply_command, [path, str(tmp_path / "out.png"), "--room", path, "--auto-frame"], "auto-framing"),
        (apply_command, [path, path, "--room", path, "--overwrite"], "is the input itself"),
        (apply_command, [path, str(tmp_path / "out.png"), "--room", "learn"], "pictures have no beginning"),
        (eval_command, [str(tmp_path / "pairs"), "--room", "learn"], "pictures have no beginning"),
        (compare_command, [path, str(tmp_path / "o.png"), "--room", str(tmp_path / "none.png")], "there is no picture"),
    )  # fmt: skip
    for command, words, expected in cases:
        done = CliRunner().invoke(command, words, standalone_mode=False)
        assert isinstance(done.exception, UsageError), expected
        assert expected in str(done.exception)
    assert not (tmp_path / "out.png").exists()


def test_what_the_room_is_told_by_is_never_written_over(tmp_path: Path) -> None:
    path, me = plate(tmp_path, room(SIZE)), plate(tmp_path, frame_to_bgr(shots(0, 1)[0][0]), "me.png")
    before = path.read_bytes()
    for command in (apply_command, compare_command):
        words = [str(me), str(path), "--room", str(path), "--overwrite"]
        done = CliRunner().invoke(command, words, standalone_mode=False)
        assert isinstance(done.exception, UsageError)
        assert "is the input itself" in str(done.exception)
    assert path.read_bytes() == before


def mattes(path: Path) -> list[U8]:
    camera, found = VideoFile(path), []
    camera.open()
    while (frame := camera.read()) is not None:
        found.append(frame.y.copy())
    camera.close()
    return found


@pytest.mark.engine
@pytest.mark.process
def test_mask_of_a_film_and_of_a_picture_comes_closer_to_the_truth_with_the_room(tmp_path: Path) -> None:
    taken = shots(20, 4, size=LARGE)
    film = write_film(tmp_path, "talk", taken)
    picture = plate(tmp_path, frame_to_bgr(taken[-1][0]), "me.png")
    apart: dict[str, list[float]] = {}
    for text in ("", "learn", str(plate(tmp_path, room(LARGE)))):
        source = RoomSource.parse(text) if text else None
        with Batch(Settings(), mattes=True, room=source) as batch:
            target = tmp_path / "out.mkv"
            job = Job(film, target, False, Overwriting(True))
            assert batch.run(job, lambda done, of: None).notes == []
            true = np.rint(16 + taken[-1][1] * (219 / 255))
            found = [float(np.abs(mattes(target)[-1] - true).mean())]
            if text != "learn":
                batch.run(Job(picture, tmp_path / "out.png", True, Overwriting(True)), lambda done, of: None)
                seen = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_GRAYSCALE)
                assert seen is not None
                found.append(float(np.abs(seen.astype(float) - taken[-1][1]).mean()))
            apart[text or "alone"] = found
    alone, learnt, told = apart.values()
    assert learnt[0] < 0.95 * alone[0]
    assert told[0] < 0.95 * alone[0]
    assert told[1] < 0.95 * alone[1]


def test_the_second_variant_is_the_first_with_the_room_and_all_others_have_it_too() -> None:
    planned = plan_variants(["sepia"], ["matte.edge=3"], room=True)
    assert [(variant.name, variant.room) for variant in planned] == [
        ("as it is", False), ("with the room", True), ("sepia", True), ("matte.edge=3", True),
    ]  # fmt: skip


@pytest.mark.engine
@pytest.mark.process
def test_compare_lays_the_network_alone_beside_what_knows_the_room(tmp_path: Path) -> None:
    taken = shots(20, 3, size=LARGE)
    film = write_film(tmp_path, "talk", taken)
    picture = plate(tmp_path, frame_to_bgr(taken[-1][0]), "me.png")
    for source, text in ((film, "learn"), (picture, str(plate(tmp_path, room(LARGE))))):
        variants = plan_variants([], [], room=True)
        found = compare(source, Settings(), variants, 22, room=RoomSource.parse(text))
        alone, known = (float(np.abs(result.matte - taken[-1][1].astype(float)).mean()) for result in found.results)
        assert known < 0.95 * alone
        assert found.notes == []
    done = CliRunner().invoke(
        compare_command,
        [str(film), str(tmp_path / "out.png"), "--room", str(plate(tmp_path, room((960, 540)))), "--frame", "20"],
        standalone_mode=False,
    )
    assert done.exception is None
    assert "960x540 and was scaled to the 640x360 of talk.mkv" in done.stderr
    assert "with the room: " in done.stderr
