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
    "convert": ("onnx", "tflite"),
    "train": ("torch", "lightning-fabric", "onnxscript", "h5py", "onnx", "tflite", "openvino"),
    "tflite": ("litert-torch", "ai-edge-quantizer", "torch", "lightning-fabric", "onnxscript", "h5py", "onnx", "tflite",
               "openvino"),
}  # fmt: skip
"""The extras of pyproject.toml for those who use vcam, with all packages of each."""

_IN_DEBIAN, _OF_DEBIAN = "/usr/lib/vcam", {"openvino": "./vcam-openvino_*.deb", "heic": "libheif-examples"}
"""Where vcam's package for Debian has its environment, and which packages are extras of it. The first
lies beside vcam's own: no archive has it."""

_OF_ROOT = "/usr/local"
"""Where Debian's pip puts what root installs in spite of that: no package of the system owns anything there."""

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
    if sys.prefix == _IN_DEBIAN and extra in _OF_DEBIAN:
        return f"sudo apt install {_OF_DEBIAN[extra]}"
    return _command(PACKAGES[extra], f"vcam[{extra}]")


def command_for(*packages: str) -> str:
    """What to type to have packages that vcam needs and that are broken or gone."""
    if belongs_to_the_system():
        return "install the package vcam of your system again, as by sudo apt install --reinstall vcam"
    return _command(packages, *packages)


def _command(packages: tuple[str, ...], *asked: str) -> str:
    prefix, words = Path(sys.prefix), " ".join(map(shlex.quote, asked))
    if (prefix / "pipx_metadata.json").exists():
        everybody = prefix.is_relative_to("/opt/pipx")
        inject = "sudo pipx inject --global" if everybody else "pipx inject"
        return f"{inject} {shlex.quote(prefix.name)} {' '.join(packages)}"
    if (prefix / "uv-receipt.toml").exists():
        return f"uv pip install --python {shlex.quote(str(prefix))} {' '.join(packages)}"
    if belongs_to_the_system():
        # what a package manager has put there is not ours to change; PyPI's vcam is another program
        return "in the folder of vcam's source: pipx install '.[all]', which then stands beside the one of your system"
    if sys.prefix == sys.base_prefix:
        # beside the system's own packages, where whoever installed vcam has already said that it may be
        return f"pip install {'--break-system-packages ' if _is_marked() else ''}{words}"
    if os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return f"pip install {words}"
    if (prefix / "bin" / "pip").exists():
        return f"{shlex.quote(str(prefix / 'bin' / 'pip'))} install {words}"
    if shutil.which("uv"):
        return f"uv pip install --python {shlex.quote(str(prefix))} {words}"
    python = shlex.quote(str(prefix / "bin" / "python"))
    return f"{python} -m ensurepip && {python} -m pip install {words}"


def belongs_to_the_system() -> bool:
    """Whether vcam was installed by the system's package manager: pip must not write there."""
    own = Path(sys.prefix)
    # Debian's package has an environment of its own; the last is that of a Flatpak
    if own.is_relative_to("/usr/lib") or own.is_relative_to("/nix/store") or own == Path("/app"):
        return True
    if sys.prefix != sys.base_prefix:
        return False
    # a vcam in one's own folders, or in root's, was put there by pip all the same
    return _is_marked() and Path(__file__).is_relative_to(sys.prefix) and not Path(__file__).is_relative_to(_OF_ROOT)


def _is_marked() -> bool:
    """Whether this Python's packages are the system's, PEP 668: pip writes there only if it is told twice."""
    return Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
