"""A camera's controls: exposure, focus, white balance, gain, zoom and whatever else its driver lists."""

from __future__ import annotations

import ctypes
import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vcam.printable import shown_name
from vcam.v4l2 import raw

_KINDS = {
    raw.V4L2_CTRL_TYPE_INTEGER: "integer",
    raw.V4L2_CTRL_TYPE_BOOLEAN: "boolean",
    raw.V4L2_CTRL_TYPE_MENU: "menu",
    raw.V4L2_CTRL_TYPE_BUTTON: "button",
    raw.V4L2_CTRL_TYPE_INTEGER64: "integer",
    raw.V4L2_CTRL_TYPE_BITMASK: "integer",
    raw.V4L2_CTRL_TYPE_INTEGER_MENU: "menu",
}


@dataclass(frozen=True, slots=True)
class Control:
    """One control. `name` is what people type ("white_balance_automatic"), `value` is None where it cannot be read.

    `choices` are the entries of a menu by their number. `active` is False while another control overrules it, as
    automatic exposure does with exposure time.
    """

    id: int
    name: str
    kind: str
    minimum: int
    maximum: int
    step: int
    default: int
    value: int | None
    writable: bool
    active: bool
    choices: dict[int, str] = field(default_factory=dict)

    def parse(self, text: str) -> int:
        """A value as people write it: a number, on/off, or an entry of the menu. Raises `ValueError` saying why."""
        word = text.strip().lower()
        if self.kind == "boolean" and word in ("on", "yes", "true", "off", "no", "false"):
            return int(word in ("on", "yes", "true"))
        entries = [number for number, label in self.choices.items() if label.lower() == word]
        value = entries[0] if entries else _number(word)
        if self.choices and value not in self.choices:
            raise ValueError("one of " + ", ".join(f"{number} ({label})" for number, label in self.choices.items()))
        if value is None or not self.minimum <= value <= self.maximum:
            raise ValueError(f"a number from {self.minimum} to {self.maximum}")
        return value


def _number(word: str) -> int | None:
    try:
        return int(word, 0)
    except ValueError:
        return None


def list_controls(fd: int) -> Iterator[Control]:
    """The controls of a device with their values; those that are no single number (text, matrices) are left out."""
    at = 0
    while True:
        query = raw.QueryExtCtrl(id=at | raw.V4L2_CTRL_FLAG_NEXT_CTRL)
        try:
            raw.ioctl(fd, raw.VIDIOC_QUERY_EXT_CTRL, query)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
        if query.id <= at:
            # a driver that gives the same one for ever
            return
        at = query.id
        if query.type not in _KINDS or query.nr_of_dims or query.flags & raw.V4L2_CTRL_FLAG_DISABLED:
            continue
        yield _describe(fd, query)


def _describe(fd: int, query: raw.QueryExtCtrl) -> Control:
    choices = {}
    if _KINDS[query.type] == "menu":
        choices = _menu(fd, query)
    readable = not query.flags & raw.V4L2_CTRL_FLAG_WRITE_ONLY and query.type != raw.V4L2_CTRL_TYPE_BUTTON
    return Control(
        query.id,
        control_name(shown_name(query.name)),
        _KINDS[query.type],
        query.minimum,
        query.maximum,
        query.step,
        query.default_value,
        _read(fd, query.id, query.type) if readable else None,
        not query.flags & raw.V4L2_CTRL_FLAG_READ_ONLY,
        not query.flags & raw.V4L2_CTRL_FLAG_INACTIVE,
        choices,
    )


def control_name(label: str) -> str:
    """ "White Balance, Automatic" as "white_balance_automatic", as v4l2-ctl writes it."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def _menu(fd: int, query: raw.QueryExtCtrl) -> dict[int, str]:
    entries = {}
    for index in range(query.minimum, min(query.maximum, query.minimum + 255) + 1):
        entry = raw.QueryMenu(id=query.id, index=index)
        try:
            raw.ioctl(fd, raw.VIDIOC_QUERYMENU, entry)
        except OSError:
            # menus have holes: entries that this device lacks
            continue
        if query.type == raw.V4L2_CTRL_TYPE_INTEGER_MENU:
            entries[index] = str(entry.value)
        else:
            entries[index] = shown_name(entry.name)
    return entries


def _read(fd: int, control: int, kind: int) -> int | None:
    entry = raw.ExtControl(id=control)
    try:
        _transfer(fd, raw.VIDIOC_G_EXT_CTRLS, entry)
    except OSError:
        return None
    return int(entry.value64 if kind == raw.V4L2_CTRL_TYPE_INTEGER64 else entry.value)


def write_control(fd: int, control: Control, value: int) -> None:
    """Set a control. Raises `OSError`: EBUSY or EACCES while another control overrules it."""
    # the whole union, so that 32-bit and 64-bit controls both find their value
    _transfer(fd, raw.VIDIOC_S_EXT_CTRLS, raw.ExtControl(id=control.id, value64=value))


def _transfer(fd: int, request: int, entry: raw.ExtControl) -> None:
    array = (raw.ExtControl * 1)(entry)
    raw.ioctl(fd, request, raw.ExtControls(which=raw.V4L2_CTRL_WHICH_CUR_VAL, count=1, controls=array))
    ctypes.memmove(ctypes.byref(entry), array, ctypes.sizeof(entry))
