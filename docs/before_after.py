"""Makes README's picture and that of docs/room.md from the demo scene, whose empty room is told: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from vcam.assets import asset
from vcam.camera.demo import DemoScene, room
from vcam.filmroom import FilmRoom
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.output.null import MemoryOutput
from vcam.pipeline import open_pipeline, tune_process
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.memory import mean_room
from vcam.settings import Settings
from vcam.types import U8

SIZE = (1280, 720)
MOMENT = 45
"""The frame that is shown; those before it are run as well, so that everything with a memory has settled."""
FOLDER = Path(__file__).resolve().parent / "images"
QUALITY = 88

PERSON = np.s_[:, 190:1070]
"""The part that README shows."""
CLOSE = np.s_[180:620, 430:870]
"""The hair and the collar, beside which stand a clock, books and a lamp."""
TALL = 480


def composited(background: str, *, told: bool) -> U8:
    """The moment with another background; BGR. told: whether the empty room is known."""
    settings = Settings().replace(background__spec=background)
    camera = DemoScene(SIZE)
    camera.open()
    with open_pipeline(settings, camera, SIZE, [MemoryOutput()]) as pipeline:
        pipeline.open_outputs(SIZE, 30)
        if told:
            known = FilmRoom(SIZE, mean_room([bgr_to_frame(room(SIZE))]))
            pipeline.matting.exchange_room(RoomChoice(known))
        pipeline.run(MOMENT)
        return frame_to_bgr(pipeline.composite(camera.frame(MOMENT), MOMENT / 30))


def beside(*pictures: U8, tall: int = TALL) -> U8:
    """Pictures of one shape in a row, each so tall."""
    wide = round(pictures[0].shape[1] * tall / pictures[0].shape[0])
    way = cv2.INTER_AREA if tall < pictures[0].shape[0] else cv2.INTER_CUBIC
    return np.hstack([cv2.resize(each, (wide, tall), interpolation=way) for each in pictures]).astype(np.uint8)


def save(name: str, picture: U8) -> None:
    """A JPEG of the pages."""
    cv2.imwrite(str(FOLDER / name), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def main() -> None:
    """Make both."""
    tune_process()
    camera = DemoScene(SIZE)
    camera.open()
    seen = frame_to_bgr(camera.frame(MOMENT))
    dusk, blur = str(asset("dusk.jpg")), "blur"
    known = composited(dusk, told=True)
    save("before-after.jpg", beside(seen[PERSON], known[PERSON], composited(blur, told=True)[PERSON]))
    alone = composited(dusk, told=False)
    save("room.jpg", beside(seen[CLOSE], alone[CLOSE], known[CLOSE], tall=520))


if __name__ == "__main__":
    sys.exit(main())
