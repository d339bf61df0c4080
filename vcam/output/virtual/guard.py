"""Whoever covers a virtual camera's buffers if this process cannot: it was killed, it crashed, memory ran out.

A shell waits at a pipe whose other end only this process has. Is it dismissed, it ends. Does the pipe end without a
word, this process is dead, and the shell becomes a Python that writes over what the device still holds. It waits in one
system call, is a megabyte, has nothing open but the pipe, and is in a session of its own, so that neither Ctrl-C nor
the signals to this process's group end it as well.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from vcam.v4l2 import cover

_WAIT = 'trap \'\' HUP INT TERM; read -r word; [ "$word" = dismissed ] || exec "$@"'

_SECONDS = 5.0


class Guard:
    """One device's guard, from now until `dismiss`."""

    def __init__(self, path: Path, command: tuple[str, ...] = ()) -> None:
        """path: of the device. command: what it does if this process is gone; tests have others.

        Without a shell or a free process there is none, and everything else goes on as well.
        """
        # the file itself, by an interpreter without its packages: every moment counts then
        command = command or (sys.executable, "-I", "-S", os.path.abspath(cover.__file__), str(path))
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WAIT, "vcam-guard", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )

    @property
    def pid(self) -> int | None:
        """Its process, None where there is none."""
        return self._process.pid if self._process else None

    def dismiss(self) -> None:
        """All is well: it ends without doing anything. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(b"dismissed\n")
            process.stdin.flush()
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
