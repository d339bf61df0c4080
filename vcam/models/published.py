"""Networks of the catalogue brought into the user's model folder from where they are published.

What has come of a download that broke off stays in the cache folder, and the next one goes on from there. Everything
else happens in a scratch folder: nothing is in the model folder before it has run.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO

from vcam import folders
from vcam.errors import ModelError, OutputError, UsageError
from vcam.files import write_error
from vcam.models.cards import ModelCard
from vcam.models.catalogue import Entry
from vcam.models.fetch import Progress, check_address, fetch
from vcam.models.store import Check, add, check_name
from vcam.models.tflite_onnx import to_onnx

_MOST_OF_AN_ARCHIVE = 1 << 30
"""Bytes; an archive's own size is not in the catalogue."""


_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, KeyError,
    # a member with a password, or packed in a way that is not known
    RuntimeError, NotImplementedError,
)  # fmt: skip


def pull_entry(
    entry: Entry,
    name: str = "",
    *,
    replace: bool = False,
    agreed: bool = False,
    check: Check = lambda card: None,
    progress: Progress = lambda done, of: None,
) -> ModelCard:
    """Fetch a network of the catalogue, make what an engine reads of it, and keep it; returns the card there.

    name: what to call it, by default as the catalogue does. agreed: the licence, where it is not permissive, was shown
    and taken. Raises `UsageError` for a licence that is not agreed to,
    and what `store.add` raises; `ModelError` for what cannot be fetched or is not the published file.
    """
    name = name or entry.name
    check_name(name, replace)
    if not entry.permissive and not agreed:
        raise UsageError(
            f"{entry.name} is not fetched: its licence was not agreed to", "--accept-licence agrees to what is shown"
        )
    if entry.convert:
        _check_converter()
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        part = _part_of(entry, Path(scratch))
        original = Path(scratch, "original")
        try:
            _fetch(entry, part, progress)
            _unpack(entry, part, original)
        except OutputError:
            # the disk is full: what has come is in the way of others
            part.unlink(missing_ok=True)
            raise
        network = Path(scratch, f"{name}{entry.suffix}")
        card = network.with_suffix(".toml")
        try:
            if entry.convert:
                network.write_bytes(to_onnx(original.read_bytes(), name))
            else:
                original.rename(network)
            card.write_text(entry.card(name, hashlib.sha256(network.read_bytes()).hexdigest()), encoding="utf-8")
        except OSError as error:
            raise write_error(network, error) from error
        kept = add(str(card), name, replace=replace, check=check)
        part.unlink(missing_ok=True)
    return kept


def _check_converter() -> None:
    """Before anything is fetched. Raises `ModelError` if the extra `convert` is not installed."""
    try:
        for package in ("onnx", "tflite"):
            import_module(package)
    except ImportError as error:
        raise ModelError(
            f"the network has to be converted: {error.name} is missing", "pip install 'vcam[convert]'"
        ) from error


def _part_of(entry: Entry, scratch: Path) -> Path:
    """Where the download lies while it is not whole: in the cache if there can be one, so that it can go on."""
    folder = folders.own("cache") / "downloads"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{entry.name}-{entry.sha256[:12]}.part"
        with path.open("ab"):
            return path
    return scratch / "download"


def _fetch(entry: Entry, part: Path, progress: Progress) -> None:
    address = check_address(entry.place)
    # an archive's size is not known beforehand, that of a file is
    most = _MOST_OF_AN_ARCHIVE if entry.member else entry.bytes
    try:
        fetch(address, part, most, progress, resume=True)
    except ModelError as error:
        if part.stat().st_size == 0 or "larger than" in error.message:
            part.unlink(missing_ok=True)
            raise
        raise ModelError(error.message, f"vcam models pull {entry.name} goes on from where it broke off") from error


def _unpack(entry: Entry, part: Path, target: Path) -> None:
    """Put the network itself, and nothing else, into `target`. Raises `ModelError` if it is not the published one."""
    try:
        if entry.member:
            with _member(entry, part) as source, target.open("wb") as file:
                # one byte more than there are tells a longer one
                _copy(source, file, entry.bytes + 1)
        else:
            shutil.copyfile(part, target)
    except _DAMAGED as error:
        part.unlink(missing_ok=True)
        raise ModelError(
            f"{entry.place} is not the archive that holds {entry.member}", "try again later; it may have been replaced"
        ) from error
    except OSError as error:
        raise write_error(target, error) from error
    with target.open("rb") as written:
        found = hashlib.file_digest(written, "sha256").hexdigest()
    if found != entry.sha256:
        size = target.stat().st_size
        part.unlink(missing_ok=True)
        what = f"{size} bytes instead of {entry.bytes}" if size != entry.bytes else f"the SHA-256 {found}"
        raise ModelError(
            f"{entry.place} does not give the published {entry.name}: {what}", "nothing of it was kept; try again"
        )


@contextmanager
def _member(entry: Entry, part: Path) -> Iterator[IO[bytes]]:
    """The network inside an archive, opened. Raises `KeyError` if it is not there, or what the reader does."""
    if zipfile.is_zipfile(part):
        with zipfile.ZipFile(part) as archive, archive.open(entry.member) as file:
            yield file
        return
    with tarfile.open(part) as tarball:
        found = tarball.extractfile(entry.member)
        if found is None:
            raise KeyError(entry.member)
        yield found


def _copy(source: IO[bytes], file: IO[bytes], most: int) -> None:
    left = most
    while left and (piece := source.read(min(left, 1 << 20))):
        file.write(piece)
        left -= len(piece)
