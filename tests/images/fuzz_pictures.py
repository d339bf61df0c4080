"""Damaged pictures for the one reader of all of them; what it finds must be InputErrors and nothing else.

    python -m tests.images.fuzz_pictures [--seconds N] [--seed N] [--first N] [--cases N] [--pixels N]

Pictures are made by Pillow in its formats, modes and depths, then cut, zeroed, flipped or lied to about lengths. A case
is made from the seed and its number alone: `--first 1234 --cases 1` does it again. The process may hold 3 GB.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, features

from tests.datasets.helpers import read_matte
from vcam.compose.backgrounds import animation
from vcam.errors import InputError
from vcam.images import opening, read_image, read_rgba

SLOW = 5.0
"""Seconds that one picture of two megapixels may take at the most, on a machine that others use."""


def _picture(mode: str, size: tuple[int, int] = (40, 30)) -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 4), np.uint8)
    noise[5:20, 5:30] = (200, 120, 60, 255)
    if mode in ("I;16", "I", "F"):
        kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        return Image.fromarray((noise[..., 0].astype(np.float64) * 257).astype(kinds[mode]))
    colour = Image.fromarray(noise)
    if mode == "LAB":
        pair = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
        return ImageCms.profileToProfile(colour.convert("RGB"), *pair, outputMode="LAB")
    return colour.convert("RGB").convert(mode) if mode in ("P", "CMYK", "YCbCr") else colour.convert(mode)


def _saved(kind: str, mode: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    _picture(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def _animated(kind: str, mode: str = "RGB", **options: object) -> bytes:
    buffer, first = io.BytesIO(), _picture(mode)
    more = [first.transpose(Image.Transpose.ROTATE_180), first.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    first.save(buffer, kind, save_all=True, append_images=more, duration=[40, 0, 200], loop=0, **options)
    return buffer.getvalue()


def sound_pictures() -> dict[str, bytes]:
    """Pictures of every format that the reader opens and Pillow writes, by what they are."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "vcam"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 100000))
    chunks.add_text("comment", "words" * 20, zip=True)
    made = {
        "jpeg": _saved("JPEG", "RGB", exif=exif, icc_profile=srgb),
        "jpeg progressive": _saved("JPEG", "RGB", progressive=True),
        "jpeg cmyk": _saved("JPEG", "CMYK"),
        "jpeg grey": _saved("JPEG", "L"),
        "mpo": _animated("MPO"),
        "png": _saved("PNG", "RGB", exif=exif, icc_profile=srgb),
        "png chunks": _saved("PNG", "RGBA", pnginfo=chunks),
        "png palette": _saved("PNG", "P", transparency=3),
        "png bits": _saved("PNG", "1"),
        "png deep": _saved("PNG", "I;16"),
        "png la": _saved("PNG", "LA"),
        "apng": _animated("PNG", "RGBA"),
        "gif": _saved("GIF", "P"),
        "gif moving": _animated("GIF", disposal=2),
        "gif see-through": _animated("GIF", "RGBA", disposal=3),
        "bmp": _saved("BMP", "RGB"),
        "bmp palette": _saved("BMP", "P"),
        "bmp alpha": _saved("BMP", "RGBA"),
        "dib": _saved("DIB", "RGB"),
        "ppm": _saved("PPM", "RGB"),
        "pgm": _saved("PPM", "I;16"),
        "pfm": _saved("PPM", "F"),
        "pbm": _saved("PPM", "1"),
        "ico": _saved("ICO", "RGBA", sizes=[(16, 16), (32, 24)]),
        "tga": _saved("TGA", "RGBA", compression="tga_rle"),
        "pcx": _saved("PCX", "RGB"),
        "dds": _saved("DDS", "RGBA"),
        **{f"dds {way}": _saved("DDS", "RGBA", pixel_format=way) for way in ("DXT1", "DXT5", "BC2", "BC3")},
        "ico bitmap": _saved("ICO", "RGBA", sizes=[(16, 16)], bitmap_format="bmp"),
        "sgi": _saved("SGI", "RGB"),
        "qoi": _saved("QOI", "RGB"),
        "psd": _PSD,
    }
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"):
        made[f"tiff {mode}"] = _saved("TIFF", mode)
    for way in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        made[f"tiff {way}"] = _saved("TIFF", "RGB", compression=way)
    made["tiff g4"] = _saved("TIFF", "1", compression="group4")
    if features.check("webp"):
        made["webp"] = _saved("WEBP", "RGB", exif=exif, icc_profile=srgb)
        made["webp lossless"] = _saved("WEBP", "RGBA", lossless=True)
        made["webp moving"] = _animated("WEBP")
    if features.check("avif"):
        made["avif"] = _saved("AVIF", "RGBA", exif=exif, speed=10)
        made["avif moving"] = _animated("AVIF", speed=10)
    if features.check("jpg_2000"):
        made["jp2"] = _saved("JPEG2000", "RGB")
        made["j2k"] = _saved("JPEG2000", "RGBA", no_jp2=True)
    return made


