"""One rule for all: a file that exists is refused unless it may go, and what vcam reads is never overwritten."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.output.encoded.helpers import until
from tests.output.encoded.test_file import SIZE, record
from vcam.batch import plan
from vcam.cli.main import cli
from vcam.daemon.targets import make_outputs
from vcam.errors import OutputError, UsageError
from vcam.files import Overwriting, PartialFile, write_whole
from vcam.images import write_image
from vcam.models.convert import convert_file
from vcam.output.encoded.file import VideoFileOutput
from vcam.output.encoded.record import RecordOutput
from vcam.settings import Settings, StreamSettings, files_read

GREY = np.full((64, 64, 3), 120, np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def itself(path: Path) -> Path:
    return path


def relative(path: Path) -> Path:
    return path.parent / "sub" / ".." / path.name


def link(path: Path) -> Path:
    other = path.with_name("link.mp4")
    other.symlink_to(path.name)
    return other


def hard_link(path: Path) -> Path:
    other = path.with_name("hard.mp4")
    other.hardlink_to(path)
    return other


@pytest.mark.parametrize("call_it", [itself, relative, link, hard_link])
def test_a_file_that_is_read_is_never_overwritten_whatever_it_is_called(
    call_it: Callable[[Path], Path], tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    rule = Overwriting(True, lambda: [film])
    with pytest.raises(UsageError, match="is the input itself"):
        write_whole(call_it(film), lambda path: pytest.fail("written"), rule=rule)
    assert film.read_bytes() == b"film"


def test_a_file_that_exists_is_refused_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists") as caught:
        write_image(path, GREY, Overwriting())
    assert "--overwrite" in caught.value.hint
    assert path.read_bytes() == b"old"
    write_image(path, GREY, Overwriting(True))
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_what_is_no_ordinary_file_has_nothing_to_lose(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    Overwriting().check(tmp_path / "pipe")
    Overwriting().check(Path(os.devnull))
    Overwriting().check(tmp_path / "not there")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("camera.source", "{}"),
        ("background.spec", "{}"),
        ("background.spec", "{folder}"),
        ("overlay.front", "{}"),
        ("overlay.back", "{}"),
        ("filters.chain", "vignette;lut:file={}"),
        ("filters.chain", "lut:{},strength=0.5"),
        ("segment.model", "{}"),
        ("stream.key_file", "{}"),
        ("stream.tls", "{}"),
    ],
)
def test_every_file_that_settings_name_is_an_input(key: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.touch()
    settings = Settings().replace(**{key.replace(".", "__"): value.format(path, folder=tmp_path)})
    assert Overwriting(True, lambda: files_read(settings)).is_input(path)
    written = settings.replace(**{key.replace(".", "__"): getattr(getattr(Settings(), key[: key.index(".")]),
                                                                  key[key.index(".") + 1 :]),
                                  "output__targets": str(path), "stream__record": str(path)})  # fmt: skip
    assert not Overwriting(True, lambda: files_read(written)).is_input(path)


def test_the_config_file_is_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[output]\nfps = 25\n")
    monkeypatch.setenv("VCAM_CONFIG", str(config))
    assert Overwriting(True, lambda: files_read(Settings())).is_input(config)


def test_an_input_that_is_named_while_vcam_runs_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    read: list[Path] = []
    file = PartialFile(path, Overwriting(True, lambda: read))
    descriptor = file.create()
    os.write(descriptor, b"new")
    os.close(descriptor)
    read.append(path)
    file.commit()
    assert path.read_bytes() == b"old"
    assert file.path == tmp_path / "out-2.mp4"
    assert file.path.read_bytes() == b"new"
    assert names(tmp_path) == ["out-2.mp4", "out.mp4"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_was_taken_meanwhile_is_left_to_who_took_it(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def refuse(*paths: object, **more: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "out.txt"

    def write(working: Path) -> None:
        working.write_text("mine")
        path.write_text("another's")

    write_whole(path, write, rule=Overwriting())
    assert path.read_text() == "another's"
    assert (tmp_path / "out-2.txt").read_text() == "mine"
    assert names(tmp_path) == ["out-2.txt", "out.txt"]


@pytest.mark.parametrize("name", ["x" * 246 + ".mp4", "\u00e4" * 125 + ".mp4", "\U0001f600" * 62 + ".mp4"])
def test_a_name_may_be_as_long_as_the_file_system_takes(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write_whole(path, lambda working: working.write_text("new"), rule=Overwriting())
    assert names(tmp_path) == [name]


def test_a_name_that_is_too_long_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long") as caught:
        write_whole(tmp_path / ("x" * 252 + ".mp4"), lambda working: pytest.fail("written"))
    assert caught.value.hint == "choose a shorter name"
    assert not names(tmp_path)


@pytest.mark.parametrize("name", ["-o.txt", "a b.txt", "a\nb.txt", "a:b.txt", "a%03d.txt", "\udcff.txt", "*.txt"])
def test_a_name_may_hold_anything(name: str, tmp_path: Path) -> None:
    write_whole(tmp_path / name, lambda working: working.write_text("new"), rule=Overwriting())
    assert names(tmp_path) == [name]


KILLED = """
import os, sys
from pathlib import Path
from vcam.files import PartialFile
for name in sys.argv[1:]:
    os.close(PartialFile(Path(name)).create())
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_run_left_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    path, other = tmp_path / "out.mp4", tmp_path / "other.mp4"
    subprocess.run([sys.executable, "-c", KILLED, str(path), str(other)], check=False)
    assert len(names(tmp_path)) == 2
    write_whole(path, lambda working: working.write_text("new"))
    assert len(names(tmp_path)) == 2
    assert names(tmp_path)[0].startswith(".other.part-")
    assert path.read_text() == "new"


