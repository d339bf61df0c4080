"""What training costs and brings: the figures of docs/training.md.

    python -m tests.measurements.training ../shared/data/portraits             all of it, two hours on two cores
    python -m tests.measurements.training PORTRAITS --only speed               pictures a second, and who waits for whom
    python -m tests.measurements.training PORTRAITS --only selfie prisma-net   these architectures alone
    python -m tests.measurements.training PORTRAITS --encoder FILE             from the weights of a MobileNetV2
    python -m tests.measurements.training PORTRAITS --encoder FILE --only NAME from other ones, for this architecture
    python -m tests.measurements.training PORTRAITS --processes 2              of one thread each, by torchrun
    python -m tests.measurements.training PORTRAITS --only tuned               from the weights that vcam ships
    python -m tests.measurements.training PORTRAITS --cpu                      on a machine that has other work as well

Every line is one `vcam train` as a person would type it. The scores are of the pictures for validation. The best is
chosen by these same pictures, so it flatters; nobody chose the last. CPU is that of the process that trains, without
its workers; of several processes it is that of all, with their workers. With `--cpu` a training takes as many epochs as
it would come to in its minutes on a quiet machine, which is found out by a short one before: so many that it has its
threads to itself for so long.
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
from vcam.cli.training import shares
from vcam.train.nets.registry import ARCHITECTURES

GAIN = 0.20
"""mIoU over the mean mask that is promised from scratch; that of the person alone is shown beside it.

