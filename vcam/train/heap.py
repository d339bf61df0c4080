"""glibc's heap, told to keep what is freed: what is wanted again in a moment need not be mapped and faulted in anew."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
"""M_TRIM_THRESHOLD and its kin of malloc.h, see mallopt(3)."""


def keep_freed() -> None:
    """Keep everything that is freed, whatever its size, until the process ends; nothing where there is no glibc.

    For a process that allocates the same again and again, as training does: its maps are larger than what glibc keeps
    by itself, and to have the kernel give and take them costs a third of a step.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        libc.mallopt(_TOP_PAD, 64 << 20)
