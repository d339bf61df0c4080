"""One ffmpeg process that is fed frames: started, listened to, and ended. Every encoded output has it.

Whatever ends vcam or ffmpeg, neither waits for the other for ever: ffmpeg can always say what it has to say, and who
writes to one that is killed sees a broken pipe.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import select
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from vcam.errors import OutputError
from vcam.media.ffmpeg import last_line
from vcam.secrets import redact_text

NICER = 5
"""How much encoders stand back behind vcam: on a busy machine a stream loses frames rather than the virtual camera."""

DISK_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""What ffmpeg says where no more fits on the disk."""

DISK_ERRORS = (*DISK_FULL, os.strerror(errno.EIO))
"""The same, or that the disk fails."""

_PIPE_BYTES = 1 << 20
_KEPT_LINES = 20
_LONGEST_LINE = 1000


class Ffmpeg:
    """ffmpeg, reading frames from `descriptor`, which the caller writes to.

    `lines` are the latest of its messages, without the `secrets`; `disk_error` turns True once one of them is of
    `DISK_ERRORS`. For one thread, except `kill`, which any may call.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        watched: bool = True,
        nicer: int = NICER,
        private: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        """watched: the caller calls `pump` again and again, or ffmpeg would wait to be listened to, and it tells its
        progress. Else it tells none, and its messages wait in a file.

        nicer: how much it stands back behind vcam. private: options of the output that nobody shall see; `arguments`
        has `PRIVATE` where they belong. Raises `OutputError` if it cannot be started.
        """
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.disk_error = False
        self._progress: dict[str, str] = {}
        self._secrets = tuple(secrets)
        self._rest = {"out": b"", "err": b""}
        self._unread: IO[bytes] | None = None
        self._read_bytes = 0
        hidden = _options_file(private) if private else -1
        command = [program, "-hide_banner", "-v", "error", "-nostdin"]
        if watched:
            command += ["-nostats", "-progress", "pipe:1", "-stats_period", "0.25"]
        command += [f"/dev/fd/{hidden}" if word == PRIVATE else word for word in arguments]
        try:
            if not watched:
                self._unread = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, bufsize=0,
                stdout=subprocess.PIPE if watched else subprocess.DEVNULL,
                stderr=self._unread or subprocess.PIPE,
                pass_fds=(hidden,) if private else (),
                # Ctrl-C is for vcam, which ends its children in order
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            if self._unread is not None:
                self._unread.close()
            raise OutputError(f"ffmpeg cannot be started: {error.strerror}", f"is {program} a program?") from error
        finally:
            if hidden >= 0:
                os.close(hidden)
        if nicer:
            with suppress(OSError):
                # before it has threads, which inherit this
                os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nicer)
        assert self._process.stdin is not None
        self.descriptor = self._process.stdin.fileno()
        with suppress(OSError):
            # fewer wake-ups for each frame; the system may allow less
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._names = {}
        for name, pipe in (("out", self._process.stdout), ("err", self._process.stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._names[pipe.fileno()] = name

    def pump(self, seconds: float, wake: int | None = None) -> bool:
        """Read what it says for at most so long, or until `wake` is readable; False once it has ended.

        Only for one that is watched.
        """
        if not self._names:
            return False
        poll = select.poll()
        for descriptor in (*self._names, *(() if wake is None else (wake,))):
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor != wake:
                self._read(descriptor)
        return bool(self._names)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        name = self._names[descriptor]
        if not data:
            del self._names[descriptor]
        self._take(name, data or b"\n")

    def _catch_up(self) -> None:
        """Read the messages that wait in the file."""
        if self._unread is None:
            return
        # not read(): the place in the file is the one at which ffmpeg writes
        while data := os.pread(self._unread.fileno(), 65536, self._read_bytes):
            self._read_bytes += len(data)
            self._take("err", data)
        self._take("err", b"\n")

    def _take(self, name: str, data: bytes) -> None:
        *lines, rest = (self._rest[name] + data).split(b"\n")
        self._rest[name] = rest[-_LONGEST_LINE:]
        for line in lines:
            self._take_line(name, line.decode("utf-8", "replace").strip())

    def _take_line(self, name: str, line: str) -> None:
        if name == "out":
            key, equals, value = line.partition("=")
            if equals:
                self._progress[key] = value.strip()
        elif line:
            self.disk_error = self.disk_error or any(words in line for words in DISK_ERRORS)
            self.lines.append(redact_text(line[:_LONGEST_LINE], self._secrets))

    def number(self, key: str) -> float:
        """A figure of its progress, 0 while there is none."""
        return self.figure(key) or 0.0

    def figure(self, key: str) -> float | None:
        """The same, None while there is none."""
        try:
            return float(self._progress[key].removesuffix("kbits/s").removesuffix("x"))
        except (KeyError, ValueError):
            return None

    @property
    def delivering(self) -> bool:
        """Whether finished pictures have left it."""
        # a muxer that is no file does not tell its size
        size = self._progress.get("total_size", "0")
        return self.number("frame") > 0 and (size == "N/A" or self.number("total_size") > 0)

    @property
    def said(self) -> str:
        """The last of its messages that says something, "" if none does."""
        self._catch_up()
        return last_line("\n".join(self.lines), "")

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it ends by itself within so many seconds, well or badly; False if it was killed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        code = self._process.poll()
        return code is not None and code >= 0

    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.poll()
        if code is None:
            return "ffmpeg takes no more frames"
        return f"ffmpeg was ended by {signal.Signals(-code).name}" if code < 0 else f"ffmpeg ended with status {code}"

    def last_words(self) -> str:
        """Why it ended, in its own words if it had any."""
        return self.said or self.ending()

    def finish(self, seconds: float = math.inf) -> bool:
        """Tell it that there are no more frames and let it end by itself; False if it failed or had to be killed."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        end = time.monotonic() + seconds
        while self.pump(min(max(0.0, end - time.monotonic()), 60.0)) and time.monotonic() < end:
            pass
        try:
            return self._process.wait(None if seconds == math.inf else max(0.1, end - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()
            self._catch_up()

    def kill(self) -> None:
        """End it at once. The writer of its frames sees a broken pipe then."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Kill it and let go of the pipes; nobody may write to `descriptor` any more."""
        self.kill()
        while self.pump(0):
            pass
        self._catch_up()
        for file in (self._process.stdin, self._process.stdout, self._process.stderr, self._unread):
            if file is not None:
                with suppress(OSError):
                    file.close()
        self._unread = None


PRIVATE = "\0private"
"""Stands among the arguments for the file of private options."""


def _options_file(options: Sequence[tuple[str, str]]) -> int:
    """Options as lines of a file that has no name: only this user's processes can get at it."""
    descriptor = os.memfd_create("vcam-options")
    os.write(descriptor, "".join(f"{name}={value}\n" for name, value in options).encode())
    return descriptor
