"""`vcam bench`: what a frame costs."""

from __future__ import annotations

import json
from typing import Any

import click

from vcam.assets import asset
from vcam.cli.options import load_isolated, settings_options

DEFAULTS = {"background.spec": str(asset("dusk.jpg"))}


@click.command()
@click.option("--input", "source", type=click.Choice(["mjpeg", "yuyv", "nv12", "i420"]), default="mjpeg",
              show_default=True, help="How the camera sends its pictures.")  # fmt: skip
@click.option("--size", "size", default="1280x720", show_default=True, metavar="WxH", help="Size of the picture.")
@click.option("--fps", "fps", default=30.0, show_default=True, help="Rate of the camera.")
@click.option("--frames", default=300, show_default=True, help="Frames to measure, after a warm-up of 30.")
@click.option("--unpaced", is_flag=True, help="Take frames as fast as the loop goes, not at the camera's rate.")
@click.option("--baseline", is_flag=True, help="Also run a plain float32 NumPy loop, in turns, and give the ratio.")
@click.option("--still", is_flag=True, help="The person does not move; only the camera's noise changes.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@settings_options("segment", "matte", "background", "filters", "overlay", "framing", defaults=DEFAULTS, profile=False)
def bench(
    source: str,
    size: str,
    fps: float,
    frames: int,
    unpaced: bool,
    baseline: bool,
    still: bool,
    as_json: bool,
    assignments: tuple[str, ...],
    **options: Any,
) -> int:
    """Measure CPU, latency and memory of the real loop, fed by a camera in memory.

    The same loop as `vcam start`, on a second of the demo scene encoded as a camera would send it. CPU is that of the
    whole process, all threads.
    """
    from rich.console import Console
    from rich.progress import Progress

    from vcam.measure import bench as measuring

    options |= {"output__size": size, "output__fps": fps}
    # only what is asked for is measured: a config file must not change what a figure means
    settings = load_isolated(options, assignments, DEFAULTS).settings
    console = Console(stderr=True)
    with Progress(console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("measuring", total=frames)
        report = measuring.run(
            measuring.Bench(settings, measuring.INPUTS[source], frames, not unpaced, baseline, still),
            lambda done: bar.update(task, completed=done),
        )
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    return 0


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['size']} {report['input']}, {report['background']}, {report['segmenter']}")
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row("CPU per frame", f"{report['cpu_ms_per_frame']:.2f} ms")
    table.add_row("share of a core", f"{report['core_percent']:.1f} %")
    table.add_row("frames a second", f"{report['fps']:.1f}")
    table.add_row("dropped", str(report["dropped"]))
    if report["skipped"]:
        table.add_row("network not asked for", str(report["skipped"]))
    for name, value in report["latency_ms"].items():
        table.add_row(f"latency {name}", f"{value:.2f} ms")
    for name, value in report["stages_ms"].items():
        table.add_row(f"  {name}", f"{value:.2f} ms")
    table.add_row("page faults per frame", f"{report['faults_per_frame']:.1f}")
    table.add_row("resident memory", f"{report['rss_mb']:.0f} MB")
    if "ratio" in report:
        table.add_row("plain NumPy loop", f"{report['baseline']['cpu_ms_per_frame']:.2f} ms")
        table.add_row("[bold]times less CPU", f"[bold]{report['ratio']:.1f}")
    Console().print(table)
