"""Prints the tables of docs/filters.md, "What they cost": what each filter costs, and what its plain form costs.

The loop of `vcam bench` runs on a camera in memory; a filter is switched on and off in turns of a few frames, and its
cost is the difference in the composer's CPU time, between the turns of either kind that were disturbed least.

.venv/bin/python -m tests.measurements.filters [--size WxH]... [--turns N] [--only NAME]... [--unpaced]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from vcam.assets import asset
from vcam.camera.demo import DemoScene
from vcam.camera.memory import MemoryCamera, encode_frames
from vcam.compose.composer import PlateComposer
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.registry import KINDS, parse_filters
from vcam.frames import PixelFormat
from vcam.images import frame_to_bgr, read_image
from vcam.output.null import MemoryOutput
from vcam.pipeline import Pipeline, open_pipeline, tune_process
from vcam.settings import Settings, parse_size
from vcam.types import F32, U8, Size

FRAMES = 10
"""Of one turn; two more go before them, in which a filter gets its memory."""
SETTLE = 2
CLOSE = (0.31, 0.28, 0.39)
"""Left, top and width of a cut-out of the demo scene that its person fills from edge to edge, as shares."""


def scene(size: Size, *, close: bool) -> list[bytes]:
    """Some frames of the demo scene as an NV12 camera sends them; close: its person fills them."""
    camera = DemoScene(size)
    camera.open()
    pictures = [frame_to_bgr(camera.frame(number)) for number in range(0, 30, 5)]
    if close:
        left, top = round(CLOSE[0] * size[0]), round(CLOSE[1] * size[1])
        width, height = round(CLOSE[2] * size[0]), round(CLOSE[2] * size[1])
        pictures = [
            np.asarray(cv2.resize(picture[top : top + height, left : left + width], size), np.uint8)
            for picture in pictures
        ]
    return encode_frames(pictures, PixelFormat.NV12)


def chains(folder: Path) -> dict[str, str]:
    """Every filter as one would give it on the command line."""
    cube = folder / "look.cube"
    steps = [step / 16 for step in range(17)]
    rows = [f"{r**0.9:.5f} {g:.5f} {0.1 + 0.8 * b:.5f}" for b in steps for g in steps for r in steps]
    cube.write_text("LUT_3D_SIZE 17\n" + "\n".join(rows))
    return {name: f"{name}:file={cube}" if name == "lut" else name for name in KINDS}


class Meter:
    """The loop on one scene, and what composing costs in it."""

    def __init__(self, size: Size, *, close: bool, paced: bool) -> None:
        settings = Settings().replace(
            background__spec=str(asset("dusk.jpg")), output__size=f"{size[0]}x{size[1]}", camera__source="demo"
        )
        self._camera = MemoryCamera(scene(size, close=close), PixelFormat.NV12, size, 30.0, paced=paced)
        self._camera.open()
        self._pipeline: Pipeline = open_pipeline(settings, self._camera, size, [MemoryOutput()])
        self._pipeline.open_outputs(size, 30.0)
        self.turn(None, 20)

    def turn(self, chain: Chain | None, frames: int = FRAMES) -> float:
        """CPU milliseconds a frame in the composer, the mean of so many frames."""
        assert isinstance(self._pipeline.composer, PlateComposer)
        self._pipeline.composer.set_filters(chain)
        self._camera.open()
        for _ in range(SETTLE):
            self._pipeline.step()
        self._pipeline.timings.reset()
        for _ in range(frames):
            self._pipeline.step()
        if self._pipeline.timings.without_person:
            raise SystemExit("there were frames without the person: nothing was measured")
        return self._pipeline.timings.stages_ms()["compose"]

    def cost(self, text: str, turns: int) -> tuple[float, float]:
        """What a filter adds to a frame, and composing with it as a whole; of the turns that were disturbed least."""
        chain = Chain(parse_filters([text]))
        pairs = [(self.turn(None), self.turn(chain)) for _ in range(turns)]
        without, whole = (min(side) for side in zip(*pairs, strict=True))
        return whole - without, whole

    def close(self) -> None:
        self._pipeline.close()


# The same formulas as programs of this kind have them: whole BGR pictures, NumPy, a fresh array for each step.


def blend(person: U8, plate: U8, alpha: F32) -> U8:
    weight = alpha[..., np.newaxis]
    return (person * weight + plate * (1 - weight)).astype(np.uint8)


def plain_alpha(person: U8, plate: U8, alpha: F32) -> U8:
    return blend(person, plate, np.asarray(cv2.GaussianBlur(alpha, (0, 0), 3), np.float32))


def plain_smoothstep(person: U8, plate: U8, alpha: F32) -> U8:
    t = np.clip((alpha - 0.2) / (0.8 - 0.2), 0, 1)
    return blend(person, plate, t * t * (3 - 2 * t))


def plain_color_transfer(person: U8, plate: U8, alpha: F32) -> U8:
    """Reinhard and others, "Color transfer between images", 2001."""
    ours = cv2.split(cv2.cvtColor(person, cv2.COLOR_BGR2LAB).astype(np.float32))
    theirs = cv2.split(cv2.cvtColor(plate, cv2.COLOR_BGR2LAB).astype(np.float32))
    moved = cv2.merge([(a - a.mean()) * (b.std() / a.std()) + b.mean() for a, b in zip(ours, theirs, strict=True)])
    changed = cv2.cvtColor(np.clip(moved, 0, 255).astype(np.uint8), cv2.COLOR_LAB2BGR)
    return blend(np.asarray(changed, np.uint8), plate, alpha)


def plain_seamless_clone(person: U8, plate: U8, alpha: F32) -> U8:
    mask = np.where(alpha > 0.5, 255, 0).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    place = (x + width // 2, y + height // 2)
    return np.asarray(cv2.seamlessClone(person, plate, mask, place, cv2.NORMAL_CLONE), np.uint8)


PLAIN: dict[str, tuple[Callable[[U8, U8, F32], U8], Size]] = {
    "alpha": (plain_alpha, (1280, 720)),
    "smoothstep": (plain_smoothstep, (1280, 720)),
    "color-transfer": (plain_color_transfer, (1280, 720)),
    "seamless-clone": (plain_seamless_clone, (720, 720)),
}
"""The plain forms, and the size of picture that each is measured at."""


def plain_cost(name: str, turns: int) -> float:
    """CPU milliseconds of the process for one picture, the least of a few."""
    function, size = PLAIN[name]
    camera = DemoScene((1280, 720))
    camera.open()
    left = (1280 - size[0]) // 2
    person = np.ascontiguousarray(frame_to_bgr(camera.frame(0))[:, left : left + size[0]])
    plate = np.asarray(cv2.resize(read_image(asset("dusk.jpg")), size), np.uint8)
    # of the shape of head and shoulders, clear of the border as the solver wants it
    alpha = np.zeros((size[1], size[0]), np.float32)
    middle = size[0] // 2
    cv2.ellipse(alpha, (middle, 620), (230, 90), 0, 0, 360, 1, -1)
    cv2.ellipse(alpha, (middle, 320), (110, 140), 0, 0, 360, 1, -1)
    cv2.rectangle(alpha, (middle - 70, 400), (middle + 70, 620), 1, -1)
    took = []
    for _ in range(turns + 2):
        start = time.process_time()
        function(person, plate, alpha)
        took.append(1e3 * (time.process_time() - start))
    return min(took)


def measure(sizes: Sequence[Size], only: Sequence[str], turns: int, *, paced: bool) -> None:
    found: dict[str, list[float]] = {}
    whole: dict[str, float] = {}
    plain: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        texts = {name: text for name, text in chains(Path(folder)).items() if not only or name in only}
        for size in sizes:
            for close in (False, True):
                meter = Meter(size, close=close, paced=paced)
                for name, text in texts.items():
                    added, total = meter.cost(text, turns)
                    found.setdefault(name, []).append(added)
                    if size == (1280, 720) and not close:
                        whole[name] = total
                        if name in PLAIN:
                            plain[name] = plain_cost(name, turns)
                meter.close()
    heads = [f"{height}p{words}" for _, height in sizes for words in ("", ", filled")]
    print(f"| filter | {' | '.join(heads)} |")
    print("|---" * (len(heads) + 1) + "|")
    for name, costs in found.items():
        print(f"| `{name}` | {' | '.join(f'{max(0.0, cost):.1f}' for cost in costs)} |")
    if plain:
        print("\n| | plain | vcam | ratio |\n|---|---|---|---|")
        for name, cost in plain.items():
            width, height = PLAIN[name][1]
            print(f"| {name}, plain at {width}x{height} | {cost:.1f} | {whole[name]:.1f} | {cost / whole[name]:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", action="append", metavar="WxH")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--unpaced", action="store_true")
    wanted = parser.parse_args()
    tune_process()
    sizes = [parse_size(text) for text in wanted.size or ("1280x720", "1920x1080")]
    measure(sizes, wanted.only, wanted.turns, paced=not wanted.unpaced)


if __name__ == "__main__":
    main()
