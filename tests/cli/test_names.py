"""Files of all names, and what is no file: as a person would expect, and at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.output.encoded.test_file import record
from vcam.camera.file import VideoFile, is_picture
from vcam.cli.main import cli
from vcam.errors import InputError, UsageError, VcamError
from vcam.images import read_image, write_image
from vcam.media.ffmpeg import local_name, local_url
from vcam.output.encoded.file import VideoFileOutput

GREY = np.full((64, 64, 3), 120, np.uint8)


def refused(*words: object) -> VcamError:
    error = CliRunner().invoke(cli, [str(word) for word in words]).exception
    assert isinstance(error, VcamError), error
    assert error.hint
    return error


@pytest.mark.parametrize("name", ["a%03d.png", "a%d.png", "%d%d.png", "a%%.png", "a%s.png"])
def test_a_moving_picture_is_no_series_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), (level, level, level)) for level in (0, 120, 240)]
    path = tmp_path / name
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    # what a series would take instead
    for other in ("a001.png", "a1.png"):
        write_image(tmp_path / other, GREY)
    camera = VideoFile(path)
    camera.open()
    shown = [int(frame.y[0, 0]) for frame in iter(camera.read, None)]
    camera.close()
    assert (shown[0], shown[-1]) == (16, pytest.approx(222, abs=2))
    assert local_name(local_url(path)) == str(path)


@pytest.mark.parametrize(
    "name", ["a%03d.mp4", "%d.mkv", "-f.mp4", "a\nb.mp4", "a:b.mp4", "x" * 246 + ".mp4", "\udcff.mov"]
)
def test_a_film_may_be_called_anything(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = VideoFileOutput(name)
    record(output, 5)
    output.close()
    assert os.listdir() == [name]
    camera = VideoFile(Path(name))
    camera.open()
    assert len(list(iter(camera.read, None))) == 5
    camera.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("command", ["apply", "mask", "compare"])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_refused_at_once(command: str, kind: str, pipe: Path, tmp_path: Path) -> None:
    place = {"pipe": pipe, "socket": tmp_path / "s.png", "device": Path("/dev/zero")}[kind]
    if kind == "socket":
        # a name of at most 107 bytes
        where = os.getcwd()
        os.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s.png")
        os.chdir(where)
    assert f"is a {kind}" in refused(command, place, tmp_path / "out.png").message


def test_a_pipe_is_no_input_of_any_kind(pipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "p.png"
    write_image(picture, GREY)
    for option in ("--background", "--front", "--back", "--model"):
        refused("apply", picture, tmp_path / "out.png", option, pipe)
    refused("apply", picture, tmp_path / "out.png", "--filter", f"lut:file={pipe}")
    refused("apply", picture, pipe)
    assert "is a pipe" in refused("start", "--camera", pipe, "--output", "null").message
    refused("eval", pipe)
    for suffix in (".toml", ".onnx"):
        path = tmp_path / f"net{suffix}"
        os.mkfifo(path)
        refused("models", "add", path)
        refused("models", "show", path)
    key = tmp_path / "key"
    os.mkfifo(key)
    words = ("start", "--camera", "demo", "--output", "null", "--rtmp", "rtmp://localhost/a", "--rtmp-key-file", key)
    assert "is a pipe" in refused(*words).message
    monkeypatch.setenv("VCAM_CONFIG", str(pipe))
    assert "is a pipe" in refused("config", "show").message


def test_a_key_may_come_from_the_shell(tmp_path: Path) -> None:
    from vcam.secrets import read_key

    reader, writer = os.pipe()
    os.write(writer, b"secret\n")
    os.close(writer)
    try:
        assert read_key(Path(f"/dev/fd/{reader}")) == "secret"
    finally:
        os.close(reader)


def test_a_folder_that_holds_no_files_but_pipes_holds_no_pictures(pipe: Path, tmp_path: Path) -> None:
    with pytest.raises(VcamError, match="no pictures"):
        raise refused("apply", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_slash_at_the_end_means_a_folder(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    write_image(picture, GREY)
    error = refused("apply", picture, f"{tmp_path}/new folder/")
    assert (error.message, error.hint) == (
        f"there is no folder {tmp_path}/new folder", f"mkdir -p '{tmp_path}/new folder'"
    )  # fmt: skip
    assert "is no folder" in refused("apply", picture, f"{picture}/").message
    assert "is no folder" in refused("apply", f"{picture}/", tmp_path / "out.png").message
    assert "no folder" in refused("compare", picture, f"{tmp_path}/new/").message
    result = CliRunner().invoke(cli, ["mask", f"{tmp_path}/", f"{tmp_path}/out/"], catch_exceptions=False)
    assert result.exit_code == 0
    assert os.listdir(tmp_path / "out") == ["p.png"]


def test_a_home_folder_may_be_named_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_image(tmp_path / "p.png", GREY)
    result = CliRunner().invoke(cli, ["mask", "~/p.png", "~/out.png"], catch_exceptions=False)
    assert result.exit_code == 0
    assert (tmp_path / "out.png").exists()
    for words in (
        ("apply", "~nosuchuser/p.png", "out.png"),
        ("apply", tmp_path / "p.png", "~nosuchuser/out.png"),
        ("apply", tmp_path / "p.png", tmp_path / "o.png", "--background", "~nosuchuser/b.png"),
        ("start", "--camera", "demo", "--output", "~nosuchuser/o.mp4"),
        ("start", "--camera", "demo", "--output", "null", "--record", "~nosuchuser/o.mkv"),
        ("models", "add", "~nosuchuser/net.onnx"),
    ):
        assert "there is no user nosuchuser" in refused(*words).message


AS_NOBODY = """
import json, os, sys
from pathlib import Path
from vcam.batch import plan
from vcam.camera.file import is_picture
from vcam.errors import VcamError
from vcam.compose.filters.cube import read_cube
from vcam.files import write_whole
from vcam.images import read_image
from vcam.models.cards import read_card
from vcam.settings.toml import read_text
import PIL.Image
PIL.Image.init()
# after all that is to be loaded, which may lie where nobody else may read
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
closed, folder = Path(sys.argv[1], "closed"), Path(sys.argv[1], "closed folder")
said = []
def plan_it(path):
    plan(path, Path("o.png"), mattes=False)
