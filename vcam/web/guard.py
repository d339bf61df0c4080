"""Who may speak to the panel: this machine, a page of the panel's own, and only with the token of this start.

A page of somebody else's in the same browser can send requests to this machine. So each request has to name this
machine as its host (else a name that was turned to 127.0.0.1 would do: DNS rebinding), must not come from another page
(`Origin`, `Sec-Fetch-Site`), and carries the token as a cookie that browsers send for pages of this machine alone.
Cookies know no ports, so who asks has to be a program of the same user as well: `vcam.web.peers`.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from vcam.web.peers import is_own

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = ("/", "/api/enter")
"""What is answered without the token: the page, which holds nothing of anybody's, and the way in."""
PAGE = "/page/"

_SAME = (b"same-origin", b"none")


def policy(port: int) -> str:
    """What the page may load and ask: its own files from its own address, and nothing else anywhere."""
    sockets = " ".join(f"ws://{name}:{port}" for name in ("127.0.0.1", "localhost"))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
        f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class Guard:
    """Wraps the panel's application; what does not belong is answered here and never reaches it."""

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._token, self._port = app, token, port
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"vcam_panel_{port}"
        self._headers = [
            (b"content-security-policy", policy(port).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not (self._may(scope) and is_own(scope.get("client"), self._port)):
            await _refuse(scope, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        await self._app(scope, receive, send_guarded)

    def is_token(self, text: object) -> bool:
        """Whether this is the token of this start."""
        return isinstance(text, str) and hmac.compare_digest(text.encode("utf-8", "replace"), self._token.encode())

    def _may(self, scope: MutableMapping[str, Any]) -> bool:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if host not in self._hosts:
            return False
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != f"http://{host}":
            return False
        path, asks = scope["path"], scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not asks and origin is None:
            # browsers name the page that a request comes from; whoever does not is no page of the panel's
            return False
        if path in OPEN or path.startswith(PAGE):
            return True
        if headers.get(b"sec-fetch-site", b"none") not in _SAME:
            return False
        return self.is_token(_cookie(headers.get(b"cookie", b""), self.cookie))


def _cookie(header: bytes, name: str) -> str:
    try:
        found = SimpleCookie(header.decode("latin-1")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _refuse(scope: MutableMapping[str, Any], send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403})
        return
    text = b"this is vcam's panel; open it with: vcam panel\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": text})
