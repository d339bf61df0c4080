"""The network for `harmonise` that comes with vcam: what it says of the demo's person, and what becomes of her."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.compose.filters.helpers import Still
from vcam import harmony
from vcam.assets import asset
from vcam.compose.composer import PlateComposer
from vcam.compose.filters import adviser
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.composite import SmallComposite
from vcam.compose.filters.registry import parse_filters
from vcam.frames import Alpha, Box, Frame
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.infer.choices import engine_choices
from vcam.types import F32, U8

pytestmark = pytest.mark.engine

W, H = 640, 360

PINNED = {
    "room.jpg": [0.025, -0.015, -0.036, 0.041, -0.036, -0.053, 0.065, -0.073],
    "dusk.jpg": [0.059, -0.018, -0.102, 0.125, 0.065, 0.078, 0.162, -0.130],
}
"""What it says of her, as she is, before two places."""
DARK, LIGHT = [[0.0] * 7 + [sign * 0.8] for sign in (-1, 1)]


def person() -> tuple[Frame, U8]:
    """The demo's person, and where she is."""
    cut = cv2.imread(str(asset("astronaut.png")), cv2.IMREAD_UNCHANGED)
    assert cut is not None
    wide = 300 * cut.shape[1] // cut.shape[0]
    cut = cv2.resize(cut, (wide, 300), interpolation=cv2.INTER_AREA)
    picture, matte = np.full((H, W, 3), 128, np.uint8), np.zeros((H, W), np.uint8)
    picture[H - 300 :, 150 : 150 + wide] = cut[..., :3]
    matte[H - 300 :, 150 : 150 + wide] = cut[..., 3]
    return bgr_to_frame(picture), matte


def behind(place: str) -> U8:
    picture = cv2.imread(str(asset(place)))
    assert picture is not None
    return np.asarray(cv2.resize(picture, (W, H), interpolation=cv2.INTER_AREA), np.uint8)


def composite(frame: Frame, matte: U8, place: str) -> U8:
    half = np.asarray(cv2.resize(matte, (W // 2, H // 2), interpolation=cv2.INTER_AREA), np.uint8)
    alpha = Alpha(matte, half, matte, Box(0, 0, W, H), 0)
    card = adviser.find_card(adviser.OWN)
    made = SmallComposite((W, H), card.input.size).make(frame, alpha, bgr_to_frame(behind(place)), (1, 1))
    assert made is not None
    return made


def lit(frame: Frame, arguments: F32 | list[float]) -> Frame:
    y, cb, cr = (plane.astype(np.float32) for plane in frame.planes)
    out = Frame.allocate(W, H)
    for target, plane in zip(out.planes, harmony.apply(y, cb, cr, arguments), strict=True):
        np.copyto(target, np.rint(plane), casting="unsafe")
    return out


def advised(frame: Frame, matte: U8, place: str) -> Frame:
    """Her as vcam lights her there."""
    said = adviser.open_adviser(adviser.find_card(adviser.OWN)).advise(composite(frame, matte, place))
    return lit(frame, said)


def lighter(one: Frame, other: Frame, matte: U8) -> float:
    """By how much in the mean of her luma."""
    return float((one.y.astype(float) - other.y)[matte > 127].mean())


def apart(one: Frame, other: Frame, matte: U8) -> float:
    """Levels of B, G and R, the mean of where she is."""
    return float(np.abs(frame_to_bgr(one).astype(float) - frame_to_bgr(other))[matte > 127].mean())


@pytest.mark.parametrize("place", PINNED)
@pytest.mark.usefixtures("both_ways")
def test_its_answers_are_those_that_it_was_shipped_for_on_every_runtime(place: str) -> None:
    network = adviser.find_card(adviser.OWN).network()
    picture = composite(*person(), place)
    for choice in engine_choices(network, device="CPU"):
        engine = choice.open(network, 1)
        try:
            said = adviser.read(engine.infer(picture))
        finally:
            engine.close()
        np.testing.assert_allclose(said, PINNED[place], atol=0.02, err_msg=choice.runtime)


def test_somebody_who_is_right_stays_nearly_as_she_is() -> None:
    frame, matte = person()
    assert apart(advised(frame, matte, "room.jpg"), frame, matte) < 3


@pytest.mark.parametrize("place", PINNED)
def test_somebody_who_is_too_dark_becomes_lighter_and_nearer_to_what_is_right(place: str) -> None:
    frame, matte = person()
    dark = lit(frame, DARK)
    mended = advised(dark, matte, place)
    assert lighter(dark, frame, matte) < -10
    assert lighter(mended, dark, matte) > 4
    assert apart(mended, frame, matte) < 0.8 * apart(dark, frame, matte)


def test_somebody_who_is_too_light_becomes_darker() -> None:
    frame, matte = person()
    light = lit(frame, LIGHT)
    assert lighter(advised(light, matte, "room.jpg"), light, matte) < -1


def test_the_filter_needs_no_words_and_uses_this_network(own_models: Path) -> None:
    frame, matte = person()
    composer = PlateComposer(Still(bgr_to_frame(behind("dusk.jpg"))), (W, H))
    composer.set_filters(Chain(parse_filters(["harmonise"])))
    half = np.asarray(cv2.resize(matte, (W // 2, H // 2), interpolation=cv2.INTER_AREA), np.uint8)
    out = composer.compose(frame, Alpha(matte, half, matte, Box(0, 0, W, H), 0), 0.0)
    sure = matte == 255
    expected = lit(frame, PINNED["dusk.jpg"]).y.astype(float)
    assert np.abs(out.y.astype(float) - expected)[sure].mean() < 1
    assert np.abs(out.y.astype(float) - frame.y)[sure].mean() > 2
