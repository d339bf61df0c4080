"""A file that gets its final name only once it is whole."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

from vcam.errors import OutputError, UsageError
from vcam.images import partial_path


class PartialFile:
    """A file written under another name beside its final one.

    `working` is where to write; `commit` gives it the final name, `discard` removes it. A link is followed: the file
    it points to is the one that is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._final = Path(os.path.realpath(path))
        self.working = partial_path(self._final)
        self._exists = False

    def create(self) -> int:
        """Create the working file, empty, and return a descriptor for writing, which the caller closes.

        Raises `UsageError` if there can be no such file (its folder is missing, it is a folder or a device),
        `OutputError` if the system refuses.
        """
        folder = self._final.parent
        if self._final.is_dir():
            example = self.path / "vcam.mp4"
            raise UsageError(f"{self.path} is a folder", f"name a file in it, for example {example}")
        if not folder.is_dir():
            if folder.exists():
                raise UsageError(f"{folder} is not a folder", "choose another place")
            raise UsageError(f"there is no folder {folder}", f"mkdir -p {shlex.quote(str(folder))}")
        if self._final.exists() and not self._final.is_file():
            raise UsageError(f"{self.path} is not an ordinary file", "choose another name")
        try:
            descriptor = os.open(self.working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._exists = True
        return descriptor

    def commit(self) -> None:
        """Give the file its final name, replacing what is there. Raises `OutputError`, and then nothing is left."""
        try:
            os.replace(self.working, self._final)
        except OSError as error:
            self.discard()
            raise write_error(self.path, error) from error
        self._exists = False

    def discard(self) -> None:
        """Remove the working file, if there is one. Never raises."""
        if self._exists:
            self._exists = False
            try:
                self.working.unlink(missing_ok=True)
            except OSError:
                # the folder itself may be gone
                return


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
