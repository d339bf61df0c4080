"""The texts of a .deb that dpkg and its readers look at: control, maintainer scripts, copyright, changelog.

https://www.debian.org/doc/debian-policy/ is the source of what each has to say.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime

from packaging.version import Version

from vcam.errors import UsageError
from vcam.machine.loopback import FILES
from vcam.packaging.deb_bundle import SEPARATE
from vcam.packaging.sbom import HOME, Part

ENVIRONMENT = "usr/lib/vcam"
"""Where the program and its packages are, below /."""

MAINTAINER = f"{os.environ.get('DEBFULLNAME', 'The vcam authors')} <{os.environ.get('DEBEMAIL', 'vcam@example.org')}>"
"""Who answers for a package: whoever makes it, by the variables that Debian's own tools read."""

SYSTEM_LIBRARIES = {
    "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1", "libz.so.1": "zlib1g",
    **dict.fromkeys(("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1",
                     "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"), "libc6"),
    # only OpenVINO's plug-in for GPUs asks for it, and is passed over without
    "libOpenCL.so.1": "",
}  # fmt: skip
"""Debian's packages of the libraries that wheels for manylinux expect on every machine: PEP 600."""

_ABOUT = {
    "vcam": (
        "virtual camera that replaces or blurs what is behind you",
        "vcam reads your webcam, finds you, replaces or blurs what is behind you, and\n"
        "serves the result as a camera to video calls, OBS and browsers, through\n"
        "PipeWire or the kernel module v4l2loopback. It runs on the CPU of an ordinary\n"
        "laptop and sends nothing anywhere.\n\n"
        "The program has an environment of its own below /usr/lib/vcam, with the\n"
        "packages of Python's that it was made with.",
    ),
    "vcam-openvino": (
        "OpenVINO for vcam, for GPUs and NPUs by Intel",
        "vcam runs its networks on ONNX Runtime. With this package it can run them on\n"
        "OpenVINO as well: on GPUs and NPUs by Intel, and on the CPU should the other\n"
        "runtime fail.",
    ),
}

_RELATIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "vcam": {
        "Depends": ("ffmpeg", "libturbojpeg0 | libturbojpeg"),
        "Recommends": ("v4l2loopback-dkms", "pipewire", "vcam-openvino"),
        "Provides": ("vcam-py{python}",),
        "Suggests": ("libheif-examples", "xdg-desktop-portal"),
    },
    # of the same Python, and not of the same version: whoever upgrades vcam alone keeps it
    "vcam-openvino": {
        "Depends": ("vcam (>= {base}~~)", "vcam-py{python}"),
        "Suggests": ("intel-opencl-icd", "ocl-icd-libopencl1"),
    },
}


def debian_version(version: str, python: str) -> str:
    """vcam's version as dpkg sorts it, with the Python that the package is for: 0.2.0rc1 is before 0.2.0.

    Raises `UsageError` for one that packages of Python's may not have.
    """
    try:
        read = Version(version)
    except ValueError as error:
        raise UsageError(f"{version!r} is no version", "as 1.2.0 or 1.2.0rc1") from error
    text = read.base_version + (f"~{read.pre[0]}{read.pre[1]}" if read.pre else "")
    text += f"+post{read.post}" if read.post is not None else ""
    # before the first candidate if there is none yet
    text += f"{'~' if read.pre or read.post else '~~'}dev{read.dev}" if read.dev is not None else ""
    return f"{text}-1py{python}"


def next_python(python: str) -> str:
    """The minor version after "3.11": "3.12"."""
    major, minor = python.split(".")
    return f"{major}.{int(minor) + 1}"


