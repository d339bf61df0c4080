"""Whether what was learnt is kept: better on the user, and not worse on others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vcam.learn.labels import Labelled
from vcam.measure.evaluate import open_scored, score
from vcam.measure.meter import Scores
from vcam.settings import Settings

FORGETS = 0.2
"""Points of mIoU that it may lose on others."""
GAINS = 0.2
"""Points of mIoU or of the edge band that it must gain on the user, one of the two."""
ROUNDING = 1e-6
LOSES = 0.05
"""Points that the other one may lose meanwhile: the noise of such a measurement."""
FLICKERS = 1.02
"""How much more it may flicker."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one network. miou, band: percent; flicker: see `vcam.measure.metrics.dtssd`; others: mIoU on other people,
    percent."""

    miou: float
    band: float
    flicker: float
    others: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """accepted, and if not, the reasons for people."""

    accepted: bool
    reasons: tuple[str, ...] = ()


def judged(before: Figures, after: Figures) -> Verdict:
    """What is to be done with a network of these figures in the place of one of those."""
    reasons = []
    values = (before.miou, before.band, after.miou, after.band, before.others, after.others)
    if not all(math.isfinite(value) for value in values):
        return Verdict(False, ("it cannot be measured: nobody's edge is in the second half",))
    gains = after.miou - before.miou, after.band - before.band
    if max(gains) < GAINS - ROUNDING:
        reasons.append(f"it is hardly better on you: {gains[0]:+.2f} mIoU, {gains[1]:+.2f} at the edge")
    if min(gains) < -LOSES - ROUNDING:
        reasons.append(f"something is worse on you: {gains[0]:+.2f} mIoU, {gains[1]:+.2f} at the edge")
    if after.flicker > FLICKERS * before.flicker:
        reasons.append(f"it flickers more: {after.flicker:.2f}, before {before.flicker:.2f}")
    lost = before.others - after.others
    if lost > FORGETS + ROUNDING:
        reasons.append(f"it forgets others: {lost:.2f} mIoU, {FORGETS:g} are allowed")
    return Verdict(not reasons, tuple(reasons))


def measured(settings: Settings, model: str, films: Sequence[Labelled]) -> Scores:
    """The scores of a network on the frames kept back of all films, as the camera would show them, each film counted
    once. model: a name, or the path of a card. Raises as `vcam.matting.open_matting` does."""
    own = settings.replace(segment__model=model, segment__backend="auto")
    found = []
    for each in films:
        with open_scored(own, each.film.size) as matting:
            pairs = ((frame, label.matte) for frame, label in zip(each.film.held, each.held, strict=True))
            found.append(score(pairs, matting))
    return Scores.mean(found)
