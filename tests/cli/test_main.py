from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.media.films import has_sound
from tests.places import ROOT
from vcam import __version__, errors
from vcam.cli import run
from vcam.errors import VcamError
from vcam.media.ffmpeg import find_ffmpeg
from vcam.media.probe import probe

pytestmark = pytest.mark.process

VCAM = [sys.executable, "-m", "vcam"]

# .pth files of an environment may load more
IN_EVERY_PYTHON = set(
    subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split()
)


def vcam(*words: object, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VCAM, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=240, env={**os.environ, **environ}
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of moving colours with a tone, 160x96 at 25 frames a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    sources = ["-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"]
    subprocess.run([find_ffmpeg(), "-v", "error", *sources, str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (61, 93, 3), np.uint8))
    return path


def huge_png(side: int) -> bytes:
    """A few bytes that claim to be a picture of so many pixels each way."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def assert_told(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()
    assert 1 <= len(said) <= 6, done.stderr
    for word in words:
        assert word in done.stderr


HEAVY = {"numpy", "cv2", "PIL", "openvino", "onnxruntime", "simplejpeg", "pygame", "pyvirtualcam"}


@pytest.mark.parametrize(
    "words",
    ["--version", "--help", "start --help", "config --help", "models list --help", "config show", "completion bash"],
)
def test_what_needs_no_picture_loads_none_of_the_heavy_packages(words: str) -> None:
    command = [sys.executable, "-X", "importtime", *VCAM[1:], *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "vcam" in loaded
    assert ("click" in loaded) is (words != "--version")
    assert not HEAVY & loaded


def test_the_version_is_told_without_settings_and_commands() -> None:
    done = vcam("--version")
    assert (done.returncode, done.stdout) == (0, f"vcam {__version__}\n")
    assert vcam("--quiet", "--version").stdout == done.stdout
    script = "import sys; sys.argv[1:] = ['--version']; from vcam.__main__ import main; main(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    # nothing but what Python itself loads, so it is there in a twentieth of a second
    assert not {"click", "typing", "logging", "re", "json"} & set(loaded) - IN_EVERY_PYTHON
    assert {name for name in loaded if name.startswith("vcam.")} == {"vcam.__main__"}


def test_the_version_is_not_said_to_have_been_written_where_it_was_not() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*VCAM, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    # nobody reads: the same quiet end as any other command's
    ends = []
    for words in (["--version"], ["--quiet", "--version"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([*VCAM, *words], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        ends.append((done.returncode, done.stderr))
    assert ends[0] == ends[1]
    assert ends[0][1] == ""
    code = "import sys; from vcam.cli import main; assert not {'msgspec', 'vcam.settings', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("words", [(), ("models",), ("config",), ("service",), ("loopback",), ("stream",)])
def test_help_says_whole_sentences(words: tuple[str, ...]) -> None:
    done = vcam(*words, "--help")
    assert done.returncode == 0, done.stderr
    listed = done.stdout.partition("Commands:\n")[2]
    assert len(listed.splitlines()) >= 2
    assert "..." not in listed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str) -> None:
    done = vcam("completion", shell)
    assert done.returncode == 0, done.stderr
    assert f"_VCAM_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["apply", "missing.mp4", "out.mp4"], 2, "there is no file"),
        (["apply", "empty.mp4", "out.mp4"], 1, "empty"),
        (["apply", "text.mp4", "out.mp4"], 1, "not a video"),
        (["apply", "cut.png", "out.png"], 1, "damaged"),
        (["apply", "good.png", "out.mp4"], 2, "is a picture, but"),
        (["apply", "good.png", "nowhere/out.png"], 2, "mkdir -p nowhere"),
        (["apply", "good.png", "good.png"], 2, "is the input itself"),
        (["apply", "good.png", "out.png", "--background", "blurr"], 2, "blur"),
        (["apply", "good.png", "out.png", "--background", "missing.jpg"], 2, "missing.jpg"),
        (["apply", "good.png", "out.png", "--background", "blur:900"], 2, "100"),
        (["apply", "good.png", "out.png", "--edge", "99"], 2, "from -30 to 30"),
        (["apply", "good.png", "out.png", "--set", "matte.egde=1"], 2, "did you mean matte.edge"),
        (["apply", "good.png", "out.png", "--model", "./text.mp4"], 1, "text"),
        (["start", "--camera", "/dev/video7", "--output", "/dev/video7"], 2, "at once"),
        (["apply", "good.png", "out.png", "--model", "no-such"], 2, "no-such"),
        (["mask", "folder", "out"], 1, "no pictures"),
        (["mask", "good.png", "out.txt"], 2, "is a picture, but"),
        (["start", "--camera", "missing.mp4", "--output", "null"], 2, "missing.mp4"),
        (["start", "--camera", "/dev/video99", "--output", "null"], 69, "/dev/video99"),
        (["start", "--camera", "demo", "--output", "/dev/video99"], 69, "/dev/video99"),
        (["start", "--camera", "demo", "--output", "null", "--size", "1281x720"], 2, "even"),
        (["start", "--camera", "demo", "--output", "out.xyz"], 2, ".xyz"),
        (["start", "--no-such-option"], 2, "No such option"),
        (["bench", "--frames", "3"], 2, "too few"),
        (["models", "show", "no-such"], 2, "no-such"),
        (["apply", "good.png", "out.png", "--edge", "99"], 2, "--edge: matte.edge"),
        (["bench", "--size", "12"], 2, "For example: 1280x720"),
        (["aply", "good.png", "out.png"], 2, "Did you mean apply?"),
        (["apply", "bomb.png", "out.png"], 1, "scale it below"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_gets_one_message_with_a_cure_and_its_status(
    words: list[str], status: int, said: str, tmp_path: Path, picture: Path
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film\n" * 50)
    data = picture.read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "good.png").write_bytes(data)
    (tmp_path / "bomb.png").write_bytes(huge_png(60_000))
    (tmp_path / "folder").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert_told(vcam(*words, cwd=tmp_path), status, said)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before, "something was left behind"


def test_a_broken_config_file_has_a_status_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[matte]\nedge = 1000\n")
    done = vcam("start", "--camera", "demo", "--output", "null", VCAM_CONFIG=str(config))
    assert_told(done, 78, str(config), "matte.edge")


def test_a_wrong_variable_is_called_by_its_name() -> None:
    assert_told(vcam("mask", "a.png", "b.png", VCAM_MATTE_EDGE="99"), 78, "VCAM_MATTE_EDGE", "from -30 to 30")


@pytest.mark.parametrize(
    "words", [("--debug", "apply", "missing.mp4", "out.mp4"), ("apply", "missing.mp4", "out.mp4", "--debug")]
)
def test_debug_shows_the_traceback_that_people_are_spared(words: tuple[str, ...], tmp_path: Path) -> None:
    done = vcam(*words, cwd=tmp_path)
    assert "Traceback" in done.stderr
    # and the rest is as without it
    assert done.returncode == 2
    assert "vcam: there is no file missing.mp4" in done.stderr


@pytest.mark.engine
def test_apply_keeps_size_rate_length_and_sound(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    done = vcam("apply", clip, target, "--background", "color:#204080")
    assert done.returncode == 0, done.stderr
    before, after = probe(clip), probe(target)
    assert (after.size, after.fps, has_sound(after)) == (before.size, before.fps, True)
    assert after.duration == pytest.approx(before.duration, abs=0.06)
    assert "50 frames" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4"]


@pytest.mark.engine
def test_mask_of_a_video_is_grey_and_silent(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    assert vcam("mask", clip, target).returncode == 0
    after = probe(target)
    assert (after.size, after.fps, has_sound(after)) == ((160, 96), 25, False)
    capture = cv2.VideoCapture(str(target))
    shown, frame = capture.read()
    capture.release()
    assert shown
    assert np.ptp(frame.astype(int), axis=2).max() <= 2


@pytest.mark.engine
def test_a_folder_gives_mattes_of_the_same_stems_and_one_bad_picture_costs_only_itself(
    picture: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    image = cv2.imread(str(picture))
    for name in ("a.jpg", "b.png", "c.webp"):
        cv2.imwrite(str(source / name), image)
    (source / "bad.jpg").write_bytes(b"\xff\xd8\xff but then nothing")
    (source / "notes.txt").write_text("not a picture")
    done = vcam("mask", source, target)
    assert done.returncode == 1
    assert "bad.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in target.iterdir()) == ["a.png", "b.png", "c.png"]
    for path in target.iterdir():
        matte = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert (matte.shape, matte.dtype) == ((61, 93), np.uint8)


@pytest.mark.engine
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_file_that_is_no_network_gets_one_message(backend: str, picture: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(picture.read_bytes())
    card = (ROOT / "models/selfie-general.toml").read_text().replace("selfie-general.onnx", "junk.onnx")
    digest = hashlib.sha256(junk.read_bytes()).hexdigest()
    (tmp_path / "junk.toml").write_text(re.sub(r'sha256 = "\w+"', f'sha256 = "{digest}"', card))
    done = vcam("mask", picture, tmp_path / "out.png", "--model", junk, "--backend", backend)
    assert_told(done, 1, "junk.onnx is not a", "download it again")
    assert len(done.stderr.strip().splitlines()) == 2, done.stderr


@pytest.mark.engine
def test_mattes_of_pictures_with_one_stem_do_not_overwrite_each_other(picture: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.jpg", "a.png", "b.png"):
        cv2.imwrite(str(source / name), cv2.imread(str(picture)))
    assert vcam("mask", source, target).returncode == 0
    assert sorted(path.name for path in target.iterdir()) == ["a.jpg.png", "a.png.png", "b.png"]


@pytest.mark.engine
def test_a_film_that_breaks_off_is_told(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=4", "-movflags", "faststart"]
    subprocess.run([find_ffmpeg(), "-v", "error", *source, str(whole)], check=True)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    done = vcam("apply", cut, tmp_path / "out.mp4", "--background", "green")
    assert done.returncode == 0, done.stderr
    assert "it may be damaged" in done.stderr
    done = vcam("apply", whole, tmp_path / "out.mp4", "--background", "green", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert "damaged" not in done.stderr


@pytest.mark.engine
def test_an_odd_picture_keeps_its_size(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    assert vcam("apply", picture, target, "--background", "green").returncode == 0
    assert cv2.imread(str(target)).shape == (61, 93, 3)


@pytest.mark.engine
def test_ctrl_c_leaves_a_playable_file(tmp_path: Path) -> None:
    long = tmp_path / "long.mkv"
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x192:r=30:d=120", "-c:v", "mjpeg"]
    subprocess.run([find_ffmpeg(), "-v", "error", *source, str(long)], check=True)
    target = tmp_path / "out.mp4"
    process = subprocess.Popen([*VCAM, "apply", str(long), str(target)], stderr=subprocess.PIPE, text=True)
    # until the first seconds of the film are written, however long that takes
    while process.poll() is None and not any(path.stat().st_size for path in tmp_path.iterdir() if path != long):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    assert "playable" in said
    assert 0.1 < (probe(target).duration or 0) < 119
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mkv", "out.mp4"]


@pytest.mark.engine
def test_demo_writes_a_film_where_there_is_no_display_and_says_where(tmp_path: Path) -> None:
    done = vcam("demo", "--frames", 20, "--size", "640x360", cwd=tmp_path, DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 0, done.stderr
    assert "20 frames" in done.stdout
    assert "vcam-demo.mp4" in done.stdout
    film = probe(tmp_path / "vcam-demo.mp4")
    assert film.size == (640, 360)
    # every frame in its place, however busy this machine is
    assert (film.fps, film.duration) == (30, pytest.approx(20 / 30, abs=0.02))


@pytest.mark.parametrize("missing", [True, False])
def test_demo_says_what_a_window_would_need_and_writes_its_film(monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    asked: list[object] = []

    def demo(targets: tuple[str, ...], *_: object) -> int:
        asked.append(targets)
        if targets == ("window",):
            raise errors.OutputDeviceError("no window can be opened: it is Monday", "the cure")
        return 0

    monkeypatch.setattr("vcam.cli.run._demo", demo)
    monkeypatch.setattr("vcam.output.window.has_display", lambda: True)
    monkeypatch.setattr("vcam.extras.is_missing", lambda extra: missing)
    done = CliRunner().invoke(run.demo, [])
    assert asked == [("window",), ("vcam-demo.mp4",)]
    assert ("it is Monday (the cure); writing" in done.output) is missing


@pytest.mark.engine
def test_start_writes_y4m_to_a_pipe_and_ends_quietly_when_the_reader_goes(tmp_path: Path) -> None:
    options = ["start", "--camera", "demo", "--size", "320x180", "--output", "-"]
    with subprocess.Popen([*VCAM, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = process.stdout.read(500_000)
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(120) == 0, said
    assert head.startswith(b"YUV4MPEG2 W320 H180")
    assert b"Traceback" not in said
    assert b"Broken" not in said


@pytest.mark.engine
def test_bench_reports_what_the_reference_names(tmp_path: Path) -> None:
    done = vcam("bench", "--json", "--frames", 30, "--size", "320x180", "--input", "nv12", "--baseline", "--unpaced")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    reference = (ROOT / "docs/reference/bench.md").read_text()
    for key, value in report.items():
        assert f"`{key}`" in reference, key
        for inner in value if isinstance(value, dict) else ():
            assert f"`{inner}`" in reference, f"{key}.{inner}"
    for key in ("cpu_ms_per_frame", "core_percent", "fps", "dropped", "faults_per_frame", "rss_mb", "ratio"):
        assert isinstance(report[key], int | float), key
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}
    # which loop is the faster is not a question for so few, so small pictures on a busy machine
    assert report["ratio"] > 0


@pytest.mark.engine
def test_bench_of_somebody_who_sits_still_tells_how_often_the_network_rested() -> None:
    common = ("bench", "--json", "--frames", 60, "--size", "640x360", "--input", "nv12", "--unpaced", "--still")
    skipped = {}
    for option in ("--skip-still", "--no-skip-still"):
        done = vcam(*common, option)
        assert done.returncode == 0, done.stderr
        skipped[option] = json.loads(done.stdout)["skipped"]
    assert skipped["--skip-still"] > 40
    assert skipped["--no-skip-still"] == 0


def test_every_error_carries_an_exit_status_of_the_contract() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VcamError)]
    assert {kind.exit_status for kind in kinds} == {1, 2, 69, 78}
