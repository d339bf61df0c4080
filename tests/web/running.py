"""A vcam and its panel for tests in a real browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.web.browser import Page
from vcam.control.client import ControlClient
from vcam.errors import VcamError


class Running:
    """A vcam of its own folders before the demo's scene, and the panel of it."""

    def __init__(self, folder: Path, *, size: str = "640x360", background: str = "green") -> None:
        """size, background: of the picture."""
        self.folder = folder
        self._words = "--size", size, "--background", background
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        kinds = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
        self.environ = os.environ | kinds | {"XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder)}
        self.children: list[subprocess.Popen[str]] = []
        self.vcam = self.start()
        self.panel = self._run("panel", "--print", "--no-start")
        assert self.panel.stdout is not None
        self.link = self.panel.stdout.readline().strip()
        assert self.link.startswith("http://127.0.0.1:")

    def start(self) -> subprocess.Popen[str]:
        child = self._run("start", "--camera", "demo", "--output", "null", *self._words)
        end = time.monotonic() + 60
        while True:
            assert time.monotonic() < end
            assert child.poll() is None
            with suppress(VcamError):
                self.ask("version")
                return child
            time.sleep(0.05)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "vcam", *words]

    def _run(self, *words: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            self._command(*words), env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.children.append(child)
        return child

    def ask(self, method: str) -> Any:
        with patch.dict(os.environ, self.environ), ControlClient() as client:
            return client.call(method)

    def get(self, key: str) -> object:
        return self.ask("get")[key]

    def until(self, key: str, value: object) -> None:
        end = time.monotonic() + 30
        while (found := self.get(key)) != value:
            assert time.monotonic() < end, f"{key} is {found!r}, not {value!r}"
            time.sleep(0.02)

    def close(self) -> None:
        for child in self.children:
            child.send_signal(signal.SIGINT)
        for child in self.children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(20)
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()


def tab(page: Page, name: str) -> None:
    page.run(f"document.getElementById('tab-{name}').click()")
    page.wait(f"document.querySelector('#panel[aria-labelledby=tab-{name}] section')")


def change(page: Page, id_: str, value: str, event: str = "input") -> None:
    """Give a widget a value, as a hand does, once it is there."""
    page.wait(f"document.getElementById('{id_}')")
    page.run(
        f"(() => {{ const w = document.getElementById('{id_}'); w.value = '{value}'; "
        f"w.dispatchEvent(new Event('{event}', {{bubbles: true}})) }})()"
    )


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
