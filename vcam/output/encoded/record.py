"""Recording into a file that is whole at every moment: what is on the disk plays, whatever ends vcam.

A Matroska file is a chain of clusters, a fragmented MP4 one of fragments; either is written a second at a time. Other
than an output file, which gets its name when it is finished, a recording has its own from the beginning.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from vcam.errors import OutputError, UsageError, VcamError
from vcam.files import write_error
from vcam.frames import Frame, check_size
from vcam.media.ffmpeg import local_url
from vcam.media.rate import exact_rate
from vcam.output.base import AlwaysWatched
from vcam.output.encoded.encoding import Encoder, find_encoder, suggested_bitrate
from vcam.output.encoded.session import Session, Start
from vcam.output.encoded.sound import NONE, SILENT, Sound, captured
from vcam.settings import StreamSettings
from vcam.types import Size

log = logging.getLogger(__name__)

_FRAGMENTED = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "1000000")
_CHAINED = ("-cluster_time_limit", "1000")
_MUXERS = {".mkv": ("matroska", _CHAINED), ".mp4": ("mp4", _FRAGMENTED), ".mov": ("mov", _FRAGMENTED)}

PATIENCE = 20.0
"""Seconds that an encoder may take to finish its file."""

_LOOK = 0.5
_START = 5.0
"""Seconds that an encoder may take to start."""

_FAILURES = 3
"""Times in a row that an encoder may end by itself before the recording is given up."""

_LASTED = 10.0
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "MB": 1e6, "GB": 1e9}
_DEFAULT_NAME = "vcam-%Y-%m-%d-%H%M%S.mkv"
_QUALITY = 2
"""A file has no network to fit through: it gets so many times the bit rate of a stream."""


def parse_split(text: str) -> tuple[float | None, float | None]:
    """The seconds and the bytes after which a new file begins, each None for never. The settings check the form."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h|MB|GB)", text)
    if not found:
        return None, None
    amount = float(found[1]) * _UNITS[found[2]]
    if amount <= 0:
        raise UsageError(f"a file cannot be split after {text}", "for example 10min or 500MB")
    return (None, amount) if found[2].endswith("B") else (amount, None)


