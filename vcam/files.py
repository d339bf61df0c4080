"""Files that get their final name only once they are whole, and the one rule for what they may replace."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import shlex
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

from vcam.errors import OutputError, UsageError

_log = logging.getLogger(__name__)

_numbers = count()
"""Two threads may write the same file."""

_creating = threading.Lock()
"""Held from the look for left-over files until a new one is locked, so that no thread takes it for left over."""

_LONGEST_SUFFIX = 16
_MOST_NAMES = 10_000

CURE = "give another name, or --overwrite"


class Overwriting:
    """The rule for every file that a person names for vcam to write: `check` it before any work is done.

    A file that exists is refused unless `allowed`. A file that vcam reads is refused whatever is allowed, by whichever
    name it is called: it is known by its inode. What is no ordinary file, as a pipe, has nothing that could be lost.
    """

    def __init__(self, allowed: bool = False, inputs: Callable[[], Iterable[Path]] = tuple) -> None:
        """inputs: gives what vcam reads; a folder stands for the files in it. They need not be there."""
        self.allowed = allowed
        self._inputs = inputs
        self._more: frozenset[tuple[int, int]] = frozenset()

    def with_inputs(self, *inputs: Path) -> Overwriting:
        """The same rule where these are read as well."""
        rule = Overwriting(self.allowed, self._inputs)
        # looked at once: there may be many
        rule._more = self._more.union(_identities(inputs))
        return rule

    def check(self, path: Path, cure: str = CURE) -> None:
        """Raise `UsageError` if this file may not be written; `cure` is for one that merely exists."""
        try:
            found = path.stat()
        except OSError:
            # not there, or out of reach, which shows when it is written
            return
        if not stat.S_ISREG(found.st_mode):
            return
        if self.is_input(path):
            raise UsageError(f"{path} is the input itself", "give the output another name")
        if not self.allowed:
            raise UsageError(f"{path} exists", cure)

    def is_input(self, path: Path) -> bool:
        """Whether a path leads to a file that vcam reads."""
        own = set(_identities((path,)))
        return bool(own) and (bool(own & self._more) or any(each in own for each in _identities(self._inputs())))


def _identities(paths: Iterable[Path]) -> Iterator[tuple[int, int]]:
    """Device and inode of ordinary files, and of those in folders."""
    for path in paths:
        with suppress(OSError, ValueError):
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                yield found.st_dev, found.st_ino
            elif stat.S_ISDIR(found.st_mode):
                yield from _identities(entry for entry in path.iterdir() if not entry.is_dir())


def no_file(path: Path) -> str:
    """What a path leads to, for people: "a folder", "a pipe", "a socket", "a device"; "" for an ordinary file.

    For whoever opens what somebody named: a pipe would wait for a writer, a device might do something. Raises
    `OSError` where nothing is there, or it cannot be looked at.
    """
    mode = path.stat().st_mode
    kinds = {stat.S_IFREG: "", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


class PartialFile:
    """A file written under another name beside its final one.

    `working` is where to write; `commit` gives it the final name, `discard` removes it. A link is followed: the file
    it points to is the one that is replaced. What a run that was killed has left beside the file is cleared away by the
    next one; it is told from a file in work by the lock that its writer holds.
    """

    def __init__(self, path: Path, rule: Overwriting | None = None) -> None:
        """rule: what may be replaced, for a file that a person named; without one, a file of vcam's own is."""
        self.path = path
        self._rule = rule
        self._final = Path(os.path.realpath(path))
        self.working = self._working()
        self._exists = False
        self._lock = -1

    def create(self, mode: int | None = None) -> int:
        """Create the working file, empty, and return a descriptor for writing, which the caller closes.

        mode: its permissions, whatever the umask; None for those of any new file. Raises `UsageError` if there can be
        no such file (its folder is missing, it is a folder or a device, the rule refuses it), `OutputError` if the
        system refuses.
        """
        self._check()
        try:
            with _creating:
                self._clear()
                self.working = self._working()
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(self.working, flags, 0o666 if mode is None else 0o600)
                self._lock = os.dup(descriptor)
                with suppress(OSError):
                    # a file system without locks has no clearing away either
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._exists = True
        if mode is not None:
            os.fchmod(descriptor, mode)
        return descriptor

    def _check(self) -> None:
        folder = self._final.parent
        try:
            found = self._final.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            found = 0
        except OSError as error:
            raise write_error(self.path, error) from error
        if stat.S_ISDIR(found):
            example = self.path / f"vcam{self.path.suffix or '.mp4'}"
            raise UsageError(f"{self.path} is a folder", f"name a file in it, for example {example}")
        if not os.path.isdir(folder):
            if os.path.lexists(folder):
                raise UsageError(f"{folder} is not a folder", "choose another place")
            raise no_folder(folder)
        if found and not stat.S_ISREG(found):
            raise UsageError(f"{self.path} is not an ordinary file", "choose another name")
        if self._rule:
            self._rule.check(self.path)

    def _working(self) -> Path:
        return self._named(f".part-{os.getpid()}-{next(_numbers)}", ".")

    def _named(self, mark: str, before: str = "") -> Path:
        """A name beside the final one, made from it, that the file system takes."""
        suffix = self._final.suffix
        if len(os.fsencode(suffix)) > _LONGEST_SUFFIX:
            suffix = ""
        stem = f"{before}{self._final.name.removesuffix(suffix)}"
        try:
            most = os.pathconf(self._final.parent, "PC_NAME_MAX")
        except (OSError, ValueError):
            most = 255
        # letters, not bytes: half a letter is no name everywhere
        while len(os.fsencode(f"{stem}{mark}{suffix}")) > most and len(stem) > 1:
            stem = stem[:-1]
        return self._final.with_name(f"{stem}{mark}{suffix}")

    def _clear(self) -> None:
        """Remove what earlier writers of this file have left when they were killed."""
        start, _, end = self.working.name.partition(f".part-{os.getpid()}-")
        suffix = end.lstrip("0123456789")
        left = re.compile(rf"\.*{re.escape(start)}(?:\.part-(\d+)-\d+)+{re.escape(suffix)}")
        for entry in _parts_in(str(self._final.parent)):
            if (found := left.fullmatch(entry)) and not _lives(int(found[1])):
                _remove_unlocked(self._final.with_name(entry))

    def commit(self, *, lasting: bool = False) -> None:
        """Give the file its final name, replacing what is there. Raises `OutputError`, and then nothing is left.

        lasting: not before it is on the disk, so that a power cut leaves the old file or the new one. Where the rule
        lets nothing be replaced and the name was taken meanwhile, the file gets another one, and a warning says so.
        """
        try:
            if lasting:
                _flush(self.working)
            self._take_name()
        except OSError as error:
            self.discard()
            raise write_error(self.path, error) from error
        self._exists = False
        self._unlock()
        if lasting:
            try:
                _flush(self._final.parent)
            except OSError as error:
                raise write_error(self.path, error) from error

    def _take_name(self) -> None:
        rule = self._rule
        if rule is None or (rule.allowed and not rule.is_input(self._final)):
            os.replace(self.working, self._final)
            return
        for number in range(1, _MOST_NAMES):
            name = self._final if number == 1 else self._named(f"-{number}")
            if _move(self.working, name):
                if number > 1:
                    _log.warning("%s exists by now: what was made is in %s", self.path, name)
                    self.path = name
                return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def discard(self) -> None:
        """Remove the working file, if there is one. Never raises."""
        if self._exists:
            self._exists = False
            # the folder itself may be gone
            with suppress(OSError):
                self.working.unlink(missing_ok=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@cache
def _parts_in(folder: str) -> tuple[str, ...]:
    """The working files of a folder when this process first wrote there; later ones are other processes' own."""
    try:
        return tuple(name for name in os.listdir(folder) if name.startswith(".") and ".part-" in name)
    except OSError:
        # a folder that may be written to need not be one that may be read
        return ()


def _move(old: Path, new: Path) -> bool:
    """Give a file another name, unless there is a file of that name."""
    try:
        os.link(old, new)
    except FileExistsError:
        return False
    except OSError:
        # a file system without hard links
        if os.path.lexists(new):
            return False
        os.replace(old, new)
        return True
    os.unlink(old)
    return True


def _lives(pid: int) -> bool:
    """Whether another process has this number. Our own may be that of one that ran before us in a container."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove_unlocked(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        finally:
            os.close(descriptor)


def write_whole(
    path: Path,
    write: Callable[[Path], object],
    *,
    mode: int | None = None,
    lasting: bool = False,
    rule: Overwriting | None = None,
) -> None:
    """Let `write` fill a file beside `path`, which then takes its place; on failure nothing is left.

    For `mode`, `lasting` and `rule` see `PartialFile`. Raises `UsageError` if there can be no such file, `OutputError`
    if the system refuses, and what `write` raises but for `OSError`.
    """
    file = PartialFile(path, rule)
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


def no_folder(folder: Path) -> UsageError:
    """The error for a folder that is not there, with its cure."""
    return UsageError(f"there is no folder {folder}", f"mkdir -p {shlex.quote(str(folder))}")


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
