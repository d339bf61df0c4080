"""ONNX Runtime for browsers, where this machine has it; and a stand-in for it that is small."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from vcam.webpage import runtime

STAND_IN = {name: f"{name} of a test".encode() for name in runtime.FILES}


def real() -> runtime.Files:
    """The true files; the test is skipped where nobody has fetched them."""
    given = os.environ.get("VCAM_ONNXRUNTIME_WEB", "")
    found = runtime.given(Path(given)) if given else runtime.known()
    if found is None:
        pytest.skip(f"no {runtime.NAME} in the cache: vcam web /tmp/page --yes fetches it")
    return found


def pack(files: dict[str, bytes] = STAND_IN) -> bytes:
    """A package as npm makes them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def use_stand_in(patch: pytest.MonkeyPatch, cache: Path, address: str = "http://127.0.0.1:1/none") -> bytes:
    """Let the stand-in be what is published, at that address, with this cache; gives the package."""
    package = pack()
    patch.setenv("XDG_CACHE_HOME", str(cache))
    patch.setattr(runtime, "FILES", {name: hashlib.sha256(each).hexdigest() for name, each in STAND_IN.items()})
    patch.setattr(runtime, "ADDRESS", address)
    patch.setattr(runtime, "BYTES", len(package))
    patch.setattr(runtime, "SHA256", hashlib.sha256(package).hexdigest())
    return package
