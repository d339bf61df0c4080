"""An ffmpeg process that is fed frames, watched, and ended."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from vcam.errors import OutputError
from vcam.media.ffmpeg import last_line
from vcam.secrets import redact_text

NICER = 5
"""How much encoders stand back behind vcam: on a busy machine a stream loses frames rather than the virtual camera."""

_PIPE_BYTES = 1 << 20
_KEPT_LINES = 20
_LONGEST_LINE = 400


class Ffmpeg:
    """ffmpeg, reading frames from `descriptor`, which the caller writes to; `pump` reads its progress and messages.

    For one thread, except `kill`, which any may call. Messages are kept without the `secrets`.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        private: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        """private: options of the output that nobody shall see; `arguments` has `PRIVATE` where they belong.

        Raises `OutputError` if it cannot be started.
        """
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.progress: dict[str, str] = {}
        self._secrets = tuple(secrets)
        self._rest = {"out": b"", "err": b""}
        hidden = _options_file(private) if private else -1
        command = [program, "-hide_banner", "-v", "error", "-nostdin", "-nostats", "-progress", "pipe:1"]
        command += [f"/dev/fd/{hidden}" if word == PRIVATE else word for word in ("-stats_period", "0.25", *arguments)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                pass_fds=(hidden,) if private else (),
                # Ctrl-C is for vcam, which ends its children in order
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise OutputError(f"ffmpeg cannot be started: {error.strerror}", f"is {program} a program?") from error
        finally:
            if hidden >= 0:
                os.close(hidden)
        with suppress(OSError):
            # before it has threads, which inherit this
            os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
        assert self._process.stdin is not None
        self.descriptor = self._process.stdin.fileno()
        with suppress(OSError):
            # fewer wake-ups for each frame; the system may allow less
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._names = {}
        for name, pipe in (("out", self._process.stdout), ("err", self._process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._names[pipe.fileno()] = name

    @property
    def pid(self) -> int:
        return self._process.pid

    def pump(self, seconds: float, wake: int | None = None) -> bool:
        """Read what it says for at most so long, or until `wake` is readable; False once it has ended."""
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
        *lines, rest = (self._rest[name] + data).split(b"\n")
        self._rest[name] = rest[-_LONGEST_LINE:]
        for line in lines if data else [rest]:
            self._take(name, line.decode("utf-8", "replace").strip())

    def _take(self, name: str, line: str) -> None:
        if name == "out":
            key, equals, value = line.partition("=")
            if equals:
                self.progress[key] = value.strip()
        elif line:
            self.lines.append(redact_text(line[:_LONGEST_LINE], self._secrets))

    def number(self, key: str) -> float:
        """A figure of its progress, 0 while there is none."""
        try:
            return float(self.progress.get(key, "0").removesuffix("kbits/s").removesuffix("x"))
        except ValueError:
            return 0.0

    @property
    def delivering(self) -> bool:
        """Whether finished pictures have left it."""
        # a muxer that is no file does not tell its size
        size = self.progress.get("total_size", "0")
        return self.number("frame") > 0 and (size == "N/A" or self.number("total_size") > 0)

    def last_words(self) -> str:
        """Why it ended, in its own words if it had any."""
        said = last_line("\n".join(self.lines))
        code = self._process.poll()
        if code is not None and code < 0 and said == "no message":
            return f"ffmpeg was ended by {signal.Signals(-code).name}"
        return said if said != "no message" else f"ffmpeg ended with status {code}"

    def finish(self, seconds: float) -> bool:
        """Tell it that there are no more frames and let it end by itself; False if it failed or had to be killed."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        end = time.monotonic() + seconds
        while self.pump(max(0.0, end - time.monotonic())) and time.monotonic() < end:
            pass
        try:
            return self._process.wait(max(0.1, end - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()

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
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()


PRIVATE = "\0private"
"""Stands among the arguments for the file of private options."""


def _options_file(options: Sequence[tuple[str, str]]) -> int:
    """Options as lines of a file that has no name: only this user's processes can get at it."""
    descriptor = os.memfd_create("vcam-options")
    os.write(descriptor, "".join(f"{name}={value}\n" for name, value in options).encode())
    return descriptor
