"""Prints the table of docs/performance.md: `vcam bench --baseline` for sizes, inputs and backgrounds.

The machine must be quiet. Of several rounds each row is that run which has the median ratio.

.venv/bin/python -m tests.measurements.performance [FRAMES [ROUNDS]]
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

CASES = [
    (size, source, background)
    for size in ("1280x720", "1920x1080")
    for source in ("mjpeg", "nv12", "yuyv")
    for background in ("", "blur")
    if not (source == "yuyv" and background)
] + [("3840x2160", "nv12", "")]
BUDGETS = {
    ("1280x720", "MJPEG", "image"): 6, ("1280x720", "NV12", "image"): 4, ("1280x720", "MJPEG", "blur"): 7.5,
    ("1920x1080", "MJPEG", "image"): 10, ("1920x1080", "NV12", "image"): 5.5, ("1920x1080", "MJPEG", "blur"): 12,
}  # fmt: skip
PLAIN = {"1280x720": 35, "1920x1080": 53}
"""What a plain loop takes on the budgets' machine."""

HEAD = (
    "| size | camera | background | CPU ms/frame | read | segment | matte | compose | write "
    "| p50 / p99 ms | faults | MB | plain loop ms | ratio |"
)


AGAINST = "| size | camera | background | slower by | CPU ms there | budget | p99 ms there |"


def bench(size: str, source: str, background: str, frames: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "vcam", "bench", "--json", "--size", size, "--input", source]
    command += ["--frames", str(frames), "--baseline"]
    command += ["--background", background] if background else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def kind(report: dict[str, Any]) -> tuple[str, str, str]:
    return report["size"], report["input"].upper(), "blur" if report["background"] == "blur" else "image"


def row(report: dict[str, Any]) -> str:
    stages, latency = report["stages_ms"], report["latency_ms"]
    cells = [*kind(report), f"**{report['cpu_ms_per_frame']:.1f}**"]
    cells += [f"{stages[name]:.1f}" for name in ("read", "segment", "matte", "compose", "write")]
    cells += [f"{latency['p50']:.1f} / {latency['p99']:.1f}", f"{report['faults_per_frame']:.1f}"]
    cells += [f"{report['rss_mb']:.0f}", f"{report['baseline']['cpu_ms_per_frame']:.1f}", f"**{report['ratio']:.1f}**"]
    return f"| {' | '.join(cells)} |"


def against_its_budget(report: dict[str, Any]) -> str:
    """What it would take on the budgets' machine, by the plain loop of its own row."""
    slower = report["baseline"]["cpu_ms_per_frame"] / PLAIN[report["size"]]
    taken, p99 = report["cpu_ms_per_frame"] / slower, report["latency_ms"]["p99"] / slower
    return f"| {' | '.join(kind(report))} | {slower:.2f} | {taken:.1f} | {BUDGETS[kind(report)]:g} | {p99:.1f} |"


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    runs = [[bench(*case, frames) for case in CASES] for _ in range(rounds)]
    reports = [
        sorted(of_case, key=lambda report: float(report["ratio"]))[rounds // 2] for of_case in zip(*runs, strict=True)
    ]
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for report in reports:
        print(row(report))
    print(f"\n{AGAINST}")
    print("|---" * AGAINST.count(" | ") + "|---|")
    for report in reports:
        if kind(report) in BUDGETS:
            print(against_its_budget(report))


if __name__ == "__main__":
    main()
