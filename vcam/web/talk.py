"""The panel's side of the control socket: requests of the page, and what the page is told as it happens.

Only methods that change a running vcam are let through. The page never sees a key: `get` and `status` are without.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

from vcam import folders
from vcam.control.client import ControlClient
from vcam.daemon.unit import program
from vcam.errors import UsageError, VcamError
from vcam.settings.loading import read_profiles
from vcam.settings.saving import save_where_they_count
from vcam.web.described import chain_described
from vcam.web.differing import differing

METHODS = frozenset({
    "set", "background", "profile", "pause", "resume", "reload", "stream_start", "stream_stop", "record_start",
    "record_stop", "output_add", "output_remove", "room_learn", "room_forget", "stop",
})  # fmt: skip
"""What a page may ask for."""

FOLLOWS = "panel follows"
"""The name of the threads that listen to vcam, one for each page."""
_AGAIN = 1.0
"""Seconds after which a vcam that was not there is looked for again, and settings are compared."""
_STARTS = 20.0
"""Seconds that a vcam may take to begin."""


def call(name: str, method: str, params: Any) -> Any:
    """The result of a method that a page may ask for. Raises `UsageError` for another, and what the daemon answers."""
    if method not in METHODS:
        raise UsageError(f"a page may not ask for {method!r}", "use the command line")
    with ControlClient(name) as vcam:
        return vcam.call(method, params)


def settings(name: str) -> dict[str, Any]:
    """The values of the running vcam, its filters taken apart, and the profiles there are."""
    with ControlClient(name) as vcam:
        values, status = vcam.call("get"), vcam.call("status")
    return _settings(values, status)


def _settings(values: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    try:
        profiles = list(read_profiles(Path(status["config"]))[1])
    except VcamError:
        profiles = []
    return {
        "values": values,
        "chain": chain_described(list(values.get("filters.chain") or [])),
        "profiles": profiles,
        "profile": status["profile"],
    }


def keep(name: str) -> dict[str, Any]:
    """Write what was changed since the start into the config file, for good; `saved` has the keys and `place` where.

    `left` has the keys of what is shown without its secrets, and is not as the file has it: it is not known whole here.
    """
    with ControlClient(name) as vcam:
        values, status = vcam.call("get"), vcam.call("status")
    path = Path(status["config"])
    changes, left = differing(values, path, status["profile"])
    place = save_where_they_count(path, changes, status["profile"]) if changes else str(path)
    return {"saved": list(changes), "left": left, "place": place}


def start(name: str) -> None:
    """Start a vcam that goes on when the panel has ended. Raises `VcamError` with its last words if it does not begin.

    What it says goes into `start.log` of the state folder.
    """
    command = [*program(), "start", *([] if name == "control" else ["--name", name])]
    with _log() as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
        )
        end = time.monotonic() + _STARTS
        while time.monotonic() < end:
            if child.poll() is not None:
                log.seek(0)
                words = log.read(4096).decode("utf-8", "replace").strip().splitlines()
                said = words[0].removeprefix("vcam: ") if words else "vcam ended at once"
                raise VcamError(said, "vcam doctor tells more")
            try:
                with ControlClient(name, timeout=2) as vcam:
                    vcam.call("version")
                    return
            except VcamError:
                time.sleep(0.1)
    raise VcamError("vcam did not begin", "vcam doctor tells more")


def _log() -> IO[bytes]:
    """Where a vcam that the panel starts may say something; nowhere to be found if there is no state folder."""
    path = folders.own("state") / "start.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "r+b")
    except OSError:
        return tempfile.TemporaryFile(dir=folders.scratch())


class Following:
    """Tells of everything that happens until its `end`: "status", "settings", "state", "learning", "gone" with why.

    It has a thread of its own, of none that requests wait for: a vcam that hangs keeps it until `end`. A vcam that
    ends, or is not there yet, is waited for.
    """

    def __init__(self, name: str, tell: Callable[[str, Any], None]) -> None:
        """tell: called from the thread, with the event and what it is."""
        self._name, self._tell = name, tell
        self._over = Event()
        self._clients: tuple[ControlClient, ...] = ()
        self._thread = Thread(target=self._run, name=FOLLOWS, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Returns at once; the thread ends soon, whatever vcam does."""
        self._over.set()
        for client in self._clients:
            client.cut()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with ControlClient(self._name) as listener, ControlClient(self._name) as asker:
                    self._clients = listener, asker
                    if not self._over.is_set():
                        self._follow(listener, asker)
            except VcamError as error:
                self._gone(error.message, error.hint)
            except OSError as error:
                self._gone(f"vcam does not answer: {error}", "vcam status tells whether it runs")
            finally:
                self._clients = ()
            self._over.wait(_AGAIN)

    def _gone(self, error: str, hint: str) -> None:
        if not self._over.is_set():
            self._tell("gone", {"error": error, "hint": hint})

    def _follow(self, listener: ControlClient, asker: ControlClient) -> None:
        known: dict[str, Any] = {}
        looked = 0.0
        listener.call("subscribe", {"events": ["state", "metrics", "learning"]})
        for event, contents in listener.notifications():
            if self._over.is_set():
                return
            if event != "metrics":
                self._tell(event, contents)
                continue
            self._tell("status", contents)
            if time.monotonic() - looked >= _AGAIN / 2:
                looked = time.monotonic()
                now = _settings(asker.call("get"), contents)
                if now != known:
                    known = now
                    self._tell("settings", now)
