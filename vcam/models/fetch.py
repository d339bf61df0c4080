"""A file fetched over http or https from somebody who may wish us ill."""

from __future__ import annotations

import http
import http.client
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any
from urllib.parse import quote, urlsplit

from vcam.errors import ModelError, OutputError, UsageError

Progress = Callable[[int, int | None], None]
"""Told while a file is fetched: how many bytes there are, and of how many if that is known."""

SCHEMES = ("http", "https")

_SILENCE = 10.0
"""Seconds without a byte."""
_GRACE, _SLOWEST = 12.0, 16 << 10
"""After so many seconds, a file must have come with so many bytes a second on average."""
_LONGEST = 3600.0
"""Seconds that a file may take at most."""
_PIECE = 1 << 18
"""Bytes that are read at once."""
_KEPT = "%/:=&?~+!$,;'@()*[]"
"""What may stand in an address as it is, beside letters and digits."""
_BY_HAND = "or download network and card by hand, then: vcam models add FILE"


def check_address(address: str) -> str:
    """The address, given back with what is no ASCII encoded. Raises `UsageError` if it is none to fetch from."""
    try:
        parts = urlsplit(address)
        port_is_sane = parts.port != 0
    except ValueError:
        parts, port_is_sane = urlsplit(""), False
    if parts.scheme not in SCHEMES or not parts.hostname or not port_is_sane:
        raise UsageError(
            f"{address!r} is not the address of a model",
            "give the https:// address of its card or network; vcam models add takes what is on this machine",
        )
    if "@" in parts.netloc:
        # not repeated: it may be on somebody's screen
        raise UsageError("the address holds a name or a password", "vcam logs in nowhere: download by hand")
    path, query = (quote(part, safe=_KEPT, errors="surrogateescape") for part in (parts.path, parts.query))
    return parts._replace(path=path, query=query, fragment="").geturl()


def fetch(
    address: str, target: Path, most: int, progress: Progress = lambda done, of: None, *, resume: bool = False
) -> None:
    """Write to `target` what an address answers, at most `most` bytes.

    resume: what is in the target already is its beginning, of which the server is asked not to send it again (RFC 9110,
    section 14); the caller has a checksum that tells whether the two parts belong together. Nobody is asked but by http
    and https, and by https alone once the way has been https. Raises `ModelError` for an answer that is too large, too
    slow, broken, or none; what was written until then is for the caller to remove.
    """
    begun = target.stat().st_size if resume and target.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={begun}-"} if begun else {})
    with _Watch() as watch:
        try:
            with _opener(watch).open(request, timeout=_SILENCE) as answer:
                goes_on = begun > 0 and _goes_on(answer, begun)
                with target.open("ab" if goes_on else "wb") as file:
                    _copy(answer, file, address, most, watch, progress, begun if goes_on else 0)
        except urllib.error.HTTPError as error:
            # it is the answer as well, and holds the connection
            error.close()
            if begun and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                # all of it is there; if not, its checksum tells
                return
            raise ModelError(
                f"{address}: {error.code} {_plain(error.reason)}", f"check the address, {_BY_HAND}"
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if watch.late:
                raise ModelError(f"{address} comes too slowly", f"try again, {_BY_HAND}") from error
            why = _plain(getattr(error, "reason", None) or error)
            raise ModelError(f"{address} cannot be fetched: {why}", f"check address and network, {_BY_HAND}") from error


def _goes_on(answer: Any, begun: int) -> bool:
    """Whether a server answers with the rest alone, and with all of the rest."""
    told = str(answer.headers.get("Content-Range", ""))
    return bool(answer.status == http.HTTPStatus.PARTIAL_CONTENT and told.startswith(f"bytes {begun}-"))


def _copy(answer: Any, file: IO[bytes], address: str, most: int, watch: _Watch, progress: Progress, begun: int) -> None:
    length = answer.headers.get("Content-Length")
    total = begun + int(length) if length and length.isdecimal() and len(length) < 20 else None
    watch.done = watch.begun = begun
    # read1: what is there, so that it is counted while it comes
    while piece := answer.read1(_PIECE):
        watch.done += len(piece)
        if max(watch.done, total or 0) > most:
            raise ModelError(f"{address} is larger than {most >> 10} kB", "is it the right address?")
        try:
            file.write(piece)
        except OSError as error:
            raise OutputError(
                f"{address} cannot be kept: {error.strerror}", f"free some space: df -h {Path(file.name).parents[1]}"
            ) from error
        progress(watch.done, total)
    if watch.late:
        raise TimeoutError
    if total is not None and watch.done < total:
        raise ModelError(f"{address} broke off after {watch.done} of {total} bytes", "try again")


class _Watch:
    """Cuts the connections of one fetch when it has become too slow, whatever they are waiting for."""

    def __init__(self) -> None:
        self.done = self.begun = 0
        self.late = False
        self.sockets: list[socket.socket] = []
        self._end = Event()
        self._thread = Thread(target=self._run, name="fetch watch", daemon=True)

    def _run(self) -> None:
        begin = time.monotonic()
        while not self._end.wait(0.2):
            spent = time.monotonic() - begin
            if spent > _LONGEST or self.done - self.begun < (spent - _GRACE) * _SLOWEST:
                self.late = True
                for each in self.sockets:
                    try:
                        # of TLS as well: its own shutdown would touch what the other thread uses
                        socket.socket.shutdown(each, socket.SHUT_RDWR)
                    except OSError:
                        continue

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()


def _opener(watch: _Watch) -> urllib.request.OpenerDirector:
    """One that knows http and https and nothing else; the environment's proxies count."""

    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watch.sockets.append(self.sock)

    class SafeConnection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watch.sockets.append(self.sock)

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(SafeConnection, req)

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), Http(), Https(), _Redirects(),
        urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler(), urllib.request.UnknownHandler(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in SCHEMES or (req.type == "https" and scheme != "https"):
            raise urllib.error.URLError(f"it leads from {req.type} to {_plain(scheme) or 'nowhere'}, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _plain(words: object) -> str:
    """What somebody else's program said, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(words))[:200]
