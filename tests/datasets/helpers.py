"""Pictures and films with their true mattes, written as people lay them into folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.datasets.mattes import matte_of
from vcam.datasets.synthetic import synthetic_clip
from vcam.frames import Frame
from vcam.images import frame_to_bgr, read_raw
from vcam.output.encoded.file import VideoFileOutput

SIZE = (256, 144)


def read_matte(path: Path) -> np.ndarray:
    return matte_of(path, read_raw(path))


def write_picture(where: Path, name: str, mask: Path) -> np.ndarray:
    frame, matte = next(iter(synthetic_clip(SIZE, 1, 1, "still")))
    where.mkdir(exist_ok=True)
    mask.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(where / name), frame_to_bgr(frame))
    cv2.imwrite(str(mask), matte)
    return matte


def write_video(where: Path, name: str, frames: int = 8, matte: str = ".matte.mkv") -> list[np.ndarray]:
    outputs = [VideoFileOutput(where / f"{name}{end}", blocking=True) for end in (".mkv", matte)]
    for output in outputs:
        output.open(SIZE, 30)
    grey, mattes = Frame.allocate(*SIZE), []
    for frame, true in synthetic_clip(SIZE, frames, 3, "slow"):
        outputs[0].write(frame)
        grey.y[...] = np.rint(16 + true * (219 / 255))
        outputs[1].write(grey)
        mattes.append(true)
    for output in outputs:
        output.close()
    return mattes
