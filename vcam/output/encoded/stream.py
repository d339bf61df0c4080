"""The picture pushed to a server: RTMP, RTMPS, SRT, RTSP or plain UDP, through all that networks do.

    connecting   ffmpeg has been started; the server has not taken a picture yet
    streaming    pictures arrive
    waiting      the server is away; it is tried again soon
    failed       the server says no, or nothing here can encode; it is tried again, slowly

Each connection is a session of its worker, which keeps all that may take long away from the loop.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Collection
from contextlib import suppress
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from vcam.errors import UsageError, VcamError
from vcam.frames import Frame
from vcam.media.ffmpeg import last_line
from vcam.media.process import PRIVATE
from vcam.output.encoded.address import Address, parse_address
from vcam.output.encoded.encoding import can_hide_options, find_encoder, forget_encoders, suggested_bitrate
from vcam.output.encoded.retry import Retry, is_away
from vcam.output.encoded.session import Session, Start
from vcam.output.encoded.sound import NONE, SILENT, choose_sound
from vcam.output.encoded.worker import Worker
from vcam.secrets import redact_text, split_name
from vcam.settings import StreamSettings
from vcam.types import Size

log = logging.getLogger(__name__)

CONNECT_PATIENCE = 12.0
"""Seconds in which a server has to take the first picture."""

STALL_PATIENCE = 8.0
"""Seconds that a server may take nothing before the connection counts as lost."""

CLOSE_PATIENCE = 3.0
"""Seconds for saying goodbye to the server."""

_FEW = 10
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class StreamState(Enum):
    """What a stream does; see the module."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


