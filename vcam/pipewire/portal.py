"""The desktop's portal: the person is asked once which screen others may see, and PipeWire then gives its pictures.

https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.ScreenCast.html
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import Any

from vcam.errors import UsageError, VcamError
from vcam.files import write_whole

_BUS, _PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
_SCREENCAST, _REQUEST = "org.freedesktop.portal.ScreenCast", "org.freedesktop.portal.Request"

_MONITOR, _WINDOW = 1, 2
_CURSOR_HIDDEN = 1
_UNTIL_REVOKED = 2

_ANSWER = 10.0
_PERSON = 120.0
"""Seconds that the portal itself has, and that the person has who is asked."""

CURE = "choose another background; on Wayland the desktop's portal is needed, as xdg-desktop-portal-gnome"


class ScreenCast:
    """A screen or window that somebody has let vcam see, until `close`."""

    def __init__(self, token: Path) -> None:
        """token: the file of the permission that was given before, so that nobody is asked again. Raises `UsageError`
        if there is no portal, or it is refused."""
        self._token = token
        self._connection: Any = None
        self._session = ""
        self.node = 0
        """The number of PipeWire's node."""
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        from jeepney import DBusErrorResponse
        from jeepney.io.blocking import open_dbus_connection

        try:
            self._connection = open_dbus_connection("SESSION", enable_fds=True)
            made = self._ask("CreateSession", "a{sv}", (), {"session_handle_token": ("s", _word())}, _ANSWER)
            self._session = str(made["session_handle"][1])
            wishes: dict[str, Any] = {
                "types": ("u", _MONITOR | _WINDOW),
                "multiple": ("b", False),
                "cursor_mode": ("u", _CURSOR_HIDDEN),
                "persist_mode": ("u", _UNTIL_REVOKED),
            }
            if token := self._known_token():
                wishes["restore_token"] = ("s", token)
            self._ask("SelectSources", "oa{sv}", (self._session,), wishes, _ANSWER)
            found = self._ask("Start", "osa{sv}", (self._session, ""), {}, _PERSON)
            self.node = int(found["streams"][1][0][0])
        except DBusErrorResponse as error:
            raise UsageError(
                f"the desktop's portal does not show the screen: {error.data or error.name}", CURE
            ) from error
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise UsageError("nobody has said which screen may be seen", "start vcam again, and answer") from error
            raise UsageError(f"the desktop's portal cannot be reached: {error}", CURE) from error
        if "restore_token" in found:
            with contextlib.suppress(VcamError):
                text = str(found["restore_token"][1])
                self._token.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._token, lambda path: path.write_text(text, encoding="utf-8"), mode=0o600)

    def _known_token(self) -> str:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self._token.read_text(encoding="utf-8").strip()[:4096]
        return ""

    def _ask(
        self, method: str, signature: str, first: tuple[Any, ...], options: dict[str, Any], seconds: float
    ) -> dict[str, Any]:
        """Call a method that answers by a signal later. Raises `UsageError` if the person says no."""
        from jeepney import DBusAddress, HeaderFields, MatchRule, new_method_call
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import unwrap_msg

        token = _word()
        sender = self._connection.unique_name.lstrip(":").replace(".", "_")
        path = f"{_PATH}/request/{sender}/{token}"
        rule = MatchRule(type="signal", interface=_REQUEST, member="Response", path=path)
        unwrap_msg(self._connection.send_and_get_reply(message_bus.AddMatch(rule), timeout=_ANSWER))
        call = new_method_call(
            DBusAddress(_PATH, _BUS, _SCREENCAST),
            method,
            signature,
            (*first, {"handle_token": ("s", token), **options}),
        )
        with self._connection.filter(rule) as answers:
            unwrap_msg(self._connection.send_and_get_reply(call, timeout=_ANSWER))
            end = time.monotonic() + seconds
            while True:
                answer = self._connection.recv_until_filtered(answers, timeout=max(0.0, end - time.monotonic()))
                if answer.header.fields.get(HeaderFields.path) == path:
                    break
        code, results = answer.body
        if code:
            # 1 is the person's no, 2 anything else
            raise UsageError("the screen may not be seen: it was refused", "start vcam again, and allow it, or " + CURE)
        return dict(results)

    def remote(self) -> int:
        """A connection to PipeWire that sees this screen alone; a descriptor, the caller's. Raises `UsageError`."""
        from jeepney import DBusAddress, DBusErrorResponse, new_method_call
        from jeepney.io.blocking import unwrap_msg

        call = new_method_call(
            DBusAddress(_PATH, _BUS, _SCREENCAST), "OpenPipeWireRemote", "oa{sv}", (self._session, {})
        )
        try:
            (handle,) = unwrap_msg(self._connection.send_and_get_reply(call, timeout=_ANSWER))
            return int(handle.to_raw_fd())
        except (DBusErrorResponse, OSError, ValueError) as error:
            raise UsageError(f"the desktop's portal shows the screen no more: {error}", CURE) from error

    def close(self) -> None:
        """Let go of the screen: the portal ends a session whose program has hung up. May be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


def is_wayland() -> bool:
    """Whether this session is one of Wayland's, whose programs cannot take pictures of the screen themselves."""
    return bool(os.environ.get("WAYLAND_DISPLAY"))


def _word() -> str:
    return f"vcam_{secrets.token_hex(8)}"
