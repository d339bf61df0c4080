"""The commands of the documentation are carried out, in a home folder of their own.

Films and pictures are short ones of vcam's making; `vcam start` serves nobody for two frames of the built-in scene; and
what steers a vcam that runs steers one, in the order of the page.
"""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.docs.pages import PAGES, block_commands, fenced, name_of
from tests.docs.parse import FILLED_IN, resolve, settings_of
from tests.places import ROOT
from tests.standin import stand_in
from vcam.assets import asset
from vcam.cli.main import cli
from vcam.control.client import ControlClient
from vcam.daemon.base import State
from vcam.daemon.live import Live
from vcam.daemon.methods import Control
from vcam.daemon.origin import Origin
from vcam.settings import load

pytestmark = [pytest.mark.engine, pytest.mark.process]

FILES = ("apply", "mask", "config path", "config show", "config check", "config reference", "filters", "completion",
         "models list", "models show", "uninstall", "service status")  # fmt: skip
"""Commands that work on files alone, and are carried out as they stand."""

STEERING = ("set", "get", "background", "profile", "pause", "resume", "reload", "status", "record", "stream",
            "output", "snapshot")  # fmt: skip
"""Commands for a vcam that runs."""

TINY = "160x96"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages' examples are given: films and pictures of a few frames."""
    folder = tmp_path_factory.mktemp("made")
    picture = cv2.resize(cv2.imread(str(asset("astronaut.png"))), (96, 96))
    for name in ("beach.jpg", "portrait.jpg", "photo.jpg", "in.jpg", "in.png", "empty.jpg", "office.jpg", "logo.png"):
        cv2.imwrite(str(folder / name), picture if "empty" not in name else np.full((96, 96, 3), 90, np.uint8))
    # a table of colours that changes none
    corners = "\n".join(f"{red} {green} {blue}" for blue in (0, 1) for green in (0, 1) for red in (0, 1))
    (folder / "film.cube").write_text(f"LUT_3D_SIZE 2\n{corners}\n")
    (folder / "Videos").mkdir()
    for place in ("portraits", "Pictures"):
        (folder / place).mkdir()
        cv2.imwrite(str(folder / place / "beach.jpg"), picture)
        cv2.imwrite(str(folder / place / "office.jpg"), picture)
    settings = load(environ={}, path=Path("/dev/null")).settings.replace(
        camera__source="demo", output__size=TINY, output__targets=(str(folder / "talk.mp4"),)
    )
    Live(settings).run(4)
    for name in ("beach.mp4", "film.mp4", "in.mp4"):
        shutil.copy(folder / "talk.mp4", folder / name)
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new account, in whose home folder the examples' files lie."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VCAM_CONFIG", str(tmp_path / ".config/vcam/config.toml"))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)
    # what the pages have trained and kept before they use it
    stand_in(tmp_path / ".local/share/vcam/models", "light")
    # what the pages' settings are
    config = tmp_path / ".config/vcam/config.toml"
    config.parent.mkdir(parents=True)
    pages = ((ROOT / page).read_text("utf-8") for page in ("docs/guide.md", "docs/obs.md"))
    config.write_text("\n".join(block for page in pages for block in fenced(page, "toml")))
    return tmp_path


def shown(page: Path, *names: str) -> list[list[str]]:
    """The commands of a page's blocks that have one of these names, as people fill them in."""
    found = ([FILLED_IN.get(word, word) for word in words] for words in block_commands(page.read_text("utf-8")))
    # the built-in scene is never empty, so there is nothing for --room
    return [words for words in found if " ".join(words).startswith(names) and not {"--help", "--room"} & {*words}]


def pages(*names: str) -> list[Path]:
    return [page for page in PAGES if shown(page, *names)]


def run(words: list[str]) -> Any:
    # the shell's part of a command
    words = [str(Path(word).expanduser()) if word.startswith("~/") else word for word in words]
    return CliRunner().invoke(cli, words, standalone_mode=False)


def failed(words: list[str]) -> str:
    """What a command says that does not do what it should; empty if it does."""
    done = run([*words, "--dry-run"] if words[0] == "uninstall" else words)
    if done.exception is None and (done.return_value in (0, None) or words[:2] == ["service", "status"]):
        return ""
    return f"{shlex.join(words)}: {done.exception!r} {done.output}"


@pytest.mark.parametrize("page", pages(*FILES), ids=name_of)
def test_commands_on_files_do_what_they_should(page: Path, home: Path) -> None:
    assert [said for words in shown(page, *FILES) if (said := failed(words))] == []


@pytest.mark.parametrize("page", pages("start"), ids=name_of)
def test_vcam_starts_with_the_options_of_the_page(page: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two frames of the built-in scene, tiny, and nobody to serve."""
    for words in shown(page, "start"):
        command, rest, parent = resolve(words)
        assert command is not None
        rest = [str(Path(word).expanduser()) if word.startswith("~/") else word for word in rest]
        settings = settings_of(command.make_context("start", rest, parent=parent).params)
        for profile in (rest[at + 1] for at, word in enumerate(rest) if word == "--profile"):
            settings = load(profile=profile, environ={}).settings
        settings = settings.replace(
            camera__source="demo", output__size=TINY, output__targets=("null",), stream__rtmp=(), stream__record="",
            segment__model="auto", segment__device="AUTO", daemon__metrics_port=0,
        )  # fmt: skip
        assert Live(settings).run(2).timings.frames >= 2, words


@pytest.fixture
def running(home: Path) -> Iterator[Live]:
    """A vcam on the built-in scene."""
    options = {"camera.source": "demo", "output.targets": ("null",), "output.size": "320x180"}
    origin = Origin(options, (), "", home / ".config/vcam/config.toml")
    live = Live(origin.read())
    with Control(live, origin):
        thread = threading.Thread(target=live.run)
        thread.start()
        end = time.monotonic() + 60
        while live.state is not State.LIVE:
            assert thread.is_alive()
            assert time.monotonic() < end
            time.sleep(0.01)
        yield live
        live.stop()
        thread.join(30)
        assert not thread.is_alive()


def more(live: Live, frames: int) -> None:
    """Wait until so many more frames have been shown."""
    assert live.timings is not None
    until, end = live.timings.frames + frames, time.monotonic() + 30
    while live.timings.frames < until:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("page", pages(*STEERING), ids=name_of)
def test_a_vcam_that_runs_is_steered_as_the_page_says(page: Path, running: Live) -> None:
    wrong, added = [], list[str]()
    for words in shown(page, *STEERING):
        if words[:2] in (["stream", "stop"], ["record", "stop"]):
            # what is to be ended has been begun in a part of the page that is not carried out
            continue
        if any(word.startswith("/dev/") for word in words):
            # a device that this machine may not have
            continue
        if said := failed(words):
            wrong.append(said)
        if words[:2] == ["output", "add"]:
            # the page may have paused it
            run(["resume"])
            more(running, 3)
            added.append(words[2])
        if words[:2] == ["record", "start"]:
            run(["record", "stop"])
        if words[:2] == ["stream", "start"]:
            run(["stream", "stop"])
    assert wrong == []
    # the page takes out what it has added, and whole files are left
    assert [name for name in added if not Path(name).stat().st_size] == []
    with ControlClient() as client:
        assert client.call("status")["state"] in ("live", "paused", "waiting")
