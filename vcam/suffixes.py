"""Which files vcam reads and writes, by the suffix of their names, in small letters."""

from __future__ import annotations

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".jif"})

IMAGE_SUFFIXES = JPEG_SUFFIXES | {".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif"}
"""Pictures that are written."""

PICTURE_SUFFIXES = IMAGE_SUFFIXES | {
    ".apng", ".avifs", ".dds", ".dib", ".heic", ".heics", ".heif", ".hif", ".ico", ".j2c", ".j2k", ".jp2", ".jpc",
    ".jpf", ".jpx", ".mpo", ".pbm", ".pcx", ".pfm", ".pnm", ".psd", ".qoi", ".sgi", ".rgb", ".rgba", ".bw", ".tga",
}  # fmt: skip
"""Pictures that are read. A file whose content says what it is needs none of them."""

FILM_SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".y4m", ".gif", ".m4v", ".ts", ".mjpg", ".mjpeg"})
"""Films and animations that are read. ffmpeg reads others, too, if the file is there."""

READ_SUFFIXES = PICTURE_SUFFIXES | FILM_SUFFIXES
"""What may be a camera or a background."""

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv"})
"""Films that are written through ffmpeg; `vcam.media.containers` says how."""

OUTPUT_SUFFIXES = VIDEO_SUFFIXES | {".y4m"}
"""Films that are written."""
