"""What a filter is tried on: frames of extremes, mattes, and a plate that is handed to the composer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.compose.base import Plate
from vcam.compose.composer import PlateComposer
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.registry import parse_filters
from vcam.frames import Alpha, Box, Frame
from vcam.images import bgr_to_frame

W, H = 160, 96
WHOLE = Box(0, 0, W, H)


def write_cube(path: Path, side: int = 5, curve=lambda colour: colour) -> Path:
    steps = np.linspace(0, 1, side)
    lines = [f"LUT_3D_SIZE {side}"]
    lines += ["{:.6f} {:.6f} {:.6f}".format(*curve((r, g, b))) for b in steps for g in steps for r in steps]
    path.write_text('TITLE "test"\n# made by a test\n' + "\n".join(lines) + "\n")
    return path


class Still:
    """A background with a plate that is handed to it."""

    description, needs_alpha = "still", True

    def __init__(self, frame: Frame) -> None:
        self.plate = Plate(frame, 0)

    def prepare(self, size: tuple[int, int]) -> None: ...

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        return self.plate

    def without_person(self, now: float) -> Plate:
        return self.plate

    def close(self) -> None: ...


def plate(seed: int = 3) -> Frame:
    picture = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), np.uint8)
    return bgr_to_frame(cv2.resize(picture, (W, H), interpolation=cv2.INTER_CUBIC).astype(np.uint8))


def matte(full: np.ndarray, box: Box = WHOLE, seq: int = 0) -> Alpha:
    half = cv2.resize(full, (full.shape[1] // 2, full.shape[0] // 2), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return Alpha(full, half, half[::2, ::2].copy(), box, seq)


def disc(radius: int = 30) -> np.ndarray:
    mask = np.zeros((H, W), np.uint8)
    cv2.circle(mask, (W // 2, H - 20), radius, 255, -1)
    return cv2.GaussianBlur(mask, (9, 9), 0).astype(np.uint8)


def compose(chain: list[str], frame: Frame, alpha: Alpha, behind: Frame, times: int = 1) -> Frame:
    composer = PlateComposer(Still(behind), behind.size)
    composer.set_filters(Chain(parse_filters(chain)))
    out = behind
    for index in range(times):
        out = composer.compose(frame, alpha, index / 30)
    return out


def assert_legal(frame: Frame) -> None:
    assert not frame.full_range
    assert frame.y.min() >= 16
    assert frame.y.max() <= 235
    for plane in (frame.u, frame.v):
        assert plane.min() >= 16
        assert plane.max() <= 240


def extremes(full_range: bool) -> Frame:
    """Noise and corners of what samples may be."""
    rng = np.random.default_rng(1)
    low, luma, chroma = (0, 256, 256) if full_range else (16, 236, 241)
    frame = Frame.allocate(W, H)
    frame.y[...] = rng.integers(low, luma, frame.y.shape)
    frame.u[...] = rng.integers(low, chroma, frame.u.shape)
    frame.v[...] = rng.integers(low, chroma, frame.v.shape)
    for index, value in enumerate((low, luma - 1)):
        frame.y[index * 20 : index * 20 + 16, :40] = value
        frame.u[index * 10 : index * 10 + 8, :40] = value
        frame.v[:20, index * 20 : index * 20 + 16] = chroma - 1
    frame.full_range = full_range
    return frame
