"""The other end of the control socket: what commands and scripts use."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from vcam.control.place import (
    DEFAULT_NAME,
    check_name,
    check_sockets_folder,
    peer_is_welcome,
    socket_path,
    sockets_folder,
)
from vcam.control.protocol import INVALID_PARAMS, call
from vcam.errors import ConfigError, DeviceError, UsageError, VcamError

TIMEOUT = 60.0
"""Seconds to wait for an answer: a network from a slow disk takes its time to load."""

_ERRORS: dict[int, type[VcamError]] = {2: UsageError, 69: DeviceError, 78: ConfigError}


class ControlClient:
    """A connection to the running daemon; a context manager. Not thread safe.

    with ControlClient() as vcam:
        vcam.call("background", {"spec": "blur"})
    """

    def __init__(self, name: str = DEFAULT_NAME, *, timeout: float = TIMEOUT) -> None:
        """Connect. Raises `DeviceError` if no daemon of that name runs, `VcamError` if who listens is not this user.

        Nothing is sent before that is known: requests may hold stream keys and the names of private files.
        """
        self._socket = connected(name, socket_path(check_name(name)), timeout=timeout)
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def call(
        self, method: str, params: Any = None, heard: Callable[[str, dict[str, Any]], object] = lambda name, told: None
    ) -> Any:
        """The result of a method. Raises the error that it ended with, of the class that its exit status belongs to.

        heard: is told of the events that come meanwhile, of those that were subscribed to: name and contents.
        """
        self._number += 1
        try:
            self._socket.sendall(call(self._number, method, {} if params is None else params))
            while True:
                message = self._receive()
                if message.get("id") == self._number:
                    break
                if "method" in message:
                    heard(message["method"], message.get("params", {}))
        except OSError as error:
            raise _lost() from error
        if "error" in message:
            raise _error(message["error"])
        if "result" not in message:
            raise _strange()
        return message["result"]

    def notifications(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events that were subscribed to, as they come: name and contents. Ends with the daemon."""
        self._socket.settimeout(None)
        while line := self._lines.readline():
            message = _parsed(line)
            if "method" in message:
                yield message["method"], message.get("params", {})

    def wait_for_end(self, timeout: float) -> bool:
        """Wait until the daemon has let go of the connection; whether it has."""
        self._socket.settimeout(timeout)
        try:
            while self._lines.readline():
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def cut(self) -> None:
        """End what another thread waits for; it gets an error, or the end of the events. Not a `close`."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _receive(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise _lost()
        return _parsed(line)


def connected(name: str, path: Path, kind: int = socket.SOCK_STREAM, *, timeout: float | None = None) -> socket.socket:
    """A connection to one of the sockets of the daemon of that name. Raises as `ControlClient` does."""
    check_name(name)
    if not check_sockets_folder():
        raise _not_running(name)
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(timeout)
    try:
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        raise _not_running(name) from error
    if not peer_is_welcome(sock):
        sock.close()
        raise VcamError(
            f"{path} belongs to another user: nothing was sent to it",
            f"find out who it is (sudo ss -xlp src {path}), and remove the socket",
        )
    return sock


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _strange() from error
    if not isinstance(message, dict):
        raise _strange()
    return message


def _strange() -> VcamError:
    return VcamError(
        "vcam sent an answer that cannot be understood", "is it of another version? vcam stop, then vcam start"
    )


def _error(error: dict[str, Any]) -> VcamError:
    data = error.get("data") or {}
    kind = _ERRORS.get(data.get("exit_status", 1), UsageError if error.get("code") == INVALID_PARAMS else VcamError)
    return kind(str(error.get("message", "it failed")), str(data.get("hint", "")))


def _lost() -> VcamError:
    return VcamError("vcam has closed the connection", "vcam status tells whether it runs")


def running_names() -> list[str]:
    """The names of this user's daemons that run, in order."""
    found = sorted(path.stem for path in sockets_folder().glob("*.sock")) if check_sockets_folder() else []
    return [name for name in found if _answers(name)]


def _not_running(name: str) -> DeviceError:
    names = running_names()
    if name in names:
        return DeviceError("this vcam takes no more viewers, or is an older one", "close a preview, or start it anew")
    running = [other for other in names if other != name]
    if running:
        return DeviceError(f"no vcam named {name} is running", f"there is --name {', --name '.join(running)}")
    return DeviceError("vcam is not running", "vcam start" if name == DEFAULT_NAME else f"vcam start --name {name}")


def _answers(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(socket_path(name)))
        except (OSError, UsageError):
            return False
        return peer_is_welcome(probe)
