"""What a person wants of a camera's controls, and how a camera is told.

Five controls have names of vcam's own, because drivers name them in several ways, and because a number means nothing
to a camera whose automatic is on. All others go by the driver's name.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from vcam.errors import UsageError
from vcam.settings import CameraSettings
from vcam.v4l2.controls import Control, list_controls, write_control

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """The kernel's numbers, from <linux/v4l2-controls.h>: of the value, best first, and of its automatic, if any.

    `on` and `off` are the values of the automatic, best first: it is a menu for exposure.
    """

    values: tuple[int, ...]
    automatic: int = 0
    on: tuple[int, ...] = (1,)
    off: tuple[int, ...] = (0,)


_KNOWN = {
    # aperture priority and fully automatic; manual and shutter priority
    "exposure": _Known((0x009A0902, 0x00980911), 0x009A0901, (3, 0), (1, 2)),
    "focus": _Known((0x009A090A,), 0x009A090C),
    "white_balance": _Known((0x0098091A,), 0x0098090C),
    "gain": _Known((0x00980913,), 0x00980912),
    "zoom": _Known((0x009A090D,)),
}

CONTROL_NAMES = (*_KNOWN, "controls")
"""The settings of the section `camera` that are controls."""


@dataclass(slots=True)
class ControlWishes:
    """`known` by vcam's names ("auto" or a number), `others` by the driver's. Empty wishes touch nothing."""

    known: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    _complaints: set[str] = field(default_factory=set)

    def apply(self, fd: int, name: str) -> None:
        """Tell the camera; `name` is what to call it. What it will not do is a warning, given once."""
        try:
            complaints = self._tell(fd)
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise
            # it gives its picture all the same
            complaints = [f"does not tell its controls: {error.strerror}"]
        for complaint in complaints:
            if complaint not in self._complaints:
                self._complaints.add(complaint)
                _log.warning("%s %s", name, complaint)

    def replace(self, earlier: ControlWishes, fd: int, name: str) -> None:
        """Tell the camera these wishes in place of earlier ones.

        Raises `UsageError` for what it will not do and was not told of before; all controls are as they were then.
        """
        before = list(list_controls(fd))
        complaints = self._tell(fd)
        if new := [complaint for complaint in complaints if complaint not in earlier._complaints]:
            _restore(fd, before)
            raise UsageError(f"{name} {new[0]}", "vcam devices --controls lists what it can do")
        self._complaints.update(complaints)

    def _tell(self, fd: int) -> list[str]:
        if not self.known and not self.others:
            return []
        return [*_apply_known(fd, self.known), *_apply_others(fd, self.others)]


@runtime_checkable
class Adjustable(Protocol):
    """A camera with controls."""

    def adjust(self, controls: ControlWishes) -> None:
        """See `vcam.camera.shape.ShapedCamera.adjust`."""


def wishes(settings: CameraSettings) -> ControlWishes:
    """The wishes among the settings."""
    known = {key: getattr(settings, key) for key in _KNOWN if getattr(settings, key)}
    pairs = (part.partition("=") for part in settings.controls.split(",") if part.strip())
    return ControlWishes(known, {key.strip(): value.strip() for key, _, value in pairs})


def _restore(fd: int, before: Iterable[Control]) -> None:
    """Give controls their values back; twice, since an automatic that is on does not let its value be set."""
    for _ in range(2):
        now = {control.id: control.value for control in list_controls(fd)}
        for control in before:
            if control.writable and control.value is not None and now.get(control.id) != control.value:
                with suppress(OSError):
                    write_control(fd, control, control.value)


def _apply_known(fd: int, wanted: Mapping[str, str]) -> Iterator[str]:
    """Set the controls with names of vcam's own; gives what went wrong, in words."""
    for name, text in wanted.items():
        known = _KNOWN[name]
        present = {control.id: control for control in list_controls(fd)}
        automatic = present.get(known.automatic)
        value = next((present[id_] for id_ in known.values if id_ in present), None)
        if text == "auto":
            if automatic is None:
                yield f"has no automatic {name}; {_listed(present.values())}"
            else:
                yield from _switch(fd, automatic, known.on)
            continue
        if value is None:
            yield f"has no {name}; {_listed(present.values())}"
            continue
        if automatic is not None:
            yield from _switch(fd, automatic, known.off)
        yield from _set(fd, value, text)


def _apply_others(fd: int, wanted: Mapping[str, str]) -> Iterator[str]:
    for name, text in wanted.items():
        present = {control.name: control for control in list_controls(fd)}
        if name not in present:
            yield f"has no control {name}; {_listed(present.values())}"
        else:
            yield from _set(fd, present[name], text)


def _switch(fd: int, automatic: Control, values: tuple[int, ...]) -> Iterator[str]:
    possible = [value for value in values if not automatic.choices or value in automatic.choices]
    if not possible:
        yield f"cannot switch {automatic.name} to that"
    elif automatic.value != possible[0]:
        yield from _set(fd, automatic, str(possible[0]))


def _set(fd: int, control: Control, text: str) -> Iterator[str]:
    try:
        write_control(fd, control, control.parse(text))
    except ValueError as error:
        yield f"takes for {control.name}, instead of {text}: {error}"
    except OSError as error:
        yield f"refuses {control.name} = {text}: {error.strerror}"


def _listed(present: Iterable[Control]) -> str:
    names = [control.name for control in present if control.writable]
    return f"it has {', '.join(names)}" if names else "it has none that can be set"
