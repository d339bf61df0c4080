"""What the network for `harmonise` does on people that it was not trained with: the table of docs/filters.md.

    python -m tests.measurements.harmonise                            models/harmonise.onnx
    python -m tests.measurements.harmonise --model RUN/NAME.onnx --portraits DATA --clips DIR

A portrait agrees with itself. Its person is disturbed sixteen times by chance: eight times by vcam's own arguments,
eight times by gains of R, G and B, a gamma for each channel, contrast and saturation. Then it is asked how much of that
comes back: by `color-transfer`, at half strength as it stands and at full, and by the network's arguments. The
plate behind is the portrait without its person. Errors are of R, G and B in levels, where the mask has the person.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from tests.places import ROOT, SHARED
from vcam import Segmenter, harmony
from vcam.compose.filters.base import PictureFilter, Scene
from vcam.compose.filters.registry import parse_filters
from vcam.frames import Alpha, Box, Frame
from vcam.harmony import NAMES
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.infer.base import Network, Output, Picture
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.train.backdrops import surroundings
from vcam.types import F32, U8

SIDE = 480
"""Pixels of a portrait's longer side: its masks are no finer."""
WAYS = 8
LEAST, OVER_TRANSFER, WORSE, CHANGE, SPREAD = 4.0, 2.0, 0.1, 2.0, 0.005
"""dB over the disturbed, dB over color-transfer, share that became worse, levels, share of the arguments' range."""
STILL = 90
"""Frames of a still clip: one of a signing clip, with a camera's noise on it."""
NOISE = 2.0
"""Levels."""


class Net:
    """The network on frames."""

    def __init__(self, file: Path) -> None:
        import onnxruntime as ort

        (_, channels, height, width) = ort.InferenceSession(str(file)).get_inputs()[0].shape
        self.side = (width, height)
        picture = Picture(self.side, "NCHW", (0.0,) * channels, (255.0,) * channels)
        self.engine = OnnxRuntimeEngine(Network("harmonise", file, file, (picture,), (Output((len(NAMES),)),)))

    def arguments(self, frame: Frame, matte: U8) -> F32:
        """float32 (8,) for a composite and its matte at the frame's size."""
        planes = [cv2.resize(each, self.side, interpolation=cv2.INTER_AREA) for each in (*frame.planes, matte)]
        (found,) = self.engine.infer(np.ascontiguousarray(np.dstack(planes)))
        return np.array(found, np.float32).ravel()


def applied(frame: Frame, arguments: F32, matte: U8) -> U8:
    """BGR of a frame whose person has the arguments."""
    y, cb, cr = (np.asarray(each, np.float32) for each in frame.planes)
    out = _copy(frame)
    for target, plane in zip(out.planes, harmony.apply(y, cb, cr, arguments), strict=True):
        np.copyto(target, np.rint(plane), casting="unsafe")
    return _over(frame_to_bgr(out), frame_to_bgr(frame), matte)


