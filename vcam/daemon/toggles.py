"""`vcam toggle`: what one key switches on and off, as a change of settings."""

from __future__ import annotations

from vcam.daemon.changer import Wish
from vcam.errors import UsageError
from vcam.settings import Settings


def mirror(settings: Settings) -> Settings:
    """The picture the other way round."""
    return settings.replace(camera__mirror=not settings.camera.mirror)


def toggle_filter(text: str) -> Wish:
    """Take all filters of that name out of the chain, or put this one at its end.

    text: NAME or NAME:PARAM=VALUE,... Raises `UsageError` for none.
    """
    if not text.strip():
        raise UsageError("which filter?", "vcam filters lists them: vcam toggle filter sharpen")

    def wish(settings: Settings) -> Settings:
        chain = settings.filters.chain
        without = tuple(other for other in chain if _name(other) != _name(text))
        return settings.replace(filters__chain=without if without != chain else (*chain, text.strip()))

    return wish


def is_on(settings: Settings, what: str, value: str) -> bool:
    """Whether mirror or filter, which `what` says, is on."""
    if what == "mirror":
        return settings.camera.mirror
    return any(_name(other) == _name(value) for other in settings.filters.chain)


def _name(text: str) -> str:
    return text.partition(":")[0].strip().lower().replace("_", "-")