def control(
    name: str, version: str, architecture: str, python: str, libraries: Iterable[str], glibc: tuple[int, int], size: int
) -> str:
    """DEBIAN/control. libraries: sonames that are not in the bundle. size: of what is installed, in KiB.

    Raises `KeyError` for a library that no package is known of.
    """
    # without the marks of candidates, which sort before it
    words = {"base": re.split("[~+-]", version)[0], "python": python}
    relations = {kind: [text.format(**words) for text in of] for kind, of in _RELATIONS[name].items()}
    needed = {SYSTEM_LIBRARIES[library] for library in libraries} - {"", "libc6"}
    # a library that is compiled for one Python is of no use to the next
    first = [f"python3 (>= {python}~)", f"python3 (<< {next_python(python)}~)"] if name == "vcam" else []
    first += [f"libc6 (>= {glibc[0]}.{glibc[1]})", *sorted(needed)]
    relations["Depends"] = [*first, *relations["Depends"]]
    about, more = _ABOUT[name]
    lines = [f"Package: {name}", f"Version: {version}", f"Architecture: {architecture}", f"Maintainer: {MAINTAINER}"]
    lines += [f"Installed-Size: {size}"]
    order = ("Depends", "Recommends", "Suggests", "Provides")
    lines += [f"{kind}: {', '.join(relations[kind])}" for kind in order if kind in relations]
    lines += ["Section: video", "Priority: optional", *([f"Homepage: {HOME}"] if HOME else []), f"Description: {about}"]
    lines += [f" {line}" if line else " ." for line in more.splitlines()]
    return "\n".join(lines) + "\n"


def scripts(name: str, size: int) -> dict[str, str]:
    """The maintainer scripts by their names. size: what unpacking needs, in KiB.

    The first refuses a disk that is too full before anything is unpacked. The others make and remove what Python
    compiles, end the services of those who are logged in, and after a purge remove what `vcam loopback setup` wrote.
    """
    mark = "# Written by vcam loopback setup"
    purge = "\n".join(f'  if head -n 1 {path} 2>/dev/null | grep -q "^{mark}"; then rm -f {path}; fi' for path in FILES)
    made = {
        "preinst": f"""\
case "$1" in install|upgrade)
  folder=/{ENVIRONMENT}
  [ -d "$folder" ] || folder=/usr/lib
  free=$(df -Pk "$folder" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
  case "$free" in ''|*[!0-9]*) free={size} ;; esac
  if [ "$free" -lt {size} ]; then
    echo "{name}: $folder has $((free / 1024)) MB free, {size // 1024 + 1} are needed; nothing was installed" >&2
    echo "{name}: make room there (df -h $folder), then install the file once more" >&2
    exit 1
  fi ;;
esac
""",
        "postinst": f"""\
case "$1" in configure|abort-upgrade|abort-remove|abort-deconfigure)
  # prerm has taken it away, also where the version before stays; without it each start is slower, and that is all
  py3compile -p {name} /{ENVIRONMENT} || echo "{name}: modules were not compiled; vcam starts more slowly" >&2 ;;
esac
""",
        "prerm": f"""\
case "$1" in remove|deconfigure)
  # of those who are logged in, the services that run this program: a unit of one's own may run another vcam
  for place in /run/user/[0-9]*; do
    [ -d "$place" ] && [ -d /run/systemd/system ] || continue
    runs=$(systemctl --user -M "${{place##*/}}@" show vcam.service --property=ExecStart --value 2>/dev/null) || continue
    case "$runs" in *"path=/usr/bin/vcam ;"*)
      systemctl --user -M "${{place##*/}}@" stop vcam.service >/dev/null 2>&1 || true ;;
    esac
  done ;;
esac
if command -v py3clean >/dev/null; then py3clean -p {name} || true; fi
""",
        "postrm": f"""\
case "$1" in purge)
{purge} ;;
esac
case "$1" in remove|purge|disappear)
  # what Python compiled for itself while root ran vcam
  if [ -d /{ENVIRONMENT} ]; then
    find /{ENVIRONMENT} -depth -name '*.pyc' -delete
    find /{ENVIRONMENT} -depth -type d -empty -delete
  fi ;;
esac
""",
    }
    if name in SEPARATE:
        places = " ".join(f"/{ENVIRONMENT}/lib/python3*/site-packages/{module}" for module in SEPARATE[name])
        made["postrm"] = f"""\
case "$1" in remove|purge|disappear)
  # as vcam's own: what Python compiled while root ran vcam
  for folder in {places}; do
    [ -d "$folder" ] || continue
    find "$folder" -depth -name '*.pyc' -delete
    find "$folder" -depth -type d -empty -delete
  done ;;
esac
"""
        made["prerm"] = made["prerm"][made["prerm"].index("if command -v py3clean") :]
    return {kind: f"#!/bin/sh\nset -e\n{text}" for kind, text in made.items()}


