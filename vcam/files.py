"""Files that get their final name only once they are whole, so that nobody ever finds half of one."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable
from itertools import count
from pathlib import Path

from vcam.errors import OutputError, UsageError

_numbers = count()
"""Two threads may write the same file; the last one to finish has it."""


class PartialFile:
    """A file written under another name beside its final one.

    `working` is where to write; `commit` gives it the final name, `discard` removes it. A link is followed: the file
    it points to is the one that is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._final = Path(os.path.realpath(path))
        name = f".{self._final.stem}.part-{os.getpid()}-{next(_numbers)}{self._final.suffix}"
        self.working = self._final.with_name(name)
        self._exists = False

    def create(self, mode: int | None = None) -> int:
        """Create the working file, empty, and return a descriptor for writing, which the caller closes.

        mode: its permissions, whatever the umask; None for those of any new file. Raises `UsageError` if there can be
        no such file (its folder is missing, it is a folder or a device), `OutputError` if the system refuses.
        """
        folder = self._final.parent
        if self._final.is_dir():
            example = self.path / f"vcam{self.path.suffix or '.mp4'}"
            raise UsageError(f"{self.path} is a folder", f"name a file in it, for example {example}")
        if not folder.is_dir():
            if folder.exists():
                raise UsageError(f"{folder} is not a folder", "choose another place")
            raise UsageError(f"there is no folder {folder}", f"mkdir -p {shlex.quote(str(folder))}")
        if self._final.exists() and not self._final.is_file():
            raise UsageError(f"{self.path} is not an ordinary file", "choose another name")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(self.working, flags, 0o666 if mode is None else 0o600)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._exists = True
        if mode is not None:
            os.fchmod(descriptor, mode)
        return descriptor

    def commit(self, *, lasting: bool = False) -> None:
        """Give the file its final name, replacing what is there. Raises `OutputError`, and then nothing is left.

        lasting: not before it is on the disk, so that a power cut leaves the old file or the new one.
        """
        try:
            if lasting:
                _flush(self.working)
            os.replace(self.working, self._final)
        except OSError as error:
            self.discard()
            raise write_error(self.path, error) from error
        self._exists = False
        if lasting:
            try:
                _flush(self._final.parent)
            except OSError as error:
                raise write_error(self.path, error) from error

    def discard(self) -> None:
        """Remove the working file, if there is one. Never raises."""
        if self._exists:
            self._exists = False
            try:
                self.working.unlink(missing_ok=True)
            except OSError:
                # the folder itself may be gone
                return


def write_whole(path: Path, write: Callable[[Path], object], *, mode: int | None = None, lasting: bool = False) -> None:
    """Let `write` fill a file beside `path`, which then takes its place; on failure nothing is left.

    For `mode` and `lasting` see `PartialFile`. Raises `UsageError` if there can be no such file, `OutputError` if the
    system refuses, and what `write` raises but for `OSError`.
    """
    file = PartialFile(path)
    os.close(file.create(mode))
    try:
        write(file.working)
        file.commit(lasting=lasting)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        file.discard()


def replace_file(path: Path, text: str) -> None:
    """Put a new text in the place of a file, whole or not at all, even if the power is cut.

    Links are followed and the mode is kept; a new file is its owner's alone, and so are the folders made for it. Raises
    `UsageError` if there can be no such file, `OutputError` if the system refuses.
    """
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    except OSError as error:
        raise write_error(path, error) from error
    write_whole(path, lambda working: working.write_bytes(text.encode()), mode=mode, lasting=True)


def _flush(path: Path) -> None:
    """Wait until a file or a folder's list of names is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_error(path: Path, error: OSError) -> OutputError:
    """The error for a file that the system will not let be written, with its cure."""
    folder = path.parent
    cures = {
        errno.ENOSPC: f"free some space: df -h {shlex.quote(str(folder))} shows what is left",
        errno.EDQUOT: "your quota on that disk is used up: free some space",
        errno.EACCES: f"you may not write in {folder}: choose another folder",
        errno.EPERM: f"you may not write in {folder}: choose another folder",
        errno.EROFS: f"{folder} is on a disk that is read-only: choose another folder",
        errno.ENAMETOOLONG: "choose a shorter name",
    }
    return OutputError(
        f"cannot write {path}: {error.strerror or error}",
        cures.get(error.errno or 0, f"check that {folder} can be written to"),
    )
