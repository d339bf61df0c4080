"""What programs that use vcam as a library find handy beside the loop itself."""

from __future__ import annotations

import numpy as np

from vcam.images import bgr_to_frame, place_map
from vcam.matte.factory import make_matte
from vcam.matting import Matting, open_network
from vcam.settings import Settings
from vcam.types import F32, U8, Size


class Segmenter:
    """Finds the person in pictures; a context manager. Not thread safe.

    with Segmenter() as segmenter:
        matte = segmenter.matte(cv2.imread("portrait.jpg"))
    """

    def __init__(self, settings: Settings | None = None, *, still: bool = True, size: Size = (256, 256)) -> None:
        """Load the network of `settings.segment`; the edge is that of `settings.matte`.

        still: every picture is one of its own; else they are the frames of one film, and what flickers is smoothed.
        `size` is that of the pictures to come, for the model `auto`; others are taken too. Raises `ModelError`,
        `EngineError` or `UsageError`.
        """
        settings = settings or Settings()
        self._still = still
        self._matting = Matting(open_network(settings, size), make_matte(settings.matte, still=still))
        self._seq = 0

    @property
    def description(self) -> str:
        """Model, runtime and device, for people."""
        return self._matting.description

    def matte(self, picture: U8) -> U8:
        """The matte of a picture, uint8 (height, width), 0 background to 255 person, an array of its own.

        picture: uint8 (height, width, 3), BGR as OpenCV reads it, of any size. Raises `UsageError` for another kind of
        array, `EngineError` if no engine can do it.
        """
        frame = bgr_to_frame(picture)
        self._seq += 1
        frame.seq = self._seq
        height, width = picture.shape[:2]
        self._begin()
        return self._matting.picture(frame)[:height, :width]

    def probability(self, picture: U8) -> F32:
        """What the network itself says, float32 0..1 at the network's size, an array of its own.

        picture: as for `matte`; raises as that does.
        """
        frame = bgr_to_frame(picture)
        self._begin()
        seen = self._matting.look(frame)
        whole = np.empty_like(seen.probability)
        place_map(seen.probability, seen.box, frame.size, whole)
        return whole

    def _begin(self) -> None:
        if self._still:
            self._matting.reset()

    def close(self) -> None:
        """Free the network. May be called twice."""
        self._matting.close()

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