class StreamOutput:
    """A stream to a server, which may come and go. `write` never waits and never raises `OutputError`.

    `watched` while it streams: the camera stays on. `live`: viewers see the placeholder rather than nothing.
    """

    live = True
    any_thread = True
    finished = False

    def __init__(
        self, url: str, settings: StreamSettings | None = None, *, key: str = "", others: Collection[str] = ()
    ) -> None:
        """url: with a name before it, `main=rtmp://...`, or else the stream is called by its host, and a number if one
        of the `others` is called so. key: what the URL lacks, see `parse_address`.

        Raises `UsageError` for a URL or a key that will not do, and for a name that another one has.
        """
        self._settings = settings or StreamSettings()
        self._address: Address = parse_address(url, key)
        self.name = _name(url, others)
        self._worker = Worker("vcam-stream", self._work)
        self._state, self._since = StreamState.STOPPED, time.monotonic()
        self._error = ""
        self._connections = 0
        self._figures: dict[str, Any] = {}

    @property
    def description(self) -> str:
        return f"stream {self.name} to {self._address.shown}"

    @property
    def url(self) -> str:
        """Where to, without the key."""
        return self._address.shown

    def is_same(self, other: StreamOutput) -> bool:
        """Whether both go to the same place under the same name."""
        return self._address.url == other._address.url

    @property
    def state(self) -> StreamState:
        return self._state

    @property
    def dropped(self) -> int:
        """Frames that were too many for the encoder or the network."""
        return self._worker.dropped

    def watched(self) -> bool:
        return self._state is StreamState.STREAMING

    def fileno(self) -> int | None:
        return None

    def status(self) -> dict[str, Any]:
        """What it does, in builtin types; nothing secret. For any thread."""
        return {
            "kind": "stream",
            "name": self.name,
            "url": self._address.shown,
            "state": self._state.value,
            "since_s": round(time.monotonic() - self._since, 1),
            "error": self._error,
            "connections": self._connections,
            **self._worker.status(),
            **self._figures,
        }

    def open(self, size: Size, fps: float) -> None:
        """Begin; whether the server is there shows in `state`."""
        self._worker.announce(size, fps)
        self._worker.start()

    def write(self, frame: Frame) -> None:
        self._worker.write(frame)

    def close(self) -> None:
        """Say goodbye to the server and end; takes as long as `CLOSE_PATIENCE` at most, twice that for a hung one."""
        self._worker.end(2 * CLOSE_PATIENCE)

    def abort(self) -> None:
        with suppress(VcamError):
            self.close()

    def _work(self) -> None:
        retry = Retry()
        while not self._worker.stopping:
            try:
                away, error = self._connect(retry)
            except VcamError as failure:
                away, error = False, str(failure)
            except Exception as failure:
                # the stream must outlive whatever it is
                log.debug("streaming", exc_info=True)
                away, error = False, f"unexpected {type(failure).__name__}: {failure}"
            if self._worker.stopping:
                break
            self._failed(away, error, retry)
        self._enter(StreamState.STOPPED)

    def _failed(self, away: bool, error: str, retry: Retry) -> None:
        error = redact_text(error, self._address.secrets)
        wait = retry.failed(time.monotonic(), away=away)
        if error != self._error or retry.tries == 1:
            log.warning("%s: %s", self.description, error)
        self._error = error
        self._enter(StreamState.WAITING if away else StreamState.FAILED)
        self._worker.sleep(wait)

    def _connect(self, retry: Retry) -> tuple[bool, str]:
        """One connection from its beginning to its end; whether the server was away, and why it ended."""
        self._enter(StreamState.CONNECTING)
        worker, settings = self._worker, self._settings
        encoder = find_encoder("h264", settings.encoder, worker.size, worker.rate, self._address.scheme)
        start = Start.now()
        worker.encoder = encoder
        # a stream without its sound is better than none; each new connection looks again
        worker.sound = choose_sound(
            settings.audio, encoder.program, start.of_day, whose=self.description, before=worker.sound,
            auto=SILENT if self._address.muxer == "flv" else NONE, otherwise=SILENT,
        )  # fmt: skip
        target, private = self._target(encoder.program)
        session = Session(
            encoder, worker.size, worker.rate, target, sound=worker.sound, start=start, constant=True, private=private,
            bitrate=settings.bitrate or suggested_bitrate(worker.size, float(worker.rate)),
            secrets=self._address.secrets,
        )  # fmt: skip
        worker.feed(session)
        try:
            error = self._watch(session, retry)
            if error is None:
                worker.finish(CLOSE_PATIENCE)
        finally:
            # what could not be delivered is not worth waiting for
            worker.abort()
        if any(encoder.name in line for line in session.child.lines):
            forget_encoders()
        return (True, "") if error is None else error

    def _watch(self, session: Session, retry: Retry) -> tuple[bool, str] | None:
        """Stay until the connection ends; None if it was to stop."""
        begun = moved_at = time.monotonic()
        frames, offered = 0.0, 0
        for _ in self._worker.looks(session):
            now = time.monotonic()
            self._figures = _figures(session)
            streaming = self._state is StreamState.STREAMING
            if not streaming and session.child.delivering:
                self._accepted(retry, now)
            elif not streaming and now - begun > CONNECT_PATIENCE:
                return True, "the server takes no picture"
            if streaming:
                retry.accepted(now)
            if session.apart:
                return True, "the clock was set, which parts sound and picture"
            if session.child.number("frame") != frames:
                frames, moved_at, offered = session.child.number("frame"), now, session.offered
            elif streaming and now - moved_at > STALL_PATIENCE and session.offered - offered > _FEW:
                return True, "the server takes no more pictures"
        return None if self._worker.stopping else self._why(session)

    def _why(self, session: Session) -> tuple[bool, str]:
        """In which class a connection's end belongs, in words."""
        session.child.kill()
        said, lines = session.child.last_words(), list(session.child.lines)
        if self._state is StreamState.STREAMING:
            return True, f"the connection was lost: {said}"
        if away := next(filter(is_away, [*lines, said]), None):
            return True, last_line(away)
        if untrusted := next((line for line in lines if "ertificate" in line), None):
            return False, f"the server's certificate is not trusted: {last_line(untrusted)} (see stream.tls)"
        return False, f"the server refuses the stream: {said} (is the key right?)"

    def _accepted(self, retry: Retry, now: float) -> None:
        retry.accepted(now)
        self._connections += 1
        self._error = ""
        self._enter(StreamState.STREAMING)
        log.info("%s: streaming, %s", self.description, self._worker.status()["encoder"])

    def _target(self, program: str) -> tuple[list[str], tuple[tuple[str, str], ...]]:
        """The muxer's options with the URL, and the private options that complete them."""
        address = self._address
        options = {
            "flv": ["-flvflags", "no_duration_filesize"],
            "rtsp": ["-rtsp_transport", "tcp"],
            "mpegts": ["-muxdelay", "0", "-muxpreload", "0"],
        }[address.muxer]
        if address.scheme == "rtmps":
            # the default differs from one ffmpeg to another
            check = self._settings.tls != "any"
            options += ["-tls_verify", "1", *_trusted(self._settings.tls)] if check else ["-tls_verify", "0"]
        options += ["-flush_packets", "1", "-f", address.muxer]
        if address.private and can_hide_options(program):
            return [*options, "-fpre", PRIVATE, address.public_url], address.private
        if address.muxer == "flv":
            # ffmpeg would split some URLs otherwise
            told = [word for name, value in address.private for word in (f"-{name}", value)]
            return [*options, *told, address.public_url], ()
        return [*options, address.url], ()

    def _enter(self, state: StreamState) -> None:
        if state is not self._state:
            self._state, self._since = state, time.monotonic()
            if state is not StreamState.STREAMING:
                self._figures = {}


def _name(url: str, others: Collection[str]) -> str:
    given, url = split_name(url.strip())
    if given in others:
        raise UsageError(f"there is a stream {given!r} already", "give another name before the URL: NAME=URL")
    host = urlsplit(url).hostname or "stream"
    numbers = (host if number == 1 else f"{host}-{number}" for number in itertools.count(1))
    return given or next(name for name in numbers if name not in others)


def _figures(session: Session) -> dict[str, Any]:
    child = session.child
    return {
        "frames": int(child.number("frame")),
        "doubled": int(child.number("dup_frames")),
        "left_out": int(child.number("drop_frames")),
        "bitrate_kbit": round(child.number("bitrate")),
        "sent_kb": round(child.number("total_size") / 1000),
    }


def _trusted(tls: str) -> list[str]:
    """Where ffmpeg finds the certificates to believe; not every ffmpeg knows where this system has them."""
    file = tls if tls != "system" else next((path for path in _CERTIFICATES if os.path.exists(path)), "")
    return ["-ca_file", file] if file else []
