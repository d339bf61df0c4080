"""What training costs and brings: the tables of docs/training.md.

    python -m tests.measurements.training ../shared/data/portraits             all of it, two hours on two cores
    python -m tests.measurements.training PORTRAITS --only speed               pictures a second, and who waits for whom
    python -m tests.measurements.training PORTRAITS --only selfie prisma-net   these architectures alone
    python -m tests.measurements.training PORTRAITS --only tuned               from the weights that vcam ships

Every line is one `vcam train` as a person would type it. The scores are of the pictures for validation. CPU is that of
the training and its workers; where the machine has other work, cores / CPU a picture is what a quiet one would reach.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.places import ROOT
from vcam.train.nets.registry import ARCHITECTURES

GAIN = 0.20
"""IoU of the person over the mean mask that is promised from scratch."""
PICTURES, WAITING = 45.0, 0.05
"""A second, of `selfie` at 256x256, and the share of the time that may be spent on waiting for them."""

STARTS = ("models/selfie-general.onnx", "../shared/models/selfie_segmentation.tflite")
BATCHES = {"slim-net": 4}
"""512x512 takes its memory."""


@dataclass(frozen=True)
class Trained:
    """What one training came to: its `result.json`, its wall and CPU seconds."""

    result: dict[str, Any]
    wall: float
    cpu: float

    @property
    def seen(self) -> float:
        """Pictures that it was trained with."""
        return float(self.result["epochs"] * self.result["pictures"])

    @property
    def quiet(self) -> float:
        """Pictures a second if all cores had nothing else to do."""
        return (os.cpu_count() or 1) * self.seen / self.cpu


def train(data: Path, out: Path, *words: str) -> Trained:
    """Train into a new folder. Raises `CalledProcessError` if that fails."""
    command = [sys.executable, "-m", "vcam", "--quiet", "train", str(data), "--out", str(out), *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise subprocess.CalledProcessError(code, command)
    result = json.loads((out / "result.json").read_text())
    return Trained(result, time.monotonic() - began, usage.ru_utime + usage.ru_stime)


def speed(data: Path, folder: Path, minutes: float) -> None:
    """Pictures a second of `selfie`, with one thread and with two."""
    print(
        "\n| threads | workers | pictures/s | waiting % | CPU ms a picture | cores / CPU |\n|---|---|---|---|---|---|"
    )
    for threads, workers in ((1, 1), (2, 1), (1, 2)):
        words = ("--network", "selfie", "--threads", str(threads), "--workers", str(workers))
        done = train(data, folder / f"speed-{threads}-{workers}", *words, "--minutes", str(minutes))
        rate, waiting = done.result["per_second"], done.result["waited"]
        print(f"| {threads} | {workers} | {rate:.1f} | {100 * waiting:.1f} | {1000 * done.cpu / done.seen:.1f} "
              f"| {done.quiet:.1f} |", flush=True)  # fmt: skip
    print(f"promised: {PICTURES:g} pictures a second, at most {100 * WAITING:g} % waiting")


def architectures(data: Path, folder: Path, names: list[str], minutes: float) -> bool:
    """Each from scratch; whether all keep what is promised."""
    print("\n| architecture | pictures seen | pictures/s | CPU ms a picture | IoU % | mIoU % | over the mean mask | |\n"
          "|---|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    kept = True
    for name in names:
        words = ("--network", name, "--minutes", str(minutes), "--batch", str(BATCHES.get(name, 8)))
        done = train(data, folder / name, *words)
        best, nothing = done.result["best"], done.result["baseline"]
        gain = best[0] - nothing[0]
        # of the person, or of both where there is no room for so much
        enough = gain >= GAIN or best[1] - nothing[1] >= GAIN
        kept = kept and enough
        print(f"| {name} | {done.seen:.0f} | {done.result['per_second']:.1f} | {1000 * done.cpu / done.seen:.1f} "
              f"| {100 * best[0]:.2f} | {100 * best[1]:.2f} | {100 * gain:+.2f} / {100 * (best[1] - nothing[1]):+.2f} "
              f"| {'' if enough else 'too little'} |", flush=True)  # fmt: skip
    print(f"the mean mask: {100 * nothing[0]:.2f} / {100 * nothing[1]:.2f}" if names else "")
    return kept


def tuned(data: Path, folder: Path, minutes: float) -> bool:
    """`selfie` from the weights that vcam ships and from MediaPipe's file; whether nothing is lost."""
    print("\n| from | before, mIoU % | last, mIoU % | best, mIoU % | |\n|---|---|---|---|---|", flush=True)
    kept = True
    for start in STARTS:
        path = (ROOT / start).resolve()
        if not path.exists():
            print(f"| {path.name} | not here | | | |")
            continue
        out = folder / f"tuned-{path.suffix[1:]}"
        done = train(data, out, "--network", "selfie", "--from", str(path), "--minutes", str(minutes))
        last = float((out / "curves.csv").read_text().splitlines()[-1].rsplit(",", 1)[-1] or "nan")
        before, best = done.result["start"][1], done.result["best"][1]
        # what a run hands on is its best; the last tells how much it forgets
        kept = kept and best >= before - 0.002
        print(f"| {path.name} | {100 * before:.2f} | {100 * last:.2f} | {100 * best:.2f} "
              f"| {'' if best >= before - 0.002 else 'lost'} |", flush=True)  # fmt: skip
    return kept


def main() -> int:
    """Measure what is asked for; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training")
    parser.add_argument("--only", nargs="+", choices=["speed", "tuned", *ARCHITECTURES])
    parser.add_argument("--out", type=Path, help="where the runs are kept")
    options = parser.parse_args()
    wanted = options.only or ["speed", "tuned", *ARCHITECTURES]
    kept = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.minutes:g} minutes each")
        if "speed" in wanted:
            speed(options.data, folder, min(options.minutes, 2.0))
        if "tuned" in wanted:
            kept = tuned(options.data, folder, options.minutes) and kept
        if names := [name for name in ARCHITECTURES if name in wanted]:
            kept = architectures(options.data, folder, names, options.minutes) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
