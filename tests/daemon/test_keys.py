"""The window's keys: what each asks the daemon for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.daemon.helpers import Daemon
from vcam.daemon.base import State
from vcam.daemon.changes import Change, difference
from vcam.daemon.keys import Keys, backgrounds, listen
from vcam.errors import UsageError
from vcam.output.window import KEYS, WindowOutput
from vcam.settings import Settings
from vcam.testing import RecordingOutput


class Obedient:
    """Carries out wishes at once."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.fail: Exception | None = None

    def change(self, wish: Callable[[Settings], Settings]) -> Future[Change]:
        future: Future[Change] = Future()
        if self.fail:
            future.set_exception(self.fail)
        else:
            before, self.settings = self.settings, wish(self.settings)
            future.set_result(Change(difference(before, self.settings)))
        return future


@pytest.mark.parametrize("name", ["color-transfer", "harmonise", "seamless-clone", "smoothstep"])
def test_a_filter_s_key_puts_it_on_and_off_and_leaves_the_others(name: str) -> None:
    daemon = Obedient(Settings().replace(filters__chain=("grey", f"{name}:0.3")))
    keys = Keys(daemon.change, "blur")
    keys.press(name)
    assert daemon.settings.filters.chain == ("grey",)
    keys.press(name)
    assert daemon.settings.filters.chain == ("grey", name)


def test_smoothing_goes_up_and_down_within_its_limits() -> None:
    daemon = Obedient(Settings().replace(matte__temporal=0.85))
    keys = Keys(daemon.change, "blur")
    seen = []
    for name in ("smoother", "smoother", "livelier"):
        keys.press(name)
        seen.append(daemon.settings.matte.temporal)
    assert seen == [0.95, 1.0, 0.9]


def test_the_background_goes_through_the_pictures_beside_it(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    first = str(tmp_path / "b.jpg")
    daemon = Obedient(Settings().replace(background__spec=first))
    keys = Keys(daemon.change, first)
    seen = []
    for _ in range(5):
        keys.press("background")
        seen.append(daemon.settings.background.spec)
    assert seen == ["blur", "pixelate", "green", str(tmp_path / "a.png"), first]


def test_without_a_picture_the_background_goes_through_words() -> None:
    assert backgrounds("blur") == ["blur", "pixelate", "green"]
    assert backgrounds("color:red")[0] == "color:red"


def test_a_change_that_cannot_be_is_told_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    daemon = Obedient()
    daemon.fail = UsageError("the picture is gone")
    Keys(daemon.change, "blur").press("background")
    assert "the picture is gone" in caplog.text


def test_every_key_of_the_window_means_something() -> None:
    daemon = Obedient(Settings().replace(matte__temporal=0.5))
    for name in set(KEYS.values()):
        before = daemon.settings
        Keys(daemon.change, "blur").press(name)
        assert daemon.settings != before, name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("color-transfer", "filters: grey, color-transfer"),
        ("smoother", "smoothing: 0.6"),
        ("background", "background: pixelate"),
        ("frame-skip", "frame skip: on, while nothing moves"),
    ],
)
def test_what_a_key_has_done_is_said(name: str, words: str) -> None:
    said: list[str] = []
    daemon = Obedient(Settings().replace(filters__chain=("grey",), matte__temporal=0.5, background__spec="blur"))
    Keys(daemon.change, "blur", said.append).press(name)
    assert said == [words]


def test_what_a_key_could_not_do_is_said_too() -> None:
    said: list[str] = []
    daemon = Obedient()
    daemon.fail = UsageError("the picture is gone")
    Keys(daemon.change, "blur", said.append).press("background")
    assert said == ["the picture is gone"]


class Keyboard(RecordingOutput):
    """An output that takes keys and keeps what it is told to say."""

    on_key: Callable[[str], None] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_keys_are_listened_to_at_whatever_output_takes_any() -> None:
    keyboard, other, window = Keyboard(), RecordingOutput(), WindowOutput()
    daemon = Obedient(Settings().replace(background__spec="green"))
    listen([other, keyboard, window], daemon.change, "green")
    assert window.on_key is not None
    assert not hasattr(other, "on_key")
    assert keyboard.on_key is not None
    keyboard.on_key("background")
    assert daemon.settings.background.spec == "blur"
    assert keyboard.said == ["background: blur"]
    keyboard.on_key("no such key")
    assert len(keyboard.said) == 1


def test_a_key_that_is_pressed_at_an_output_changes_the_daemon_s_settings() -> None:
    keyboard = Keyboard()
    with Daemon(screen=keyboard) as daemon:
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert keyboard.on_key is not None
        keyboard.on_key("smoothstep")
        daemon.until(lambda: bool(keyboard.said))
    assert keyboard.said == ["filters: smoothstep"]
    assert daemon.life.settings.filters.chain == ("smoothstep",)
