"""From the settings to the chain of filters and overlays."""

from __future__ import annotations

from vcam.compose.filters.base import Place, Placed
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.registry import parse_filter, parse_filters
from vcam.compose.filters.rim import Decontaminate
from vcam.compose.overlay import Clock, picture_overlay, text_overlay
from vcam.folders import expand
from vcam.settings import FilterSettings, OverlaySettings


def make_effects(
    filters: FilterSettings, overlay: OverlaySettings, *, still: bool = False, live: bool = False
) -> Chain:
    """The chain that the settings ask for; it may be empty.

    Decontamination comes before all that changes the person and light wrap after it; overlays lie over the filters.
    still: the pictures have nothing to do with each other. live: they do not wait. Raises `UsageError`, `InputError`,
    `ModelError`.
    """
    placed = parse_filters(filters.chain, still=still, live=live)
    # one that is in the chain stands where it is, with the strength that it has
    if filters.decontaminate and not any(isinstance(each.filter, Decontaminate) for each in placed):
        placed.insert(0, parse_filter(f"decontaminate:{filters.decontaminate:g}"))
    if filters.light_wrap:
        placed.append(parse_filter(f"light-wrap:{filters.light_wrap:g}"))
    placed += _overlays(overlay)
    return Chain(placed)


def _overlays(settings: OverlaySettings) -> list[Placed]:
    found: list[Placed] = []
    if settings.back:
        back = picture_overlay(expand(settings.back), settings.back_place, settings.back_scale)
        found.append(Placed(back, Place.BACKGROUND, False))
    if settings.front:
        front = picture_overlay(expand(settings.front), settings.front_place, settings.front_scale)
        found.append(Placed(front, Place.PICTURE, False))
    if settings.text.strip():
        text = text_overlay(settings.text.strip(), settings.text_place, settings.text_size)
        found.append(Placed(text, Place.PICTURE, False))
    if settings.clock:
        found.append(Placed(Clock(settings.text_size, settings.clock_place), Place.PICTURE, False))
    return found