The mean mask has 76 of the person's, since a portrait is mostly person, and 20 more would be what vcam ships.
"""
LOSS = 0.002
"""mIoU that the last weights of a fine-tuning may be under those that it began with."""
PICTURES, WAITING = 45.0, 0.05
"""A second, of `selfie` at 256x256, and the share of the time that may be spent on waiting for them."""

STARTS = ("models/selfie-general.onnx", "../shared/models/selfie_segmentation.tflite")
BATCHES = {"slim-net": ("--batch", "4")}
"""512x512 takes its memory."""
ENCODERS: dict[str, tuple[str, ...]] = {
    "mobile-unet": ("--option", "width=1.0"),
    "mobile-unet-bilinear": ("--option", "width=1.0"),
    "portrait-net": (),
    "portrait-net-video": (),
}
"""Architectures with a MobileNetV2, and what makes theirs one of width 1.0, of which there are weights."""


@dataclass(frozen=True)
class Trained:
    """What one training came to: its `result.json`, its wall and CPU seconds."""

    result: dict[str, Any]
    wall: float
    cpu: float

    @property
    def seen(self) -> float:
        """Pictures that it was trained with; an epoch leaves out what fills no batch."""
        return float(self.result["per_second"] * self.result["seconds"])


SHORT, LONGER = 1, 4
"""Epochs of the two trainings that tell what an epoch costs; what is done once, both of them do."""


def train(data: Path, out: Path, *words: str, processes: int = 1) -> Trained:
    """Train into a new folder, by so many processes. Raises `CalledProcessError` if that fails."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        words = (*words, "--threads", "1")
    command += ["vcam", "--quiet", "train", str(data), "--out", str(out), *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise subprocess.CalledProcessError(code, command)
    result = json.loads((out / "result.json").read_text())
    return Trained(result, time.monotonic() - began, usage.ru_utime + usage.ru_stime)


def length(data: Path, folder: Path, minutes: float, by_cpu: bool, words: tuple[str, ...]) -> tuple[str, ...]:
    """How long a training is to be, as options: so many minutes, or the epochs that a quiet machine makes in them."""
    if not by_cpu:
        return ("--minutes", str(minutes))
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        costs = [
            train(data, Path(scratch, str(count)), *words, "--epochs", str(count)).cpu for count in (SHORT, LONGER)
        ]
    threads = int(words[words.index("--threads") + 1]) if "--threads" in words else shares(os.cpu_count() or 1, 1)[1]
    epoch = (costs[1] - costs[0]) / (LONGER - SHORT)
    return ("--epochs", str(max(round(60 * minutes * threads / epoch), 1)))


def speed(data: Path, folder: Path, minutes: float) -> None:
    """Pictures a second of a small network and of a wide one, with one thread and with two."""
    print(
        "\n| architecture | threads | workers | pictures/s | waiting % | CPU ms a picture |\n|---|---|---|---|---|---|"
    )
    for name, threads, workers in (
        ("selfie", 1, 1), ("selfie", 2, 1), ("selfie", 1, 2), ("mobile-unet", 1, 1), ("mobile-unet", 2, 1),
    ):  # fmt: skip
        words = ("--network", name, "--threads", str(threads), "--workers", str(workers), "--small", "0")
        done = train(data, folder / f"speed-{name}-{threads}-{workers}", *words, "--minutes", str(minutes))
        rate, waiting, cost = done.result["per_second"], done.result["waited"], 1000 * done.cpu / done.seen
        print(f"| {name} | {threads} | {workers} | {rate:.1f} | {100 * waiting:.1f} | {cost:.1f} |", flush=True)
    print(f"promised of selfie: {PICTURES:g} pictures a second, at most {100 * WAITING:g} % waiting")


def architectures(
    data: Path, folder: Path, names: list[str], minutes: float, by_cpu: bool, encoder: Path | None, processes: int
) -> bool:  # fmt: skip
    """Each from scratch, or from the weights of an encoder; whether all keep what is promised."""
    print("\n| architecture | pictures seen | pictures/s | CPU ms a picture | IoU %, best / last | mIoU %, best / last "
          "| IoU over the mean mask, best / last | mIoU over the mean mask, best / last | |\n"
          "|---|---|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    kept = True
    for name in names:
        words = ("--network", name, *BATCHES.get(name, ()))
        if encoder:
            words = (*words, "--encoder", str(encoder), *ENCODERS.get(name, ()))
        long = length(data, folder, minutes, by_cpu, words)
        done = train(data, folder / name, *words, *long, processes=processes)
        best, last, nothing = (done.result[each] for each in ("best", "last", "baseline"))
        enough = last[1] - nothing[1] >= GAIN
        kept = kept and enough
        scores = " | ".join(f"{100 * best[each]:.2f} / {100 * last[each]:.2f}" for each in (0, 1))
        gains = " | ".join(
            f"{100 * (best[each] - nothing[each]):+.2f} / {100 * (last[each] - nothing[each]):+.2f}" for each in (0, 1)
        )
        print(f"| {name} | {done.seen:.0f} | {done.result['per_second']:.1f} | {1000 * done.cpu / done.seen:.1f} "
              f"| {scores} | {gains} | {'' if enough else 'too little'} |", flush=True)  # fmt: skip
    if names:
        print(f"the mean mask: IoU of the person {100 * nothing[0]:.2f}, mIoU {100 * nothing[1]:.2f}")
        print(f"promised: {100 * GAIN:g} more mIoU than the mean mask, by the last weights")
    return kept


def tuned(data: Path, folder: Path, minutes: float, by_cpu: bool) -> bool:
    """`selfie` from the weights that vcam ships and from MediaPipe's file; whether the last weights lose nothing.

    The weights that it begins with are scored as well, so the best cannot be worse, whatever the training does.
    """
    print("\n| from | before, mIoU % | best, mIoU % | last, mIoU % | |\n|---|---|---|---|---|", flush=True)
    kept = True
    for start in STARTS:
        path = (ROOT / start).resolve()
        if not path.exists():
            print(f"| {path.name} | not here | | | |")
            continue
        words = ("--network", "selfie", "--from", str(path))
        out = folder / f"tuned-{path.suffix[1:]}"
        done = train(data, out, *words, *length(data, folder, minutes, by_cpu, words))
        before, best, last = (done.result[each][1] for each in ("start", "best", "last"))
        enough = last >= before - LOSS
        kept = kept and enough
        print(f"| {path.name} | {100 * before:.2f} | {100 * best:.2f} | {100 * last:.2f} "
              f"| {'' if enough else 'the last has lost'} |", flush=True)  # fmt: skip
    print("the best is the best of all that were scored, the first among them; the last is what the training makes")
    return kept


def main() -> int:
    """Measure what is asked for; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training")
    parser.add_argument("--cpu", action="store_true", help="the minutes of a quiet machine, counted in CPU seconds")
    parser.add_argument("--only", nargs="+", choices=["speed", "tuned", *ARCHITECTURES])
    parser.add_argument("--processes", type=int, default=1, help="that train each architecture, of one thread each")
    parser.add_argument("--encoder", type=Path, help="weights to begin with; without --only those of a MobileNetV2")
    parser.add_argument("--out", type=Path, help="where the runs are kept")
    options = parser.parse_args()
    wanted = options.only or (list(ENCODERS) if options.encoder else ["speed", "tuned", *ARCHITECTURES])
    if options.encoder and {"speed", "tuned"} & set(wanted):
        parser.error("--encoder is for architectures")
    if options.cpu and options.processes > 1:
        parser.error("--cpu is for one process")
    kept = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.minutes:g} minutes each")
        if "speed" in wanted:
            speed(options.data, folder, min(options.minutes, 2.0))
        if "tuned" in wanted:
            kept = tuned(options.data, folder, options.minutes, options.cpu) and kept
        if names := [name for name in ARCHITECTURES if name in wanted]:
            how = (options.minutes, options.cpu, options.encoder, options.processes)
            kept = architectures(options.data, folder, names, *how) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
