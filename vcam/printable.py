r"""Names as people and machines may be shown them: no byte of a name steers a terminal or breaks a message.

On Linux a name is a string of bytes. Python gives those that are not UTF-8 as lone surrogates, which no message can
hold. A name may hold control characters as well, with which a terminal can be steered, and characters that turn the
direction of writing, with which one text looks like another. Here all of these become `\xNN` or `\uNNNN`.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from typing import Any

_LONE = re.compile("[\ud800-\udfff]")
_UNFIT = re.compile(
    # C0 and DEL, C1, soft hyphen, marks and overrides of direction, line and paragraph separators, invisible
    # operators, byte order mark, interlinear annotation, tags
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
ERRORS = "vcam.escape"
"""The name of the handler of what a stream's encoding cannot hold, for `open` and `reconfigure`."""


def encodable(text: str) -> str:
    r"""The text with every byte that is not UTF-8 as `\xNN`, and every other lone surrogate as `\uNNNN`."""
    return text if text.isascii() else _LONE.sub(_escape, text)


def printable(text: str, keep: str = "") -> str:
    """The text without anything that would steer a terminal: what `encodable` replaces, and control characters.

    keep: control characters that stay, as a newline where several lines are meant.
    """
    if text.isprintable():
        return text
    return _UNFIT.sub(lambda found: found[0] if found[0] in keep else _escape(found), text)


def few(names: list[str], most: int = 5) -> str:
    """ "A, B, C, D, E and 55 more", for messages that nobody reads to the end otherwise."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def encodable_tree(value: Any) -> Any:
    """`encodable` for every text in mappings and sequences, keys as well. Sequences become lists."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable_tree(key): encodable_tree(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [encodable_tree(part) for part in value]
    return value


def shown_name(name: bytes) -> str:
    """A name that the kernel or another program gives, which may be garbage, as `printable` leaves it."""
    return printable(name.decode("utf-8", "surrogateescape").strip())


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON for scripts, in ASCII; texts as `encodable` leaves them, since other readers take no others."""
    return json.dumps(encodable_tree(value), indent=indent)


def _escape(found: re.Match[str]) -> str:
    return _escaped(ord(found[0]))


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        # the byte, as os.fsdecode hides it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _handle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_escaped(ord(letter)) for letter in error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _handle)


def guard_streams() -> None:
    """Have standard output and error escape what they cannot hold, rather than raise."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ERRORS)
