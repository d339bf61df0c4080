"""From a film to vcam's frames: ffmpeg's filters for its fields, its shape and its colours.

Frames of vcam are BT.601 in the limited range, progressive, of the primaries and the curve of BT.709.

`scale` of ffmpeg changes the matrix by way of RGB in 8 bits, and its fast way turns greys: (125, 125, 125) becomes
(125, 128, 125), and luma loses a level. Exact flags cost thirteen times as much. The filter `colorspace` goes from
matrix to matrix in 16 bits, keeps greys exact and costs a fifth of the fast way. So `scale` changes the size, the
layout, and `colorspace` the matrix, the range and the primaries.

HDR is light in nits. 203 of them are the white of SDR (ITU-R BT.2408). Up to 80 % of that the light stays what it is,
so that a face has the colour it has in SDR; what is above is pressed into the rest, up to 1000 nits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vcam import extras
from vcam.errors import VcamError
from vcam.media.colours import HLG, ColourTags, is_grey, is_rgb
from vcam.media.ffmpeg import MediaInfo, ask, find_ffmpeg
from vcam.types import Size

Has = Callable[[str], bool]
"""Whether the ffmpeg in use has a filter."""

_WHITE = 203
_PEAK = 1000
_KNEE = 0.8

_TELLS_FRAMES = frozenset({
    "h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4", "vc1", "wmv3", "dvvideo", "prores", "dnxhd", "ffv1",
    "v210", "rawvideo",
})  # fmt: skip
"""Codecs of which every frame says whether it is interlaced; of the others only the file does."""

_ORDERS = {"t": "tff", "b": "bff"}


@dataclass(frozen=True, slots=True)
class Chain:
    """Filters in their order, and a word for people on what could not be done, "" if all could."""

    filters: tuple[str, ...]
    note: str = ""


def film_filters(info: MediaInfo | None, size: Size, filters: str = "", *, quick: bool = False) -> tuple[str, str]:
    """All of ffmpeg's filters for a film, and a word for people as in `Chain`.

    info: None for what nothing is known of, as for a stream. filters: what else to do, after the fields are whole and
    before the picture is scaled to `size`. quick: as for `to_frames`.
    """
    if info is None:
        return ",".join(filter(None, (filters, _scale(size, "", "bt601"), "format=yuv420p"))), ""
    film = info.film
    fields = deinterlace(info.field_order, film.codec)
    colours = to_frames(info.colour, film.pixel_format, film.size, size, quick=quick)
    note = "; it ".join(filter(None, (fields.note, colours.note)))
    return ",".join((*fields.filters, *filter(None, (filters,)), *colours.filters)), note


def has_filter(name: str, program: str = "") -> bool:
    """Whether an ffmpeg has this filter: `program`, or the one that vcam uses. False if it does not answer."""
    try:
        listed = ask(program or find_ffmpeg(), "-filters")
    except VcamError:
        return False
    return any(words[1:2] == [name] for words in map(str.split, listed.splitlines()))


def square_size(info: MediaInfo) -> Size:
    """The size of a film in square pixels, and with even sides, without which few players take a file.

    The height stays, but for a row more. An oblong pixel changes the width, to the nearest even one.
    """
    width, height = info.size
    if info.aspect != 1:
        width = max(2, 2 * round(width * info.aspect / 2))
    return width + width % 2, height + height % 2


def even_sides(size: Size) -> str:
    """A filter that repeats the last row or column where a side of `size` is odd; "" where none is.

    It begins with a scale, in case the size changes within the film.
    """
    width, height = size
    right, below = width % 2, height % 2
    if not right and not below:
        return ""
    # whole chroma, or a column of it would have to be halved
    formats = "format=yuv444p|yuv444p10|gbrp|gbrp10|gray|gray10"
    even = f"pad={width + right}:{height + below},fillborders=right={right}:bottom={below}:mode=smear"
    return f"scale={width}:{height}:flags=bicubic,{formats},{even}"


def deinterlace(field_order: str, codec: str, has: Has = has_filter) -> Chain:
    """One whole frame for each interlaced one, so that the rate stays; nothing for a progressive film.

    field_order: as in `MediaInfo`. codec: ffmpeg's name, "" where unknown. Frames that say they are progressive stay
    untouched, and where the file says nothing, only those that say they are interlaced are changed.
    """
    said = field_order not in ("", "progressive")
    if not said and (field_order == "progressive" or codec not in _TELLS_FRAMES):
        return Chain(())
    name = next((name for name in ("bwdif", "yadif") if has(name)), "")
    if not name:
        return Chain((), "is interlaced, and this ffmpeg cannot undo that: edges that move stay combed" if said else "")
    if codec in _TELLS_FRAMES:
        return Chain((f"{name}=mode=send_frame:deint=interlaced",))
    # "tb" and "bt" are of fields stored in one order and shown in the other, but ffmpeg writes them for "tt" and "bb"
    return Chain((f"{name}=mode=send_frame:parity={_ORDERS.get(field_order[0], 'auto')}:deint=all",))


def to_frames(
    tags: ColourTags, pixel_format: str, stored: Size, size: Size, *, quick: bool = False, has: Has = has_filter
) -> Chain:
    """From the decoded pictures to frames of `size`: scaled, BT.601, limited range, 8-bit 4:2:0.

    pixel_format: that of the film, "" where unknown. stored: the size of the film's own frames, by which an untagged
    one is taken for HD or SD. quick: colours of HLG by a rougher formula, at half the cost, for who has to keep up with
    the film.
    """
    rgb = is_rgb(pixel_format)
    if tags.is_hdr and has("zscale") and has("tonemap"):
        full = bool(tags.full_range) and not rgb
        return Chain(_from_hdr(tags, size, rgb, full, quick))
    note = ""
    if tags.is_hdr:
        note = (
            "is an HDR film, and this ffmpeg cannot tone-map it, so its colours look washed out: "
            f"sudo apt install ffmpeg, or {extras.command('ffmpeg')}"
        )
    if is_grey(pixel_format):
        return Chain((*_from_grey(tags, size), "format=yuv420p"), note)
    if rgb and not tags.is_wide:
        return Chain((_scale(size, "", "bt601", rgb=True), "format=yuv420p"), note)
    matrix = tags.matrix_for(stored)
    same = _SCALES.get(matrix, "")
    full = tags.full_range or pixel_format.startswith("yuvj")
    if matrix == "smpte170m" and not tags.is_wide and not (full and has("colorspace")):
        return Chain((_scale(size, same, same), "format=yuv420p"), note)
    if not has("colorspace"):
        return Chain((_scale(size, same, "bt601", flags=_EXACT), "format=yuv420p"), note)
    into = _scale(size, same, same, rgb=rgb, full=full)
    # deeper samples lose their bits in one step with all else
    deep = rgb or pixel_format.endswith(("le", "be"))
    between = "yuv420p10" if deep else "yuvj420p|yuv420p" if full else "yuv420p|yuvj420p"
    return Chain((into, f"format={between}", _change(tags, matrix, full)), note)


def from_frames() -> str:
    """From frames of vcam, in an ffmpeg that has the filter `colorspace`, to BT.709's matrix."""
    given = "ispace=smpte170m:irange=tv:iprimaries=bt709:itrc=bt709"
    return f"colorspace={given}:space=bt709:range=tv:primaries=bt709:trc=bt709:fast=1"


