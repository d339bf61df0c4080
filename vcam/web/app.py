"""What the panel answers: its page, requests of the page, and one socket on which it tells the page what happens."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from vcam import __version__
from vcam.assets import BACKGROUNDS, background_picture
from vcam.errors import ConfigError, UsageError, VcamError
from vcam.settings import load
from vcam.settings.locked import read_system
from vcam.web import cameras, gallery, profiles, talk
from vcam.web.described import chain_written, filters_described, settings_described
from vcam.web.guard import Guard
from vcam.web.look import View
from vcam.web.looking import AHEAD, Looking

_log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("page")

_LONGEST = 64 << 10
"""Bytes of a request that is no file."""

Answer = Callable[[Any], Any]
"""What a request does with its JSON; runs in a thread."""


def make_app(name: str, token: str, port: int, opened: Callable[[int], object] = lambda pages: None) -> Guard:
    """The panel for the vcam of that name, for whoever has the token. opened: is told how many pages are open."""
    panel = _Panel(name, opened)
    routes = [
        Route("/", _page),
        Route("/api/enter", panel.enter, methods=["POST"]),
        Route("/api/about", panel.about),
        Route("/api/call", _answering(panel.call), methods=["POST"]),
        Route("/api/filters", _answering(panel.filters), methods=["POST"]),
        Route("/api/keep", _answering(lambda _: talk.keep(name)), methods=["POST"]),
        Route("/api/cameras", _answering(lambda _: cameras.listed(name)), methods=["POST"]),
        Route("/api/profile/make", _answering(panel.make_profile), methods=["POST"]),
        Route("/api/profile/remove", _answering(panel.remove_profile), methods=["POST"]),
        Route("/api/start", _answering(lambda _: _start(name)), methods=["POST"]),
        Route("/api/doctor", _answering(lambda _: _doctor()), methods=["POST"]),
        Route("/api/backgrounds", panel.backgrounds),
        Route("/api/backgrounds/{file}", panel.add, methods=["PUT"]),
        Route("/api/backgrounds/{file}", panel.remove, methods=["DELETE"]),
        Route("/api/small/{file}", panel.small),
        Route("/api/ready/{name}", panel.ready),
        WebSocketRoute("/api/live", panel.live),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]
    guard = Guard(Starlette(routes=routes), token, port)
    panel.guard = guard
    return guard


async def _page(request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


def _refused(error: VcamError) -> Response:
    return JSONResponse(gallery.sentence(error), status_code=400)


async def _body(request: Request) -> Any:
    """A request's JSON. Raises `UsageError` for what is none, or is too long."""
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > _LONGEST:
            raise UsageError("the request is too long", "send less at once")
    try:
        return json.loads(data or b"{}")
    except (ValueError, RecursionError) as error:
        raise UsageError("the request is no JSON", "reload the page") from error


def _locked() -> frozenset[str]:
    """What cannot be changed here; nothing where the file that says so is broken, since vcam itself refuses then."""
    try:
        return read_system(os.environ).locked
    except ConfigError:
        return frozenset()


def _word(body: Any) -> tuple[str]:
    """The name in a request. Raises `UsageError` for one without."""
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        raise UsageError("the request names no profile", "reload the page")
    return (body["name"],)


def _answering(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await asyncio.to_thread(answer, await _body(request)))
        except VcamError as error:
            return _refused(error)
        except ClientDisconnect:
            return Response(status_code=400)

    return endpoint


def _start(name: str) -> dict[str, Any]:
    talk.start(name)
    return {}


def _doctor() -> list[dict[str, Any]]:
    from vcam.doctor.examine import examine
    from vcam.machine.host import Machine
    from vcam.machine.inventory import take_inventory
    from vcam.settings import Settings, config_path

    settings: Settings | ConfigError
    try:
        settings = load().settings
    except ConfigError as error:
        settings = error
    return [
        {"name": found.name, "status": found.status.value, "seen": found.seen, "cure": list(found.cure)}
        for found in examine(Machine(), settings, config_path(), take_inventory)
    ]


