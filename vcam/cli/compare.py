"""`vcam compare`: settings side by side, for choosing them by eye."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import click

from vcam.cli import complete
from vcam.cli.options import Named, load_settings, overwrite_option, settings_options
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
@settings_options("segment", "matte", "background")
def compare(
    input: Path,
    output: Path,
    overwrite: bool,
    filters: tuple[str, ...],
    variants: tuple[str, ...],
    frame: int,
    profile: str,
    assignments: tuple[str, ...],
    **options: Any,
) -> int:
    """Lay variants of a picture side by side: picture, matte, enlarged edges and what each costs.

    INPUT is a picture or a video; OUT a page (.html, with everything in it) or a picture (.png). The first variant is
    always the settings as they are; the enlarged parts are those where the variants differ most.

    \b
    vcam compare me.jpg look.html --filter smoothstep --filter color-transfer
    vcam compare talk.mp4 edge.png --variant matte.edge=0 --variant matte.edge=4,matte.softness=1
    """
    from rich.console import Console
    from rich.progress import Progress

    from vcam.measure import sheet
    from vcam.measure.compare import compare as run
    from vcam.measure.compare import plan_variants, with_variant

    settings = load_settings(options, profile, assignments).settings
    planned = plan_variants(filters, variants)
    own = [settings, *(with_variant(settings, variant) for variant in planned)]
    rule = Overwriting(overwrite, lambda: chain.from_iterable(files_read(each) for each in own)).with_inputs(input)
    sheet.check_target(output, rule)
    console = Console(stderr=True)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    with Progress(console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("comparing", total=len(planned))
        comparison = run(input, settings, planned, frame, lambda done: bar.update(task, completed=done))
    sheet.write_page(output, comparison, rule)
    if not quiet:
        for result in comparison.results:
            click.echo(f"{result.name}: {sheet.cost(result)}", err=True)
        click.echo(str(output), err=True)
    return 0
