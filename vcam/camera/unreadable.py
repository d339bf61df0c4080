"""What to say of a camera whose formats vcam does not read: which they are, and what helps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vcam.camera.modes import KNOWN, list_formats
from vcam.errors import CameraError
from vcam.printable import few
from vcam.v4l2 import device
from vcam.v4l2.discover import Node


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of formats by their four-character codes; `decoder` is what ffmpeg calls it, if it can read it."""

    codes: str
    words: str
    decoder: str = ""


_KINDS = (
    _Kind("H264|AVC1|S264|M264|X264", "H.264", "h264"),
    _Kind("HEVC|H265", "HEVC", "hevc"),
    _Kind("VP8.?", "VP8", "vp8"),
    _Kind("VP9.?", "VP9", "vp9"),
    _Kind("MPEG|MPG[124]|XVID|FMP4", "MPEG", "mpeg4"),
    # <linux/videodev2.h>, "Bayer formats": the first letters are the colours of the first line, or a p for packed
    _Kind("BA8[12]|GBRG|GRBG|RGGB|BYR2|GB16|GR16|RG16|(BG|GB|BA|RG)1[0246]|p[BGgR][A-E]{2}|[abBcdgGrR][BGgR]A8|ip3[bgGr]"
          "|MG1P|BU81", "raw sensor data (Bayer)"),
    _Kind("Y8I|Y12I|Y16I", "two infrared pictures in one"),
    _Kind("Z16.?|INZI|INVZ|INVI|INRI|CNF4|D16S", "depth"),
)  # fmt: skip


def refusal(name: str, node: str, codes: Iterable[str]) -> CameraError:
    """Why a camera with these formats cannot be used, and what helps. name, node: what it is called, and its path."""
    codes = list(dict.fromkeys(codes))
    what = f"{name} ({node})"
    if any(code in KNOWN for code in codes):
        return CameraError(
            f"{what} has no size that vcam can take, in a format that it reads", "vcam devices shows what it offers"
        )
    if not codes:
        return CameraError(f"{what} offers no picture at all", "choose another camera; vcam devices lists them")
    kinds = list(dict.fromkeys(kind for code in codes if (kind := _kind_of(code))))
    listed = few(codes)
    if len(kinds) == 1 and all(_kind_of(code) for code in codes):
        sends = f"sends only {kinds[0].words} (its formats: {listed})"
    else:
        sends = f"has no format that vcam reads (its formats: {listed})"
    decoder = next((kind.decoder for kind in kinds if kind.decoder), "")
    if decoder:
        feed = f"ffmpeg -f v4l2 -input_format {decoder} -i {node} -pix_fmt yuv420p -f v4l2 /dev/videoN"
        return CameraError(
            f"{what} {sends}, which vcam does not decode" if len(kinds) == 1 else f"{what} {sends}",
            f"let ffmpeg decode it into a virtual camera, and take that: {feed}",
        )
    if any("Bayer" in kind.words for kind in kinds):
        return CameraError(
            f"{what} {sends}", "its picture is made by libcamera: a program that speaks PipeWire or libcamera reads it"
        )
    return CameraError(f"{what} {sends}", "choose another camera; vcam devices lists them")


def _kind_of(code: str) -> _Kind | None:
    return next((kind for kind in _KINDS if re.fullmatch(kind.codes, code)), None)


def refuse_unreadable(node: Node) -> None:
    """Raise `CameraError` if nothing that a camera offers can be read. It is not switched on."""
    try:
        with device.opened(node.path) as fd:
            codes = list_formats(fd)
    except OSError:
        # whatever that is, opening it for good will tell
        return
    if codes and not any(code in KNOWN for code in codes):
        raise refusal(node.card, str(node.path), codes)
