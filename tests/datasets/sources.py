"""Sources of every format, small, laid out as the true ones are."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vcam.types import U8

SIZE = (96, 64)
"""Width and height."""


def person(seed: int = 0, size: tuple[int, int] = SIZE) -> tuple[U8, U8]:
    """A picture, BGR, of an ellipse before noise, and its hard matte."""
    width, height = size
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 160, (4, 6, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    matte = np.zeros((height, width), np.uint8)
    at = (width // 2 + int(chance.integers(-6, 7)), height * 2 // 3)
    cv2.ellipse(matte, at, (width // 5, height // 2), 0, 0, 360, 255, -1)
    colour = np.array([60 + 5 * (seed % 8), 120, 240], np.uint8)
    picture[matte > 0] = colour
    return np.ascontiguousarray(picture), matte


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def rgba(path: Path, picture: U8, matte: U8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    options = {"lossless": True, "exact": True} if path.suffix == ".webp" else {}
    Image.fromarray(np.dstack((rgb, matte))).save(path, **options)


VOC_PALETTE = np.zeros((256, 3), np.uint8)
"""Pascal VOC's colours, made of the bits of each number."""
for _number in range(256):
    for _bit in range(8):
        for _channel in range(3):
            VOC_PALETTE[_number, _channel] |= ((_number >> (3 * _bit + _channel)) & 1) << (7 - _bit) if _bit < 3 else 0


def palette(path: Path, numbers: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numbers.astype(np.uint8))
    image.putpalette(VOC_PALETTE.tobytes())
    image.save(path)


def supervisely_bitmap(mask: np.ndarray) -> dict[str, object]:
    """As the program's own SDK packs it: the box alone, a palette of two with the first one transparent."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray((part > 0).astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    data = io.BytesIO()
    image.save(data, "PNG", transparency=0, optimize=0)
    packed = base64.b64encode(zlib.compress(data.getvalue())).decode()
    return {"origin": [int(columns[0]), int(rows[0])], "data": packed}


def supervisely(path: Path, size: tuple[int, int], objects: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"description": "", "tags": [], "size": {"width": size[0], "height": size[1]}, "objects": objects}
    path.write_text(json.dumps(told))


def coco_string(mask: np.ndarray) -> str:
    """Runs as cocoapi writes them (`rleEncode` and `rleToString` of common/maskApi.c)."""
    letters = ""
    counts = runs(mask)
    for number, count in enumerate(counts):
        value = count - (counts[number - 2] if number > 2 else 0)
        more = True
        while more:
            five = value & 0x1F
            value >>= 5
            more = value != -1 if five & 0x10 else value != 0
            letters += chr((five | (0x20 if more else 0)) + 48)
    return letters


def runs(mask: np.ndarray) -> list[int]:
    """Lengths of runs of nothing and something in turns, down the columns."""
    flat = (mask > 0).T.ravel().astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flat, [1 - flat[-1]]))))
    return np.diff(np.concatenate(([0], edges))).tolist() if edges.size else [len(flat)]


def mat(path: Path, arrays: dict[str, np.ndarray], *, packed: bool = True, order: str = "<") -> None:
    """A file of MATLAB's level 5, by the format's description."""
    kinds = {"u1": (2, 9), "f8": (9, 6), "i2": (3, 10), "f4": (7, 7)}

    def element(kind: int, body: bytes) -> bytes:
        if 0 < len(body) <= 4:
            # the length in the upper half, the type in the lower one, as one number
            return struct.pack(f"{order}I", len(body) << 16 | kind) + body.ljust(4, b"\0")
        return struct.pack(f"{order}II", kind, len(body)) + body + b"\0" * (-len(body) % 8)

    data = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    for name, array in arrays.items():
        kind, own = kinds[array.dtype.str[1:]]
        body = element(6, struct.pack(f"{order}II", own, 0))
        body += element(5, np.array(array.shape, f"{order}i4").tobytes())
        body += element(1, name.encode())
        body += element(kind, array.astype(array.dtype.newbyteorder(order)).tobytes(order="F"))
        matrix = struct.pack(f"{order}II", 14, len(body)) + body
        if packed:
            squeezed = zlib.compress(matrix)
            data += struct.pack(f"{order}II", 15, len(squeezed)) + squeezed
        else:
            data += matrix
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
