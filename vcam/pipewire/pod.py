"""PODs, the values in which PipeWire's programs agree on formats and buffers: made, and read.

The layout is that of <spa/pod/pod.h>: a length of four bytes, a type of four bytes, and the value, padded to eight
bytes. An object holds properties, each a key, flags and a value; a choice holds its kind and values of one type.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias


class Type(IntEnum):
    """`enum spa_type`, and the objects that vcam reads or makes."""

    ID = 3
    INT = 4
    LONG = 5
    RECTANGLE = 10
    FRACTION = 11
    OBJECT = 15
    CHOICE = 19
    FORMAT = 0x40003
    BUFFERS = 0x40004
    META = 0x40005


class Param(IntEnum):
    """`enum spa_param_type`"""

    ENUM_FORMAT = 3
    FORMAT = 4
    BUFFERS = 5
    META = 6


class Choice(IntEnum):
    """`enum spa_choice_type`: the first value is what is preferred."""

    NONE = 0
    RANGE = 1
    STEP = 2
    ENUM = 3
    FLAGS = 4


class Key(IntEnum):
    """`enum spa_format`"""

    MEDIA_TYPE = 1
    MEDIA_SUBTYPE = 2
    FORMAT = 0x20001
    MODIFIER = 0x20002
    SIZE = 0x20003
    FRAMERATE = 0x20004
    MAX_FRAMERATE = 0x20005
    COLOR_RANGE = 0x2000C
    COLOR_MATRIX = 0x2000D


class BufferKey(IntEnum):
    """`enum spa_param_buffers`"""

    BUFFERS = 1
    BLOCKS = 2
    SIZE = 3
    STRIDE = 4
    ALIGN = 5
    DATA_TYPE = 6


class MetaKey(IntEnum):
    """`enum spa_param_meta`"""

    TYPE = 1
    SIZE = 2


MEDIA_VIDEO = 2
SUBTYPE_RAW = 1
SUBTYPE_MJPG = 0x20002


@dataclass(frozen=True)
class Id:
    """A member of one of PipeWire's enumerations."""

    value: int


@dataclass(frozen=True)
class Rectangle:
    """Pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Fraction:
    """Such as pictures a second; 0/1 stands for a rate that varies."""

    num: int
    denom: int


Plain: TypeAlias = "int | Id | Rectangle | Fraction"


@dataclass(frozen=True)
class Choices:
    """Several values of one type, of which one is to be chosen; see `Choice`."""

    kind: Choice
    values: tuple[Plain, ...]


Value: TypeAlias = "Plain | Choices"

_MAX_BYTES = 1 << 16
"""Longer than any format; whoever sends more is not read."""


def make_object(kind: Type, param: Param, properties: dict[int, Value]) -> bytes:
    """An object, as PipeWire takes it in its list of parameters."""
    body = struct.pack("=II", kind, param)
    for key, value in properties.items():
        body += struct.pack("=II", key, 0) + _pod(value)
    return _framed(Type.OBJECT, body)


def read_object(data: bytes) -> dict[int, Value]:
    """The properties of an object that are of a type that vcam knows; the others are left out.

    Raises `ValueError` for what is no object, or ends too early.
    """
    try:
        size, kind = struct.unpack_from("=II", data)
        if kind != Type.OBJECT or not 8 <= size <= len(data) - 8:
            raise ValueError("no object")
        found: dict[int, Value] = {}
        position, end = 16, 8 + size
        while position + 16 <= end:
            key, _flags, length, type_ = struct.unpack_from("=IIII", data, position)
            first, position = position + 16, position + 16 + _padded(length)
            if first + length > end:
                raise ValueError("a property is longer than its object")
            value = _value(type_, data[first : first + length])
            if value is not None:
                found[key] = value
    except struct.error as error:
        raise ValueError("cut off") from error
    return found


def size_of_object(head: bytes) -> int:
    """How many bytes an object has that begins with these eight. Raises `ValueError` for one that is too long."""
    size = struct.unpack("=I", head[:4])[0] + 8
    if size > _MAX_BYTES:
        raise ValueError(f"{size} bytes for a format")
    return int(size)


def chosen(value: Value | None) -> Plain | None:
    """The value, or the preferred one of several."""
    if isinstance(value, Choices):
        return value.values[0] if value.values else None
    return value


def _padded(length: int) -> int:
    return (length + 7) // 8 * 8


def _framed(kind: int, body: bytes) -> bytes:
    return struct.pack("=II", len(body), kind) + body.ljust(_padded(len(body)), b"\0")


def _plain(value: Plain) -> tuple[Type, bytes]:
    if isinstance(value, Id):
        return Type.ID, struct.pack("=I", value.value)
    if isinstance(value, Rectangle):
        return Type.RECTANGLE, struct.pack("=II", value.width, value.height)
    if isinstance(value, Fraction):
        return Type.FRACTION, struct.pack("=II", value.num, value.denom)
    return Type.INT, struct.pack("=i", value)


def _pod(value: Value) -> bytes:
    if not isinstance(value, Choices):
        return _framed(*_plain(value))
    kinds, bodies = zip(*map(_plain, value.values), strict=True)
    child = struct.pack("=II", len(bodies[0]), kinds[0])
    return _framed(Type.CHOICE, struct.pack("=II", value.kind, 0) + child + b"".join(bodies))


def _value(kind: int, body: bytes) -> Value | None:
    if kind != Type.CHOICE:
        return _read_plain(kind, body)
    choice, _flags, length, type_ = struct.unpack_from("=IIII", body)
    if choice not in tuple(Choice) or not length:
        return None
    parts = [body[first : first + length] for first in range(16, len(body) - length + 1, length)]
    values = tuple(value for part in parts if (value := _read_plain(type_, part)) is not None)
    return Choices(Choice(choice), values) if values else None


def _read_plain(kind: int, body: bytes) -> Plain | None:
    if kind == Type.ID:
        return Id(*struct.unpack_from("=I", body))
    if kind == Type.INT:
        return int(struct.unpack_from("=i", body)[0])
    if kind == Type.LONG:
        return int(struct.unpack_from("=q", body)[0])
    if kind == Type.RECTANGLE:
        return Rectangle(*struct.unpack_from("=II", body))
    if kind == Type.FRACTION:
        return Fraction(*struct.unpack_from("=II", body))
    return None
