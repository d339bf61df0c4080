"""Where a device gets its picture from, and what it lacks there."""

from __future__ import annotations

from ctypes import c_int32
from dataclasses import dataclass

from vcam.printable import shown_name
from vcam.v4l2 import raw


@dataclass(frozen=True, slots=True)
class VideoInput:
    """Where a device gets its picture from. `is_socket`: something is plugged in there, so it is no camera itself.

    `lacks` is what is missing at the moment, as "signal"; "" if nothing is, or the driver does not say.
    """

    name: str
    is_socket: bool
    lacks: str = ""


_LACKS = {
    raw.V4L2_IN_ST_NO_POWER: "power",
    raw.V4L2_IN_ST_NO_SIGNAL: "signal",
    raw.V4L2_IN_ST_NO_H_LOCK: "lock on the signal",
    raw.V4L2_IN_ST_NO_V_LOCK: "lock on the signal",
    raw.V4L2_IN_ST_NO_SYNC: "lock on the signal",
}


def video_input(fd: int) -> VideoInput | None:
    """The input that is chosen; None where the driver knows none."""
    chosen = c_int32(0)
    try:
        raw.ioctl(fd, raw.VIDIOC_G_INPUT, chosen)
        answer = raw.Input(index=chosen.value)
        raw.ioctl(fd, raw.VIDIOC_ENUMINPUT, answer)
    except OSError:
        return None
    is_socket = answer.type == raw.V4L2_INPUT_TYPE_TUNER or bool(
        answer.capabilities & (raw.V4L2_IN_CAP_DV_TIMINGS | raw.V4L2_IN_CAP_STD)
    )
    lacks = next((what for flag, what in _LACKS.items() if answer.status & flag), "")
    return VideoInput(shown_name(answer.name), is_socket, lacks)
