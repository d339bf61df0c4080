"""A whole lesson, small, as a program: to its end, and broken off."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets.rooms import SIZE, shots
from vcam.assets import data_folder
from vcam.cli.training import check_extra
from vcam.errors import VcamError
from vcam.frames import Frame
from vcam.learn import lesson
from vcam.learn.checks import Seen, check_film
from vcam.learn.footage import read_footage
from vcam.learn.labels import Labeller
from vcam.measure.metrics import miou
from vcam.output.y4m import Y4MFile
from vcam.settings import Settings
from vcam.types import U8


def film_of(path: Path, taken: list[tuple[Frame, U8]]) -> Path:
    """Frames as a film."""
    output = Y4MFile(path)
    output.open(SIZE, 30)
    for frame, _ in taken:
        output.write(frame)
    output.close()
    return path


@pytest.fixture
def vcam(tmp_path):
    """Starts `vcam learn` with a small film, in a home of its own, with vcam's general network for a teacher."""
    try:
        check_extra()
    except VcamError as error:
        pytest.skip(f"needs {error.hint}")
    film = film_of(tmp_path / "me.y4m", shots(0, 48))
    room = film_of(tmp_path / "room.y4m", shots(40, 0))
    teacher = tmp_path / "teacher.toml"
    card = (data_folder("models") / "selfie-general.toml").read_text()
    teacher.write_text(card.replace("selfie-general.onnx", "teacher.onnx"))
    shutil.copyfile(data_folder("models") / "selfie-general.onnx", tmp_path / "teacher.onnx")
    home = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("DATA", "STATE", "CONFIG")}
    environ = {**{key: value for key, value in os.environ.items() if key != "VCAM_CONFIG"}, **home}

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vcam", "learn", "--clip", str(film), "--room", str(room),
                   "--teacher", str(teacher), "--yes"]  # fmt: skip
        return subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return start


@pytest.mark.engine
@pytest.mark.process
def test_the_room_of_one_film_is_recognised_in_another_and_mends_the_labels(tmp_path):
    film = read_footage(film_of(tmp_path / "me.y4m", shots(0, 48)))
    path = film_of(tmp_path / "room.y4m", shots(40, 0))
    told = lesson._room(path, film.size, Settings(), "selfie-landscape", lambda words, done: None)
    with Labeller(Settings(), "selfie-general", "selfie-landscape", film.size) as labeller:
        found = labeller.label(film, told)
    assert found.recognised is not None
    assert found.recognised > 0.9
    assert [len(found.learnt), len(found.held)] == [24, 24]
    true = [matte for _, matte in shots(0, 48)]
    known = [miou(label.matte, matte) for label, matte in zip(found.labels, true, strict=True)]
    alone = [miou(label.told, matte) for label, matte in zip(found.labels, true, strict=True)]
    assert sum(known) / len(known) > sum(alone) / len(alone)
    assert check_film(Seen("me", film.frames, [label.matte for label in found.labels])) == []


@pytest.mark.process
@pytest.mark.engine
@pytest.mark.long
def test_a_whole_lesson_leaves_a_network_or_nothing(vcam, tmp_path):
    process = vcam("--minutes", "0.05", "--json")
    said, errors = process.communicate(timeout=500)
    assert process.returncode in (0, 1), errors
    told = json.loads(said)
    assert told["accepted"] == (process.returncode == 0)
    assert told["accepted"] or told["reasons"]
    assert told["start"] == told["compared"] == "selfie-landscape"
    sheet = tmp_path / "STATE" / "vcam" / "learn" / "mine.png"
    assert sheet.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "DATA" / "vcam" / "models" / "mine.toml").exists() == told["accepted"]
    assert not list(sheet.parent.glob("work-*"))


@pytest.mark.process
def test_ctrl_c_leaves_nothing(vcam, tmp_path):
    process = vcam("--minutes", "30")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("vcam: learning"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "nothing was kept, and the network that you have stays" in errors
    assert [path.name for path in (tmp_path / "STATE" / "vcam" / "learn").iterdir()] == ["lock"]
    assert not (tmp_path / "DATA").exists()
    assert not (tmp_path / "CONFIG").exists()