_COMMON = {"Apache-2.0": "Apache-2.0", "LGPL-2.1-only": "LGPL-2.1", "LGPL-2.1-or-later": "LGPL-2.1"}
"""Licences whose text every Debian has in /usr/share/common-licenses."""


def copyright_text(name: str, found: Iterable[Part], site: str, own: str) -> str:
    """The copyright file, in Debian's machine-readable form, for the packages of Python's in a .deb.

    site: where they are, below /. own: vcam's licence.
    """
    head = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
        "Upstream-Name: vcam",
        f"Source: {HOME or 'vcam-VERSION.tar.gz, as it is handed out beside this package'}",
        "Comment: Below /usr/lib/vcam are packages of Python's: wheels as their makers publish them on",
        " https://pypi.org, each with its home below. pyvirtualcam, under GPL-2.0-only, is not among them.",
        *(_LESSER if name == "vcam" else ()),
    ]  # fmt: skip
    holder, _, terms = own.partition("\n\n")[2].partition("\n\n")
    blocks = ["\n".join(head)]
    if name == "vcam":
        copyrighted = holder.replace("Copyright (c)", "Copyright:")
        blocks.append(f"Files: *\n{copyrighted}\nLicense: MIT\n{_indented(terms)}")
        blocks.append(
            f"Files: {ENVIRONMENT}/lib/*/vcam/_data/models/*\nCopyright: Google LLC\nLicense: Apache-2.0\n"
            f"{_indented(_COMMON_TEXT.format(name='Apache-2.0'))}"
        )
        # the last paragraph that a file goes with is the one that counts; the text stands above
        blocks.append(f"Files: {ENVIRONMENT}/lib/*/vcam/_data/models/harmonise.*\n{copyrighted}\nLicense: MIT")
        blocks.append(
            f"Files: {ENVIRONMENT}/lib/*/vcam/web/page/preact.js\nCopyright: 2018 Google Inc.\n"
            " 2015-present Jason Miller\nLicense: Apache-2.0 and Expat\n"
            f" htm is under Apache-2.0, Preact under Expat's. The texts are in /{site}/vcam/web/page/LICENSES.txt."
        )
    for part in found:
        if part.name == "vcam":
            continue
        texts = [f"/{site}/{path}" for path in part.texts]
        common = [_COMMON_TEXT.format(name=_COMMON[part.licence])] if part.licence in _COMMON else []
        said = [*common, "What else it holds is told here as well:" if common else "The text:", *texts]
        # a name of its own for each: two that call themselves BSD need not have the same words
        short = part.licence if common else f"{re.sub(r'[^A-Za-z0-9.+-]+', '-', part.licence)}-{part.name}"
        body = _indented("\n".join([*said, *([f"Published as: {part.licence}"] if not common else [])]))
        blocks.append(
            f"Files: {_files(part, site)}\nCopyright: the authors of {part.name} {part.version}, {part.home}\n"
            f"License: {short}\n{body}"
        )
    return "\n\n".join(blocks) + "\n"


_LESSER = (
    " Under the LGPL are pygame-ce, some libraries in pygame_ce.libs, and the ffmpeg in opencv_python_headless.libs.",
    " Their sources: pygame-ce's on PyPI and at its home; those of its libraries at the addresses in",
    " pygame_ce-*.dist-info/licenses/LIBRARIES.txt; ffmpeg's at https://ffmpeg.org, built as the source of",
    " opencv-python says. Whoever hands this package on hands those on as well, or offers them.",
)
_COMMON_TEXT = "On Debian systems, the text is in /usr/share/common-licenses/{name}."


def _files(part: Part, site: str) -> str:
    stem = re.sub(r"[-_.]+", "_", part.name)
    return " ".join(f"{site}/{name}" for name in dict.fromkeys((f"{stem}-*", *part.tops)))


def _indented(text: str) -> str:
    lines = [part for line in text.strip().splitlines() for part in (textwrap.wrap(line, 200) or [""])]
    return "\n".join(f" {line}" if line.strip() else " ." for line in lines)


def changelog(name: str, version: str, when: datetime) -> str:
    """The package's own changelog; what changed in vcam is in changelog.gz beside it."""
    return (
        f"{name} ({version}) unstable; urgency=medium\n\n"
        "  * Made by vcam's own build, make deb. What changed for users: changelog.gz.\n\n"
        f" -- {MAINTAINER}  {format_datetime(when)}\n"
    )
