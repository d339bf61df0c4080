"""Backgrounds made from greys: pictures, animations and films, and what of them is seen."""

from __future__ import annotations

import subprocess
from pathlib import Path

from PIL import Image

from vcam.compose.backgrounds.factory import parse_background
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg
from vcam.settings import BackgroundSettings

SIZE = (64, 48)
GREYS = (40, 90, 140, 190)


def luma(grey: int) -> int:
    return round(16 + grey * 219 / 255)


def plate(background, size=SIZE) -> Frame:
    background.prepare(size)
    return background.without_person(0.0).frame


def parse(spec: object, **changes) -> object:
    return parse_background(str(spec), BackgroundSettings(**changes))


def animate(path: Path, greys=GREYS, size=(32, 24), **options) -> Path:
    frames = [Image.new("L", size, grey).convert("RGB") for grey in greys]
    frames[0].save(path, save_all=True, append_images=frames[1:], loop=0, **options)
    return path


def film(path: Path, seconds: float = 1.0, rate: int = 10, size: str = "32x24") -> Path:
    """A film whose luma grows from frame to frame."""
    source = f"color=black:s={size}:r={rate}:d={seconds},geq=lum='30+N*10':cb=128:cr=128"
    command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "ffv1", path]
    subprocess.run(command, check=True)
    return path
