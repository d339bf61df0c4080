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
from urllib.parse import unquote

from vcam.errors import UsageError

HIDDEN = "***"

_URL = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)//(?:[^/?#]*@)?([^/?#]*)([^?#]*)(.*)$", re.DOTALL)
_URL_IN_TEXT = re.compile(r"\b(?:rtmp[a-z]*|rtsps?|srt|udp|https?)://[^\s'\"]+")
_SHORTEST = 3


_NAMED = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,31})=(?=[A-Za-z][A-Za-z0-9+.-]*://)", re.ASCII)


def split_name(url: str) -> tuple[str, str]:
    """The name that a stream was given, and its URL: of `main=rtmp://host/live/key` both, of other words no name."""
    found = _NAMED.match(url)
    return (found[1], url[found.end() :]) if found else ("", url)


def redact(url: str) -> str:
    """A URL for people: `rtmp://host/LiveApp/name?token=1` becomes `rtmp://host/LiveApp/***`. A name before it stays.

    What is no URL may be a key that was pasted in the wrong place: nothing of it is shown.
    """
    name, url = split_name(url)
    if name:
        return f"{name}={redact(url)}"
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


_ADDRESS = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9+.-]+):(/+)(.*)", re.DOTALL)
_ADDRESS_IN_TEXT = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]+:/+[^\s'\"]*")
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+(?:%[\w.~-]+)?\]|[\w.~-]+)(?::\d{1,5})?")
_HALF = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]+:/[^/]|[^/@\s]*:[^@]*@[^/]"
    # what does not begin as a path does, and has a password in it
    r"|(?!/[^/]|[.~]+/|[a-z][a-z0-9+.-]+://)(?:.*:[^/@]*@[^/]|.*[?&/;](?:user|usr|login|pwd|pass\w*|pw|token|key|auth\w*|secret)=))",
    re.IGNORECASE | re.DOTALL,
)
_TELLING = 6
"""Letters from which on a folder of an address may be a secret, and is not to be found in a message."""


def address_parts(source: str) -> tuple[str, str]:
    """The scheme of an address, in small letters, and all that follows its colon; two empty texts for other words."""
    found = _ADDRESS.match(source)
    return (found[1].lower(), f"{found[2]}{found[3].rstrip()}") if found else ("", "")


def is_half_address(source: str) -> bool:
    """Whether words look like an address that lacks a slash, `rtsp:/host`, or its scheme, `name:password@host`, or is
    otherwise mistyped, and may have a password in it."""
    return bool(_HALF.match(source))


def show_address(source: str) -> str:
    """The address of a camera for people: scheme and host, `rtsp://host`. What is no address is left as it is.

    Where the host ends is not sure in an address whose password has a slash in it, or an @: no host is shown then.
    The address of a file of this machine is shown as a whole.
    """
    scheme, rest = address_parts(source)
    if not scheme:
        return HIDDEN if "://" in source or is_half_address(source) else source
    if scheme == "file":
        return source
    authority = re.split(r"[/?#\\]", rest.lstrip("/"), maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    doubtful = rest.startswith("///") or "@" in rest.lstrip("/")[len(authority) :] or not _HOST.fullmatch(host)
    return f"{scheme}://{HIDDEN if doubtful else host}"


def without_address(text: str, source: str) -> str:
    """A message for people: the address `source` as `show_address` has it, and what is secret in it nowhere at all.

    Programs repeat an address in other ways: decoded, cut, without the user.
    """
    shown = show_address(source)
    if shown == source:
        return text
    scheme, rest = address_parts(source)
    for whole in (source.strip(), f"{scheme}:{rest}"):
        text = text.replace(whole, shown)
    text = _ADDRESS_IN_TEXT.sub(lambda found: show_address(found[0]), text)
    for secret in sorted(_address_secrets(rest), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _address_secrets(rest: str) -> set[str]:
    rest = rest.lstrip("/")
    head, _, tail = rest.rpartition("@")
    path = re.split(r"[/?#]", tail, maxsplit=1)[1:] or [""]
    words = {head, *head.split(":"), *re.split(r"[?#]", path[0])}
    words |= {value for part in re.split(r"[?&/#]", path[0]) if (value := part.partition("=")[2])}
    words |= {part for part in re.split(r"[?&/#]", path[0]) if len(part) >= _TELLING}
    return {word for whole in words for word in (whole, unquote(whole)) if len(word) >= _SHORTEST}


def hide_address(source: str) -> None:
    """Take the address of a camera off this process's own command line."""
    if show_address(source) != source:
        hide_arguments([source])


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
