"""The machine as `vcam doctor` and `vcam loopback` see it: files under a root, programs that can be run, the user.

Everything they ask goes through one object, so that tests can script whole machines.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vcam import extras

_TIMEOUT = 10.0

_INSTALL = {
    "apt": "sudo apt install", "dnf": "sudo dnf install", "pacman": "sudo pacman -S", "zypper": "sudo zypper install",
}  # fmt: skip

_REMOVE = {
    "apt": "sudo apt purge", "dnf": "sudo dnf remove", "pacman": "sudo pacman -Rs", "zypper": "sudo zypper remove",
}  # fmt: skip

_FAMILIES = {
    "debian": "apt", "ubuntu": "apt", "fedora": "dnf", "rhel": "dnf", "centos": "dnf", "arch": "pacman",
    "suse": "zypper", "opensuse": "zypper",
}  # fmt: skip

_PACKAGES = {
    "v4l2loopback": {
        "apt": "v4l2loopback-dkms", "dnf": "akmod-v4l2loopback", "pacman": "v4l2loopback-dkms",
        "zypper": "v4l2loopback",
    },
    "pipewire": dict.fromkeys(("apt", "dnf", "pacman", "zypper"), "pipewire"),
    "wireplumber": dict.fromkeys(("apt", "dnf", "pacman", "zypper"), "wireplumber"),
    "ffmpeg": {"apt": "ffmpeg", "dnf": "ffmpeg-free", "pacman": "ffmpeg", "zypper": "ffmpeg"},
    "libturbojpeg": {
        "apt": "libturbojpeg0", "ubuntu": "libturbojpeg", "dnf": "turbojpeg", "pacman": "libjpeg-turbo",
        "zypper": "libturbojpeg0",
    },
    "compiler": {"apt": "gcc libc6-dev", "dnf": "gcc", "pacman": "gcc", "zypper": "gcc"},
    "headers": {
        "apt": "linux-headers-{release}", "dnf": "kernel-devel-{release}", "pacman": "linux-headers",
        "zypper": "kernel-default-devel",
    },
    "intel-gpu": {
        "apt": "intel-opencl-icd", "dnf": "intel-compute-runtime", "pacman": "intel-compute-runtime",
        "zypper": "intel-opencl",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class User:
    """Who asks: the effective user's number, name and current groups."""

    uid: int
    name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said, and its exit status."""

    status: int
    stdout: str
    stderr: str = ""


def run_program(command: Sequence[str]) -> Answer | None:
    """Run a program that only looks at something; None if it is missing or does not end within ten seconds."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def find_program(name: str) -> str | None:
    """Where a program is; those of administrators count, which are not on everybody's path."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def _program_folders() -> tuple[str, ...]:
    return tuple(folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder.startswith("/"))


def has_library(name: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _this_user() -> User:
    import grp
    import pwd

    names = set()
    for number in {os.getegid(), *os.getgroups()}:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return User(os.geteuid(), name, frozenset(names))


@dataclass(frozen=True)
class Machine:
    """Files are named by their absolute paths and looked for under `root`. `lacks` is asked by an extra's name.

    `folders` are those where the shell looks for programs.
    """

    root: Path = Path("/")
    release: str = field(default_factory=lambda: os.uname().release)
    run: Callable[[Sequence[str]], Answer | None] = run_program
    which: Callable[[str], str | None] = find_program
    library: Callable[[str], bool] = has_library
    user: User = field(default_factory=_this_user)
    lacks: Callable[[str], bool] = extras.is_missing
    folders: tuple[str, ...] = field(default_factory=_program_folders)

    def path(self, name: str) -> Path:
        """Where the file `name`, an absolute path, is."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """A small file's text without white space round it; "" if it cannot be read."""
        try:
            return self.path(name).read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def exists(self, name: str) -> bool:
        """Whether there is such a file, folder or node."""
        try:
            return self.path(name).exists()
        except OSError:
            return False

    def glob(self, pattern: str) -> list[Path]:
        """What matches an absolute pattern, sorted."""
        return sorted(self.root.glob(pattern.lstrip("/")))

    def number(self, name: str) -> int | None:
        """A file that holds a number; None if it does not."""
        text = self.read(name)
        return int(text) if text.lstrip("-").isdecimal() else None

    def say(self, *command: str) -> str:
        """What a program prints if it succeeds, else ""."""
        answer = self.run(command)
        return answer.stdout.strip() if answer and answer.status == 0 else ""

    @cached_property
    def processes(self) -> frozenset[str]:
        """The names of the running processes; the kernel cuts them to 15 letters."""
        names = set()
        for entry in self.glob("/proc/[0-9]*"):
            try:
                names.add((entry / "comm").read_text("utf-8", "replace").strip())
            except OSError:
                continue
        return frozenset(names)

    def is_vcam(self, pid: int) -> bool:
        """Whether a process is vcam, as its own program or run by Python."""
        words = [Path(word).name for word in self.read(f"/proc/{pid}/cmdline").split("\0")[:3]]
        return "vcam" in words

    @cached_property
    def in_container(self) -> bool:
        """Whether this is a container, which shares the kernel of another machine."""
        marks = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
        return any(self.exists(mark) for mark in marks)

    @cached_property
    def _distribution(self) -> list[str]:
        """The distribution's name, then those that it descends from."""
        release = dict(line.split("=", 1) for line in self.read("/etc/os-release").splitlines() if "=" in line)
        return f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".replace('"', "").split()

    @cached_property
    def _manager(self) -> str:
        """The program that installs packages, "" if the distribution is not known."""
        families = [family for word in self._distribution for family in _FAMILIES if word.startswith(family)]
        return _FAMILIES[families[0]] if families else ""

    def remove(self, package: str) -> str:
        """The command that removes a package of this distribution's."""
        if not self._manager:
            return f"remove {package} with your distribution's package manager"
        return f"{_REMOVE[self._manager]} {package}"

    def install(self, *things: str) -> str:
        """The command that installs things known to `_PACKAGES` on this distribution."""
        manager = self._manager
        if not manager:
            return f"install {' and '.join(things)} with your distribution's package manager"
        kinds = [kind for kind in self._distribution if kind in ("ubuntu",)] + [manager]
        names = (next(_PACKAGES[thing][kind] for kind in kinds if kind in _PACKAGES[thing]) for thing in things)
        return f"{_INSTALL[manager]} {' '.join(name.format(release=self.release) for name in names)}"
