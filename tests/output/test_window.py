"""The window, on SDL's dummy screen and on a real X server without a monitor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcam import extras
from vcam.errors import OutputDeviceError
from vcam.frames import Frame
from vcam.images import read_image
from vcam.media.ffmpeg import find_ffmpeg
from vcam.output.base import TakesKeys
from vcam.output.null import NullOutput
from vcam.output.window import INTRODUCTION, SAID, WindowOutput, has_display

pytestmark = pytest.mark.process

SIZE = W, H = (320, 180)


@pytest.fixture
def pygame(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    return pytest.importorskip("pygame")


@pytest.fixture
def window(pygame: Any) -> Iterator[WindowOutput]:
    output = WindowOutput()
    output.open(SIZE, 30)
    yield output
    output.close()


def coloured() -> Frame:
    frame = Frame.allocate(*SIZE)
    frame.fill(81, 90, 240)
    return frame


def test_the_display_is_found_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()


def test_the_window_is_an_output_that_takes_keys_and_others_are_not() -> None:
    assert isinstance(WindowOutput(), TakesKeys)
    assert not isinstance(NullOutput(), TakesKeys)


def test_without_a_display_a_file_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OutputDeviceError, match=r"--output FILE\.mp4"):
        WindowOutput().open(SIZE, 30)


def test_the_window_shows_the_frame_s_colours(window: WindowOutput, pygame: Any) -> None:
    window.write(coloured())
    shown = pygame.display.get_surface().get_at((160, 90))
    assert np.abs(np.array(shown[:3]) - (255, 0, 0)).max() <= 3
    assert not window.finished


def test_the_key_q_and_the_closing_of_the_window_end_it(window: WindowOutput, pygame: Any) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_a))
    window.write(coloured())
    assert not window.finished
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q))
    window.write(coloured())
    assert window.finished
    window.close()
    window.open(SIZE, 30)
    assert not window.finished
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    window.write(coloured())
    assert window.finished


def test_a_resized_window_shows_the_whole_picture_between_black_bars(window: WindowOutput, pygame: Any) -> None:
    pygame.display.set_mode((500, 180), pygame.RESIZABLE)
    window.write(coloured())
    surface = pygame.display.get_surface()
    assert surface.get_at((20, 90))[:3] == (0, 0, 0)
    assert surface.get_at((250, 90))[0] > 250
    assert surface.get_at((480, 90))[:3] == (0, 0, 0)


ON_X = """
import subprocess, sys
from vcam.frames import Frame
from vcam.output.window import WindowOutput
window = WindowOutput()
window.open((640, 360), 30)
frame = Frame.allocate(640, 360)
frame.fill(81, 90, 240)
frame.y[:, 320:], frame.u[:, 160:], frame.v[:, 160:] = 41, 240, 110
for _ in range(10):
    window.write(frame)
subprocess.run([sys.argv[1], "-v", "error", "-y", "-f", "x11grab", "-video_size", "1000x700", "-i", sys.argv[2],
                "-frames:v", "1", sys.argv[3]], check=True)
window.close()
"""


def test_a_real_x_server_shows_the_picture(tmp_path: Path) -> None:
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed (apt install xvfb)")
    devices = subprocess.run([find_ffmpeg(), "-hide_banner", "-devices"], capture_output=True, check=False).stdout
    if b"x11grab" not in devices:
        pytest.skip("this ffmpeg cannot take pictures of an X screen")
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1000x700x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL) as server:
        os.close(theirs)
        try:
            with open(ours) as pipe:
                display = ":" + pipe.readline().strip()
            picture = tmp_path / "screen.png"
            environment = {key: value for key, value in os.environ.items() if key != "SDL_VIDEODRIVER"}
            environment["DISPLAY"] = display
            script = [sys.executable, "-c", ON_X, find_ffmpeg(), display, str(picture)]
            subprocess.run(script, env=environment, check=True, timeout=240)
        finally:
            server.terminate()
    screen = read_image(picture).astype(int)
    blue_green_red = (screen[350, 300], screen[350, 700])
    assert np.abs(blue_green_red[0] - (0, 0, 255)).max() <= 3
    assert np.abs(blue_green_red[1] - (255, 0, 0)).max() <= 3
    assert screen[100, 100].max() == 0


def test_a_display_that_does_not_answer_is_an_error_not_an_invisible_window() -> None:
    script = "from vcam.output.window import WindowOutput; WindowOutput().open((64, 48), 30)"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SDL")}
    environ |= {"DISPLAY": ":79", "WAYLAND_DISPLAY": ""}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=False)
    assert "OutputDeviceError: no window can be opened" in done.stderr


def test_without_its_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(OutputDeviceError, match="pygame-ce is not installed") as caught:
        WindowOutput().open((64, 48), 30)
    assert caught.value.hint == extras.command("window")


def test_keys_are_told_by_name_and_the_help_line_comes_and_goes(pygame: Any) -> None:
    now = [0.0]
    window = WindowOutput(lambda: now[0])
    pressed: list[str] = []
    window.on_key = pressed.append
    window.open((W, H), 30)

    def screen(character: str = "") -> Any:
        if character:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=ord(character), unicode=character))
        window.write(coloured())
        return pygame.surfarray.array3d(pygame.display.get_surface())

    introduced = screen()
    now[0] = INTRODUCTION + 0.1
    plain = screen()
    assert (introduced != plain).any()
    for character in ("c", "h", "s", "m", "b", "+", "-", "f", "x"):
        np.testing.assert_array_equal(screen(character), plain)
    assert pressed == [
        "color-transfer",
        "harmonise",
        "seamless-clone",
        "smoothstep",
        "background",
        "smoother",
        "livelier",
        "frame-skip",
    ]
    np.testing.assert_array_equal(screen("?"), introduced)
    np.testing.assert_array_equal(screen("?"), plain)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_F1, unicode=""))
    np.testing.assert_array_equal(screen(), introduced)
    assert not window.finished
    window.close()


def test_no_help_for_keys_that_nobody_listens_to(pygame: Any, window: WindowOutput) -> None:
    window.write(coloured())
    first = pygame.surfarray.array3d(pygame.display.get_surface())
    window.on_key = lambda name: None
    window.write(coloured())
    assert (pygame.surfarray.array3d(pygame.display.get_surface()) != first).any()


def test_words_are_shown_for_a_moment_in_place_of_the_help(pygame: Any) -> None:
    now = [INTRODUCTION + 1]
    window = WindowOutput(lambda: now[0])
    window.open((W, H), 30)

    def screen() -> Any:
        window.write(coloured())
        return pygame.surfarray.array3d(pygame.display.get_surface())

    plain = screen()
    window.say("smoothing: 0.9")
    first = screen()
    window.say("smoothing: 1")
    second = screen()
    now[0] += SAID
    np.testing.assert_array_equal(screen(), plain)
    assert (first != plain).any()
    assert (second != first).any()
    window.close()
