"""A connection to PipeWire's daemon, in a thread of PipeWire's own."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vcam.errors import DeviceError
from vcam.pipewire import raw

NO_DAEMON = "systemctl --user start pipewire wireplumber; vcam doctor tells more"
"""What to do where no daemon answers."""


def socket_path() -> Path | None:
    """Where the daemon of this session listens; None if this session has no place for such a thing.

    By PIPEWIRE_REMOTE, PIPEWIRE_RUNTIME_DIR and XDG_RUNTIME_DIR, as the library itself looks for it.
    """
    name = os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0"
    if name.startswith("/"):
        return Path(name)
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder) / name if folder else None


def is_there() -> bool:
    """Whether a daemon has made its socket in this session; the library is not loaded for it."""
    path = socket_path()
    # a folder of another user's, as after `sudo -u`, tells nothing
    with contextlib.suppress(OSError):
        return path is not None and path.is_socket()
    return False


def version() -> str:
    """The library's version, as "1.4.2". Raises `DeviceError` without it."""
    return str(raw.library().pw_get_library_version().decode())


def properties(values: Mapping[str, str]) -> int:
    """`struct pw_properties`, which whoever it is given to owns."""
    items = (raw.SpaDictItem * len(values))()
    for item, (key, value) in zip(items, values.items(), strict=True):
        item.key, item.value = key.encode(), value.encode()
    return int(raw.library().pw_properties_new_dict(ctypes.byref(raw.SpaDict(0, len(values), items))))


class Loop:
    """One connection and its thread.

    Whatever of PipeWire hangs on it is called under `locked`, and calls back in that thread, or in the caller's while
    it holds the lock. Callbacks come rarely: a picture needs none.
    """

    def __init__(self, name: str, fd: int | None = None) -> None:
        """name: of the thread. fd: of a connection that is there already, as the portal gives one; it is owned here.

        Raises `DeviceError` without the library, or if no daemon answers.
        """
        self._loop = self._context = self._core = 0
        self._library = library = raw.library()
        try:
            self._loop = library.pw_thread_loop_new(name.encode(), None) or 0
            if not self._loop:
                raise _failure()
            self._context = library.pw_context_new(library.pw_thread_loop_get_loop(self._loop), None, 0) or 0
            if not self._context:
                raise _failure()
            if library.pw_thread_loop_start(self._loop) < 0:
                raise _failure()
            with self.locked():
                connect = (self._context, None, 0) if fd is None else (self._context, fd, None, 0)
                function = library.pw_context_connect if fd is None else library.pw_context_connect_fd
                self._core = function(*connect) or 0
                if not self._core:
                    raise _failure()
        except BaseException:
            self.close()
            raise

    @property
    def core(self) -> int:
        """`struct pw_core *`"""
        return self._core

    @contextlib.contextmanager
    def locked(self) -> Iterator[Any]:
        """Hold PipeWire's thread at its next turn; gives the library. The GIL is free while this waits."""
        if not self._loop:
            raise DeviceError("the connection to PipeWire is closed")
        self._library.pw_thread_loop_lock(self._loop)
        try:
            yield self._library
        finally:
            self._library.pw_thread_loop_unlock(self._loop)

    def close(self) -> None:
        """End the connection and the thread, with all that hangs on it. May be called twice, not from a callback."""
        if not self._loop:
            return
        # the thread first: nothing calls back any more, and nothing needs the lock
        self._library.pw_thread_loop_stop(self._loop)
        if self._core:
            self._library.pw_core_disconnect(self._core)
        if self._context:
            self._library.pw_context_destroy(self._context)
        self._library.pw_thread_loop_destroy(self._loop)
        self._loop = self._context = self._core = 0


def _failure() -> DeviceError:
    number = ctypes.get_errno()
    if number in (errno.ENOENT, errno.ECONNREFUSED, errno.EHOSTDOWN, errno.ENOTCONN):
        where = socket_path()
        if where is None:
            return DeviceError(
                "this session has no XDG_RUNTIME_DIR, so PipeWire cannot be reached",
                "start vcam in a desktop session, or as a user service",
            )
        return DeviceError(f"no PipeWire daemon answers at {where}", NO_DAEMON)
    if number in (errno.EACCES, errno.EPERM):
        return DeviceError("PipeWire does not let vcam in", "start vcam as the user whose session it is")
    if number == errno.EMFILE:
        return DeviceError("PipeWire cannot be reached: too many files are open", "ulimit -n 4096")
    return DeviceError(f"PipeWire cannot be reached: {os.strerror(number)}", NO_DAEMON)
