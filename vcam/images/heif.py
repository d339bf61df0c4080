"""HEIC, the format of phones, decoded by a process of its own.

The decoders are libheif and libde265, under LGPL-3.0. A process that may hold pyvirtualcam, which is GPL-2.0-only, must
not load them (docs/dependencies.md); a process that does nothing else may. It is Python with the package pillow-heif
(`pip install 'vcam[heic]'`), or the program that comes with libheif.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vcam import extras
from vcam.errors import InputError
from vcam.folders import scratch

if TYPE_CHECKING:
    from PIL import Image

_PATIENCE = 60.0
_PROGRAMS = ("heif-dec", "heif-convert")
"""libheif's program, by its names since 1.18 and before."""

_CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
import pillow_heif
path, most = sys.argv[1], int(sys.argv[2])
heif = pillow_heif.open_heif(path)
width, height = heif.size
if width * height > most:
    print(json.dumps({"size": [width, height]}))
else:
    image = heif.to_pillow()
    image = image if image.mode in ("L", "LA", "RGB", "RGBA") else image.convert("RGB")
    profile = image.info.get("icc_profile") or b""
    head = {"size": image.size, "mode": image.mode, "profile": len(profile)}
    out = sys.stdout.buffer
    out.write(json.dumps(head).encode() + b"\\n" + profile + image.tobytes())
"""


def decode_heif(path: Path, most: int) -> Image.Image:
    """A HEIC picture, decoded and upright. `most`: pixels that it may have.

    Raises `InputError` for one that is damaged or too large, and where no decoder is installed.
    """
    if importlib.util.find_spec("pillow_heif"):
        return _by_package(path, most)
    for name in _PROGRAMS:
        if program := shutil.which(name):
            return _by_program(program, path)
    # vcam's package for Debian names the same one
    ways = dict.fromkeys((extras.command("heic"), "sudo apt install libheif-examples"))
    raise InputError(
        f"{path} is a HEIC picture, and nothing here reads those", f"{', or '.join(ways)}; or save it as JPEG"
    )


def _by_package(path: Path, most: int) -> Image.Image:
    from PIL import Image

    # -P: nothing in the folder where vcam was started is taken for a module
    data = _run([sys.executable, "-P", "-c", _CHILD, str(path.absolute()), str(most)], path)
    line, _, rest = data.partition(b"\n")
    head = json.loads(line)
    width, height = head["size"]
    if "mode" not in head:
        raise InputError(f"{path} has {width}x{height} pixels, too many to load", "scale it down")
    image = Image.frombytes(head["mode"], (width, height), rest[head["profile"] :])
    image.info["icc_profile"] = rest[: head["profile"]]
    image.format = "HEIF"
    return image


def _by_program(program: str, path: Path) -> Image.Image:
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="vcam-heif-", dir=scratch()) as folder:
        _run([program, str(path.absolute()), str(Path(folder) / "picture.png")], path)
        # a file of several pictures gives several files
        made = sorted(Path(folder).glob("*.png"))
        if not made:
            raise InputError(f"{path} holds no picture", "export it again")
        with Image.open(made[0], formats=["PNG"]) as image:
            # without its EXIF, which may still say that it is turned: it has been turned when it was decoded
            result = Image.frombytes(image.mode, image.size, image.tobytes())
            result.info["icc_profile"] = image.info.get("icc_profile", b"")
            result.format = "HEIF"
            return result


def _run(command: list[str], path: Path) -> bytes:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path} was not decoded within {_PATIENCE:g} s", "save it as JPEG") from error
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise InputError(f"{path} is a HEIC picture that cannot be read: {words[-1]}", "save it as JPEG")
    return done.stdout
