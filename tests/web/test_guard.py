"""Who may speak to the panel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("starlette")

from vcam.web import guard
from vcam.web.guard import Guard, policy

TOKEN = "right-token"
PORT = 4711
HERE = "http://127.0.0.1:4711"
COOKIE = f"vcam_panel_{PORT}={TOKEN}"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "is_own", lambda client, port: port == PORT)


def answer(path: str = "/api/about", method: str = "GET", kind: str = "http", **headers: str) -> tuple[bool, list[Any]]:
    """Whether a request got through to the application, and what was sent."""
    reached, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        start = {"type": "http.response.start", "status": 200} if kind == "http" else {"type": "websocket.accept"}
        await send(start)

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": "127.0.0.1:4711"} | {key.replace("_", "-"): value for key, value in headers.items()}
    scope = {"type": kind, "path": path, "headers": [(k.encode(), v.encode()) for k, v in given.items() if v]}
    if kind == "http":
        scope["method"] = method
    asyncio.run(Guard(app, TOKEN, PORT)(scope, None, send))  # type: ignore[arg-type]
    return bool(reached), sent


def test_the_page_itself_needs_no_token_and_all_else_does() -> None:
    assert answer("/")[0]
    assert answer("/page/app.js")[0]
    assert not answer()[0]
    assert answer(cookie=COOKIE)[0]
    assert answer("/api/call", "POST", cookie=COOKIE, origin=HERE)[0]
    assert answer("/api/live", kind="websocket", cookie=COOKIE, origin=HERE)[0]


@pytest.mark.parametrize(
    "cookie",
    ["", "vcam_panel_4711=", "vcam_panel_4711=wrong", f"vcam_panel_1={TOKEN}", "\x00;=,", "vcam_panel_4711=\xff"],
)
def test_a_wrong_token_is_none(cookie: str) -> None:
    assert not answer(cookie=cookie)[0]
    assert not answer("/api/live", kind="websocket", cookie=cookie, origin=HERE)[0]


@pytest.mark.parametrize(
    "host",
    ["evil.example:4711", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:4711", "[::1]:4711", "0.0.0.0:4711"],
)
def test_a_name_that_was_turned_to_this_machine_is_refused(host: str) -> None:
    # DNS rebinding: the browser believes that the attacker's name is this machine, and sends along whatever it has
    assert not answer(cookie=COOKIE, host=host)[0]
    assert not answer("/", host=host)[0]
    assert not answer("/api/live", kind="websocket", cookie=COOKIE, host=host, origin=f"http://{host}")[0]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:8000", "https://127.0.0.1:4711", "null", "http://127.0.0.1:4711.evil.example"]
)  # fmt: skip
def test_another_page_is_refused_even_with_the_cookie(origin: str) -> None:
    assert not answer("/api/call", "POST", cookie=COOKIE, origin=origin)[0]
    assert not answer(cookie=COOKIE, origin=origin)[0]
    assert not answer("/api/live", kind="websocket", cookie=COOKIE, origin=origin)[0]
    assert not answer("/api/enter", "POST", origin=origin)[0]


def test_who_does_not_say_where_a_change_comes_from_is_refused() -> None:
    assert not answer("/api/call", "POST", cookie=COOKIE)[0]
    assert not answer("/api/live", kind="websocket", cookie=COOKIE)[0]
    assert not answer("/api/backgrounds/x.png", "DELETE", cookie=COOKIE)[0]


def test_a_program_of_another_user_is_refused_even_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    # cookies know no ports: a server of somebody else on this machine is sent the panel's
    monkeypatch.setattr(guard, "is_own", lambda client, port: False)
    assert not answer(cookie=COOKIE)[0]
    assert not answer("/")[0]
    assert not answer("/api/live", kind="websocket", cookie=COOKIE, origin=HERE)[0]


def test_a_token_of_odd_letters_is_a_wrong_one() -> None:
    assert not Guard(None, TOKEN, PORT).is_token("\ud800")  # type: ignore[arg-type]
    assert not Guard(None, TOKEN, PORT).is_token(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_on_another_page_is_refused(site: str) -> None:
    # <img src="http://127.0.0.1:4711/api/small/me.jpg"> has no Origin
    assert not answer("/api/small/me.jpg", cookie=COOKIE, sec_fetch_site=site)[0]
    assert answer("/api/small/me.jpg", cookie=COOKIE, sec_fetch_site="same-origin")[0]


def test_everything_carries_the_policy() -> None:
    _, sent = answer("/")
    headers = dict(sent[0]["headers"])
    assert headers[b"content-security-policy"].decode() == policy(PORT)
    for word in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "ws://127.0.0.1:4711"):
        assert word in policy(PORT)
    assert "unsafe" not in policy(PORT)
    assert headers[b"x-content-type-options"] == b"nosniff"
