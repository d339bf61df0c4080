"""The compiled loops give what their passes of OpenCV give; they are built where there is a compiler."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.helpers import COMPILER, SOURCE, difference, noise
from vcam import native, scaling
from vcam.compose.blend import CHROMA_SCALE, LIFT, LUMA_SCALE
from vcam.matte import guided
from vcam.matte.average import CALM, MOVED, StillAverage
from vcam.matte.temporal import TemporalFilter, gain_floor
from vcam.native import build
from vcam.types import F32, U8


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (144, 256)])
def test_a_picture_is_split_into_scaled_planes(kernels, size: tuple[int, int]) -> None:
    picture = np.ascontiguousarray(noise(1, size[0], 3 * size[1])).reshape(*size, 3)
    factors, offsets = np.float32([1 / 255, 1 / 127.5, 2]), np.float32([0, -1, 0.5])
    planes = np.full((3, *size), np.nan, np.float32)
    kernels.scale(picture, planes, factors, offsets)
    assert np.allclose(planes, (picture * factors + offsets).transpose(2, 0, 1), rtol=1e-6, atol=1e-6)


LADDERS = {
    "a camera's luma": [(720, 1280), (360, 640), (180, 320), (144, 256)],
    "the last step alone": [(135, 255), (90, 171)],
    "each axis by itself": [(96, 64), (48, 64), (48, 32), (24, 16), (20, 9)],
    "enlarged": [(8, 12), (4, 6), (9, 100)],
    "much smaller": [(99, 101), (5, 3)],
    "the same size": [(6, 70), (3, 35), (3, 35)],
    "to one sample": [(4, 2), (2, 1), (1, 1)],
    "from one sample": [(2, 2), (1, 1), (3, 5)],
    "one row": [(1, 70), (1, 35), (4, 20)],
}


@pytest.mark.parametrize("name", LADDERS)
def test_reduced_planes_are_those_of_opencv(kernels, name: str) -> None:
    frames = [[noise(seed, *size) for size in LADDERS[name]] for seed in (1, 2)]
    sources, mine = [planes[0] for planes in frames], [planes[1:] for planes in frames]
    around = [step.base.copy() for step in mine[0]]
    expected = [[step.copy() for step in steps] for steps in mine]
    scaling.write_ladders(expected, sources)
    kernels.reducer([plane.shape for plane in sources], mine)(sources)
    for steps, theirs in zip(mine, expected, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(steps[:-1], theirs[:-1], strict=True))
        assert difference(steps[-1], theirs[-1]) <= 1
    # planes are parts of wider ones, and nothing is written outside of them
    for step, before in zip(mine[0], around, strict=True):
        assert np.array_equal(step.base[:, :3], before[:, :3])
        assert np.array_equal(step.base[:, -3:], before[:, -3:])


def test_a_reducer_takes_planes_from_anywhere_and_keeps_its_steps(kernels) -> None:
    steps = [np.zeros((4, 6), np.uint8), np.zeros((3, 5), np.uint8)]
    first, last = (weakref.ref(step) for step in steps)
    reduce = kernels.reducer([(8, 12)], [steps])
    del steps
    for level in (40, 200):
        reduce([np.full((8, 12), level, np.uint8)[::-1]])
        assert (first() == level).all()
        assert (last() == level).all()


@given(height=st.integers(1, 9), width=st.integers(1, 200), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_a_blend_is_rounded_once_and_exact_at_both_ends(kernels, height: int, width: int, seed: int) -> None:
    mask, sample = noise(seed, height, width), noise(seed + 1, height, width, 16, 236)
    behind = noise(seed + 2, height, width, 16, 236)
    mask[0, 0], mask[-1, -1] = 0, 255
    out, exact = behind.copy(), (mask * 1.0 * sample + (255.0 - mask) * behind) / 255
    kernels.blend(mask, sample, out, out)
    assert np.abs(out - exact).max() <= 0.5
    assert (out[mask == 0] == behind[mask == 0]).all()
    assert (out[mask == 255] == sample[mask == 255]).all()


@pytest.mark.parametrize(("scale", "middle"), [(LUMA_SCALE, 0), (CHROMA_SCALE, 128)])
def test_a_blend_limits_a_full_range_sample(kernels, scale: float, middle: int) -> None:
    sample = np.arange(256, dtype=np.uint8).reshape(1, 256)
    out = np.zeros_like(sample)
    kernels.blend(np.full_like(sample, 255), sample, out, out, scale=scale, lift=LIFT)
    steps, start = (224, 128) if middle else (219, LIFT)
    exact = start + (sample.astype(float) - middle) * steps / 255
    assert np.abs(out - exact).max() <= 1
    assert 16 <= out.min() <= out.max() <= (240 if middle else 235)
    assert (np.diff(out.astype(int)) >= 0).all()
    if middle:
        assert out[0, 128] == 128


def test_a_blend_writes_nothing_outside_of_its_box(kernels) -> None:
    out = noise(5, 20, 80)
    before = out.copy()
    part = np.s_[4:9, 13:50]
    planes = [noise(seed, 5, 37) for seed in range(3)]
    kernels.blend(*planes, out[part])
    changed = out != before
    changed[part] = False
    assert not changed.any()


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (5, 2), (36, 64), (63, 131)])
def test_twice_the_size_is_what_opencv_makes_of_it(kernels, size: tuple[int, int]) -> None:
    matte = noise(1, *size)
    full, half = noise(2, 2 * size[0], 2 * size[1]), noise(3, *size)
    kernels.enlarge(matte, full, half)
    expected = cv2.resize(matte, (2 * size[1], 2 * size[0]), interpolation=cv2.INTER_LINEAR)
    assert difference(full, expected) <= 1
    means = full.astype(int).reshape(size[0], 2, size[1], 2).sum(axis=(1, 3))
    assert (half == (means + 2) // 4).all()


FACTORS = (2, 4, 8, 16)


def test_the_library_tells_how_many_times_it_enlarges(kernels) -> None:
    assert kernels.magnified == FACTORS


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 1), (45, 80), (9, 33)])
def test_a_plane_at_a_multiple_of_its_size_is_what_opencv_makes_of_it(
    kernels, size: tuple[int, int], factor: int
) -> None:
    small, full = noise(8, *size), noise(9, factor * size[0], factor * size[1])
    small[0, 0], small[-1, -1] = 255, 0
    kernels.magnify(small, full, factor)
    expected = cv2.resize(small, (factor * size[1], factor * size[0]), interpolation=cv2.INTER_LINEAR)
    assert difference(full, expected) <= 1


def scene(height: int, width: int, seed: int) -> tuple[U8, tuple[U8, U8, U8]]:
    """A matte with soft edges, and planes that follow it here and there."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((x - 0.45 * width) / (0.3 * width), (y - 0.6 * height) / (0.4 * height))
    inside = 1 / (1 + np.exp(8 * (distance - 1)))
    matte = np.rint(255 * inside).astype(np.uint8)
    planes = []
    for index in range(3):
        texture = cv2.resize(rng.random((6, 9), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        plane = 60 + 120 * texture + (index - 1) * 50 * inside + rng.normal(0, 3, (height, width))
        planes.append(np.clip(plane, 0, 255).astype(np.uint8))
    return matte, (planes[0], planes[1], planes[2])


@pytest.mark.parametrize("size", [(2, 2), (3, 40), (72, 128), (56, 61)])
@pytest.mark.parametrize(("radius", "flat"), [(1, guided.FLAT), (guided.RADIUS, guided.FLAT), (guided.RADIUS, 4000.0)])
def test_the_model_is_that_of_the_guided_filter(
    kernels, size: tuple[int, int], radius: int, flat: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guided, "FLAT", flat)
    matte, planes = scene(*size, seed=1)
    maps = np.full((4, *size), np.nan, np.float32)
    terms = {"flat": flat, "blind": guided.BLIND, "contrast": 1.0, "sure": guided.SURE}
    kernels.model(matte, planes, maps, radius, epsilon=guided.EPSILON * 255 * 255, **terms)
    slopes, offset = guided._model(matte, planes, radius)
    for mine, expected in zip(maps, [*slopes, offset], strict=True):
        assert np.abs(mine - expected).max() <= 2e-4 * max(float(np.abs(expected).max()), 1.0)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_guide_keeps_the_matte(kernels, level: int) -> None:
    matte, _ = scene(40, 60, seed=2)
    flat = np.full_like(matte, level)
    maps = np.zeros((4, 40, 60), np.float32)
    terms = {"flat": guided.FLAT, "blind": guided.BLIND, "contrast": 1.0, "sure": 0}
    kernels.model(matte, (flat, flat, flat), maps, 3, epsilon=65.0, **terms)
    assert np.abs(maps[3] + maps[:3].sum(axis=0) * level - matte).max() < 0.1


@pytest.mark.parametrize("small", [(2, 2), (7, 30), (36, 64), (90, 160)])
@pytest.mark.parametrize("size", [(36, 64), (90, 162), (2, 2)])
def test_applying_the_model_gives_what_opencv_gives(kernels, small: tuple[int, int], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    maps = rng.normal(0, 0.4, (4, *small)).astype(np.float32)
    maps[3] = 100 * maps[3] + 90
    planes = (noise(4, 2 * size[0], 2 * size[1]), noise(5, *size), noise(6, *size))
    mine, expected = noise(7, 2 * size[0], 2 * size[1]), np.zeros((2 * size[0], 2 * size[1]), np.uint8)
    kernels.apply(maps, planes, mine)
    unscaled = maps / np.float32(guided.CONTRAST)
    offset = (maps[3] - np.float32(255 * (0.5 - 0.5 * guided.CONTRAST))) / np.float32(guided.CONTRAST)
    guided.GuidedFilter()._apply(unscaled[:3], offset, planes, expected)
    assert difference(mine, expected) <= 1


@pytest.mark.parametrize("small", [(2, 2), (3, 40), (36, 64)])
@pytest.mark.parametrize(("size", "strength"), [((1, 1), 0.9), ((5, 63), 0.2), ((90, 160), 0.9), ((20, 129), 0.6)])
def test_the_average_where_the_map_stands_still_is_the_steady_filters(kernels, size, small, strength: float) -> None:
    seen, before = noise(1, *small), noise(2, *small)
    # from no change at all to one that nothing stands
    before[: small[0] // 2] = cv2.add(seen[: small[0] // 2], noise(3, small[0] // 2, small[1], 0, 24))
    matte, kept = noise(4, *size), noise(5, *size)
    matte[:, ::3] = kept[:, ::3]
    made = StillAverage(strength)
    made._kernels = None
    expected = [matte.copy(), kept.copy()]
    made._average(*expected, (seen, before))
    kernels.steady(matte, kept, (seen, before), least=gain_floor(strength), moved=(CALM, MOVED))
    assert np.array_equal(matte, kept)
    assert difference(matte, expected[0]) <= 1
    assert np.array_equal(expected[0], expected[1])


def moving(count: int, height: int, width: int, grain: float) -> list[tuple[F32, U8]]:
    """Maps and pictures of something that goes down and to the left; without grain nothing is all round it."""
    rng = np.random.default_rng(4)
    ground = cv2.resize(rng.integers(90, 160, (40, 60), dtype=np.uint8), (2 * width, 2 * height))
    frames = []
    y, x = np.mgrid[:height, :width]
    for index in range(count):
        luma = ground[index : index + height, 2 * index : 2 * index + width] + rng.normal(0, 2, (height, width))
        distance = np.hypot((x - width / 2 + 2 * index) / (0.3 * width), (y - height / 2 + index) / (0.3 * height))
        person = 1 / (1 + np.exp(20 * (distance - 1))) + rng.normal(0, grain, (height, width))
        frames.append((np.clip(person, 0, 1).astype(np.float32), np.clip(luma, 0, 255).astype(np.uint8)))
    return frames


@pytest.mark.parametrize("grain", [0.03, 0])
@pytest.mark.parametrize("size", [(144, 256), (64, 100)])
def test_the_average_along_the_motion_is_the_temporal_filters(
    kernels, size: tuple[int, int], grain: float, monkeypatch
) -> None:
    monkeypatch.setattr(native, "kernels", lambda: kernels)
    compiled = TemporalFilter(0.8)
    monkeypatch.setattr(native, "kernels", lambda: None)
    plain = TemporalFilter(0.8)
    for probability, luma in moving(12, *size, grain):
        mine, expected = compiled.update(probability, luma), plain.update(probability, luma)
        # OpenCV takes places in steps of a 32nd of a pixel
        assert np.abs(mine - expected).max() < 0.02
        assert np.abs(mine - expected).mean() < 0.0005
    assert np.abs(mine - probability).max() > (0.05 if grain else 0.005)
    # parts of the map that nobody is near are left out; the smaller one has none
    assert grain or size == (64, 100) or (mine == 0).mean() > 0.05


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_places_outside_of_the_picture_have_its_borders_values(kernels, strength: float) -> None:
    height, width = 20, 30
    mean = np.random.default_rng(5).random((2 * height, 2 * width), np.float32)
    luma = np.full((height, width), 90, np.uint8)
    flow = np.full((height, width, 2), 1000, np.float32)
    result = np.zeros_like(mean)
    terms = {"floor": 1 - strength, "slope": 0.0, "still": 0.0, "doubt": (4, 14), "nobody": 0.01}
    kernels.follow(np.zeros_like(mean), mean, result, flow, (luma, luma), **terms)
    assert np.allclose(result, strength * mean[-1, -1], atol=1e-6)


def test_the_pictures_of_a_motion_may_be_parts_of_others(kernels) -> None:
    rng = np.random.default_rng(7)
    probability, mean = rng.random((2, 40, 60), np.float32)
    pictures = tuple(noise(seed, 20, 30, 90, 130, margin)[::order] for seed, margin, order in ((1, 3, -1), (2, 5, 1)))
    flow = rng.normal(0, 2, (20, 30, 2)).astype(np.float32)
    results = [np.zeros_like(mean), np.ones_like(mean)]
    terms = {"floor": 0.3, "slope": 1.0, "still": 0.2, "doubt": (4, 14), "nobody": 0.01}
    for result, lumas in zip(results, (pictures, [luma.copy() for luma in pictures]), strict=True):
        kernels.follow(probability, mean, result, flow, lumas, **terms)
    assert np.array_equal(*results)


def test_what_counts_as_nobody_is_left_out(kernels) -> None:
    probability, flow = np.full((40, 60), 0.2, np.float32), np.zeros((20, 30, 2), np.float32)
    luma, result = np.full((20, 30), 90, np.uint8), np.empty_like(probability)
    terms = {"floor": 0.5, "slope": 0.0, "still": 0.0, "doubt": (4, 14)}
    for nobody, expected in ((0.19, 0.15), (0.21, 0.0)):
        kernels.follow(probability, probability / 2, result, flow, (luma, luma), **terms, nobody=nobody)
        assert np.allclose(result, expected)


def refusals(kernels: native.Kernels) -> dict[str, Callable[[], None]]:
    plane, small, maps = noise(1, 8, 12), noise(2, 4, 6), np.zeros((8, 12), np.float32)
    pictures, flow = (np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8)), np.zeros((4, 6, 2), np.float32)
    terms = {"floor": 0.3, "slope": 1.0, "still": 0.2, "doubt": (4, 14), "nobody": 0.01}
    model = {"epsilon": 65.0, "flat": 1.0, "blind": 6, "contrast": 1.8, "sure": 24}
    steady = {"least": 0.2, "moved": (4, 16)}
    four = np.zeros((4, 4, 6), np.float32)
    return {
        "another shape": lambda: kernels.blend(plane, plane, plane[:-1], plane),
        "another type": lambda: kernels.blend(plane, plane, plane, plane.astype(np.uint16)),
        "bytes with a sign": lambda: kernels.blend(plane, plane, plane, plane.view(np.int8)),
        "columns apart": lambda: kernels.blend(small, small, small, plane[::2, ::2]),
        "too small a target": lambda: kernels.enlarge(small, plane[:, :-2], small),
        "no such factor": lambda: kernels.magnify(small, noise(3, 12, 18), 3),
        "another factor": lambda: kernels.magnify(small, plane, 4),
        "a wide window": lambda: kernels.model(small, (small, small, small), four, native.MAX_RADIUS + 1, **model),
        "maps of bytes": lambda: kernels.model(small, (small, small, small), four.astype(np.uint8), 3, **model),
        "chroma of another size": lambda: kernels.apply(four, (plane, small, plane), plane),
        "one row of maps": lambda: kernels.apply(four[:, :1], (plane, small, small), plane),
        "maps that are not dense": lambda: kernels.follow(maps.T.copy().T, maps, maps, flow, pictures, **terms),
        "maps of two sizes": lambda: kernels.steady(plane, plane.copy(), (small, small[1:]), **steady),
        "one row of a map": lambda: kernels.steady(plane, plane.copy(), (small[:1],) * 2, **steady),
        "motion of another size": lambda: kernels.follow(maps, maps, maps, flow[1:], pictures, **terms),
        "luma of another size": lambda: kernels.follow(maps, maps, maps, flow, (plane, plane), **terms),
        "a third of a plane": lambda: kernels.reducer([(12, 12)], [[small, small]]),
        "a plane without steps": lambda: kernels.reducer([(8, 12)], [[]]),
        "no plane": lambda: kernels.reducer([], []),
        "an empty plane": lambda: kernels.reducer([(0, 12)], [[small]]),
        "steps of columns apart": lambda: kernels.reducer([(8, 12)], [[plane[::2, ::2]]]),
        "another plane": lambda: kernels.reducer([(8, 12)], [[small]])([small]),
        "a grey picture": lambda: kernels.scale(plane[..., None], maps, maps, maps),
        "two factors": lambda: kernels.scale(
            np.zeros((8, 12, 3), np.uint8), np.zeros((3, 8, 12), np.float32), *flow[:2, 0]
        ),
    }


def test_threads_do_not_disturb_each_other(kernels) -> None:
    def magnified(seed: int) -> U8:
        full = np.zeros((180, 320), np.uint8)
        kernels.magnify(noise(seed, 45, 80), full, 4)
        return full

    def is_steady(seed: int) -> bool:
        return all(np.array_equal(magnified(seed), expected[seed]) for _ in range(200))

    expected = [magnified(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_steady, range(4)))


def test_scratch_memory_begins_with_a_line_of_the_cache_and_grows(kernels) -> None:
    for numbers in (1, 1000, 100, 1 << 20):
        address, memory = kernels._scratch(numbers), kernels._own.scratch
        begin = memory.__array_interface__["data"][0]
        assert address % 64 == 0
        assert begin <= address <= begin + memory.nbytes - 4 * numbers


def test_arrays_that_do_not_fit_are_refused(kernels) -> None:
    for what, call in refusals(kernels).items():
        print(what)
        with pytest.raises(ValueError, match=r"instead of|no |nothing|too small"):
            call()


def test_a_library_of_other_sources_is_not_used(kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.load(tmp_path / "missing.so") is None
    (tmp_path / "text.so").write_text("no library")
    assert native.load(tmp_path / "text.so") is None
    other = tmp_path / "sources"
    other.mkdir()
    for name in ("blend.c", "common.h"):
        shutil.copy(SOURCE / name, other)
    before = build.fingerprint(other)
    with (other / "common.h").open("a") as file:
        file.write("/* newer */\n")
    assert build.fingerprint(other) != before
    if (SOURCE / build.LIBRARY).exists():
        monkeypatch.setattr(native, "fingerprint", lambda: before)
        assert native.load(SOURCE / build.LIBRARY) is None


def test_the_environment_can_leave_the_loops_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCAM_NATIVE", "0")
    assert native.kernels() is None


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_a_compiler_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match="apt install gcc"):
        build.build(target=tmp_path / "out.so")
    monkeypatch.setenv("CC", str(tmp_path / "nowhere"))
    with pytest.raises(build.BuildError, match="nowhere cannot be run"):
        build.build(target=tmp_path / "out.so")


@pytest.mark.process
def test_a_compiler_that_fails_leaves_the_old_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "out.so"
    target.write_text("old")
    monkeypatch.setenv("CC", str(script(tmp_path / "cc", "echo 'blend.c:1: it is Monday' >&2; exit 1")))
    with pytest.raises(build.BuildError, match="it is Monday"):
        build.build(target=target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cc", "out.so"]


@pytest.mark.process
@pytest.mark.parametrize("most", ["0", "1"])
def test_a_compiler_that_knows_fewer_variants_builds_those(
    most: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if COMPILER is None:
        pytest.skip("no C compiler: sudo apt install gcc libc6-dev")
    if most not in build.VARIANTS:
        pytest.skip("this processor has no variants")
    known = "0" if most == "0" else "[01]"
    # not optimised: that takes half a minute
    old = f'case "$*" in *VCAM_VARIANTS={known}*) exec {COMPILER} "$@" -O0;; esac; exit 1'
    monkeypatch.setenv("CC", str(script(tmp_path / "cc", old)))
    built = native.load(build.build(target=tmp_path / "out.so"))
    assert built is not None
    small, full = noise(1, 9, 70), np.zeros((36, 280), np.uint8)
    built.magnify(small, full, 4)
    assert difference(full, cv2.resize(small, (280, 36), interpolation=cv2.INTER_LINEAR)) <= 1
