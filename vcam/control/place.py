"""The folder where the sockets of this user's daemons lie, and who holds which of their names."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import stat
import struct
from pathlib import Path

from vcam import folders
from vcam.errors import DeviceError, UsageError, VcamError

DEFAULT_NAME = "control"
"""Of the daemon, where there is one alone."""


def check_name(name: str) -> str:
    """The name of a daemon, given back. Raises `UsageError` for one that cannot be a file's."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", name):
        raise UsageError(f"{name!r} cannot be the name of a daemon", "use up to 32 letters and digits")
    return name


def sockets_folder() -> Path:
    """The folder of this user's sockets; it may not be there yet."""
    return folders.runtime()


def make_sockets_folder() -> Path:
    """Make the folder, mode 0700, and see that it is ours. Raises `VcamError` if it is somebody else's."""
    path = sockets_folder()
    with contextlib.suppress(FileExistsError):
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            raise
        except OSError as error:
            raise VcamError(f"{path} cannot be made: {error.strerror}", "set XDG_RUNTIME_DIR") from error
    # not followed: in /tmp anybody may have laid a link there
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise VcamError(f"{path} is not a folder of your own", "remove it, or set XDG_RUNTIME_DIR")
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def check_sockets_folder() -> bool:
    """Whether the folder is there and may be believed: only this user can have put something into it.

    For whoever connects: what is said to a socket in a folder of somebody else is said to somebody else. Raises
    `VcamError` for a folder that is not this user's, or that others may use.
    """
    path = sockets_folder()
    try:
        # not followed: in /tmp anybody may have laid a link there
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise VcamError(f"{path} cannot be looked at: {error.strerror}", "set XDG_RUNTIME_DIR") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise VcamError(
            f"{path} is not a folder of your own: nothing is sent to it",
            f"find out whose it is (ls -ld {path}) and remove it, or set XDG_RUNTIME_DIR",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise VcamError(
            f"others may use {path}: nothing is sent to it",
            f"chmod 700 {path}, and vcam start once more",
        )
    return True


def peer_is_welcome(sock: socket.socket) -> bool:
    """Whether the process at the other end of a connection is of the same user, or root.

    For a client that is the process that listened, and for a server the one that connected: SO_PEERCRED in unix(7).
    """
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (os.getuid(), 0)


def socket_path(name: str = DEFAULT_NAME) -> Path:
    """The socket of the daemon of that name."""
    return sockets_folder() / f"{check_name(name)}.sock"


class NameLock:
    """The name of a daemon, held as long as it lives; the kernel lets go of it however the daemon ends."""

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        """Take it. Raises `DeviceError`, saying who holds it, or `VcamError` for a folder that cannot be used."""
        self._path = make_sockets_folder() / f"{check_name(name)}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise VcamError(f"{self._path} cannot be opened: {error.strerror}", "remove it") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 512, 0).decode("utf-8", "replace").strip()
            os.close(self._fd)
            raise _held(name, holder) from None
        # for whoever finds it held
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let go. The file stays: removing it could part two daemons that wait for the same name."""
        os.close(self._fd)


def _held(name: str, holder: str) -> DeviceError:
    option = "" if name == DEFAULT_NAME else f" --name {name}"
    return DeviceError(
        f"vcam is running already (process {holder or 'unknown'})",
        f"steer that one: vcam status{option}, vcam background SPEC{option}, vcam stop{option}; "
        "or start one beside it, for another device: vcam start --name OTHER --output DEVICE",
    )
