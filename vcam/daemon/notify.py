"""What vcam tells systemd about itself: sd_notify(3), one datagram a message.

The protocol is this small; a library for it would be one dependency more for the same lines.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from vcam.printable import ERRORS, printable

log = logging.getLogger(__name__)

_LONGEST = 1000
PATIENCE = 0.2
"""Seconds: a service manager that does not listen must not hold up the picture for longer."""


class Notifier:
    """Reports to the service manager that started this process; does nothing if none did.

    The variables are taken out of `environ`, so that programs started from here do not speak in vcam's name. Nothing
    here raises: a picture matters more than a report on it.
    """

    def __init__(
        self, environ: MutableMapping[str, str] | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        environ = os.environ if environ is None else environ
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._clock = clock
        self._socket = _connect(address) if address[:1] in ("/", "@") and len(address) > 1 else None
        mine = self._socket is not None and usec.isdigit() and pid in ("", str(os.getpid()))
        # twice as often as asked for, as sd_watchdog_enabled(3) advises
        self._interval = int(usec) / 2e6 if mine else 0.0
        self._next = float("-inf")
        self._status = ""

    def ready(self, status: str) -> None:
        """The service does what it is for; also the end of `reloading`."""
        self._status = status
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """What it does now, for people; the same words again are not sent."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """The loop turns; call it on every turn, it is sent as often as the watchdog wants."""
        if self._interval and (now := self._clock()) >= self._next:
            self._next = now + self._interval
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """New settings are being read; `ready` says that this is over."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Say nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(message.encode("utf-8", ERRORS))
        except OSError as error:
            log.debug("telling the service manager: %s", error)


def _connect(address: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    connection.settimeout(PATIENCE)
    try:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        log.debug("the service manager's socket: %s", error)
        connection.close()
        return None
    return connection


def _line(text: str) -> str:
    """Words that systemd takes: a status that is no UTF-8, or too long for a datagram, would be lost."""
    return printable(" ".join(text.split()))[:_LONGEST]
