"""Films of known colours, by the formulas of ITU-T H.273, and what colours a file or a frame shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg, local_input

Floats = NDArray[np.float64]

PATCHES: Floats = np.array(
    [
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (210, 160, 130), (125, 125, 125), (255, 255, 255),
        (20, 90, 160), (0, 0, 0), (60, 60, 60), (200, 200, 200), (0, 255, 255), (255, 0, 255), (33, 77, 20),
        (240, 220, 200), (128, 128, 128),
    ], np.float64,
)  # fmt: skip
"""R, G, B, one for each column of a film."""

GREYS = np.flatnonzero(np.ptp(PATCHES, axis=1) == 0)

WEIGHTS = {
    "bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt470bg": (0.299, 0.114), "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11), "bt2020nc": (0.2627, 0.0593),
}  # fmt: skip
"""Kr and Kb of the matrix coefficients."""

_SUB = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}


def samples(rgb: Floats, matrix: str, full: bool = False, bits: int = 8) -> Floats:
    """Y, Cb, Cr of colours from 0 to 1: (3, n), whole numbers."""
    kr, kb = WEIGHTS[matrix]
    r, g, b = rgb.T
    y = kr * r + (1 - kr - kb) * g + kb * b
    chroma = np.stack([(b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)])
    most, step = 2**bits - 1, 2 ** (bits - 8)
    if full:
        return np.rint(np.clip(np.vstack([y[None] * most, chroma * most + 128 * step]), 0, most))
    return np.rint(np.vstack([(16 + 219 * y)[None], 128 + 224 * chroma]) * step)


def colours(y: Floats, cb: Floats, cr: Floats, matrix: str) -> Floats:
    """The 8-bit colours of limited samples, (n, 3), 0 to 255, not rounded."""
    kr, kb = WEIGHTS[matrix]
    luma, p, q = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    b, r = luma + p * (2 - 2 * kb), luma + q * (2 - 2 * kr)
    return np.clip(np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], axis=-1) * 255, 0, 255)


def tags(**names: str) -> list[str]:
    """Options of a film that old and new ffmpegs tell the colours by: range, colorspace, color_primaries, color_trc."""
    options = [(f"-color_{name}" if name == "range" else f"-{name}", value) for name, value in names.items()]
    says = "setparams=" + ":".join(f"{name}={value}" for name, value in names.items())
    return [*(("-vf", says) if names else ()), *(word for option in options for word in option)]


def film(path: Path, stored: Floats, pixel_format: str, size: tuple[int, int], *options: str, frames: int = 2) -> Path:
    """Samples (3, 16), in the order of the format's planes, as columns of a film, without loss."""
    kind = "<u2" if pixel_format.endswith("le") else "u1"
    planes = []
    for number, plane in enumerate(stored[: 1 if pixel_format.startswith("gray") else 3]):
        across, down = _SUB.get(pixel_format[3:6], (1, 1)) if number else (1, 1)
        width, height = size[0] // across, size[1] // down
        planes.append(np.repeat(np.repeat(plane[None], height, 0), width // len(plane), 1).astype(kind).tobytes())
    command = [find_ffmpeg(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", pixel_format, "-r", "10"]
    command += ["-s", f"{size[0]}x{size[1]}", "-i", "-", *(options or ("-c:v", "ffv1")), f"file:{path}"]
    subprocess.run(command, input=b"".join(planes) * frames, check=True)
    return path


def middles(plane: NDArray[np.uint8]) -> Floats:
    """What stands in the middle of each column of a plane."""
    step = plane.shape[1] // len(PATCHES)
    return plane[plane.shape[0] // 2, step // 2 :: step].astype(np.float64)


def frame_colours(frame: Frame) -> Floats:
    """The colours that a frame of vcam shows, (16, 3)."""
    return colours(*map(middles, frame.planes), "smpte170m")


def file_colours(path: Path, size: tuple[int, int], matrix: str) -> Floats:
    """The colours that a player shows of a film of 8 bits, 4:2:0 and the limited range, by that matrix."""
    command = [find_ffmpeg(), "-v", "error", *local_input(path), "-frames:v", "1", "-f", "rawvideo", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return colours(*map(middles, Frame.wrap(np.frombuffer(data, np.uint8), *size).planes), matrix)
