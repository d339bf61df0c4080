"""Prints the table of docs/performance.md: `vcam bench --baseline` for sizes, inputs and backgrounds.

The machine must be quiet.

.venv/bin/python tests/measure_performance.py [FRAMES]
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
HEAD = (
    "| size | camera | background | CPU ms/frame | read | segment | matte | compose | write "
    "| p50 / p99 ms | faults | MB | plain loop ms | ratio |"
)


def bench(size: str, source: str, background: str, frames: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "vcam", "bench", "--json", "--size", size, "--input", source]
    command += ["--frames", str(frames), "--baseline"]
    command += ["--background", background] if background else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def row(report: dict[str, Any]) -> str:
    stages, latency = report["stages_ms"], report["latency_ms"]
    background = "blur" if report["background"] == "blur" else "image"
    cells = [report["size"], report["input"].upper(), background, f"**{report['cpu_ms_per_frame']:.1f}**"]
    cells += [f"{stages[name]:.1f}" for name in ("read", "segment", "matte", "compose", "write")]
    cells += [f"{latency['p50']:.1f} / {latency['p99']:.1f}", f"{report['faults_per_frame']:.1f}"]
    cells += [f"{report['rss_mb']:.0f}", f"{report['baseline']['cpu_ms_per_frame']:.1f}", f"**{report['ratio']:.1f}**"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for case in CASES:
        print(row(bench(*case, frames)), flush=True)


if __name__ == "__main__":
    main()
