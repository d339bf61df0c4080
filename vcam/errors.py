"""The exceptions of vcam, each with a hint that says what to do next.

    VcamError                     1   failed while running
    ├── UsageError                2   what was asked for cannot be meant
    ├── InputError                1   a file that is not what it should be
    ├── ModelError                1   a network or its card is unusable
    ├── EngineError               1   an inference engine failed
    ├── OutputError               1   a picture could not be delivered
    ├── DeviceError              69   a camera or device is not available
    │   ├── CameraError               ... the source of frames
    │   │   └── CameraStalled         ... it is there but sends nothing
    │   └── OutputDeviceError         ... the virtual camera
    └── ConfigError              78   the configuration is broken

The number is the exit status of a command that ends with that error.
"""

from __future__ import annotations


class VcamError(Exception):
    """Base of all errors that vcam raises on purpose.

    `message` is one sentence saying what happened and where; `hint` is what the person at the keyboard can do about it.
    """

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(VcamError):
    """The request itself is wrong: an unknown word, an impossible size, a missing input."""

    exit_status = 2


class InputError(VcamError):
    """A picture or video cannot be read: empty, truncated, not an image, no frames."""


class ModelError(VcamError):
    """A network, its card, or the match between the two is unusable."""


class EngineError(VcamError):
    """An inference engine could not start or failed on a frame."""


class OutputError(VcamError):
    """A composited frame could not be delivered: encoder gone, disk full."""


class DeviceError(VcamError):
    """A camera or another device is not available."""

    exit_status = 69


class CameraError(DeviceError):
    """The source of frames is missing, busy, or was lost."""


class CameraStalled(CameraError):
    """The camera is there but has sent nothing within its deadline.

    `sends`: it has sent something, but nothing that could be shown.
    """

    def __init__(self, message: str, hint: str = "", *, sends: bool = False) -> None:
        super().__init__(message, hint)
        self.sends = sends


class OutputDeviceError(DeviceError):
    """The virtual camera is missing, held by somebody else, or refuses the format."""


class ConfigError(VcamError):
    """The configuration file, an environment variable or a setting is invalid."""

    exit_status = 78
