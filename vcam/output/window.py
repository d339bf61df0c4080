"""A window on the desktop that shows the picture, by SDL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from vcam import extras, silent
from vcam.errors import OutputDeviceError
from vcam.fitting import contain
from vcam.frames import Frame, check_size
from vcam.output.base import AlwaysWatched
from vcam.types import U8, Size

Clock = Callable[[], float]

SCREEN_SHARE = 0.9
"""A window is made smaller than the picture if it would cover more than this part of the screen."""


KEYS = {
    "c": "color-transfer",
    "h": "harmonise",
    "s": "seamless-clone",
    "m": "smoothstep",
    "b": "background",
    "f": "frame-skip",
    "+": "smoother",
    "=": "smoother",
    "-": "livelier",
}
"""What `WindowOutput.on_key` is told, by the character typed."""

INTRODUCTION = 8.0
"""Seconds for which the line of help is shown when a window opens: nobody looks for keys that he does not know of."""

SAID = 2.5
"""Seconds for which words are shown."""

HELP = (
    "C colour transfer   H harmonise   S seamless clone   M smoothstep   B next background   "
    "+ - smoothing   F frame skip   ? help   Q close"
)


def has_display() -> bool:
    """Whether there is a desktop to open a window on."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class WindowOutput(AlwaysWatched):
    """Shows frames in a window that can be resized. Closing it, or the key Q, makes `finished` True.

    The keys ? and F1 show or hide a line of help, which is there at first where somebody listens to keys; those of
    `KEYS` are told to `on_key`, in the thread of `write`. All of it must be used from the main thread, as SDL demands.
    """

    description = "window"
    live = True

    def __init__(self, clock: Clock = time.monotonic, *, caption: str = "vcam") -> None:
        self._clock, self._caption = clock, caption
        self._introduced = 0.0
        self.finished = False
        self.on_key: Callable[[str], None] | None = None
        self._pygame: Any = None
        self._words = ""
        self._line: Any = None
        self._show_help = False
        self._said = ("", 0.0)
        self._size: Size = (0, 0)
        self._picture: U8 = np.empty((0, 0, 4), np.uint8)
        self._scaled: U8 = self._picture

    def open(self, size: Size, fps: float) -> None:
        """Raises `OutputDeviceError` if there is no display, or it cannot be used."""
        check_size(*size)
        instead = "write a file instead: --output FILE.mp4"
        # SDL would look for other ways to a screen, the text console among them
        if not has_display() and "SDL_VIDEODRIVER" not in os.environ:
            raise OutputDeviceError("there is no display to open a window on", instead)
        # SIGTERM is vcam's, not a closed window
        os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
        # shared memory instead of OpenGL: without a GPU that is 15 ms of CPU a frame cheaper
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        try:
            pygame = silent.pygame()
        except ImportError as error:
            why = "pygame-ce is not installed" if extras.is_missing("window") else str(error)
            raise OutputDeviceError(f"no window can be opened: {why}", extras.command("window")) from error
        self._pygame, self._size, self.finished = pygame, size, False
        self._picture = np.empty((size[1], size[0], 4), np.uint8)
        try:
            pygame.display.init()
            if pygame.display.get_driver() in ("dummy", "offscreen") and "SDL_VIDEODRIVER" not in os.environ:
                # SDL's last resort when no display answers: a window that nobody can see
                raise pygame.error("no display answers")
            pygame.display.set_caption(self._caption)
            screen = pygame.display.get_desktop_sizes()[0]
            pygame.display.set_mode(_window_size(size, screen), pygame.RESIZABLE)
        except pygame.error as error:
            self.close()
            raise OutputDeviceError(f"no window can be opened: {error}", instead) from error
        self._show_help, self._introduced = True, self._clock() + INTRODUCTION

    def say(self, text: str) -> None:
        """Show words for a moment where the line of help stands. See `TakesKeys`."""
        self._said = (text, self._clock() + SAID)

    def resize(self, size: Size) -> None:
        """Show pictures of another size in the window as it is."""
        self._size = size
        self._picture = np.empty((size[1], size[0], 4), np.uint8)
        if self._pygame is not None:
            self._pygame.display.get_surface().fill((0, 0, 0))

    def write(self, frame: Frame) -> None:
        """Show one frame and see what the person at the window did."""
        pygame = self._pygame
        if pygame is None:
            raise ValueError("the output is not open")
        self._take_events()
        if self.finished:
            return
        if self._introduced and self._clock() >= self._introduced:
            self._introduced = 0.0
            self._show_help = False
        packed = frame.packed().reshape(frame.height * 3 // 2, frame.width)
        cv2.cvtColor(packed, cv2.COLOR_YUV2BGRA_I420, dst=self._picture)
        window = pygame.display.get_surface()
        self._choose_line(window)
        place = contain(self._size, window.get_size())
        width, height = place.size
        if (width, height) == self._size:
            picture = self._picture
        else:
            if self._scaled.shape[:2] != (height, width):
                self._scaled = np.empty((height, width, 4), np.uint8)
                window.fill((0, 0, 0))
            picture = self._scaled
            cv2.resize(self._picture, (width, height), dst=picture, interpolation=cv2.INTER_LINEAR)
        surface = pygame.image.frombuffer(picture, (width, height), "BGRA")
        # opaque: a plain copy instead of a blend
        surface.set_alpha(None)
        window.blit(surface, place[:2])
        self._draw_line(window)
        pygame.display.flip()

    def _take_events(self) -> None:
        pygame = self._pygame
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_q):
                self.finished = True
            elif event.type == pygame.KEYDOWN:
                f1 = event.key == pygame.K_F1
                self._take_key("?" if f1 else str(getattr(event, "unicode", "")).lower())
            elif event.type == pygame.VIDEORESIZE:
                # what lies beside the picture has to be painted anew
                pygame.display.get_surface().fill((0, 0, 0))

    def _take_key(self, character: str) -> None:
        if character == "?":
            self._introduced = 0.0
            self._show_help = not self._show_help
        elif character in KEYS and self.on_key:
            self.on_key(KEYS[character])

    def _choose_line(self, window: Any) -> None:
        """Have the words or the help rendered that are to stand along the lower border."""
        words, until = self._said
        if self._clock() >= until:
            words = HELP if self._show_help and self.on_key else ""
        if words == self._words:
            return
        self._words, self._line = words, None
        # what stood there may have stood beside the picture
        window.fill((0, 0, 0))
        if words:
            self._pygame.font.init()
            font = self._pygame.font.Font(None, 24)
            self._line = font.render(words, True, (240, 240, 240), (16, 18, 22)).convert()

    def _draw_line(self, window: Any) -> None:
        line, width = self._line, window.get_width()
        if line is None:
            return
        if line.get_width() > width:
            height = max(1, line.get_height() * width // line.get_width())
            line = self._pygame.transform.smoothscale(line, (width, height))
        window.blit(line, ((width - line.get_width()) // 2, window.get_height() - line.get_height()))

    def close(self) -> None:
        self._words, self._line = "", None
        pygame, self._pygame = self._pygame, None
        if pygame is not None:
            pygame.display.quit()

    def abort(self) -> None:
        self.close()


def _window_size(size: Size, screen: Size) -> Size:
    room = int(screen[0] * SCREEN_SHARE), int(screen[1] * SCREEN_SHARE)
    if size[0] <= room[0] and size[1] <= room[1]:
        return size
    return contain(size, room).size
