"""The placeholder: a calm dark card, shown where there is nothing else that may be shown."""

from __future__ import annotations

import numpy as np

from vcam.compose.font import font_for
from vcam.frames import Frame, check_size
from vcam.printable import printable
from vcam.types import Size

_TOP, _BOTTOM = 52.0, 30.0
_TEXT_LUMA = 180
_LINES = 720
_LONGEST = 400
"""Letters; more would not fit, and take seconds to try."""


def placeholder(size: Size, text: str = "", picture: Frame | None = None) -> Frame:
    """A dark vertical gradient of limited range, with `text` in its middle; a frame of its own.

    picture: in place of the gradient, a frame of that size and of limited range; it is drawn on and given back.
    What cannot be drawn is escaped, and what is too long to be read is cut. Lines break at newlines only;
    the letters shrink until all of it fits, down to 8 pixels.
    """
    frame = _gradient(size) if picture is None else picture
    if text := printable(text, "\n").strip():
        _write(frame, text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
    return frame


def _gradient(size: Size) -> Frame:
    width, height = check_size(*size)
    frame = Frame.allocate(width, height)
    # a fixed pattern of noise under the last bit, or the eye sees the gradient's steps as bands
    noise = np.random.default_rng(0).random((height, width), np.float32)
    ramp = np.linspace(_TOP, _BOTTOM, height, dtype=np.float32)[:, np.newaxis]
    np.copyto(frame.y, np.floor(ramp + noise), casting="unsafe")
    frame.u.fill(130)
    frame.v.fill(127)
    return frame


def off(size: Size) -> Frame:
    """What a virtual camera shows when vcam has ended."""
    return placeholder(size, "vcam is off")


def _write(frame: Frame, text: str) -> None:
    from PIL import Image, ImageDraw

    width, height = frame.size
    layer = Image.new("L", (width, height))
    draw = ImageDraw.Draw(layer)
    points = max(8.0, 40.0 * height / _LINES)
    while True:
        font = font_for(text, points)
        left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font=font, align="center", spacing=points / 2)
        if (right - left <= 0.9 * width and bottom - top <= 0.9 * height) or points <= 8:
            break
        points *= 0.9
    corner = ((width - right - left) / 2, (height - bottom - top) / 2)
    draw.multiline_text(corner, text, fill=255, font=font, align="center", spacing=points / 2)
    cover = np.asarray(layer, np.float32) / 255
    np.copyto(frame.y, np.rint(frame.y + (_TEXT_LUMA - frame.y) * cover), casting="unsafe")
