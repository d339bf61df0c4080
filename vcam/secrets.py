"""Stream keys and passwords: kept out of logs, errors, status, and the list of processes.

A stream key lets anybody who has it broadcast in its owner's name, and it is part of the URL that ffmpeg is given. So a
URL is shown only as `redact` leaves it: scheme, host and application, without user, name and query.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from vcam.errors import UsageError

HIDDEN = "***"

_URL = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)//(?:[^/?#]*@)?([^/?#]*)([^?#]*)(.*)$", re.DOTALL)
_URL_IN_TEXT = re.compile(r"\b(?:rtmp[a-z]*|rtsps?|srt|udp|https?)://[^\s'\"]+")
_SHORTEST = 3


def redact(url: str) -> str:
    """A URL for people: `rtmp://host/LiveApp/name?token=1` becomes `rtmp://host/LiveApp/***`.

    What is no URL may be a key that was pasted in the wrong place: nothing of it is shown.
    """
    found = _URL.match(url)
    if not found:
        return HIDDEN
    scheme, host, path, query = found.groups()
    application, slash, name = path.lstrip("/").partition("/")
    if application and not scheme.lower().startswith("rtmp"):
        return f"{scheme}//{host}/{HIDDEN}"
    shown = f"{scheme}//{host}" + (f"/{application}" if application else "")
    if slash and name:
        return f"{shown}/{HIDDEN}"
    return f"{shown}?{HIDDEN}" if query else shown


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A message for people: every URL in it redacted, and every secret, wherever it stands."""
    text = _URL_IN_TEXT.sub(lambda found: redact(found[0]), text)
    # the longest first: one may be a part of another
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def read_key(path: Path) -> str:
    """The stream key in a file: its only line. Raises `UsageError` for a file that is not that.

    Others must not be able to read it, or it could as well stand on the command line.
    """
    try:
        if path.is_fifo() and not path.is_relative_to("/dev/fd") and not path.is_relative_to("/proc"):
            # whose writer may never come; the shell's <(...) has one
            raise UsageError(f"the key file {path} is a pipe", "give a file that holds the key")
        text = path.read_text(encoding="utf-8").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"the key file {path} cannot be read: {reason}", "give a file that holds the key") from error
    if not text or any(character.isspace() for character in text):
        raise UsageError(f"{path} does not hold one key", "put the stream key into it, and nothing else")
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        raise UsageError(f"others may read the key in {path}", f"chmod 600 {path}")
    return text


def hide_arguments(words: Iterable[str]) -> None:
    """Overwrite these words on this process's own command line, which every user of the machine can read.

    Linux shows the memory in which the arguments were passed: proc(5), fields arg_start and arg_end of stat. Where that
    cannot be found, nothing happens.
    """
    hidden = [os.fsencode(word) for word in words if len(word) >= _SHORTEST]
    if not hidden:
        return
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        # the first field after the name is number 3
        start, end = int(fields[48 - 3]), int(fields[49 - 3])
        if not 0 < start < end:
            return
        shown = Path("/proc/self/cmdline").read_bytes()[: end - start]
        for word in sorted(hidden, key=len, reverse=True):
            at = shown.find(word)
            while at >= 0:
                ctypes.memset(start + at, ord("*"), len(word))
                at = shown.find(word, at + len(word))
