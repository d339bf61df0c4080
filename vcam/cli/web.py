"""`vcam web`: the page that needs no vcam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vcam.cli.asking import dry_run_option, go_on, yes_option

if TYPE_CHECKING:
    from vcam.webpage import runtime


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--serve", "served", is_flag=True, help="Serve the page on this machine until Ctrl-C.")
@click.option("--open", "opened", is_flag=True, help="Serve it, and open it in the browser.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Where to serve; any free port by default.")
@click.option(
    "--onnxruntime", "source", metavar="FILE|DIR",
    help="Take ONNX Runtime for browsers from this machine: the npm package onnxruntime-web, or a folder with it.",
)  # fmt: skip
@dry_run_option
@yes_option
def web(folder: str, served: bool, opened: bool, port: int, source: str | None, dry_run: bool, yes: bool) -> None:
    """Write a page that does vcam's main job in any browser into the folder DIR, with nothing to install.

    Camera, network, background, recording: all of it runs in the browser, and no picture leaves it. The folder is
    made, or renewed if vcam wrote it. Put it on any web server with https, or see it here with --serve. The network
    runs on ONNX Runtime for browsers, which is fetched once, if you agree.
    """
    from vcam import folders
    from vcam.webpage.content import page_files
    from vcam.webpage.folder import check, write_page

    place = folders.expand(folder)
    check(place)
    engine = _engine(place, source, dry_run, yes)
    if dry_run:
        click.echo(f"would write {place}: the page, about 44 MB")
        return
    assert engine is not None
    files = page_files(engine)
    changed = write_page(place, files)
    total = sum(map(len, files.values())) / 1e6
    what = f"{changed} of {len(files)} files renewed" if changed < len(files) else f"{len(files)} files"
    click.echo(place)
    click.echo(f"{what}, {total:.0f} MB in all", err=True)
    if served or opened:
        _serve(place, port, opened)
    else:
        click.echo("Put it on any web server with https, or see it here: vcam web DIR --open", err=True)


def _engine(folder: Path, source: str | None, dry_run: bool, yes: bool) -> runtime.Files | None:
    from vcam import folders
    from vcam.webpage import runtime

    if source is not None:
        return runtime.given(folders.expand(source))
    if found := runtime.known(folder):
        return found
    if dry_run:
        click.echo(f"would fetch {runtime.NAME}, {runtime.BYTES / 1e6:.0f} MB, from {runtime.ADDRESS}")
        return None
    click.echo(
        f"The page needs {runtime.NAME} (MIT, Microsoft), {runtime.BYTES / 1e6:.0f} MB, fetched once from\n"
        f"{runtime.ADDRESS}\nThe page itself asks nobody but the server that it lies on.",
        err=True,
    )
    go_on(yes)
    return _fetched()


def _fetched() -> runtime.Files:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from vcam.webpage import runtime

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(runtime.NAME, total=runtime.BYTES)
        return runtime.fetched(lambda done, of: bar.update(task, completed=done, total=of))


def _serve(folder: Path, port: int, opened: bool) -> None:
    import webbrowser

    from vcam.web.server import check_packages, listen
    from vcam.webpage.serving import serve

    check_packages()

    def ready(address: str) -> None:
        click.echo(address)
        seen = opened and webbrowser.open(address)
        click.echo("Ctrl-C ends it." if seen or not opened else "Open this address in a browser.", err=True)

    serve(folder, listen(port), ready)
