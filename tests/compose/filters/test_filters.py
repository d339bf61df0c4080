"""Filters: what they must leave alone, that they stay still, and that nothing breaks them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.compose.filters.helpers import (
    WHOLE,
    H,
    Still,
    W,
    assert_legal,
    compose,
    disc,
    extremes,
    matte,
    plate,
    write_cube,
)
from vcam.assets import asset
from vcam.camera.demo import DemoScene
from vcam.compose.backgrounds.static import ImageBackground
from vcam.compose.composer import PlateComposer
from vcam.compose.filters.base import Place
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.clone import clone, interpolate
from vcam.compose.filters.registry import KINDS, parse_filter, parse_filters
from vcam.errors import UsageError
from vcam.frames import NOTHING, Alpha, Box, Frame
from vcam.images import frame_to_bgr
from vcam.testing import pattern_frame

pytestmark = pytest.mark.usefixtures("both_ways")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cube(tmp_path_factory.mktemp("cube") / "warm, dark.cube", 5, lambda c: (c[0], 0.8 * c[1], 0.6 * c[2]))


NAMES = sorted(KINDS)
ON_PERSON = [name for name in NAMES if Place.PERSON in KINDS[name].places or Place.ALPHA in KINDS[name].places]


def spec(name: str, cube: Path, on: str = "") -> str:
    words = [f"file={cube}"] if name == "lut" else []
    if on and len(KINDS[name].places) > 1:
        words.append(f"on={on}")
    return f"{name}:{','.join(words)}" if words else name


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("name", ON_PERSON)
def test_alpha_0_leaves_the_background_exact(name: str, full_range: bool, cube: Path) -> None:
    behind = plate()
    expected = behind.packed().copy()
    on = "person" if Place.PERSON in KINDS[name].places else ""
    for box in (WHOLE, Box(32, 16, 80, 64), NOTHING):
        out = compose([spec(name, cube, on)], extremes(full_range), matte(np.zeros((H, W), np.uint8), box), behind)
        np.testing.assert_array_equal(out.packed(), expected)


NEUTRAL = [
    "brightness:0", "contrast:1", "gamma:1", "saturation:1", "temperature:0", "grey:0", "sepia:0", "low-light:0",
    "sharpen:0", "hologram:0", "color-transfer:0", "harmonise:0", "seamless-clone:0", "opacity:1",
    "smoothstep:low=0,high=1", "alpha:3", "decontaminate", "light-wrap:0", "vignette:0", "dim:0",
]  # fmt: skip


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("text", NEUTRAL)
def test_alpha_255_and_neutral_values_give_the_person_within_one_level(text: str, full_range: bool) -> None:
    kind = KINDS[text.partition(":")[0]]
    if Place.PERSON in kind.places and len(kind.places) > 1:
        text += ",on=person"
    frame, alpha = extremes(full_range), matte(np.full((H, W), 255, np.uint8))
    expected = compose([], frame, alpha, plate()).packed().copy()
    out = compose([text], frame, alpha, plate()).packed()
    assert np.abs(out.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_still_picture_stays_still_and_legal_in_every_place(name: str, full_range: bool, cube: Path) -> None:
    kind = KINDS[name]
    for place in kind.places:
        composer = PlateComposer(Still(extremes(False)), (W, H))
        composer.set_filters(Chain(parse_filters([spec(name, cube, place.value)])))
        frame, alpha = extremes(full_range), matte(disc())
        first = composer.compose(frame, alpha, 0.0).packed().copy()
        for index in range(1, 5):
            out = composer.compose(frame, alpha, index / 30)
            np.testing.assert_array_equal(out.packed(), first)
        assert_legal(out)


SHAPES = {
    "nobody": np.zeros((H, W), np.uint8),
    "everything": np.full((H, W), 255, np.uint8),
    "one pixel": np.pad(np.full((1, 1), 255, np.uint8), ((40, H - 41), (50, W - 51))),
    "corner": np.pad(np.full((30, 40), 255, np.uint8), ((0, H - 30), (0, W - 40))),
    "two people": np.tile(np.pad(np.full((40, 30), 255, np.uint8), ((H - 40, 0), (20, W // 2 - 50))), (1, 2)),
    "noise": np.random.default_rng(0).integers(0, 256, (H, W), np.uint8),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ON_PERSON)
def test_no_matte_and_no_uniform_picture_breaks_a_filter(name: str, shape: str, cube: Path) -> None:
    flat = Frame.allocate(W, H)
    for frame, behind in ((flat, plate()), (extremes(True), flat), (flat, Frame.allocate(W, H))):
        out = compose([spec(name, cube)], frame, matte(SHAPES[shape]), behind, times=2)
        assert_legal(out)


@pytest.mark.parametrize("size", [(16, 16), (18, 34), (1366, 768)])
@pytest.mark.parametrize("name", NAMES)
def test_odd_sizes_are_fine(name: str, size: tuple[int, int], cube: Path) -> None:
    mask = np.zeros(size[::-1], np.uint8)
    mask[size[1] // 3 :, size[0] // 4 : size[0] // 2] = 255
    box = Box(size[0] // 8 * 2, size[1] // 6 * 2, size[0] // 4 * 2, size[1])
    out = compose([spec(name, cube)], pattern_frame(size), matte(mask, box), pattern_frame(size, 5))
    assert_legal(out)


@pytest.mark.parametrize("name", [name for name in ON_PERSON if Place.PERSON in KINDS[name].places])
def test_what_lies_outside_of_the_box_does_not_matter(name: str, cube: Path) -> None:
    mask = disc(18)
    x, y, width, height = cv2.boundingRect(mask)
    box = Box(x // 2 * 2, y // 2 * 2, (x + width + 1) // 2 * 2, (y + height + 1) // 2 * 2)
    garbage = mask.copy()
    hidden = np.ones_like(mask, bool)
    hidden[box.y0 : box.y1, box.x0 : box.x1] = False
    garbage[hidden] = 200
    half = cv2.resize(mask, (W // 2, H // 2), interpolation=cv2.INTER_AREA).astype(np.uint8)
    spoiled = Alpha(garbage, half, half, box, 0)
    spoiled.half[hidden[::2, ::2]] = 200
    clean = matte(mask, box)
    one, other = (
        compose([spec(name, cube)], pattern_frame((W, H)), a, plate()).packed().copy() for a in (clean, spoiled)
    )
    assert np.abs(one.astype(int) - other).max() <= (1 if name in ("decontaminate",) else 0)


def test_filters_are_applied_in_their_order() -> None:
    frame, alpha = pattern_frame((W, H)), matte(disc())
    one = compose(["brightness:40", "contrast:2"], frame, alpha, plate()).packed().copy()
    other = compose(["contrast:2", "brightness:40"], frame, alpha, plate()).packed()
    assert (one != other).any()


def test_a_plate_that_stays_is_filtered_once() -> None:
    composer = PlateComposer(Still(plate()), (W, H))
    chain = Chain(parse_filters(["dim"]))
    composer.set_filters(chain)
    frame, alpha = pattern_frame((W, H)), matte(disc())
    composer.compose(frame, alpha, 0.0)
    calls = []
    chain._background[0].change = lambda *args: calls.append(args)  # type: ignore[method-assign]
    composer.compose(frame, alpha, 0.1)
    assert not calls


def test_a_new_background_is_filtered_anew_although_its_version_is_the_same() -> None:
    composer = PlateComposer(Still(plate(1)), (W, H))
    composer.set_filters(Chain(parse_filters(["dim", "color-transfer:smooth=0", "light-wrap"])))
    frame, alpha = pattern_frame((W, H)), matte(disc())
    composer.compose(frame, alpha, 0.0)
    composer.exchange(Still(plate(2))).close()
    changed = composer.compose(frame, alpha, 0.1).packed().copy()
    expected = compose(["dim", "color-transfer:smooth=0", "light-wrap"], frame, alpha, plate(2)).packed()
    np.testing.assert_array_equal(changed, expected)


def test_without_a_matte_the_person_s_filters_act_on_the_whole_picture() -> None:
    behind = Still(pattern_frame((W, H)))
    behind.needs_alpha = False
    composer = PlateComposer(behind, (W, H))
    composer.set_filters(Chain(parse_filters(["hologram", "seamless-clone"])))
    out = composer.compose(pattern_frame((W, H)), None, 0.0)
    assert (out.u != behind.plate.frame.u).mean() > 0.9


def test_color_transfer_gives_the_mean_of_the_background() -> None:
    person, behind = Frame.allocate(W, H), Frame.allocate(W, H)
    rng = np.random.default_rng(0)
    person.y[...] = rng.normal(90, 12, person.y.shape).clip(16, 235)
    behind.y[...] = rng.normal(150, 12, person.y.shape).clip(16, 235)
    behind.u[...], behind.v[...] = 110, 145
    full = matte(np.full((H, W), 255, np.uint8))
    out = compose(["color-transfer:1"], person, full, behind)
    for plane, goal in zip(out.planes, (150, 110, 145), strict=True):
        assert plane.mean() == pytest.approx(goal, abs=4)


def test_color_transfer_follows_a_cut_slowly() -> None:
    behind = Still(plate())
    composer = PlateComposer(behind, (W, H))
    composer.set_filters(Chain(parse_filters(["color-transfer:strength=1,smooth=2"])))
    frame, alpha = pattern_frame((W, H)), matte(disc(40))
    means = [composer.compose(frame, alpha, 0.0).y[60:80, 70:90].mean()]
    behind.plate.frame.fill(220, 128, 128)
    behind.plate.version = 1
    means += [composer.compose(frame, alpha, index / 30).y[60:80, 70:90].mean() for index in range(1, 200)]
    steps = np.abs(np.diff(means))
    assert steps.max() < 3
    assert abs(means[-1] - means[0]) > 20


def test_the_membrane_takes_the_boundary_s_values_and_is_smooth_between() -> None:
    inside = np.zeros((40, 64), np.uint8)
    cv2.circle(inside, (32, 20), 15, 1, -1)
    ring = (inside - cv2.erode(inside, np.ones((3, 3), np.uint8))).astype(np.float32)
    columns = np.tile(np.linspace(-60, 60, 64, dtype=np.float32), (40, 1))
    boundary = np.dstack([columns * ring, 30 * ring, -20 * ring, ring]).astype(np.float32)
    found = interpolate(boundary)
    inside = inside.astype(bool)
    # a plane is harmonic, so the exact membrane is that plane
    assert np.abs(found[0] - columns)[inside].max() < 12
    assert found[1][inside] == pytest.approx(30, abs=0.1)
    assert found[2][inside] == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("shape", ["corner", "one pixel", "two people", "everything"])
def test_the_full_clone_of_a_picture_into_itself_is_that_picture(shape: str) -> None:
    picture = frame_to_bgr(plate())
    done = clone(picture, picture, SHAPES[shape])
    assert np.abs(done.astype(int) - picture).max() <= 3


def test_decontamination_takes_the_old_background_out_of_the_edge() -> None:
    mask = disc(34)
    share = mask.astype(np.float32) / 255
    person, room, new = (Frame.allocate(W, H) for _ in range(3))
    person.fill(120, 128, 128)
    room.fill(60, 70, 60)
    new.fill(200, 128, 128)
    mixed = Frame.allocate(W, H)
    shares = (share, *(2 * [cv2.resize(share, (W // 2, H // 2), interpolation=cv2.INTER_AREA)]))
    for out, front, back, part in zip(mixed.planes, person.planes, room.planes, shares, strict=True):
        out[...] = np.rint(front * part + back * (1 - part))
    ideal = compose([], person, matte(mask), new).packed().copy().astype(int)
    plain = np.abs(compose([], mixed, matte(mask), new).packed() - ideal)
    cleaned = np.abs(compose(["decontaminate"], mixed, matte(mask), new).packed() - ideal)
    assert cleaned.sum() < 0.4 * plain.sum()


def test_low_light_lifts_the_dark_and_less_so_with_noise() -> None:
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(20, 90, W), (H, 1))
    lifted = []
    for noise in (0, 12):
        frame = Frame.allocate(W, H)
        frame.y[...] = (ramp + noise * rng.standard_normal((H, W))).clip(16, 235)
        before = frame.y.mean()
        out = compose(["low-light"], frame, matte(np.full((H, W), 255, np.uint8)), plate())
        lifted.append(out.y.mean() - before)
    assert lifted[0] > 15
    assert lifted[1] < 0.5 * lifted[0]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("sepiaa", "no filter 'sepiaa'", "did you mean sepia"),
        ("zzzz", "no filter", "the filters are"),
        ("", "no filter", "the filters are"),
        ("gamma:nan", "gamma: value=nan", "a number from 0.2 to 5"),
        ("gamma:value=inf", "is not valid", "a number from"),
        ("gamma:0", "is not valid", "a number from"),
        ("gamma:", "is not valid", "a number from"),
        ("brightness:value=abc", "is not valid", "%"),
        ("opacity:valeu=1", "no parameter 'valeu'", "did you mean value"),
        ("opacity:value=1,value=0", "given twice", "once"),
        ("smoothstep:low=0.8,high=0.2", "not below", "smoothstep:low"),
        ("color-map:name=puce", "is not valid", "one of viridis"),
        ("dim:on=person", "is not valid", "one of background, picture"),
        ("lut", "needs a file", "lut:file="),
        ("lut:file=/nowhere/x.cube", "no file", "check the path"),
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_meant_is_refused_in_words(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_too_many_filters_are_refused() -> None:
    with pytest.raises(UsageError, match="too many"):
        parse_filters(["grey"] * 17)


def test_still_pictures_get_the_best_quality_unless_one_says_otherwise() -> None:
    full = type(parse_filter("seamless-clone", still=True).filter)
    assert full is type(parse_filter("seamless-clone:quality=full").filter)
    assert full is not type(parse_filter("seamless-clone:quality=live", still=True).filter)


GOLDEN_CHAINS = {
    "blend": ["alpha:6", "color-transfer:0.8"],
    "clone": ["seamless-clone:0.8", "light-wrap:1", "decontaminate"],
    "colour": ["contrast:1.2", "temperature:40", "sepia:0.4", "vignette"],
    "hologram": ["hologram", "opacity:0.8", "dim"],
}


@pytest.mark.parametrize("name", GOLDEN_CHAINS)
def test_the_demo_scene_looks_as_it_did(name: str) -> None:
    size = (320, 180)
    scene = DemoScene(size)
    scene.open()
    frame = scene.frame(7)
    mask = scene.true_alpha(7)
    composer = PlateComposer(ImageBackground(asset("dusk.jpg")), size)
    composer.set_filters(Chain(parse_filters(GOLDEN_CHAINS[name])))
    picture = frame_to_bgr(composer.compose(frame, matte(mask, Box(0, 0, *size), frame.seq), 0.0))
    path = GOLDEN / f"filters-{name}.png"
    if not path.exists():
        cv2.imwrite(str(path), picture)
        pytest.fail(f"{path} was missing and is made now: look at it")
    golden = cv2.imread(str(path))
    assert golden is not None
    error = np.abs(picture.astype(int) - golden)
    assert error.mean() < 1
    assert np.percentile(error, 99.9) <= 12
