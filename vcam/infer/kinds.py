"""Whether a file is of the kind that its name says, seen before a runtime is asked to read it.

OpenVINO tries a file that it does not know as each kind of network that it knows, and these complain by themselves, on
standard error. Looked at is how a file begins, and of protocol buffers, whether all of the outermost fields are there.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from vcam.infer.protobuf import fields

_PROTOCOL_BUFFERS = {
    # the number of an outermost field that every such file has: its graph, its nodes, its blocks
    ".onnx": ("an ONNX network", 7),
    ".pb": ("a frozen graph of TensorFlow", 1),
    ".pdmodel": ("a network of PaddlePaddle", 1),
}
_HIGHEST = 63
"""Fields of their schemas have numbers up to 26."""
_MOST_FIELDS = 1 << 18
"""Outermost fields that are looked at: a network has hundreds, and each takes its time."""
_SAVED = b"\x08\x01\x12"
"""The number of its schema, and the first of its graphs (saved_model.proto)."""


def problem(path: Path) -> str:
    """Why a file cannot be a network of the kind that its name says, as the end of a sentence; empty if it may be one.

    Raises `OSError` if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(64)
        if not head:
            return "it is empty"
        suffix = path.suffix
        begins = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if begins.lower().startswith((b"<!doctype html", b"<html")):
            return "it is a page of the web"
        if suffix == ".tflite" and head[4:8] != b"TFL3":
            return "no TFLite file begins so"
        if suffix == ".xml" and not begins.startswith((b"<?xml", b"<net")):
            return "no IR of OpenVINO begins so"
        if suffix == ".pb" and head.startswith(_SAVED):
            return "it is the graph of a SavedModel, whose name is saved_model.pb in a folder of its own"
        if suffix in _PROTOCOL_BUFFERS:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as whole:
                return _outermost(whole, *_PROTOCOL_BUFFERS[suffix])
    return ""


def _outermost(data: memoryview, what: str, needed: int) -> str:
    found = False
    try:
        for count, (number, value) in enumerate(fields(data)):
            if count > _MOST_FIELDS:
                break
            if isinstance(value, memoryview):
                value.release()
                found = found or number == needed
            if number > _HIGHEST:
                return f"it is not {what}"
    except (ValueError, IndexError):
        return f"it is not {what}, or not all of one"
    return "" if found else f"it is not {what}"