def test_what_another_run_is_writing_is_left_alone(tmp_path: Path) -> None:
    # a process of a number that is not known here, as in another container: its lock tells that it lives
    working = tmp_path / ".out.part-99999999-0.mp4"
    with working.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_whole(tmp_path / "out.mp4", lambda path: path.write_text("new"))
        assert working.exists()
    write_whole(tmp_path / "out.mp4", lambda path: path.write_text("new"))
    assert names(tmp_path) == ["out.mp4"]


def test_a_recording_takes_a_files_place_only_once_there_is_something_in_it(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    path.write_bytes(b"old")
    output = RecordOutput(path, StreamSettings(overwrite=True, keep_free=0))
    output.open(SIZE, 30)
    output.close()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["r.mkv"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_recording_is_never_made_over_what_is_read(overwrite: bool, tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    path.write_bytes(b"film")
    settings = StreamSettings(overwrite=overwrite, keep_free=0)
    with pytest.raises(UsageError, match="is the input itself"):
        RecordOutput(path, settings, inputs=lambda: [path]).open(SIZE, 30)
    # a name made from the time gets a number instead
    output = RecordOutput(tmp_path / "%%" / ".." / "r.mkv", settings, inputs=lambda: [path])
    output.open(SIZE, 30)
    output.close()
    assert path.read_bytes() == b"film"


def test_a_film_output_refuses_what_exists_before_an_encoder_is_started(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists"):
        VideoFileOutput(path).open(SIZE, 30)
    output = VideoFileOutput(path, rule=Overwriting(True))
    record(output, 3)
    assert path.read_bytes() == b"old"
    output.close()
    assert path.read_bytes() != b"old"
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("other", ["a.mkv", "./a.mkv", "b/../a.mkv", "link.mkv"])
def test_two_outputs_are_not_one_file(other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "link.mkv").symlink_to("a.mkv")
    with pytest.raises(UsageError, match="twice"):
        make_outputs(Settings().replace(output__targets=("a.mkv", f"{tmp_path}/{other}")))
    with pytest.raises(UsageError, match="twice"):
        make_outputs(Settings().replace(output__targets=("a.mkv",), stream__record=f"{tmp_path}/{other}"))


def test_a_folders_results_are_looked_at_before_any_is_made(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        write_image(source / name, GREY)
        (target / name).write_bytes(b"old")
    with pytest.raises(UsageError, match=r"a\.png and 2 others exist"):
        plan(source, target, mattes=False)
    assert len(plan(source, target, mattes=False, rule=Overwriting(True))) == 3
    (target / "b.png").unlink()
    (target / "b.png").hardlink_to(source / "c.png")
    with pytest.raises(UsageError, match=r"out/b\.png is the input itself"):
        plan(source, target, mattes=False, rule=Overwriting(True))


@pytest.mark.parametrize("mattes", [False, True])
def test_no_two_results_of_a_folder_have_one_name(mattes: bool, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.jpg", "a.png", "a.jpg.png", "A.png", "b.png"):
        write_image(source / name, GREY)
    (source / ".a.part-7-0.png").write_bytes(b"left by a killed run")
    targets = [job.target.name.casefold() for job in plan(source, tmp_path / "out", mattes=mattes)]
    assert len(targets) == len(set(targets)) == 5


def test_a_conversion_refuses_what_exists(tmp_path: Path) -> None:
    source, target = tmp_path / "a.tflite", tmp_path / "a.onnx"
    source.write_bytes(b"x")
    target.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists"):
        convert_file(source, target)
    with pytest.raises(UsageError, match="input itself"):
        convert_file(source, source, overwrite=True)


@pytest.mark.parametrize("command", ["apply", "mask", "compare"])
def test_every_command_on_files_keeps_to_the_rule(command: str, tmp_path: Path) -> None:
    picture, other = tmp_path / "p.png", tmp_path / "o.png"
    write_image(picture, GREY)
    other.write_bytes(b"old")
    before = picture.read_bytes()
    for words in ([picture, picture], [picture, picture, "--overwrite"], [picture, other]):
        result = CliRunner().invoke(cli, [command, *map(str, words)])
        assert isinstance(result.exception, UsageError), result.output
    assert picture.read_bytes() == before
    assert other.read_bytes() == b"old"


def test_a_background_is_no_output(tmp_path: Path) -> None:
    picture, background = tmp_path / "p.png", tmp_path / "b.png"
    write_image(picture, GREY)
    write_image(background, GREY)
    words = ["apply", str(picture), str(background), "--background", str(background), "--overwrite"]
    assert "input itself" in str(CliRunner().invoke(cli, words).exception)


def test_the_demos_own_file_is_made_anew_and_any_other_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    words = ["demo", "--frames", "3", "--size", "320x180", "--background", "green"]
    for _ in range(2):
        assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
    assert names(tmp_path) == ["vcam-demo.mp4"]
    named = CliRunner().invoke(cli, [*words, "--output", "vcam-demo.mp4"])
    assert "exists" in str(named.exception)
    reads = CliRunner().invoke(cli, [*words[:-1], "vcam-demo.mp4"])
    assert "input itself" in str(reads.exception)


RECORDING = """
import os, sys, time
from vcam.output.encoded.record import RecordOutput
from vcam.settings import StreamSettings
output = RecordOutput(sys.argv[1], StreamSettings(overwrite=True, keep_free=0))
output.open((320, 180), 30)
print("open", flush=True)
time.sleep(60)
"""


@pytest.mark.process
def test_a_recording_that_is_killed_before_its_first_frame_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    path.write_bytes(b"old")
    with subprocess.Popen([sys.executable, "-c", RECORDING, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.kill()
    assert path.read_bytes() == b"old"
    output = RecordOutput(path, StreamSettings(overwrite=True, keep_free=0))
    output.open(SIZE, 30)
    output.close()
    assert path.read_bytes() == b"old"
    # an encoder that was left behind may still be ending
    until(lambda: names(tmp_path) == ["r.mkv"], what=lambda: names(tmp_path))
