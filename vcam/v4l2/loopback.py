"""What is special about v4l2loopback: who may write to a device, and how its versions differ.

With `exclusive_caps=1` a device says OUTPUT while it waits for a producer and CAPTURE while one feeds it. Version
0.12 forgets to say OUTPUT again if the producer only used write(): nobody can feed the device any more until
somebody has been a streaming producer for a moment. A producer that streams as well as writes avoids that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from vcam.v4l2.controls import list_controls, write_control
from vcam.v4l2.device import Capabilities, Direction, opened, query_capabilities, stream_on

MODULE = Path("/sys/module/v4l2loopback")

BUFFERS = 4
"""How many a virtual camera should have. With two, which is the module's own number, a reader that is one picture late
copies the buffer that is being written: the upper part of one picture, the lower part of another."""

FED: set[Path] = set()
"""The devices that this process feeds: it must neither feed one twice nor take its own picture for a camera's."""

# a producer slower than two frames a second would not be seen, but no program would show its picture either
_PROBE_SECONDS = 0.5


def is_loaded() -> bool:
    """Whether the kernel module is there."""
    return MODULE.is_dir()


def is_installed(root: Path = Path("/"), release: str = "") -> bool:
    """Whether the module could be loaded into a kernel: the running one, or `release`, of the system under `root`."""
    folder = root / "lib" / "modules" / (release or os.uname().release)
    try:
        listed = (folder / "modules.dep").read_text("utf-8", "replace")
    except OSError:
        return False
    return "/v4l2loopback.ko" in listed


def version() -> str:
    """The module's version, "" for those before 0.13, which do not tell."""
    try:
        return (MODULE / "version").read_text("ascii", "replace").strip()
    except OSError:
        return ""


def forgets_output() -> bool:
    """Whether a producer that only writes leaves the device unusable."""
    return version() == ""


def claim(path: Path) -> None:
    """Make sure that a device can be fed: nobody else does, and it says OUTPUT.

    Raises `OSError`: EBUSY if another producer feeds it.
    """
    capabilities = _ask(path)
    if not forgets_output():
        if not capabilities.outputs:
            capabilities = _forget_format(path)
        if not capabilities.outputs:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return
    # OUTPUT alone: free. Both: exclusive_caps is off, or a reader stayed. Otherwise fed, or OUTPUT was forgotten.
    if capabilities.captures and is_fed(path):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    if not capabilities.outputs:
        revive(path)
        # not idle: the driver tells the kernel what it can do only when asked, and S_FMT is refused until then
        if not _ask(path).outputs:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _ask(path: Path) -> Capabilities:
    with opened(path) as fd:
        return query_capabilities(fd)


def _forget_format(path: Path) -> Capabilities:
    """Switch off `keep_format`, with which a device poses as a camera that nobody need feed."""
    with opened(path) as fd:
        for control in list_controls(fd):
            if control.name == "keep_format" and control.value:
                write_control(fd, control, 0)
        return query_capabilities(fd)


def is_fed(path: Path) -> bool:
    """Whether frames arrive within half a second. Only for versions before 0.13, where reading disturbs nobody."""
    with opened(path) as fd:
        # what is there already may be the last frame of a producer that is gone
        while _has_frame(fd):
            pass
        deadline = time.monotonic() + _PROBE_SECONDS
        while time.monotonic() < deadline:
            if _has_frame(fd):
                return True
            time.sleep(0.02)
    return False


def _has_frame(fd: int) -> bool:
    try:
        return bool(os.read(fd, 1))
    except BlockingIOError:
        return False


def revive(path: Path) -> None:
    """Make a device of version 0.12 say OUTPUT again; must not be done while another producer feeds it."""
    # STREAMON answers EINVAL where there are no buffers yet, and works all the same
    with opened(path) as fd, contextlib.suppress(OSError):
        stream_on(fd, Direction.OUTPUT)
