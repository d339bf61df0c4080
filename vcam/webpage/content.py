"""What the page consists of: its own files, networks and backgrounds of vcam, ONNX Runtime, and their licences."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2

from vcam import __version__
from vcam.assets import BACKGROUNDS, asset, background_picture, data_folder
from vcam.compose.backgrounds.fromframe import DEFAULT_STRENGTH
from vcam.errors import VcamError
from vcam.images import read_image
from vcam.models.cards import ModelCard
from vcam.models.find import best_model, find_model
from vcam.segment.known import PICTURES, picture
from vcam.settings import Settings
from vcam.types import Size
from vcam.webpage import runtime

PAGE = Path(__file__).with_name("page")
WORKER = "sw.js"
"""The service worker, which knows all other files and their version."""

_WIDE, _NARROW = (1280, 720), (640, 480)
_THUMB: Size = (240, 150)

Files = dict[str, bytes]
"""Contents by the path in the folder, with slashes."""


def page_files(engine: runtime.Files) -> Files:
    """All files of the page, the service worker last. Raises `VcamError` if a file of vcam's own is missing."""
    files = _own()
    worker = files.pop(WORKER)
    cards = [find_model(name, _WIDE) for name in dict.fromkeys(best_model(size) for size in (_WIDE, _NARROW))]
    for card in cards:
        files[f"models/{card.file}"] = card.file_path.read_bytes()
        for name in PICTURES:
            files[f"models/{card.name}-{name}.bin"] = picture(name, card).tobytes()
    for name in BACKGROUNDS:
        path = background_picture(name)
        files[f"backgrounds/{name}.jpg"] = path.read_bytes()
        files[f"backgrounds/{name}-small.jpg"] = _thumbnail(path)
    files |= {f"onnxruntime/{name}": content for name, content in engine.items()}
    files["about.json"] = json.dumps(about(cards), indent=1).encode()
    files["LICENSES.txt"] = _licences()
    version = hashlib.sha256()
    for name, content in sorted({**files, WORKER: worker}.items()):
        version.update(f"{name} {len(content)} ".encode() + hashlib.sha256(content).digest())
    head = f"const VERSION = {json.dumps(version.hexdigest()[:16])};\nconst FILES = {json.dumps(sorted(files))};\n"
    files[WORKER] = head.encode() + worker
    return files


def about(cards: list[ModelCard]) -> dict[str, Any]:
    """What the page has to know of vcam: the networks as their cards describe them, and the defaults."""
    settings = Settings()
    return {
        "vcam": __version__,
        "networks": [_network(card) for card in cards],
        "wide": best_model(_WIDE),
        "narrow": best_model(_NARROW),
        "backgrounds": [{"name": name, "text": name.replace("-", " ").capitalize()} for name in BACKGROUNDS],
        "defaults": {
            "temporal": settings.matte.temporal,
            "edge": settings.matte.edge,
            "softness": settings.matte.softness,
            "islands": settings.matte.islands,
            "lightWrap": settings.filters.light_wrap,
            "blur": DEFAULT_STRENGTH,
        },
    }


def _network(card: ModelCard) -> dict[str, Any]:
    shown, said = card.input, card.output
    if shown.layout != "NCHW" or said.form != "probability" or said.size != shown.size or card.remembers:
        raise VcamError(f"the page cannot run {card.name}", "install vcam anew")
    return {
        "name": card.name,
        "file": card.file,
        "size": list(shown.size),
        "channels": shown.channels,
        "mean": list(shown.mean),
        "scale": list(shown.scale),
        "tolerance": card.known.tolerance,
        "known": [{"name": name, "answer": getattr(card.known, name)} for name in PICTURES],
    }


def _own() -> Files:
    return {path.name: path.read_bytes() for path in sorted(PAGE.iterdir()) if path.is_file()}


def _thumbnail(path: Path) -> bytes:
    small = cv2.resize(read_image(path), _THUMB, interpolation=cv2.INTER_AREA)
    encoded, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    assert encoded
    return content.tobytes()


def _licences() -> bytes:
    apache = (data_folder("models") / "LICENSE.Apache-2.0").read_text(encoding="utf-8")
    credits = asset("CREDITS.md").read_text(encoding="utf-8")
    return (
        f"{_INTRODUCTION}\n{_MIT}\n--- the pictures ---\n\n{credits}\n"
        f"--- Apache License, of the networks ---\n\n{apache}"
    ).encode()


_INTRODUCTION = f"""This page was written by vcam {__version__}. What it contains:

* the page itself, under the MIT licence. Copyright (c) 2026 the vcam authors
* models/: the networks "MediaPipe Selfie Segmentation", converted to ONNX. Copyright Google LLC (the MediaPipe
  authors), Apache License, Version 2.0. From npm @mediapipe/selfie_segmentation 0.1.1675465747
* onnxruntime/: {runtime.NAME}, unchanged, under the MIT licence. Copyright (c) Microsoft Corporation
* backgrounds/: drawn by vcam, under the MIT licence

--- MIT licence, of the page, of the backgrounds and of ONNX Runtime ---
"""

_MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
