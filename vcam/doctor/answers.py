"""Whether what runs networks here gives right answers, and not just answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.errors import VcamError
from vcam.models.find import find_model
from vcam.segment.known import try_engines
from vcam.settings import SegmentSettings
from vcam.types import Size


def try_model(settings: SegmentSettings, size: Size) -> dict[str, str]:
    """What each engine says to the known pictures, in the order in which vcam would try them; empty without a network.

    Raises `VcamError` if there is no such model, or no runtime.
    """
    if not settings.has_network:
        return {}
    return try_engines(find_model(settings.model, size), settings.backend, settings.device)


def check_answers(
    settings: SegmentSettings, size: Size, try_it: Callable[[SegmentSettings, Size], dict[str, str]] = try_model
) -> Iterator[Finding]:
    """Each engine that would be used for the model of the settings, with the known pictures."""
    try:
        said = try_it(settings, size)
    except VcamError as error:
        yield problem("network", error.message, error.hint, exit_status=error.exit_status)
        return
    right = [name for name, word in said.items() if word == "ok"]
    for name, word in said.items():
        if word != "ok" and right:
            yield warning("network", f"{name} is passed over: {word}", "vcam models verify")
    if right:
        yield ok("network", f"right answers to the known pictures: {', '.join(right)}")
    elif said:
        yield problem("network", next(iter(said.values())), "vcam models verify", exit_status=1)