def transferred(frame: Frame, plate: Frame, matte: U8, strength: float) -> U8:
    """BGR by vcam's own `color-transfer`."""
    (placed,) = parse_filters([f"color-transfer:strength={strength},smooth=0"])
    effect = cast(PictureFilter, placed.filter)
    out, size = _copy(frame), frame.size
    box = Box(0, 0, *size)
    half = cv2.resize(matte, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
    alpha = Alpha(matte, np.asarray(half, np.uint8), matte, box, 0)
    effect.prepare(size)
    effect.change(out, box, Scene(_copy(frame), alpha, plate, (1, 1), 0.0))
    return _over(frame_to_bgr(out), frame_to_bgr(frame), matte)


def _copy(frame: Frame) -> Frame:
    fresh = bgr_to_frame(np.zeros((frame.height, frame.width, 3), np.uint8))
    for target, plane in zip(fresh.planes, frame.planes, strict=True):
        np.copyto(target, plane)
    return fresh


def _over(person: U8, behind: U8, matte: U8) -> U8:
    share = matte[..., None].astype(np.float32) / 255
    return np.rint(share * person + (1 - share) * behind).astype(np.uint8)


# disturbances of its own: what was trained with must not be what judges


def by_arguments(frame: Frame, chance: np.random.Generator) -> U8:
    """All eight at once, each anywhere in the inner 60 % of its range."""
    y, cb, cr = (np.asarray(each, np.float32) for each in frame.planes)
    out = _copy(frame)
    for target, plane in zip(out.planes, harmony.apply(y, cb, cr, chance.uniform(-0.6, 0.6, 8)), strict=True):
        np.copyto(target, np.rint(plane), casting="unsafe")
    return frame_to_bgr(out)


def by_camera(frame: Frame, chance: np.random.Generator) -> U8:
    """Exposure and white balance as gains of R, G and B, a gamma for each, contrast, saturation."""
    picture = frame_to_bgr(frame).astype(np.float32) / 255
    exposure, warm = chance.uniform(-0.6, 0.6), chance.uniform(-0.35, 0.35)
    gains = 2 ** (np.array([exposure - warm, exposure + chance.uniform(-0.08, 0.08), exposure + warm]) / 2.2)
    picture = np.clip(picture * gains, 0, 1) ** np.exp(chance.uniform(-0.15, 0.15) + chance.uniform(-0.06, 0.06, 3))
    picture = 0.5 + chance.uniform(0.85, 1.15) * (picture - 0.5)
    grey = picture @ np.array([[0.114], [0.587], [0.299]])
    picture = grey + chance.uniform(0.75, 1.25) * (picture - grey)
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


KINDS = {"by arguments": by_arguments, "by another camera": by_camera}


@dataclass
class Score:
    """Of one way: errors before and after, decibels."""

    before: list[float] = field(default_factory=list)
    after: dict[str, list[float]] = field(default_factory=dict)

    def add(self, before: float, **after: float) -> None:
        """Mean squared errors."""
        self.before.append(before)
        for name, value in after.items():
            self.after.setdefault(name, []).append(value)


def decibels(squares: Sequence[float]) -> np.ndarray:
    """Peak signal to noise of mean squared errors."""
    return np.asarray(10 * np.log10(255**2 / np.maximum(squares, 0.1)))


def _error(picture: U8, true: U8, inside: np.ndarray) -> float:
    return float(((picture[inside].astype(np.float32) - true[inside]) ** 2).mean())


def pairs(folder: Path, count: int) -> Iterator[tuple[U8, U8]]:
    """Portraits, BGR, with their masks, spread over the folder."""
    paths = sorted((folder / "img").glob("*"))
    for path in paths[:: max(1, len(paths) // count)][:count]:
        picture = read_image(path)
        mask = read_image(folder / "mask" / f"{path.stem}.png")[..., 1]
        scale = SIDE / max(picture.shape[:2])
        size = tuple(2 * round(side * scale / 2) for side in picture.shape[1::-1])
        yield (cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8),
               cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.uint8))  # fmt: skip


def portraits(net: Net, folder: Path, count: int) -> dict[str, float]:
    """The table, printed; what is promised."""
    scores = {name: Score() for name in KINDS}
    changed: list[float] = []
    for number, (picture, matte) in enumerate(pairs(folder, count)):
        frame = bgr_to_frame(picture)
        true, inside = frame_to_bgr(frame), matte > 127
        plate = bgr_to_frame(surroundings(picture, matte))
        still = applied(frame, net.arguments(frame, matte), matte)
        changed.append(float(np.abs(still[inside].astype(np.float32) - true[inside]).mean()))
        for kind, disturb in KINDS.items():
            chance = np.random.default_rng([number, len(kind)])
            for _ in range(WAYS):
                shown = bgr_to_frame(_over(disturb(frame, chance), true, matte))
                scores[kind].add(
                    _error(frame_to_bgr(shown), true, inside),
                    half=_error(transferred(shown, plate, matte, 0.5), true, inside),
                    full=_error(transferred(shown, plate, matte, 1.0), true, inside),
                    net=_error(applied(shown, net.arguments(shown, matte), matte), true, inside),
                )
    print("\n| disturbed | before, dB (rms) | color-transfer | at full strength | harmonise | over before | "
          "over color-transfer | worse than before |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    whole = Score()
    for score in scores.values():
        whole.before += score.before
        for name, values in score.after.items():
            whole.after.setdefault(name, []).extend(values)
    for kind, score in {**scores, "both": whole}.items():
        before, half, full, ours = (decibels(each) for each in (
            score.before, score.after["half"], score.after["full"], score.after["net"]))  # fmt: skip
        level = [f"{each.mean():.2f} ({np.sqrt(np.mean(squares)):.1f})" for each, squares in (
            (before, score.before), (half, score.after["half"]), (full, score.after["full"]),
            (ours, score.after["net"]))]  # fmt: skip
        print(f"| {kind} | {' | '.join(level)} | {(ours - before).mean():+.2f} | {(ours - half).mean():+.2f} | "
              f"{100 * np.mean(ours < before):.0f} % |")  # fmt: skip
    print(f"\nundisturbed: changed by {np.mean(changed):.2f} levels in the mean, {np.max(changed):.2f} at most")
    return {"gain": float((ours - before).mean()), "over": float((ours - half).mean()),
            "worse": float(np.mean(ours < before)), "change": float(np.mean(changed))}  # fmt: skip


def frames(clip: Path, most: int) -> Iterator[U8]:
    """BGR frames of a clip, small."""
    size = (640, 360)
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-frames:v", str(most), "-vf", f"scale={size[0]}:{size[1]}",
               "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]  # fmt: skip
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    yield from np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def clips(net: Net, folder: Path, backdrop: U8) -> float:
    """How much the arguments move, unsmoothed, every frame asked; the spread over a still clip, as share of 2."""
    print("\n| clip | from frame to frame, mean of % of the range | spread over the clip | spread of one frame with "
          "noise |\n|---|---|---|---|")  # fmt: skip
    chance = np.random.default_rng(5)
    worst = 0.0
    for clip in sorted(folder.glob("*.mkv")):
        told, mattes, shown = [], [], []
        with Segmenter(still=False, size=(640, 360)) as segmenter:
            for frame in frames(clip, STILL):
                matte = segmenter.matte(frame)
                told.append(net.arguments(bgr_to_frame(_over(frame, backdrop, matte)), matte))
                mattes.append(matte)
                shown.append(frame)
        one, matte = shown[len(shown) // 2], mattes[len(shown) // 2]
        still = [
            net.arguments(bgr_to_frame(_over(_noisy(one, chance), backdrop, matte)), matte) for _ in range(STILL)
        ]  # fmt: skip
        steps = np.abs(np.diff(told, axis=0)).mean() / 2
        spread = np.std(still, axis=0).max() / 2
        worst = max(worst, float(spread))
        print(f"| {clip.stem} | {100 * steps:.2f} | {100 * np.std(told, axis=0).mean() / 2:.2f} | {100 * spread:.3f} |")
    return worst


def _noisy(picture: U8, chance: np.random.Generator) -> U8:
    return np.rint(np.clip(picture + chance.normal(0, NOISE, picture.shape), 0, 255)).astype(np.uint8)


def main() -> int:
    """Measure; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "harmonise.onnx")
    parser.add_argument("--portraits", type=Path, default=SHARED / "data" / "portraits")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--clips", type=Path, default=SHARED / "data" / "clips")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    net = Net(options.model)
    found = portraits(net, options.portraits, options.count)
    if options.clips.is_dir():
        backdrop = read_image(ROOT / "vcam" / "assets" / "backgrounds" / "living-room.jpg")
        found["spread"] = clips(net, options.clips, np.asarray(cv2.resize(backdrop, (640, 360)), np.uint8))
    promises = {"gain": (LEAST, 1), "over": (OVER_TRANSFER, 1), "worse": (WORSE, -1), "change": (CHANGE, -1),
                "spread": (SPREAD, -1)}  # fmt: skip
    kept = True
    for name, value in found.items():
        limit, sign = promises[name]
        good = sign * (value - limit) >= 0
        kept = kept and good
        words = "at least" if sign > 0 else "at most"
        print(f"{name}: {value:.4g}, promised {words} {limit:g}{'' if good else ', NOT kept'}")
    if options.json:
        options.json.write_text(json.dumps(found))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
