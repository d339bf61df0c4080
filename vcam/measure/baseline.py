"""The loop that most Python programs of this kind have, as a yardstick for `vcam bench --baseline`.

Full-size BGR frames, a full-size float32 mask, blending in NumPy, every step a fresh array, every library with its
default threads. It finds the same person with the same network and makes the same kind of picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from vcam import silent
from vcam.frames import PixelFormat
from vcam.models.find import find_model
from vcam.types import U8, Size

_TO_BGR = {
    PixelFormat.NV12: cv2.COLOR_YUV2BGR_NV12,
    PixelFormat.I420: cv2.COLOR_YUV2BGR_I420,
    PixelFormat.YUYV: cv2.COLOR_YUV2BGR_YUYV,
}


class NaiveLoop:
    """One picture background, no temporal filter; `step` decodes, segments, blends and copies out one frame."""

    def __init__(self, frames: Sequence[bytes], source: PixelFormat, size: Size) -> None:
        self._frames, self._source, self._size = frames, source, size
        card = find_model("auto", size)
        self._session = silent.onnxruntime().InferenceSession(str(card.file_path), providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._model_size = card.input.size
        self._background = np.full((size[1], size[0], 3), (120, 90, 60), np.float32)
        self._sink = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
        self._count = 0

    def step(self) -> None:
        frame = self._decode(self._frames[self._count % len(self._frames)])
        self._count += 1
        small = cv2.cvtColor(cv2.resize(frame, self._model_size), cv2.COLOR_BGR2RGB)
        tensor = (small.astype(np.float32) / 255.0).transpose(2, 0, 1)[np.newaxis]
        probability: Any = self._session.run(None, {self._input: np.ascontiguousarray(tensor)})[0]
        mask = cv2.resize(probability.reshape(self._model_size[::-1]), self._size)[..., np.newaxis]
        blended = frame.astype(np.float32) * mask + self._background * (1.0 - mask)
        np.copyto(self._sink, cv2.cvtColor(blended.astype(np.uint8), cv2.COLOR_BGR2YUV_I420))

    def _decode(self, data: bytes) -> U8:
        raw = np.frombuffer(data, np.uint8)
        width, height = self._size
        if self._source is PixelFormat.MJPEG:
            decoded = cv2.imdecode(raw, cv2.IMREAD_COLOR)
            assert decoded is not None
            return decoded.astype(np.uint8, copy=False)
        shape = (height, width, 2) if self._source is PixelFormat.YUYV else (height * 3 // 2, width)
        return cv2.cvtColor(raw.reshape(shape), _TO_BGR[self._source]).astype(np.uint8, copy=False)
