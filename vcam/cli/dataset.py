"""`vcam dataset`: pictures with mattes, to train networks on: brought in, checked, split and looked at."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete
from vcam.cli.datasetview import MOST_LINES, as_plain, bar, in_window, say, show_findings, show_statistics, tell
from vcam.cli.main import HelpfulGroup
from vcam.cli.options import Named, overwrite_option
from vcam.printable import few, json_text, printable

if TYPE_CHECKING:
    from vcam.datasets.check import Verdict
    from vcam.datasets.store import Entry

_json = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")


@click.group(cls=HelpfulGroup)
def dataset() -> None:
    """Pictures with mattes to train networks on.

    A data set is a folder: img/ holds the pictures, mask/ their mattes under the same names, index.csv says which of
    them are to learn from, to choose by and to judge by. vcam eval reads it as it is.
    """


@dataset.command("import")
@click.argument("source", type=Named())
@click.argument("data", type=Named())
@click.option(
    "--from",
    "word",
    default="auto",
    metavar="FORMAT",
    shell_complete=complete.importers,
    help="What SOURCE is; by default that is found out.",
)
@click.option(
    "--licence",
    "--license",
    "licence",
    default=None,
    metavar="NAME",
    help="The licence of these pictures, as CC-BY-4.0. It is asked for if it is not given.",
)
@click.option(
    "--source",
    "called",
    default="",
    metavar="NAME",
    help="What to call SOURCE in the index; by default the end of its path.",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many pictures.")
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Every so many frames of a film; of stills, every so many pictures.",
)
@click.option(
    "--size", type=click.IntRange(16), metavar="PIXELS", help="Make pictures smaller whose longest side is larger."
)
@click.option(
    "--clips", is_flag=True, help="With pairs: each folder of pictures is a film, whose frames stay together."
)
@_json
def bring(
    source: Path, data: Path, word: str, licence: str | None, called: str, limit: int | None, every: int,
    size: int | None, clips: bool, as_json: bool,
) -> None:  # fmt: skip
    """Bring the pictures of SOURCE into the data set DATA.

    SOURCE is a folder or a film in one of these formats. It can be ended at any time; the same command goes on.

    \b
    vcam         another data set of vcam, with its licences and films
    pairs        img/ and mask/, images/ and masks/, NAME.jpg and NAME_mask.png, films with films of mattes
    cutouts      people cut out: PNG or WebP with alpha
    aisegment    clip_img/ and matting/
    supervisely  img/ and ann/ with JSON
    voc          JPEGImages/ and SegmentationClass/ of Pascal VOC
    coco         annotations/instances_*.json and folders of pictures
    pfcn         images_data_crop/ and images_mask/ with .mat
    npy          img_uint8.npy and msk_uint8.npy
    davis        JPEGImages/480p/ and Annotations/480p/
    youtube-vos  JPEGImages/, Annotations/ and meta.json
    keyed        films before a green or blue screen; the key makes the matte

    \b
    vcam dataset import ~/Downloads/portraits faces --licence CC0-1.0
    vcam dataset import greenscreen.mp4 faces --every 15 --licence mine
    """
    from vcam.datasets.importers.base import Options
    from vcam.datasets.importers.registry import find_importer
    from vcam.datasets.importing import UNKNOWN, bring_in
    from vcam.errors import UsageError

    importer = find_importer(word, source)
    if source.is_dir() and data.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{data} lies in {source}, and would be brought into itself", "make the data set elsewhere")
    plan = importer.plan(source, Options(every, clips))
    if licence is None and not as_json and sys.stdin.isatty() and sys.stderr.isatty():
        licence = click.prompt("Licence of these pictures", default=UNKNOWN, err=True)
    called = called or "/".join(source.resolve().parts[-2:]).strip("/")
    most = plan.total if limit is None else min(limit, plan.total or limit)
    try:
        with bar(f"{importer.name} {printable(source.name)}", most, as_json) as progress:
            report = bring_in(
                plan, data, source=called, licence=licence or "", size=size, limit=limit, progress=progress
            )
    except KeyboardInterrupt:
        say(f"ended: what was done is in {data}; the same command goes on")
        raise
    unlicensed = sum(entry.licence == UNKNOWN for entry in _entries(data) if entry.source == called)
    if as_json:
        told = {"format": importer.name, "source": called, "made": report.made, "there": report.there,
                "left_out": report.left, "notes": report.notes, "unlicensed": unlicensed}  # fmt: skip
        click.echo(json_text(told, indent=2))
        return
    tell(report, importer.name, data)
    if unlicensed:
        say(f"the licence of {unlicensed} is unknown: the same command with --licence NAME says it")
    say(f"next: vcam dataset check {shlex.quote(str(data))}")


def _entries(data: Path) -> Sequence[Entry]:
    from vcam.datasets.store import open_dataset

    return open_dataset(data).entries


@dataset.command()
@click.argument("data", type=Named())
@click.option(
    "--fix",
    is_flag=True,
    help="Write mattes anew that are inverted, too dark, or not grey of 8 bits; nothing else is changed.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="KIND",
    shell_complete=complete.findings,
    help="A kind of finding that is meant to be so, as empty; may be repeated.",
)
@click.option(
    "--sheet",
    "sheet_file",
    type=Named(),
    metavar="FILE",
    help="Write a contact sheet, .png, .jpg or .html; what is wrong comes first.",
)
@overwrite_option
@_json
def check(
    data: Path, fix: bool, allow: tuple[str, ...], sheet_file: Path | None, overwrite: bool, as_json: bool
) -> None:
    """Look for what is wrong with the data set DATA.

    Every picture is read. Found are pictures and mattes that are broken, missing, of another shape; mattes that are
    inverted, empty, full, or too dark; pictures that are there twice, and nearly the same ones in two splits. Ends
    with 1 if anything is wrong.

    \b
    vcam dataset check faces --sheet faces.html
    vcam dataset check faces --allow empty        some pictures are of nobody
    """
    from vcam.datasets.check import KINDS
    from vcam.datasets.check import check as look
    from vcam.datasets.store import open_dataset
    from vcam.errors import UsageError
    from vcam.files import Overwriting

    for kind in allow:
        if kind not in KINDS:
            raise UsageError(f"{kind} is no kind of finding", f"--allow {'|'.join(KINDS)}")
    found = open_dataset(data)
    rule = Overwriting(overwrite, lambda: (path for one in found.entries for path in (one.picture, one.matte)))
    if sheet_file:
        _check_target(sheet_file, rule)
    with bar(f"checking {printable(data.name)}", len(found.entries), as_json) as progress:
        verdict = look(found, fix=fix, progress=progress)
    wrong = verdict.wrong(allow)
    if sheet_file:
        _sheet_of(sheet_file, found.entries, verdict, data, rule)
    if as_json:
        click.echo(json_text({"folder": str(data), "ok": not wrong, **as_plain(verdict)}, indent=2))
    else:
        show_statistics(verdict.statistics, str(data))
        show_findings(verdict, data, allow)
        if sheet_file:
            say(f"the contact sheet is {sheet_file}")
    if wrong:
        click.get_current_context().exit(1)


def _check_target(path: Path, rule: Any) -> None:
    from vcam.errors import UsageError
    from vcam.suffixes import IMAGE_SUFFIXES

    if path.suffix.lower() not in IMAGE_SUFFIXES | {".html", ".htm"}:
        raise UsageError(f"{path.name}: a contact sheet is a picture or a page", "use .png, .jpg or .html")
    rule.check(path)


def _sheet_of(path: Path, entries: Sequence[Entry], verdict: Verdict, data: Path, rule: Any) -> None:
    from vcam.datasets.check import KINDS
    from vcam.datasets.sheet import chosen, tile_of, write_sheet

    words: dict[str, str] = {}
    bad: set[str] = set()
    for one in verdict.findings:
        for name in filter(None, (one.name, one.other)):
            words.setdefault(name, one.kind)
            bad.update({name} if KINDS[one.kind].wrong else ())
    shown = chosen(entries, [*words])
    tiles = [tile_of(entry, words.get(entry.name, ""), entry.name in bad) for entry in shown]
    statistics = verdict.statistics
    figures = [[split, str(each["pictures"]), f"{each['person']:.0%} person"]
               for split, each in statistics["splits"].items()]  # fmt: skip
    told = [[one.kind, f"{one.name} {one.other}".strip(), one.said] for one in verdict.findings[:1000]]
    licences = [[name, str(count)] for name, count in statistics["licences"].items()]
    write_sheet(path, tiles, str(data), [("Splits", figures), ("Licences", licences), ("Findings", told)], rule)


@dataset.command()
@click.argument("data", type=Named())
@click.option("--val", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Share to choose by.")
@click.option("--test", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share to judge by.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another number gives another split.")
@_json
def split(data: Path, val: float, test: float, seed: int, as_json: bool) -> None:
    """Split the data set DATA anew into train, val and test.

    Frames of one film stay together, and so do pictures that are nearly the same. A picture's place depends on its
    name and the seed, so that pictures which are added later move no other.
    """
    from vcam.datasets.splitting import split_anew
    from vcam.datasets.store import SPLITS, open_dataset, write_index

    found = open_dataset(data)
    with bar(f"comparing {printable(data.name)}", len(found.entries), as_json) as progress:
        entries, kept = split_anew(found, val=val, test=test, seed=seed, progress=progress)
    write_index(data, entries)
    counts = Counter(entry.split for entry in entries)
    if as_json:
        click.echo(json_text({"folder": str(data), "splits": {name: counts[name] for name in SPLITS}, "together": kept},
                             indent=2))  # fmt: skip
        return
    click.echo(", ".join(f"{name}: {counts[name]}" for name in SPLITS if counts[name]))
    for names in kept[:MOST_LINES]:
        click.echo(f"  kept together, nearly the same: {printable(few(names))}")
    if len(kept) > MOST_LINES:
        click.echo(f"  and {len(kept) - MOST_LINES} more groups; --json tells all")
    empty = [name for name, share in zip(SPLITS, (1 - val - test, val, test), strict=True)
             if share > 0 and not counts[name]]  # fmt: skip
    if empty:
        say(f"{' and '.join(empty)} got nothing: there are too few pictures that are not kept together")


@dataset.command()
@click.argument("data", type=Named())
@click.option("--split", "part", type=click.Choice(("train", "val", "test")), help="Only this part.")
@click.option("--out", "out", type=Named(), metavar="FILE", help="Write a file, .png, .jpg or .html; no window.")
@overwrite_option
@_json
def show(data: Path, part: str | None, out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Show what is in the data set DATA: a table, and a sheet of pictures with the outlines of their mattes.

    The sheet is in a window, or in the file that --out names. There are at most 120 pictures on it, evenly chosen.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from vcam.datasets.sheet import chosen, sheet, tile_of, write_sheet
    from vcam.datasets.store import SPLITS, open_dataset
    from vcam.errors import InputError
    from vcam.files import Overwriting
    from vcam.output.window import has_display

    found = open_dataset(data)
    entries = found.part(part) if part else list(found.entries)
    if not entries:
        raise InputError(f"{data} has no picture in {part}", f"vcam dataset split {shlex.quote(str(data))}")
    rule = Overwriting(overwrite, lambda: (path for one in found.entries for path in (one.picture, one.matte)))
    if out:
        _check_target(out, rule)
    counts = Counter((one.split, one.source, one.licence or "unknown") for one in entries)
    rows = [(*key, counts[key]) for key in sorted(counts, key=lambda key: (SPLITS.index(key[0]), key))]
    if as_json:
        names = ("split", "source", "licence", "pictures")
        click.echo(json_text([dict(zip(names, row, strict=True)) for row in rows], indent=2))
    else:
        title = Text(printable(str(data)))
        table = Table("split", "source", "licence", Column("pictures", justify="right"), title=title)
        for row in rows:
            table.add_row(*(Text(printable(str(cell))) for cell in row))
        Console().print(table)
    if not out and (as_json or not has_display()):
        if not as_json:
            say("there is no display: --out FILE.png writes the sheet into a file")
        return
    tiles = [tile_of(entry) for entry in chosen(entries)]
    if out:
        shown = [[str(cell) for cell in row] for row in rows]
        write_sheet(out, tiles, str(data), [("Pictures", shown)], rule)
        say(f"the sheet is {out}")
    else:
        in_window(sheet(tiles))
