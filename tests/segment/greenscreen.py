"""Somebody before a screen as people have them at home, whose true matte is known.

It has folds and uneven light, and shines on hair and shoulders; there are noise and the JPEG of a web camera.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from vcam.assets import asset
from vcam.frames import Frame
from vcam.types import F32, U8, Size

GREEN, BLUE = (64, 177, 30), (170, 70, 20)
"""BGR of screens in their brightest light."""


def screen(size: Size, colour: tuple[int, int, int], seed: int = 1) -> F32:
    """The screen alone, BGR float32: from 45 % to 105 % of its brightness, with folds."""
    width, height = size
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 0.62 + 0.43 * np.exp(-(((x / width - 0.3) / 0.45) ** 2) - ((y / height - 0.35) / 0.6) ** 2)
    light *= 1 - 0.28 * (y / height) ** 2
    for _ in range(5):
        at, wide = rng.uniform(0, width), rng.uniform(0.01, 0.03) * width
        light *= 1 - 0.10 * np.exp(-(((x + 0.15 * y - at) / wide) ** 2))
    return (light[..., None] * np.array(colour, np.float32)).astype(np.float32)


def clip(
    size: Size = (1280, 720), frames: int = 4, colour: tuple[int, int, int] = GREEN, seed: int = 1, quality: int = 85
) -> Iterator[tuple[U8, U8]]:
    """Pictures, BGR uint8 (height, width, 3), and their mattes, uint8 (height, width)."""
    width, height = size
    rng = np.random.default_rng(seed)
    cut = cv2.imread(str(asset("astronaut.png")), cv2.IMREAD_UNCHANGED)
    assert cut is not None
    tall = round(0.86 * height)
    cut = cv2.resize(cut, (tall * cut.shape[1] // cut.shape[0], tall), interpolation=cv2.INTER_AREA)
    behind = screen(size, colour, seed)
    for number in range(frames):
        left = round(width * (0.22 + 0.03 * number))
        person, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
        part = np.s_[height - tall :, left : left + cut.shape[1]]
        person[part], alpha[part] = cut[..., :3], cut[..., 3] / 255
        # what the screen throws on the person, most where the edge is near
        inner = cv2.GaussianBlur(alpha, (0, 0), 0.02 * height)
        spill = (0.16 * np.clip(1.7 - 1.7 * inner, 0, 1) + 0.02)[..., None] * behind
        mixed = (person + spill) * alpha[..., None] + behind * (1 - alpha[..., None])
        mixed += rng.normal(0, 4.0, mixed.shape)
        ok, data = cv2.imencode(".jpg", np.clip(mixed, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok
        yield cv2.imdecode(data, cv2.IMREAD_COLOR), np.rint(255 * alpha).astype(np.uint8)


def planes_of(picture: U8) -> Frame:
    """A frame as a JPEG camera gives it: each sample of chroma is the mean of four."""
    height, width = picture.shape[:2]
    y, v, u = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    small = (width // 2, height // 2)
    u, v = (cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return Frame(y, u, v, full_range=True)


def frames(size: Size = (1280, 720), count: int = 4, **options: object) -> Iterator[tuple[Frame, U8]]:
    """The same as frames for the stages."""
    for number, (picture, matte) in enumerate(clip(size, count, **options)):  # type: ignore[arg-type]
        frame = planes_of(picture)
        frame.seq, frame.timestamp = number, number / 30
        yield frame, matte
