"""vcam sends nothing to anybody: what it does is watched in a network where every packet is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.places import ROOT
from tests.trials import alone
from vcam.media.ffmpeg import find_ffmpeg

pytestmark = pytest.mark.process

OWN = tuple(f"home/{folder}/vcam/" for folder in (".config", ".cache", ".local/share", ".local/state"))
"""Where vcam may keep something."""

PICTURE = ROOT / "vcam/assets/astronaut.png"

START = "start --camera demo --output null --always-on --background green --size 320x180 --frames 60"
LIBRARY = """
import numpy as np
from vcam import Segmenter
with Segmenter() as segmenter:
    segmenter.matte(np.zeros((360, 640, 3), np.uint8))
"""


@pytest.fixture
def watched(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a program in that network, with a fresh home; what it leaves behind is in `files`."""
    places = {name: tmp_path / name for name in ("home", "run", "tmp", "here")}
    for place in places.values():
        place.mkdir(mode=0o700)

    def run(*command: str) -> dict[str, Any]:
        # nothing else, such as the CI by which some packages know that they had better be quiet
        environ = {"PATH": os.environ["PATH"], "HOME": str(places["home"]), "XDG_RUNTIME_DIR": str(places["run"])}
        environ |= {"TMPDIR": str(places["tmp"])}
        seen = alone.run(list(command), environ, places["here"])
        files = (str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir())
        return {**seen, "files": [file for file in files if not file.startswith((*OWN, "run/vcam/", "here/"))]}

    return run


def quiet(seen: dict[str, Any]) -> None:
    told = {name: seen[name] for name in ("names", "packets", "files") if seen[name]}
    assert not told, seen["output"]


@pytest.mark.engine
@pytest.mark.parametrize(
    "words",
    [
        f"{START} --backend openvino",
        # ONNX Runtime would send its first report after some seconds
        pytest.param(f"{START} --backend onnxruntime --frames 300", marks=pytest.mark.long),
        f"{START} --backend subtraction",
        "apply {picture} out.png --background green --backend openvino",
        "apply {picture} out.png --background green --backend onnxruntime",
        "apply {film} out.mp4 --background green",
        "mask {picture} mask.png",
        "models verify",
        "bench --frames 30 --size 320x180",
        "doctor",
        "devices",
    ],
    ids=lambda words: words.replace("/", " "),
)
def test_a_command_sends_nothing_and_keeps_nothing_outside_its_folders(
    watched: Callable[..., dict[str, Any]], tmp_path: Path, words: str
) -> None:
    film = tmp_path / "here/film.mp4"
    if "{film}" in words:
        source = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25:duration=1"]
        subprocess.run([find_ffmpeg(), "-v", "error", *source, str(film)], check=True)
    seen = watched(sys.executable, "-m", "vcam", *words.format(picture=PICTURE, film=film).split())
    # 69: what `doctor` and `devices` say of a computer without a camera
    assert seen["status"] in ((0, 1, 69) if words in ("doctor", "devices") else (0,)), seen["output"]
    quiet(seen)


@pytest.mark.engine
def test_a_program_with_vcam_as_its_library_sends_nothing(watched: Callable[..., dict[str, Any]]) -> None:
    seen = watched(sys.executable, "-c", LIBRARY)
    assert seen["status"] == 0, seen["output"]
    quiet(seen)


def test_whoever_sends_something_or_leaves_something_is_seen(watched: Callable[..., dict[str, Any]]) -> None:
    seen = watched(
        sys.executable,
        "-c",
        "import socket, pathlib\n"
        "(pathlib.Path.home() / '.identity').write_text('me')\n"
        "address = socket.getaddrinfo('telemetry.example', 443, socket.AF_INET)[0][4]\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'hello', address)\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'hello', ('203.0.113.9', 9))\n",
    )
    assert seen["status"] == 0, seen["output"]
    assert seen["names"] == ["telemetry.example"]
    sent = "\n".join(seen["packets"])
    assert "to 192.0.2.1 port 443" in sent
    assert "to 203.0.113.9 port 9" in sent
    assert seen["files"] == ["home/.identity"]