class RecordOutput(AlwaysWatched):
    """A recording, in one file or several. `write` never waits; it raises once the recording has been given up."""

    finished = False

    def __init__(self, target: str | Path, settings: StreamSettings | None = None) -> None:
        """target: a file, whose name may hold strftime's %Y and the like, or a folder.

        Raises `UsageError` for a kind of file that cannot be recorded.
        """
        self._settings = settings or StreamSettings()
        self._target = Path(target) / _DEFAULT_NAME if os.path.isdir(target) else Path(target)
        suffix = self._target.suffix.lower()
        if suffix not in _MUXERS:
            raise UsageError(
                f"vcam cannot record into {target}: {suffix or 'no suffix'} is not a kind of file it knows",
                f"use {', '.join(sorted(_MUXERS))}, or a folder that exists",
            )
        self._muxer, self._options = _MUXERS[suffix]
        self._longest, self._largest = parse_split(self._settings.split)
        self._size: Size = (0, 0)
        self._rate = exact_rate(30)
        self._first = Path()
        self._encoder: Encoder | None = None
        self._sound: Sound = NONE
        self._session: Session | None = None
        self._swap = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake = -1
        self._failure: VcamError | None = None
        self._dropped_before = 0
        self._begun = 0.0
        self.files: list[Path] = []
        """What has been recorded, the latest last."""

    @property
    def description(self) -> str:
        return f"recording to {self.files[-1] if self.files else self._target}"

    @property
    def dropped(self) -> int:
        session = self._session
        return self._dropped_before + (session.dropped if session else 0)

    def status(self) -> dict[str, Any]:
        """What it does, in builtin types. For any thread."""
        path = self.files[-1] if self.files else self._first
        with suppress(OSError):
            size = path.stat().st_size
            return self._status(path, size)
        return self._status(path, 0)

    def _status(self, path: Path, size: int) -> dict[str, Any]:
        running = self._thread is not None and self._failure is None
        return {
            "kind": "record",
            "file": str(path),
            "state": "failed" if self._failure else "recording" if running else "stopped",
            "since_s": round(time.monotonic() - self._begun, 1),
            "error": self._failure.message if self._failure else "",
            "encoder": self._encoder.name if self._encoder else "",
            "sound": self._sound.description,
            "dropped": self.dropped,
            "files": len(self.files),
            "written_kb": round(size / 1000),
        }

    def open(self, size: Size, fps: float) -> None:
        """Take the file's name and begin.

        Raises `UsageError` for a file that exists or a folder that does not, `OutputError` if it cannot be written or
        the disk is nearly full.
        """
        check_size(*size)
        if self._thread is not None:
            raise ValueError("the output is open already")
        self._size, self._rate, self._failure = size, exact_rate(fps), None
        self._first = self._take_name()
        self._begun = time.monotonic()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="vcam-record", daemon=True)
        self._thread.start()

    def write(self, frame: Frame) -> None:
        if self._failure is not None:
            raise self._failure
        with self._swap:
            if self._session is not None:
                self._session.write(frame)

    def close(self) -> None:
        """Finish the file; waits for the encoder. Raises `OutputError` if it could not be finished."""
        self._end(2 * PATIENCE)
        if self._failure is not None:
            raise self._failure

    def abort(self) -> None:
        """The same without a word: what was recorded is kept, it plays."""
        self._end(2 * PATIENCE)

    def _end(self, seconds: float) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        os.eventfd_write(self._wake, 1)
        thread.join(seconds)
        if thread.is_alive():
            self._failure = OutputError(f"{self.description}: the encoder does not end", "is the disk too slow?")
        else:
            os.close(self._wake)

    def _run(self) -> None:
        path, failures = self._first, 0
        try:
            self._encoder = find_encoder(self._settings.codec, self._wanted(), self._size, self._rate)
            session = self._begin(path)
            while not self._stopping.is_set():
                begun = time.monotonic()
                following = self._watch(session, path)
                if following is None:
                    break
                if following:
                    session, path, failures = self._next(session), self.files[-1], 0
                    continue
                failures = 1 if time.monotonic() - begun > _LASTED else failures + 1
                session, path = self._begin_again(session, path, failures), self.files[-1]
            self._finish(session, path)
        except VcamError as error:
            self._give_up(error)
        except Exception as error:
            log.debug("recording", exc_info=True)
            self._give_up(OutputError(f"{self.description}: unexpected {type(error).__name__}: {error}"))
        finally:
            self._remove_empty()

    def _wanted(self) -> str:
        return self._settings.encoder if self._settings.codec == "h264" else "auto"

    def _give_up(self, error: VcamError) -> None:
        with self._swap:
            session, self._session = self._session, None
        if session is not None:
            session.abort()
        self._begun = time.monotonic()
        self._failure = error

    def _watch(self, session: Session, path: Path) -> bool | None:
        """Stay with a file: True when it is time for the next one, False if ffmpeg ended, None to finish."""
        begun = time.monotonic()
        while session.child.pump(_LOOK, self._wake):
            if self._stopping.is_set():
                return None
            self._check_space(path)
            if session.apart:
                log.warning("the clock was set: %s ends, and another file begins, in step again", path)
                return True
            if self._longest and time.monotonic() - begun >= self._longest:
                return True
            if self._largest and path.stat().st_size >= self._largest:
                return True
        return None if self._stopping.is_set() else False

    def _check_space(self, path: Path) -> None:
        free = shutil.disk_usage(path.parent).free / 1e6
        if free < self._settings.keep_free:
            session = self._session
            with self._swap:
                self._session = None
            if session is not None:
                session.finish(PATIENCE)
            raise OutputError(
                f"the recording {path} was ended: {free:.0f} MB are left on the disk",
                f"free some space; stream.keep_free = {self._settings.keep_free:g} MB says how much must stay",
            )

    def _begin(self, path: Path) -> Session:
        """Start an encoder on a file and have it take the frames from now on."""
        assert self._encoder is not None
        start = Start.now()
        self._sound = self._choose_sound(self._encoder.program, start)
        tag = ["-tag:v", "hvc1"] if self._settings.codec == "hevc" and self._muxer != "matroska" else []
        bitrate = self._settings.bitrate or _QUALITY * suggested_bitrate(self._size, float(self._rate))
        session = Session(
            self._encoder, self._size, self._rate,
            ["-y", *tag, *self._options, "-flush_packets", "1", "-f", self._muxer, local_url(path)],
            bitrate=bitrate, sound=self._sound, start=start, constant=False,
        )  # fmt: skip
        # until then the old one takes the frames, of which the new one could keep only a few
        session.wait_until_open(_START)
        self.files.append(path)
        with self._swap:
            self._session = session
        log.info("recording to %s, %s", path, self._encoder.name)
        return session

    def _next(self, old: Session) -> Session:
        """A new file; the encoder of the old one finishes after the frames already go to the new."""
        session = self._begin(self._take_name())
        self._dropped_before += old.dropped
        if not old.finish(PATIENCE):
            log.warning("%s may lack its end: %s", self.files[-2], old.child.last_words())
        return session

    def _begin_again(self, dead: Session, path: Path, failures: int) -> Session:
        with self._swap:
            self._session = None
        dead.abort()
        said = dead.child.last_words()
        self._dropped_before += dead.dropped
        if failures >= _FAILURES or "No space left" in said or "File too large" in said or "quota" in said:
            raise OutputError(f"the recording {path} ended: {said}", "is the disk full? what is there plays")
        log.warning("the encoder of %s ended and is started anew: %s", path, said)
        return self._begin(self._take_name())

    def _finish(self, session: Session, path: Path) -> None:
        with self._swap:
            self._session = None
        self._dropped_before += session.dropped
        if not session.finish(PATIENCE) and session.offered:
            self._failure = OutputError(f"the recording {path} may lack its end: {session.child.last_words()}")

    def _remove_empty(self) -> None:
        """A file that no frame came into is of no use to anybody."""
        for path in {self._first, *self.files[-1:]}:
            with suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()
                    self.files = [file for file in self.files if file != path]

    def _choose_sound(self, program: str, start: Start) -> Sound:
        choice = self._settings.audio
        if choice in ("none", "auto", "silent"):
            return SILENT if choice == "silent" else NONE
        try:
            return captured(choice, program, start.of_day)
        except OutputError as error:
            log.warning("%s has no sound: %s", self.description, error)
            return Sound(f"none: {error.message}")

    def _take_name(self) -> Path:
        """The name of the next file, made and empty, so that nobody else takes it."""
        template = str(self._target)
        path = Path(time.strftime(template)) if "%" in template else self._target
        numbered = bool(self.files) or "%" in template
        if "%" in str(self._target.parent):
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
        # a file that was there before and may go, but never one of this recording
        if self._settings.overwrite and path not in self.files and path.is_file():
            with suppress(OSError):
                path.unlink()
        names = [path, *(path.with_stem(f"{path.stem}-{number}") for number in range(2, 10_000))]
        for name in names if numbered else names[:1]:
            try:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            except FileExistsError:
                continue
            except OSError as error:
                raise write_error(name, error) from error
            self._check_room(name)
            return name
        raise UsageError(f"{path} exists", "give another name, one with %Y-%m-%d-%H%M%S in it, or --overwrite")

    def _check_room(self, path: Path) -> None:
        free = shutil.disk_usage(path.parent).free / 1e6
        if free < self._settings.keep_free:
            path.unlink(missing_ok=True)
            raise OutputError(
                f"cannot record into {path}: only {free:.0f} MB are left on the disk",
                "free some space, or say with --set stream.keep_free=MB how little may stay",
            )