for ask in (is_picture, read_image, read_cube, read_card, read_text, plan_it):
    for path in (closed, folder / "x.png"):
        try:
            ask(path)
            said.append(["nothing", ""])
        except VcamError as error:
            said.append([error.message, error.hint])
for path in (folder / "o.png", Path(sys.argv[1], "read only", "o.png"), Path("/proc/o.png"), Path("/sys/o.png")):
    try:
        write_whole(path, lambda working: print("written"))
        said.append(["nothing", ""])
    except VcamError as error:
        said.append([error.message, error.hint])
write_whole(Path(sys.argv[1], "letter box", "o.png"), lambda working: working.write_text("new"))
print(json.dumps(said))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that everybody may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        yield Path(made)


def test_what_may_not_be_read_or_written_is_told_with_its_cure(open_folder: Path) -> None:
    (open_folder / "closed").write_bytes(b"x")
    (open_folder / "closed").chmod(0)
    (open_folder / "closed folder").mkdir(mode=0)
    (open_folder / "read only").mkdir(mode=0o555)
    (open_folder / "letter box").mkdir()
    (open_folder / "letter box").chmod(0o733)
    command = [sys.executable, "-c", AS_NOBODY, str(open_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (open_folder / "closed folder").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert (open_folder / "letter box/o.png").read_text() == "new"
    for message, hint in json.loads(done.stdout):
        assert message != "nothing"
        assert hint


def test_a_picture_of_no_size_or_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        is_picture(tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(UsageError):
        is_picture(tmp_path / "nothing")
