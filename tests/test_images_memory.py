"""Pictures for which there is too little memory: an error that names them, and everything else goes on."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import pytest
from PIL import Image

from vcam.errors import InputError
from vcam.images import enough_memory

SHORT = """
import resource, sys, time
from pathlib import Path
from vcam.compose.backgrounds.animation import AnimationReader, look_at_animation
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.overlay import read_rgba
from vcam.camera.file import open_file
from vcam.errors import VcamError
from vcam.images import read_image
from vcam.settings import BackgroundSettings

folder = Path(sys.argv[1])
look_at_animation(folder / "slides" / "a.png"), read_image(folder / "slides" / "a.png")
show = parse_background(f"{folder}/slides/", BackgroundSettings(interval=0.1))
show.prepare((64, 48))
# its thread has loaded the next one: nothing of it is in work when the memory is counted
show._next.result()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 32_000_000,) * 2)

def tell(what, load):
    try:
        load()
        print(what, "is loaded")
    except VcamError as error:
        print(what, type(error).__name__, error.message.replace(str(folder) + "/", ""), "|", error.hint)

for name in ("large.png", "clear.png", "bomb.png", "small.png"):
    tell(name, lambda: read_image(folder / name))
    tell(name, lambda: parse_background(str(folder / name), BackgroundSettings()).prepare((64, 48)))
tell("overlay", lambda: read_rgba(folder / "large.png"))
tell("camera", lambda: open_file(folder / "large.png", 30.0, paced=False).open())
(folder / "slides" / "b.png").hardlink_to(folder / "large.png")
names, end = set(), time.monotonic() + 20
while not (show.error and len(names) == 2) and time.monotonic() < end:
    show.without_person(time.monotonic())
    names.add(show._name)
    time.sleep(0.01)
print(sorted(names))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "slides").mkdir()
    Image.new("RGB", (4000, 4000)).save(folder / "large.png", compress_level=1)
    Image.new("RGBA", (4000, 4000), (1, 2, 3, 128)).save(folder / "clear.png", compress_level=1)
    Image.new("1", (8, 8)).save(folder / "bomb.png")
    data = (folder / "bomb.png").read_bytes()
    # its sides stand in the header behind the signature, and the header's sum behind it
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + data[24:29]
    (folder / "bomb.png").write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    for name in ("small.png", "slides/a.png", "slides/c.png"):
        Image.new("RGB", (64, 48), (9, 9, 9)).save(folder / name)
    return folder


@pytest.mark.process
def test_a_picture_for_which_memory_does_not_suffice_is_an_error_with_its_cure(folder: Path) -> None:
    """A large one as the background, as an overlay, as the camera, and among the slides of a folder."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SHORT, str(folder)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    for number, name in enumerate(("large.png", "large.png", "clear.png", "clear.png")):
        assert said[number].startswith(f"{name} InputError there is not enough memory to load {name} | give a smaller")
    for number in (4, 5):
        assert said[number].startswith("bomb.png InputError bomb.png has too many pixels to load | scale it below")
    assert said[6:8] == ["small.png is loaded"] * 2
    for number, what in ((8, "overlay"), (9, "camera")):
        assert said[number].startswith(f"{what} InputError there is not enough memory to load large.png | give a")
    assert said[10] == "['a.png', 'c.png']"
    assert "passed over in the slide show: there is not enough memory" in done.stderr


def opencv_error(code: int) -> cv2.error:
    error = cv2.error("what OpenCV says")
    error.code = code
    return error


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError("out of memory error when reading image file"), opencv_error(-4)]
)
def test_every_librarys_word_for_it_is_understood(error: Exception) -> None:
    with pytest.raises(InputError, match="not enough memory to load some"), enough_memory("some.png"):
        raise error


@pytest.mark.parametrize("error", [FileNotFoundError("some.png"), opencv_error(-215), ValueError()])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)), enough_memory("some.png"):
        raise error