_EXACT = "bicubic+accurate_rnd+full_chroma_int"
_SCALES = {"smpte170m": "bt601", "fcc": "fcc", "bt709": "bt709", "smpte240m": "smpte240m", "bt2020nc": "bt2020"}
"""The matrices that `scale` knows, by their names there."""


def _scale(
    size: Size, given: str, wanted: str, *, rgb: bool = False, full: bool = False, flags: str = "bicubic"
) -> str:
    """To a size and a range, from one matrix to another of those that `scale` knows; "" leaves it to the frames."""
    # between two equal matrices the fast way is exact
    flags = "bicubic+accurate_rnd+full_chroma_inp" if rgb else flags
    names = (f"in_color_matrix={given}:" if given else "") + (f"out_color_matrix={wanted}:" if wanted else "")
    return f"scale={size[0]}:{size[1]}:flags={flags}:{names}out_range={'pc' if full else 'tv'}"


def _from_grey(tags: ColourTags, size: Size) -> tuple[str, ...]:
    """Luma alone, which no matrix changes."""
    if tags.full_range is not False:
        return (_scale(size, "", ""),)
    # newer ffmpegs take every grey for full range: so it is called that before and after
    return "setparams=range=pc", _scale(size, "", "", full=True)


def _change(tags: ColourTags, matrix: str, full: bool) -> str:
    """From one matrix and range to BT.601's limited ones, and from wide primaries to BT.709's."""
    curve = "bt709"
    if tags.is_wide:
        # the same curve there and back: linear light is needed for the primaries alone
        curve = "iec61966-2-1" if tags.transfer == "iec61966-2-1" else curve
        primaries = f"iprimaries={tags.primaries or 'bt2020'}"
    else:
        primaries = "fast=1:iprimaries=bt709"
    given = f"ispace={matrix}:irange={'pc' if full else 'tv'}:{primaries}:itrc={curve}"
    return f"colorspace={given}:space=smpte170m:range=tv:primaries=bt709:trc={curve}:format=yuv420p"


def _from_hdr(tags: ColourTags, size: Size, rgb: bool, full: bool, quick: bool) -> tuple[str, ...]:
    """Tone-mapped to the light of SDR, which is then written by the curve of sRGB, as displays show it."""
    matrix = tags.matrix if tags.matrix in ("bt709", "bt2020c", "ictcp") else "bt2020nc"
    primaries = tags.primaries or "bt2020"
    same = _SCALES.get(matrix, "")
    light = f"transferin={tags.transfer}:transfer=linear:primaries=bt709:npl={_WHITE}"
    if tags.transfer == HLG and not quick:
        # else the system gamma is applied to each colour by itself, and saturates them; BT.2100 applies it to luminance
        light += ":agamma=false"
    return (
        # the range is left to the filter that counts in floats: the curves of HDR make much of one level
        _scale(size, same, same, rgb=rgb, full=full),
        "format=yuv420p10",
        f"zscale=matrixin={matrix}:rangein={'full' if full else 'limited'}:primariesin={primaries}:{light}",
        "format=gbrpf32le",
        f"tonemap=mobius:param={_KNEE}:desat=0:peak={_PEAK / _WHITE:.4f}",
        "zscale=transferin=linear:primariesin=bt709:transfer=iec61966-2-1:primaries=bt709:matrix=smpte170m:range=limited",
        "format=yuv420p",
    )
