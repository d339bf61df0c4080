"""A desktop session's PipeWire of its own: a bus, the daemon and WirePlumber, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NEEDED = ("pipewire", "wireplumber", "dbus-daemon", "pw-dump")


def missing() -> list[str]:
    """Programs that a session needs and that this machine lacks."""
    return [name for name in NEEDED if shutil.which(name) is None]


needs_pipewire = pytest.mark.skipif(
    bool(missing()), reason=f"needs {', '.join(missing())}: apt install pipewire wireplumber"
)


class Session:
    """One session, running until `close`."""

    def __init__(self, **environ: str) -> None:
        """environ: what its programs find in theirs beside what they need."""
        # sockets have short names
        self.folder = Path(tempfile.mkdtemp(prefix="vcam-pw-"))
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PIPEWIRE_", "DBUS_"))},
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "HOME": str(self.folder),
            **environ,
        }
        self.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={self.folder}/bus"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environ, text=True,
        )  # fmt: skip
        assert self.bus.stdout is not None
        self.environ["DBUS_SESSION_BUS_ADDRESS"] = self.bus.stdout.readline().strip()
        self.daemon: subprocess.Popen[bytes] | None = None
        self.manager: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "pipewire-0"

    def start(self) -> None:
        """The daemon and WirePlumber; returns once that links programs."""
        # one that was killed leaves it
        self.socket.unlink(missing_ok=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.daemon = subprocess.Popen(["pipewire"], env=self.environ, **quiet)  # type: ignore[call-overload]
        wait_for(self.socket.is_socket, "PipeWire's socket")
        self.manager = subprocess.Popen(["wireplumber"], env=self.environ, **quiet)  # type: ignore[call-overload]
        wait_for(lambda: b"WirePlumber [export]" in self.run("pw-dump").stdout, "WirePlumber", 60)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Both of them; the bus stays."""
        for process in (self.manager, self.daemon):
            if process is not None:
                process.send_signal(how)
                process.wait(10)
        self.daemon = self.manager = None

    def run(self, *command: str, seconds: float = 20) -> subprocess.CompletedProcess[bytes]:
        """A program in this session."""
        return subprocess.run(command, env=self.environ, capture_output=True, timeout=seconds, check=False)

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        self.bus.kill()
        self.bus.wait(10)
        assert self.bus.stdout is not None
        self.bus.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(true: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Until it is true; fails the test if it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def inside(session: Session) -> Iterator[None]:
    """This process in the session: where libpipewire looks for the daemon."""
    before = {key: os.environ.get(key) for key in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PIPEWIRE_REMOTE")}
    os.environ["XDG_RUNTIME_DIR"] = str(session.folder)
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = session.environ["DBUS_SESSION_BUS_ADDRESS"]
    os.environ.pop("PIPEWIRE_REMOTE", None)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value
