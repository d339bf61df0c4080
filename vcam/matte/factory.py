"""The matting stage that the settings ask for."""

from __future__ import annotations

import msgspec

from vcam.matte.base import Matte
from vcam.matte.soft import SoftMatte
from vcam.settings import MatteSettings


def make_matte(settings: MatteSettings, *, still: bool = False) -> Matte:
    """`still`: every frame is a picture of its own, so nothing may be carried from one to the next."""
    if still:
        settings = msgspec.structs.replace(settings, temporal=0.0)
    return SoftMatte(settings)
