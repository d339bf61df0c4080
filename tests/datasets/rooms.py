"""Films of the demo scene that begin with its empty room, or whose camera does not stand still."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.camera.demo import DemoScene, room
from vcam.datasets.synthetic import Grain
from vcam.frames import Frame
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.output.encoded.file import VideoFileOutput
from vcam.types import U8, Size

SIZE: Size = (320, 180)


def shots(empty: int, shown: int, *, size: Size = SIZE, drift: float = 0.0, dark: int = 0) -> list[tuple[Frame, U8]]:
    """Frames and their true mattes: dark, of the empty room, and then of somebody before it, under a camera's noise.

    drift: pixels by which the picture moves to the left from frame to frame.
    """
    scene, grain = DemoScene(size), Grain(size, 3.0, np.random.default_rng(5))
    scene.open()
    behind, taken = bgr_to_frame(room(size)), []
    for number in range(dark + empty + shown):
        frame, matte = Frame.allocate(*size), np.zeros(size[::-1], np.uint8)
        if number >= dark + empty:
            frame.copy_from(scene.frame(number))
            matte = scene.true_alpha(number)
        elif number >= dark:
            frame.copy_from(behind)
        if drift:
            move = np.float32([[1, 0, -drift * number], [0, 1, 0]])
            moved = cv2.warpAffine(frame_to_bgr(frame), move, size, borderMode=cv2.BORDER_REFLECT)
            frame, matte = bgr_to_frame(moved.astype(np.uint8)), cv2.warpAffine(matte, move, size).astype(np.uint8)
        grain.add(frame)
        frame.seq, frame.timestamp = number, number / 30
        taken.append((frame, matte))
    return taken


def write_film(folder: Path, name: str, taken: list[tuple[Frame, U8]]) -> Path:
    """NAME.mkv beside NAME.matte.mkv."""
    outputs = [VideoFileOutput(folder / f"{name}{end}", blocking=True) for end in (".mkv", ".matte.mkv")]
    grey = Frame.allocate(*taken[0][0].size)
    for output in outputs:
        output.open(grey.size, 30)
    for frame, true in taken:
        grey.y[...] = np.rint(16 + true * (219 / 255))
        outputs[0].write(frame)
        outputs[1].write(grey)
    for output in outputs:
        output.close()
    return folder / f"{name}.mkv"
