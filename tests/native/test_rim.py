"""The compiled loops of the person's edge give what OpenCV gives, before a blend as after it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compose.filters.helpers import Still, compose, disc, extremes, matte, plate
from vcam.compose.blend import PlanarBlender
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.compose.filters.base import Values
from vcam.compose.filters.rim import Decontaminate
from vcam.frames import Box, Frame
from vcam.settings import FilterSettings, OverlaySettings
from vcam.testing import pattern_frame


def finished(size: tuple[int, int], box: Box, *, full_range: bool = False) -> Frame:
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    mask = np.clip(255 * (0.5 + np.sin(across / 9) * np.cos(down / 7)), 0, 255).astype(np.uint8)
    rim, out, frame = Decontaminate(Values({"strength": 1.0})), Frame.allocate(*size), pattern_frame(size)
    frame.full_range = full_range
    rim.prepare(size)
    rim.finish(out, frame, matte(mask, box))
    return out


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (98, 34), (162, 96), (640, 722), (400, 1442)])
def test_the_edge_is_that_of_opencv(kernels, size, full_range, monkeypatch) -> None:
    box = Box(2, 2, size[0] - 4, size[1])
    compiled = finished(size, box, full_range=full_range)
    monkeypatch.setenv("VCAM_NATIVE", "0")
    plain = finished(size, box, full_range=full_range)
    for mine, theirs in zip(compiled.planes, plain.planes, strict=True):
        assert np.abs(mine.astype(int) - theirs).max() <= 2
        assert (mine[:1] == theirs[:1]).all()
    assert (compiled.y != Frame.allocate(*size).y).mean() > 0.05


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("onto", ["another", "itself"])
@pytest.mark.usefixtures("both_ways")
def test_blended_in_one_it_is_what_comes_of_both(full_range: bool, onto: str) -> None:
    size = (160, 96)
    frame, alpha, below = pattern_frame(size), matte(disc(), Box(2, 6, 150, 94)), pattern_frame(size, 3)
    frame.full_range = full_range
    rim, blender = Decontaminate(Values({"strength": 1.0})), PlanarBlender(size)
    rim.prepare(size)
    pictures = []
    for at_once in (False, True):
        behind, out = Frame.allocate(*size), Frame.allocate(*size)
        behind.copy_from(below)
        out.copy_from(below)
        out = behind if onto == "itself" else out
        blender.blend(frame, alpha, behind, 0, out, rim if at_once else None)
        plain = out.packed().copy()
        if not at_once:
            rim.finish(out, frame, alpha)
            assert (out.packed() != plain).any()
        pictures.append(out.packed().copy())
    assert (pictures[0] == pictures[1]).all()


@pytest.mark.usefixtures("both_ways")
def test_after_the_blend_the_edge_is_moved_as_before_it() -> None:
    frame, alpha = extremes(False), matte(disc())
    after = compose(["decontaminate"], frame, alpha, plate()).packed().copy()
    # a second filter of the person, which changes nothing: now there is a person of its own
    before = compose(["decontaminate", "opacity:1", "grey:amount=0,on=person"], frame, alpha, plate()).packed()
    assert np.abs(after.astype(int) - before).max() <= 2


def test_the_setting_gives_way_to_the_chain() -> None:
    rims = [
        list(make_effects(FilterSettings(**given), OverlaySettings())._person)
        for given in (
            {"decontaminate": 1.0},
            {"decontaminate": 1.0, "chain": ("grey:on=person", "decontaminate:0.5")},
            {},
            {"decontaminate": 0.0},
        )
    ]
    assert [[type(each).__name__ == "Decontaminate" for each in some] for some in rims] == [
        [True], [False, True], [True], [],
    ]  # fmt: skip
    assert make_effects(FilterSettings(decontaminate=0.0), OverlaySettings()).empty


def test_nobody_in_view_leaves_the_plate() -> None:
    composer = PlateComposer(Still(plate()), (160, 96))
    composer.set_filters(make_effects(FilterSettings(decontaminate=1.0), OverlaySettings()))
    out = composer.compose(extremes(False), matte(np.zeros((96, 160), np.uint8)), 0.0)
    assert (out.packed() == plate().packed()).all()


@pytest.mark.usefixtures("both_ways")
def test_where_nobody_is_nothing_is_changed_however_dark_or_bright() -> None:
    mask = np.zeros((96, 160), np.uint8)
    mask[30:60, 40:80] = 120
    picture, frame = Frame.allocate(160, 96), Frame.allocate(160, 96)
    picture.fill(3, 3, 250)
    frame.fill(100, 90, 160)
    rim = Decontaminate(Values({"strength": 1.0}))
    rim.prepare((160, 96))
    rim.finish(picture, frame, matte(mask))
    assert (picture.y[mask == 0] == 3).all()
    assert (picture.v[mask[::2, ::2] == 0] == 250).all()
