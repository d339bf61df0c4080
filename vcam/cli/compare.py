"""`vcam compare`: settings side by side, for choosing them by eye."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import click

from vcam.cli import complete
from vcam.cli.options import OF_A_CAMERA, Named, load_settings, overwrite_option, room_option, settings_options
from vcam.files import Overwriting
from vcam.settings import files_read


@click.command()
@click.argument("input", type=Named())
@click.argument("output", metavar="OUT", type=Named())
@overwrite_option
@click.option("--filter", "filters", multiple=True, metavar="NAME[:PARAM=VALUE,...]",
              shell_complete=complete.setting("filters.chain"),
              help="A variant with this filter; several in a row are separated by semicolons.")  # fmt: skip
@click.option("--variant", "variants", multiple=True, metavar="KEY=VALUE,...", help="A variant with these settings.")
@click.option("--frame", default=30, show_default=True, type=click.IntRange(0), metavar="NUMBER",
              help="Which frame of a video to show; those before it are run, too.")  # fmt: skip
@room_option
@settings_options("segment", "matte", "background", but=OF_A_CAMERA)
def compare(
    input: Path,
    output: Path,
    overwrite: bool,
    filters: tuple[str, ...],
    variants: tuple[str, ...],
    frame: int,
    room: str | None,
    profile: str,
    assignments: tuple[str, ...],
    **options: Any,
) -> int:
    """Lay variants of a picture side by side: picture, matte, enlarged edges and what each costs.

    INPUT is a picture or a video; OUT a page (.html, with everything in it) or a picture (.png). The first variant is
    always the settings as they are; the enlarged parts are those where the variants differ most. With --room the second
    variant is the same with what is known of the room, and so are all that follow.

    \b
    vcam compare me.jpg look.html --filter smoothstep --filter color-transfer
    vcam compare talk.mp4 edge.png --variant matte.edge=0 --variant matte.edge=4,matte.softness=1
    vcam compare talk.mp4 room.html --room empty.jpg
    """
    from rich.console import Console
    from rich.progress import Progress

    from vcam.filmroom import RoomSource
    from vcam.measure import sheet
    from vcam.measure.compare import compare as run
    from vcam.measure.compare import plan_variants, with_variant

    settings = load_settings(options, profile, assignments).settings
    known = None if room is None else RoomSource.parse(room)
    planned = plan_variants(filters, variants, room=known is not None)
    own = [settings, *(with_variant(settings, variant) for variant in planned)]
    read = known.files() if known else []
    rule = Overwriting(overwrite, lambda: chain.from_iterable(files_read(each) for each in own))
    rule = rule.with_inputs(input, *read)
    sheet.check_target(output, rule)
    console = Console(stderr=True)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    with Progress(console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("comparing", total=len(planned))
        comparison = run(input, settings, planned, frame, lambda done: bar.update(task, completed=done), known)
    for note in comparison.notes:
        click.echo(f"vcam: {note}", err=True)
    sheet.write_page(output, comparison, rule)
    if not quiet:
        for result in comparison.results:
            click.echo(f"{result.name}: {sheet.cost(result)}", err=True)
        click.echo(str(output), err=True)
    return 0
