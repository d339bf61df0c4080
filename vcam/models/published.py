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
from pathlib import Path
from typing import IO

from vcam import folders
from vcam.errors import ModelError, OutputError, UsageError
from vcam.files import no_file, write_error
from vcam.models.cards import ModelCard
from vcam.models.catalogue import Entry, catalogue
from vcam.models.converted import CONVERTER, missing_converter
from vcam.models.fetch import Progress, check_address, fetch
from vcam.models.find import checksum
from vcam.models.store import Check, add, check_name, spoken_of
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
    _allow(entry, name, replace=replace, agreed=agreed)
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
        kept = _keep(entry, original, name, replace=replace, check=check)
        part.unlink(missing_ok=True)
    return kept


def entry_of_file(file: Path) -> Entry | None:
    """The entry of the catalogue whose published file this is, known by its checksum; None if it is none of them."""
    try:
        size = file.stat().st_size
        if no_file(file) or all(entry.bytes != size for entry in catalogue().values()):
            return None
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
    return next((entry for entry in catalogue().values() if entry.sha256 == found), None)


def add_published(
    entry: Entry, file: Path, name: str = "", *, replace: bool = False, agreed: bool = False,
    check: Check = lambda card: None,
) -> ModelCard:  # fmt: skip
    """As `pull_entry`, of the published file that somebody has fetched by hand."""
    name = name or entry.name
    _allow(entry, name, replace=replace, agreed=agreed)
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        original = Path(scratch, "original")
        try:
            shutil.copyfile(file, original)
        except OSError as error:
            raise write_error(original, error) from error
        if checksum(original) != entry.sha256:
            raise ModelError(f"{file} changes while it is read", "try again")
        return _keep(entry, original, name, replace=replace, check=check)


def _allow(entry: Entry, name: str, *, replace: bool, agreed: bool) -> None:
    """What is known before anything is done. Raises `UsageError` or `ModelError`."""
    check_name(name, replace)
    if not entry.permissive and not agreed:
        raise UsageError(
            f"{entry.name} is not kept: its licence was not agreed to", "--accept-licence agrees to what is shown"
        )
    if entry.convert and (missing := missing_converter()):
        raise ModelError(f"the network has to be converted: {missing} is missing", CONVERTER)


def _keep(entry: Entry, original: Path, name: str, *, replace: bool, check: Check) -> ModelCard:
    """Make what an engine reads of the published file, with its card, both in the folder of that, and keep them."""
    network = original.with_name(f"{name}{entry.suffix}")
    card = network.with_suffix(".toml")
    try:
        if entry.convert:
            network.write_bytes(to_onnx(original.read_bytes(), name))
        else:
            original.rename(network)
        card.write_text(entry.card(name, hashlib.sha256(network.read_bytes()).hexdigest()), encoding="utf-8")
    except OSError as error:
        raise write_error(network, error) from error
    with spoken_of(card.parent):
        return add(str(card), name, replace=replace, check=check)


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
            inside = f", take {entry.member} out of it" if entry.member else ""
            raise ModelError(
                error.message, f"check the network, or fetch {address} by hand{inside}, then: vcam models add FILE"
            ) from error
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
