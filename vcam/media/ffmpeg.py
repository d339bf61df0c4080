"""The ffmpeg program: where it is, what it is asked, and what is known of a media file.

A file is looked into by `vcam.media.probe`, its frames are read by `vcam.media.reader`, and ffmpeg is fed by
`vcam.media.process`.

ffmpeg runs as a process of its own. Binding its libraries instead (PyAV) would put LGPL-3.0 code into a process that
may hold pyvirtualcam as well, which is GPL-2.0-only, and a decoder that crashes would take the daemon with it.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from vcam import extras
from vcam.errors import UsageError, VcamError
from vcam.folders import scratch
from vcam.media.colours import UNTAGGED, ColourTags
from vcam.media.tracks import Track
from vcam.types import Size

PATIENCE = 20.0
"""Seconds that ffmpeg may take for an answer."""


@cache
def find_ffmpeg() -> str:
    """Path of the ffmpeg to use: `VCAM_FFMPEG`, the system's, else the one in the wheel imageio-ffmpeg."""
    if chosen := os.environ.get("VCAM_FFMPEG"):
        found = shutil.which(chosen)
        if not found:
            raise UsageError(f"VCAM_FFMPEG={chosen} is not a program", "unset it, or give the path of ffmpeg")
        return found
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped, unused-ignore]

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise VcamError("ffmpeg was not found", f"sudo apt install ffmpeg, or {extras.command('ffmpeg')}") from error


def ffmpeg_programs() -> list[str]:
    """Every ffmpeg there is, the one that `find_ffmpeg` takes first: for what not every ffmpeg can do."""
    first = find_ffmpeg()
    if os.environ.get("VCAM_FFMPEG"):
        return [first]
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped, unused-ignore]

        return list(dict.fromkeys((first, str(imageio_ffmpeg.get_ffmpeg_exe()))))
    except (ImportError, RuntimeError):
        return [first]


@cache
def ask(program: str, question: str) -> str:
    """What this ffmpeg says to `-version`, `-encoders`, `-protocols` and the like.

    Raises `VcamError` if it does not answer; it is asked again then.
    """
    try:
        done = subprocess.run(
            [program, "-hide_banner", question],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VcamError(f"{program} does not run: {error}", "give another ffmpeg in VCAM_FFMPEG") from error
    return done.stdout.decode("utf-8", "replace")


def run_once(
    program: str, arguments: Sequence[str], *, patience: float | None = None, late: str = "no answer"
) -> str | None:
    """Have ffmpeg do what ends by itself: None if it did it, else why not, in its own words.

    patience: seconds after which it is ended, and `late` is the answer.
    """
    command = [program, "-v", "error", "-nostdin", *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False,
            # Ctrl-C is for vcam, which ends its children in order
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return late
    except OSError as error:
        return str(error.strerror)
    return None if done.returncode == 0 else last_line(done.stderr.decode("utf-8", "replace"))


def local_url(path: Path) -> str:
    """A file as ffmpeg's `file:` URL, so that no name is taken for an option, a protocol, or many files.

    A picture's name with `%03d` in it is to ffmpeg a numbered series, with no way to say that it is not: such a file
    is given by a link, which is there as long as this process.
    """
    return f"file:{_linked(os.path.abspath(path)) if _SERIES.search(str(path)) else path}"


def local_name(url: str) -> str:
    """The file that a URL of `local_url` is of, for people; other URLs as they are."""
    name = url.removeprefix("file:")
    return _links.get(name, name)


_SERIES = re.compile(r"%\d*d")
_links: dict[str, str] = {}
"""Files by the links to them."""


@cache
def _linked(path: str) -> str:
    suffix = Path(path).suffix
    link = os.path.join(_links_folder(), f"{len(_links)}{'' if _SERIES.search(suffix) else suffix}")
    os.symlink(path, link)
    _links[link] = path
    return link


@cache
def _links_folder() -> str:
    folder = tempfile.mkdtemp(prefix="vcam-", dir=scratch())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_FILM_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h261,h263,h264,hevc,vvc,av1,obu,ivf,vc1,dirac,flv,asf,ogg,rm,gif,"
    "apng,mjpeg,mpjpeg,smjpeg,yuv4mpegpipe,nut,dv,mxf,gxf,wtv,nsv,nuv,roq,smk,bink,flic,film_cpk,png_pipe,jpeg_pipe,"
    "webp_pipe,tiff_pipe,bmp_pipe,wav,w64,mp3,aac,ac3,eac3,flac,aiff,caf,amr,ape,wv"
)
"""ffmpeg's names of what is one film, or one sound, in one file. Lists of other files (HLS, DASH, concat, IMF) are not
among them, whatever they are called: a film that somebody sends you must not make ffmpeg open others."""

LOCAL_ONLY = ("-protocol_whitelist", "file", "-format_whitelist", _FILM_FORMATS)
"""Options of ffmpeg, before `-i`, for a file: nothing but that file is opened."""


def local_input(path: Path) -> tuple[str, ...]:
    """ffmpeg's options for a file as its input; only that file is opened."""
    return (*LOCAL_ONLY, "-i", local_url(path))


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a media file holds. `size` is upright, after the rotation that players apply; `duration` in seconds, or
    None if unknown; `aspect` is the shape of a pixel (1 is square); `field_order` is ffmpeg's name: "progressive",
    or "tt", "bb", "tb", "bt" for an interlaced film, "" where the film does not say. `track` is ffmpeg's number of the
    moving picture that all this is said of, one of `tracks`. `places`: names of tags that tell where it was made.
    `format`: ffmpeg's name of the kind of file."""

    size: Size
    fps: Fraction
    duration: float | None
    aspect: Fraction
    colour: ColourTags = UNTAGGED
    field_order: str = ""
    track: int = 0
    tracks: tuple[Track, ...] = ()
    places: tuple[str, ...] = ()
    format: str = ""

    @property
    def beside(self) -> tuple[Track, ...]:
        """The tracks beside the picture that can go into another film."""
        kinds = ("audio", "subtitle", "attachment")
        return tuple(track for track in self.tracks if track.kind in kinds and track.codec)

    @property
    def film(self) -> Track:
        """The track of the moving picture."""
        return next(
            (track for track in self.tracks if track.index == self.track), Track(0, "video", "", size=self.size)
        )

    @property
    def frames(self) -> int | None:
        """About how many frames to expect."""
        return None if self.duration is None else max(1, round(self.duration * self.fps))


_EMPTY_WORDS = ("At least one output file", "Conversion failed!", "Error opening output file")


def last_line(text: str, nothing: str = "no message") -> str:
    """The last of ffmpeg's messages that says something, without the part of ffmpeg it comes from; else `nothing`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_EMPTY_WORDS)]
    return re.sub(r"^\[[^\]]*\] *", "", lines[-1]) if lines else nothing
