"""Which files vcam reads and writes, by the suffix of their names, in small letters."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif"})
"""Pictures, read and written."""

FILM_SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".y4m", ".gif", ".m4v", ".ts", ".mjpg", ".mjpeg"})
"""Films and animations that are read. ffmpeg reads others, too, if the file is there."""

READ_SUFFIXES = IMAGE_SUFFIXES | FILM_SUFFIXES
"""What may be a camera or a background."""

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv"})
"""Films that are written through ffmpeg; `vcam.media.containers` says how."""

OUTPUT_SUFFIXES = VIDEO_SUFFIXES | {".y4m"}
"""Films that are written."""
