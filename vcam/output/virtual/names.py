"""What a person writes for a camera of PipeWire's."""

from __future__ import annotations

from vcam.errors import UsageError

DEFAULT_NAME = "vcam"


def pipewire_name(target: str) -> str | None:
    """The name in "pipewire" or "pipewire:NAME"; None if the target means something else.

    Raises `UsageError` for a colon with nothing behind it, or a name that could not be shown.
    """
    word, colon, name = target.partition(":")
    if word.strip().lower() != "pipewire":
        return None
    if colon and not (name.strip() and name.isprintable()):
        raise UsageError("the PipeWire camera has no name", "write --output pipewire, or --output pipewire:NAME")
    return name.strip() or DEFAULT_NAME
