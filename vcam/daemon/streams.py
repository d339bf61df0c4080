"""Streams and recordings beside the outputs: made from the settings, started and stopped while vcam runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import msgspec

from vcam import folders
from vcam.daemon.base import Life, State
from vcam.daemon.beside import begin, end, in_thread
from vcam.errors import UsageError
from vcam.folders import expand
from vcam.output.base import Output
from vcam.output.encoded.address import parse_address, share_key
from vcam.output.encoded.record import RecordOutput
from vcam.output.encoded.stream import StreamOutput
from vcam.secrets import hide_arguments, read_key, split_name
from vcam.settings import Settings, files_read
from vcam.settings.locked import refuse_locked

log = logging.getLogger(__name__)

KEY_VARIABLE = "VCAM_RTMP_KEY"

METHODS = frozenset(("stream_start", "stream_stop", "record_start", "record_stop"))
"""The methods of the control socket that `Streams.handle` carries out."""


def stream_key(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """The stream key that was given apart from the URL; empty if none was. Raises `UsageError`."""
    if settings.stream.key_file:
        return read_key(expand(settings.stream.key_file))
    return environ.get(KEY_VARIABLE, "")


def stream_outputs(settings: Settings) -> list[Output]:
    """What the section `stream` asks for. Raises `UsageError`."""
    urls = settings.stream.rtmp
    if len({split_name(url)[1] for url in urls}) < len(urls):
        raise UsageError("the same stream is given twice", "name each URL once")
    key = stream_key(settings) if urls else ""
    keys = share_key(urls, key)
    if key and not any(keys) and not any(key.strip() in url for url in urls):
        log.warning("the stream key is not used: each URL ends with a name of its own")
    outputs: list[Output] = []
    # those with a name first: it is theirs
    names = [name for name, _ in map(split_name, urls) if name]
    for url, own in zip(urls, keys, strict=True):
        taken = set(names) - {split_name(url)[0]} | {other.name for other in outputs if isinstance(other, StreamOutput)}
        outputs.append(StreamOutput(url, settings.stream, key=own, others=taken))
    if settings.stream.record:
        record = expand(settings.stream.record)
        outputs.append(RecordOutput(record, settings.stream, inputs=lambda: files_read(settings)))
    return outputs


def hide_keys(settings: Settings) -> None:
    """Take the keys off this process's own command line."""
    words: set[str] = set()
    for url in settings.stream.rtmp:
        # with a key of its own, or one that is given apart
        for key in ("", "a-key"):
            try:
                words.update(parse_address(url, key).secrets)
            except UsageError:
                if key:
                    words.add(url)
    hide_arguments(words)


class Streams:
    """Starts and stops streams and recordings of a daemon that runs; for the control socket's thread."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._beginning: Future[dict[str, Any]] | None = None

    def handle(self, method: str, params: Any) -> Future[dict[str, Any]]:
        """Carry out one of `METHODS`. The future holds what the client is told, or the error."""
        if method == "stream_start":
            return begin(self._life, lambda: self._stream(params.url))
        if method == "record_start":
            return begin(self._life, lambda: self._recording(params.file, params.overwrite))
        kind: type[Output] = StreamOutput if method == "stream_stop" else RecordOutput
        if method == "stream_stop":
            return self._stop(kind, params.url, params.name)
        return self._stop(kind)

    def _stream(self, url: str) -> StreamOutput:
        refuse_locked(("stream.rtmp",))
        settings = self._life.settings
        others = [other for other in settings.stream.rtmp if other != url]
        *_, key = share_key([*others, url], stream_key(settings))
        running = self._running()
        output = StreamOutput(url, settings.stream, key=key, others={other.name for other in running})
        if same := next((other for other in running if other.is_same(output)), None):
            raise UsageError(f"{output.url} gets the stream already", f"vcam stream stop {same.name} ends it")
        return output

    def _running(self) -> list[StreamOutput]:
        return [output for output in self._life.outlets.outputs if isinstance(output, StreamOutput)]

    def _meant(self, url: str) -> list[StreamOutput]:
        """What a URL may mean: with a name of its own, or with the key that was given apart. Raises `UsageError`."""
        found = []
        for key in dict.fromkeys((stream_key(self._life.settings), "")):
            try:
                found.append(StreamOutput(url, key=key))
            except UsageError:
                if not found and not key:
                    raise
        return found

    def _recording(self, file: str, overwrite: bool) -> RecordOutput:
        refuse_locked(("stream.record",))
        settings = self._life.settings.stream
        if overwrite:
            settings = msgspec.structs.replace(settings, overwrite=True)
        # a pause that goes on is recorded; that vcam is starting is nothing to keep
        paused = self._life.state is State.PAUSED
        return RecordOutput(file, settings, cards_first=paused, inputs=lambda: files_read(self._life.settings))

    def toggle_record(self, file: str) -> tuple[Future[dict[str, Any]], bool]:
        """End what is being recorded, or begin to record: into that file, or one of its own. Whether it begins."""
        if any(isinstance(output, RecordOutput) for output in self._life.outlets.outputs):
            return self._stop(RecordOutput), False
        if self._beginning is not None and not self._beginning.done():
            # a key that is held down, or hit twice
            raise UsageError("the recording is just beginning", "once more in a moment ends it")
        place = file or self._life.settings.stream.record or str(folders.videos())
        self._beginning = begin(self._life, lambda: self._recording(str(expand(place)), False))
        return self._beginning, True

    def _stop(self, kind: type[Output], url: str = "", name: str = "") -> Future[dict[str, Any]]:
        def work() -> dict[str, Any]:
            wanted = self._meant(url) if url else []

            def is_meant(output: Output) -> bool:
                if isinstance(output, StreamOutput) and (url or name):
                    return output.name == name or any(map(output.is_same, wanted))
                return isinstance(output, kind)

            names = [stream.name for stream in self._running()]
            if (url or name) and names and not any(map(is_meant, self._running())):
                raise UsageError(
                    f"there is no stream {name!r}" if name else "that stream does not run",
                    f"there is {', '.join(names)}",
                )
            return {"stopped": end(self._life, is_meant, "vcam status shows what runs")}

        return in_thread(work)