_PSD = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 8, 8, 8, 3) + bytes(12) + struct.pack(">H", 0) + bytes(range(192))
"""Pillow writes no PSD: three planes of 8x8, not compressed."""

_LENGTHS = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)


def damage(sound: bytes, dice: random.Random) -> bytes:
    """A copy that is cut, zeroed, flipped or lied to, mostly near its beginning, where the headers are."""
    data = bytearray(sound)

    def somewhere() -> int:
        if dice.random() < 0.7:
            return min(int(dice.expovariate(1 / 80)), len(data) - 1)
        return dice.randrange(len(data))

    for _ in range(dice.choice((1, 1, 1, 2, 3, 5, 8, 16))):
        way, at = dice.randrange(6), somewhere()
        if way == 0 and len(data) > 8:
            del data[dice.randrange(4, len(data)) :]
        elif way == 1:
            length = dice.choice((1, 4, 30, 200))
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif way == 2:
            data[at] ^= 1 << dice.randrange(8)
        elif way == 3:
            width = dice.choice((2, 4))
            number = dice.choice(_LENGTHS) & ((1 << 8 * width) - 1)
            part = number.to_bytes(width, dice.choice(("big", "little")))
            data[at : at + width] = part[: len(data[at : at + width])]
        elif way == 4:
            data[at] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        else:
            # a part twice, or gone
            part = data[at : at + dice.choice((4, 12, 60))]
            data[at : at + len(part) * dice.randrange(2)] = part
    return bytes(data) or b"\0"


def _play(path: Path) -> None:
    found = animation.look_at_animation(path)
    if found is None:
        return
    reader = animation.AnimationReader(path, (64, 48), Fraction(10), "cover")
    try:
        for _ in range(8):
            reader.read()
    finally:
        reader.close()


READERS = {"read_image": read_image, "read_rgba": read_rgba, "read_matte": read_matte, "play": _play}


def case(number: int, seed: int, sound: dict[str, bytes]) -> tuple[str, bytes]:
    """What the picture of this number was, and its bytes."""
    dice = random.Random(f"{seed}/{number}")
    name = dice.choice(sorted(sound))
    return name, damage(sound[name], dice)


def try_case(path: Path) -> tuple[str, list[str]]:
    """What became of a file: how many readers took it, and every fault found."""
    taken, faults = 0, []
    for name, read in READERS.items():
        # of processor: a busy machine takes longer for the same
        began = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read(path)
            taken += name == "read_image"
        except InputError as error:
            if path.name not in str(error) or not error.hint:
                faults.append(f"{name}: no name or no cure: {error}")
        except Exception as error:
            faults.append(f"{name}: {type(error).__name__}: {error}\n{traceback.format_exc(limit=-4)}")
        if (took := time.process_time() - began) > SLOW:
            faults.append(f"{name}: took {took:.1f} s")
    return ("taken" if taken else "refused"), faults


def main() -> int:
    """Fuzz for a time. The exit status is 1 if anything but an InputError came."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=10**9)
    parser.add_argument("--pixels", type=int, default=2_000_000, help="the most that a picture may have")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    opening.MAX_PIXELS = options.pixels
    sound, seen, bad = sound_pictures(), Counter(), 0
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="vcam-fuzz-") as folder:
        path = Path(folder) / "picture.png"
        number = options.first
        while number < options.first + options.cases and time.monotonic() < end:
            name, data = case(number, options.seed, sound)
            path.write_bytes(data)
            result, faults = try_case(path)
            seen[result] += 1
            for fault in faults:
                bad += 1
                print(f"case {number} ({name}): {fault}", file=sys.stderr, flush=True)
            number += 1
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{number - options.first} cases, {seen['taken']} taken, {seen['refused']} refused, {bad} bad, {used} MB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