class _Panel:
    """The vcam that is spoken of."""

    guard: Guard

    def __init__(self, name: str, opened: Callable[[int], object]) -> None:
        self._name, self._opened, self._pages = name, opened, 0

    async def enter(self, request: Request) -> Response:
        """The token, handed over once, becomes a cookie."""
        try:
            given = (await _body(request)).get("token")
        except (UsageError, AttributeError):
            given = None
        if not self.guard.is_token(given):
            return JSONResponse({"error": "this link is of an earlier panel", "hint": "vcam panel"}, status_code=403)
        answer = JSONResponse({})
        answer.set_cookie(self.guard.cookie, str(given), httponly=True, samesite="strict", path="/")
        return answer

    async def about(self, request: Request) -> Response:
        return JSONResponse(
            {
                "version": __version__,
                "name": self._name,
                "settings": settings_described(_locked()),
                "filters": filters_described(),
                "folder": str(gallery.folder()),
                "ready": [{"name": name, "about": about} for name, about in BACKGROUNDS.items()],
            }
        )

    def call(self, body: Any) -> Any:
        if not isinstance(body, dict):
            raise UsageError("the request is no request", "reload the page")
        return talk.call(self._name, str(body.get("method", "")), body.get("params") or {})

    def filters(self, body: Any) -> Any:
        if not isinstance(body, dict) or not isinstance(body.get("chain"), list):
            raise UsageError("the request is no chain of filters", "reload the page")
        return talk.call(self._name, "set", {"filters.chain": chain_written(body["chain"])})

    def make_profile(self, body: Any) -> Any:
        return profiles.make(self._name, *_word(body), anew=bool(body.get("anew")))

    def remove_profile(self, body: Any) -> Any:
        return profiles.remove(self._name, *_word(body))

    async def backgrounds(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(gallery.listed))

    async def small(self, request: Request) -> Response:
        def make() -> bytes:
            return gallery.small(gallery.path_of(request.path_params["file"]))

        try:
            return Response(await asyncio.to_thread(make), media_type="image/jpeg")
        except VcamError as error:
            return _refused(error)

    async def ready(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in BACKGROUNDS:
            return _refused(UsageError(f"vcam has no background {name!r}", "vcam background list"))
        picture = await asyncio.to_thread(gallery.small, background_picture(name))
        return Response(picture, media_type="image/jpeg")

    async def add(self, request: Request) -> Response:
        name = request.path_params["file"]
        try:
            length = request.headers.get("content-length", "")
            if length.isdecimal() and int(length) > (most := gallery.most_bytes(name)):
                raise UsageError(f"{name} is larger than {most >> 20} MB", "make it smaller")
            with await asyncio.to_thread(gallery.Arriving, name) as arriving:
                async for piece in request.stream():
                    await asyncio.to_thread(arriving.add, piece)
                path = await asyncio.to_thread(arriving.keep)
        except VcamError as error:
            return _refused(error)
        except ClientDisconnect:
            # nobody waits for an answer; what had come is gone
            return Response(status_code=400)
        return JSONResponse({"name": path.name, "path": str(path)})

    async def remove(self, request: Request) -> Response:
        try:
            await asyncio.to_thread(gallery.remove, request.path_params["file"])
        except VcamError as error:
            return _refused(error)
        return JSONResponse({})

    async def live(self, socket: WebSocket) -> None:
        """JSON of what happens goes out; `{"look": true}` asks for one picture, `{"look": false}` ends looking.

        With `"pictures": 4` it asks for so many. With `"view": "matte"` they are the matte, with `"both"` it is the
        room beside what others see: one picture alone.
        """
        await socket.accept()
        self._count(1)
        page = _Page(socket, self._name)
        try:
            await page.serve()
        finally:
            self._count(-1)
            await page.close()

    def _count(self, by: int) -> None:
        self._pages += by
        self._opened(self._pages)


class _Page:
    """One page that is open."""

    def __init__(self, socket: WebSocket, name: str) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        # the newest of each event is all that a page needs that reads slowly
        self._told: dict[str, Any] = {}
        # a page that reads more slowly than it asks gets the newest
        self._pictures: deque[bytes] = deque(maxlen=AHEAD)
        self._view = View.SHOWN
        self._there_is = asyncio.Event()
        self._looking = Looking(name, self._seen)
        self._following = talk.Following(name, self._tell)
        self._sending = asyncio.create_task(self._send())

    async def serve(self) -> None:
        with suppress(WebSocketDisconnect, ValueError, OverflowError, KeyError, TypeError, AttributeError):
            while True:
                asked = json.loads(await self._socket.receive_text())
                view = View(asked.get("view", View.SHOWN.value))
                if view is not self._view:
                    # the room is nobody's any more who has ceased to ask for it
                    self._pictures.clear()
                    self._view = view
                if asked["look"]:
                    self._looking.ask(view, int(asked.get("pictures", 1)))
                else:
                    self._looking.away()
                    self._pictures.clear()

    async def close(self) -> None:
        self._following.end()
        self._looking.close()
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)

    def _tell(self, event: str, contents: Any) -> None:
        """From the thread that listens to vcam."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, event, contents)

    def _put(self, event: str, contents: Any) -> None:
        # in the order in which they came: vcam is gone, or is there again
        self._told.pop(event, None)
        self._told[event] = contents
        self._there_is.set()

    def _seen(self, picture: bytes | VcamError | None) -> None:
        if isinstance(picture, bytes):
            self._pictures.append(picture)
            self._there_is.set()
        else:
            self._put("no picture", gallery.sentence(picture) if picture else {})

    async def _send(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while await self._there_is.wait():
                self._there_is.clear()
                while self._pictures or self._told:
                    if self._pictures:
                        await self._socket.send_bytes(self._pictures.popleft())
                        continue
                    event = next(iter(self._told))
                    await self._socket.send_text(json.dumps({"event": event, "is": self._told.pop(event)}))
