"""What can be installed beside vcam, and by which command: that depends on how vcam itself came here."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {
    "openvino": ("openvino",),
    "ffmpeg": ("imageio-ffmpeg",),
    "window": ("pygame-ce",),
    "pyvirtualcam": ("pyvirtualcam",),
    "heic": ("pillow-heif",),
}
"""The extras of pyproject.toml that are one package each. Others: `pip install 'vcam[NAME]'`."""

SYSTEM_PACKAGES = {"openvino": "vcam-openvino"}
"""Extras that are a package of their own where vcam is one for Debian."""

_MODULES = {"ffmpeg": "imageio_ffmpeg", "window": "pygame", "heic": "pillow_heif"}

LACKS = {
    "openvino": "no Intel GPU or NPU is used, and networks as .xml or .tflite are not read; the CPU does the work",
    "window": "no window opens: vcam preview, --output window; vcam demo writes a film, vcam panel has a preview",
}
"""What is not there without an extra, where nothing of the system stands in."""


def is_missing(extra: str) -> bool:
    """Whether an extra of `PACKAGES` is not installed. Nothing is imported."""
    try:
        found = find_spec(_MODULES.get(extra, extra))
    except (ImportError, ValueError):
        return True
    # of a package that was removed an empty folder may be left
    return found is None or found.origin is None


def command(extra: str) -> str:
    """What to type to have an extra of `PACKAGES`, where this vcam runs."""
    if extra in SYSTEM_PACKAGES and belongs_to_the_system() and shutil.which("dpkg"):
        return f"sudo apt install ./{SYSTEM_PACKAGES[extra]}_*.deb, which comes beside the package vcam"
    return _command(PACKAGES[extra], f"vcam[{extra}]")


def command_for(*packages: str) -> str:
    """What to type to have packages that vcam needs and that are broken or gone."""
    return _command(packages, *packages)


def _command(packages: tuple[str, ...], *asked: str) -> str:
    prefix, words = Path(sys.prefix), " ".join(map(_quoted, asked))
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx inject {_quoted(prefix.name)} {' '.join(packages)}"
    if (prefix / "uv-receipt.toml").exists():
        return f"uv pip install --python {_quoted(str(prefix))} {' '.join(packages)}"
    if belongs_to_the_system():
        # what a package manager has put there is not ours to change
        return "pipx install 'vcam[all]', which then stands beside the one of your system"
    if sys.prefix == sys.base_prefix or os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return f"pip install {words}"
    if (prefix / "bin" / "pip").exists():
        return f"{_quoted(str(prefix / 'bin' / 'pip'))} install {words}"
    if shutil.which("uv"):
        return f"uv pip install --python {_quoted(str(prefix))} {words}"
    python = _quoted(str(prefix / "bin" / "python"))
    return f"{python} -m ensurepip && {python} -m pip install {words}"


def belongs_to_the_system() -> bool:
    """Whether vcam was installed by the system's package manager: pip must not write there."""
    if sys.prefix != sys.base_prefix:
        # an environment of its own, as the package for Debian has
        return Path(sys.prefix).is_relative_to("/usr/lib") or Path(sys.prefix).is_relative_to("/nix/store")
    # PEP 668; a vcam in one's own folders was put there by pip all the same
    marked = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
    return marked and Path(__file__).is_relative_to(sys.prefix)


def _quoted(word: str) -> str:
    # as people write it; shlex leaves words alone that need no quotes
    return shlex.quote(word)
