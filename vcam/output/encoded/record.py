"""Recording into a file that is whole at every moment: what is on the disk plays, whatever ends vcam.

A Matroska file is a chain of clusters, a fragmented MP4 one of fragments; either is written a second at a time. Other
than an output file, which gets its name when it is finished, a recording has its own from the beginning.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vcam.errors import OutputError, UsageError, VcamError
from vcam.files import Overwriting, PartialFile, no_folder, write_error
from vcam.frames import Frame
from vcam.media.containers import CONTAINERS
from vcam.media.ffmpeg import local_url
from vcam.media.process import DISK_FULL
from vcam.output.base import AlwaysWatched
from vcam.output.encoded.encoding import find_encoder, suggested_bitrate
from vcam.output.encoded.session import Session, Start
from vcam.output.encoded.sound import NONE, choose_sound
from vcam.output.encoded.worker import Worker
from vcam.settings import StreamSettings
from vcam.types import Size

log = logging.getLogger(__name__)

_SUFFIXES = (".mkv", ".mov", ".mp4")

PATIENCE = 20.0
"""Seconds that an encoder may take to finish its file."""

_START = 5.0
"""Seconds that an encoder may take to start."""

_FAILURES = 3
"""Times in a row that an encoder may end by itself before the recording is given up."""

_LASTED = 10.0
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "MB": 1e6, "GB": 1e9}
_CURE = "give another name, one with %Y-%m-%d-%H%M%S in it, or --overwrite"
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

    any_thread = True
    finished = False

    def __init__(
        self,
        target: str | Path,
        settings: StreamSettings | None = None,
        *,
        cards_first: bool = False,
        inputs: Callable[[], Iterable[Path]] = tuple,
    ) -> None:
        """target: a file, whose name may hold strftime's %Y and the like, or a folder. cards_first: placeholders are
        recorded from the beginning, not only once there was a frame. inputs: what vcam reads, see `Overwriting`.

        Raises `UsageError` for a kind of file that cannot be recorded, or cannot hold the codec.
        """
        self._settings = settings or StreamSettings()
        self._target = Path(target) / _DEFAULT_NAME if os.path.isdir(target) else Path(target)
        suffix = self._target.suffix.lower()
        if suffix not in _SUFFIXES:
            raise UsageError(
                f"vcam cannot record into {target}: {suffix or 'no suffix'} is not a kind of file it knows",
                f"use {', '.join(_SUFFIXES)}, or a folder that exists",
            )
        self._container = CONTAINERS[suffix]
        if self._settings.codec not in self._container.codecs:
            raise UsageError(
                f"vcam cannot record into {target}: a {suffix} file does not hold {self._settings.codec}",
                "use .mkv, or another stream.codec",
            )
        self._longest, self._largest = parse_split(self._settings.split)
        self._rule = Overwriting(self._settings.overwrite, inputs)
        self._part: PartialFile | None = None
        """A recording over a file that exists, which stays until there is something to take its place."""
        self._worker = Worker("vcam-record", self._work)
        self._first = Path()
        self._failure: VcamError | None = None
        self._begun = 0.0
        self._cards_first, self._takes_cards = cards_first, False
        self.files: list[Path] = []
        """What has been recorded, the latest last."""

    @property
    def description(self) -> str:
        return f"recording to {self.files[-1] if self.files else self._target}"

    @property
    def dropped(self) -> int:
        return self._worker.dropped

    def status(self) -> dict[str, Any]:
        """What it does, in builtin types. For any thread."""
        path = self.files[-1] if self.files else self._first
        with suppress(OSError):
            size = self._place(path).stat().st_size
            return self._status(path, size)
        return self._status(path, 0)

    def _status(self, path: Path, size: int) -> dict[str, Any]:
        running = self._worker.running and self._failure is None
        return {
            "kind": "record",
            "file": str(path),
            "state": "failed" if self._failure else "recording" if running else "stopped",
            "since_s": round(time.monotonic() - self._begun, 1),
            "error": self._failure.message if self._failure else "",
            **self._worker.status(),
            "files": len(self.files),
            "written_kb": round(size / 1000),
        }

    def open(self, size: Size, fps: float) -> None:
        """Take the file's name and begin.

        Raises `UsageError` for a file that exists or a folder that does not, `OutputError` if it cannot be written or
        the disk is nearly full.
        """
        self._worker.announce(size, fps)
        self._failure = None
        self._takes_cards = self._cards_first
        self._first = self._take_name()
        self._begun = time.monotonic()
        self._worker.start()

    def write(self, frame: Frame) -> None:
        if self._failure is not None:
            raise self._failure
        self._takes_cards = True
        self._worker.write(frame)

    def show(self, still: Frame) -> None:
        """Record a placeholder, as a pause shows it, so that its time is not missing. See `cards_first`."""
        if self._takes_cards:
            self.write(still)

    def close(self) -> None:
        """Finish the file; waits for the encoder. Raises `OutputError` if it could not be finished."""
        self.abort()
        if self._failure is not None:
            raise self._failure

    def abort(self) -> None:
        """The same without a word: what was recorded is kept, it plays."""
        if not self._worker.end(2 * PATIENCE):
            self._failure = OutputError(f"{self.description}: the encoder does not end", "is the disk too slow?")

    def _work(self) -> None:
        worker, failures = self._worker, 0
        try:
            worker.encoder = find_encoder(self._settings.codec, self._wanted(), worker.size, worker.rate)
            session = self._begin(self._first)
            while not worker.stopping:
                begun = time.monotonic()
                following = self._watch(session, self.files[-1])
                if following is None:
                    break
                if following:
                    session, failures = self._next(session), 0
                    continue
                failures = 1 if time.monotonic() - begun > _LASTED else failures + 1
                session = self._begin_again(session, failures)
            self._finish(session)
        except VcamError as error:
            self._give_up(error)
        except Exception as error:
            log.debug("recording", exc_info=True)
            self._give_up(OutputError(f"{self.description}: unexpected {type(error).__name__}: {error}"))
        finally:
            try:
                self._settle()
            except VcamError as error:
                self._give_up(error)
            self._remove_empty()

    def _wanted(self) -> str:
        return self._settings.encoder if self._settings.codec == "h264" else "auto"

    def _give_up(self, error: VcamError) -> None:
        self._worker.abort()
        self._begun = time.monotonic()
        self._failure = error

    def _watch(self, session: Session, path: Path) -> bool | None:
        """Stay with a file: True when it is time for the next one, False if ffmpeg ended, None to finish."""
        begun = time.monotonic()
        for _ in self._worker.looks(session):
            if self._part:
                self._settle(empty=False)
                path = self.files[-1]
            self._check_space(path)
            if session.apart:
                log.warning("the clock was set: %s ends, and another file begins, in step again", path)
                return True
            if self._longest and time.monotonic() - begun >= self._longest:
                return True
            if self._largest and self._place(path).stat().st_size >= self._largest:
                return True
        return None if self._worker.stopping else False

    def _check_space(self, path: Path) -> None:
        free = shutil.disk_usage(path.parent).free / 1e6
        if free < self._settings.keep_free:
            self._worker.finish(PATIENCE)
            raise OutputError(
                f"the recording {path} was ended: {free:.0f} MB are left on the disk",
                f"free some space; stream.keep_free = {self._settings.keep_free:g} MB says how much must stay",
            )

    def _begin(self, path: Path) -> Session:
        """Start an encoder on a file and have it take the frames from now on."""
        worker, settings, container = self._worker, self._settings, self._container
        assert worker.encoder is not None
        start = Start.now()
        worker.sound = choose_sound(
            settings.audio, worker.encoder.program, start.of_day, auto=NONE, otherwise=NONE, whose=self.description,
            before=worker.sound,
        )  # fmt: skip
        options = [*container.tag(settings.codec), *container.growing, "-flush_packets", "1"]
        target = ["-y", *options, "-f", container.muxer, local_url(self._place(path))]
        session = Session(
            worker.encoder, worker.size, worker.rate, target,
            bitrate=settings.bitrate or _QUALITY * suggested_bitrate(worker.size, float(worker.rate)),
            sound=worker.sound, start=start, constant=False,
        )  # fmt: skip
        # until then the old one takes the frames, of which the new one could keep only a few
        session.wait_until_open(_START)
        self.files.append(path)
        worker.feed(session)
        log.info("recording to %s, %s", path, worker.encoder.name)
        return session

    def _next(self, old: Session) -> Session:
        """A new file; the encoder of the old one finishes after the frames already go to the new."""
        session = self._begin(self._take_name())
        if not old.finish(PATIENCE):
            log.warning("%s may lack its end: %s", self.files[-2], old.child.last_words())
        return session

    def _begin_again(self, dead: Session, failures: int) -> Session:
        self._worker.abort()
        self._settle()
        path, said = self.files[-1] if self.files else self._first, dead.child.last_words()
        if failures >= _FAILURES or any(words in said for words in DISK_FULL):
            raise OutputError(f"the recording {path} ended: {said}", "is the disk full? what is there plays")
        log.warning("the encoder of %s ended and is started anew: %s", path, said)
        return self._begin(self._take_name())

    def _finish(self, session: Session) -> None:
        if not self._worker.finish(PATIENCE) and session.offered:
            said = session.child.last_words()
            self._failure = OutputError(f"the recording {self.files[-1]} may lack its end: {said}")

    def _place(self, path: Path) -> Path:
        """Where a file lies that has this name, or is going to have it."""
        return self._part.working if self._part else path

    def _settle(self, *, empty: bool = True) -> None:
        """Put the recording in the place of the file that was there before, if there is anything in it.

        empty: it is over; if nothing came, the old file stays.
        """
        part = self._part
        if part is None:
            return
        with suppress(OSError):
            if part.working.stat().st_size:
                self._part = None
                part.commit()
                self.files = [*self.files[:-1], part.path]
                return
        if empty:
            self._part = None
            part.discard()
            self.files = self.files[:-1]
            self._first = Path(os.devnull)

    def _remove_empty(self) -> None:
        """A file that no frame came into is of no use to anybody."""
        for path in {self._first, *self.files[-1:]}:
            with suppress(OSError):
                if path.is_file() and path.stat().st_size == 0:
                    path.unlink()
                    self.files = [file for file in self.files if file != path]

    def _take_name(self) -> Path:
        """The name of the next file, made and empty, so that nobody else takes it."""
        template = str(self._target)
        path = Path(time.strftime(template)) if "%" in template else self._target
        numbered = bool(self.files) or "%" in template
        if "%" in str(self._target.parent):
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.is_dir():
            raise no_folder(path.parent)
        # a file that was there before and may go, but never one of this recording
        if path.is_file() and path not in self.files and not self._is_kept(path, numbered):
            self._check_room(path, made=False)
            self._part = PartialFile(path, self._rule)
            os.close(self._part.create())
            return path
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
        raise UsageError(f"{path} exists", _CURE)

    def _is_kept(self, path: Path, numbered: bool) -> bool:
        """Whether a file that exists is not to be recorded over, which is an error unless another name will do."""
        try:
            self._rule.check(path, _CURE)
        except UsageError:
            if not numbered:
                raise
            return True
        return False

    def _check_room(self, path: Path, *, made: bool = True) -> None:
        free = shutil.disk_usage(path.parent).free / 1e6
        if free < self._settings.keep_free:
            if made:
                path.unlink(missing_ok=True)
            raise OutputError(
                f"cannot record into {path}: only {free:.0f} MB are left on the disk",
                "free some space, or say with --set stream.keep_free=MB how little may stay",
            )
