"""How the arguments of `harmonise` act, in figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vcam import harmony
from vcam.compose.filters import colour as filters
from vcam.compose.filters.base import Values
from vcam.frames import Box, Frame

ENDS = [-1.0, 0.0, 1.0]


def only(name: str, value: float = 1.0) -> list[float]:
    """Arguments of which one is not 0."""
    return [value if each == name else 0.0 for each in harmony.NAMES]


def test_nothing_is_changed_by_zeros() -> None:
    y = np.arange(16, 236, dtype=np.float32).reshape(10, 22)
    cb = np.linspace(16, 240, 220, dtype=np.float32).reshape(10, 22)
    for mine, theirs in zip(harmony.apply(y, cb, cb[::-1], np.zeros(8)), (y, cb, cb[::-1]), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "light", "expected"),
    [
        ("gamma", 1, 0.25, 0.25 ** (1 / 1.4)),
        ("gamma", -1, 0.25, 0.25**1.4),
        ("brightness", 1, 0.4, 0.4 * 2 ** (0.6 / 2.2)),
        ("brightness", -1, 0.4, 0.4 / 2 ** (0.6 / 2.2)),
        ("contrast", 1, 0.7, 0.5 + 0.2 * 1.35),
        ("contrast", -1, 0.1, 0.5 - 0.4 / 1.35),
        ("shadows", 1, 1 / 3, 1 / 3 + 0.8 * 4 / 27),
        ("shadows", -1, 1 / 3, 1 / 3 - 0.8 * 4 / 27),
        ("highlights", 1, 2 / 3, 2 / 3 + 0.8 * 4 / 27),
        ("highlights", 1, 1 / 3, 1 / 3 + 0.8 * 2 / 27),
        ("saturation", 1, 0.3, 0.3),
        ("temperature", 1, 0.3, 0.3),
        ("tint", 1, 0.3, 0.3),
    ],
)
def test_each_argument_acts_on_luma_as_the_formula_says(name: str, value: float, light: float, expected: float) -> None:
    assert harmony.curve(light, only(name, value)) == pytest.approx(expected)
    # whatever is more than 1 counts as 1
    assert harmony.curve(light, only(name, 3 * value)) == pytest.approx(expected)


def test_the_steps_come_one_after_the_other() -> None:
    arguments = [1, -1, 0, 0, 0, 1, -1, 1]
    one = 0.4 ** (1 / 1.4)
    two = one + 0.8 * (-one * (1 - one) ** 2 + one**2 * (1 - one))
    assert harmony.curve(0.4, arguments) == pytest.approx(0.5 + (two * 2 ** (0.6 / 2.2) - 0.5) / 1.35)


def test_no_curve_falls_or_leaves_the_limited_range() -> None:
    for end in np.stack(np.meshgrid(*[ENDS] * 5), -1).reshape(-1, 5):
        table = harmony.luma([end[0], end[1], 0, 0, 0, *end[2:]])
        assert np.diff(table).min() >= 0
        assert table.min() >= 16
        assert table.max() <= 235


def test_saturation_is_a_gain_and_the_colour_of_light_comes_with_luma() -> None:
    y, c = np.array([[16, 125.5, 235]], np.float32), np.full((1, 3), 138, np.float32)
    _, cb, cr = harmony.apply(y, c, c, only("saturation"))
    np.testing.assert_allclose([cb[0], cr[0]], 143)
    _, cb, cr = harmony.apply(y, c, c, only("temperature"))
    np.testing.assert_allclose(cb[0], 138 - 224 * 0.564 * 0.25 * np.array([0, 0.5, 1]), rtol=1e-5)
    np.testing.assert_allclose(cr[0], 138 + 224 * 0.713 * 0.25 * np.array([0, 0.5, 1]), rtol=1e-5)
    _, cb, cr = harmony.apply(y, c, c, only("tint", -1))
    np.testing.assert_allclose(cb[0], 138 - 224 * 0.564 * 0.12 * np.array([0, 0.5, 1]), rtol=1e-5)
    np.testing.assert_allclose(cr[0], 138 - 224 * 0.713 * 0.12 * np.array([0, 0.5, 1]), rtol=1e-5)


def test_small_chroma_goes_by_the_mean_of_its_four() -> None:
    y = np.array([[16, 16], [235, 235]], np.float32)
    c = np.array([[128]], np.float32)
    _, _, cr = harmony.apply(y, c, c, only("temperature"))
    assert cr[0, 0] == pytest.approx(128 + 224 * 0.713 * 0.25 / 2)


def test_chroma_stays_in_the_limited_range() -> None:
    y, c = np.full((1, 2), 235, np.float32), np.array([[16, 240]], np.float32)
    for end in np.stack(np.meshgrid(*[ENDS] * 3), -1).reshape(-1, 3):
        for plane in harmony.apply(y, c, c, [0, 0, *end, 0, 0, 0])[1:]:
            assert plane.min() >= 16
            assert plane.max() <= 240


def test_temperature_is_that_of_the_filter_of_that_name() -> None:
    """Whose light is 0.3 at 100 %."""
    frame = Frame.allocate(32, 32)
    frame.y[:] = np.arange(32, dtype=np.uint8)[:, np.newaxis] * 7 + 16
    frame.u.fill(120)
    frame.v.fill(140)
    y, u, v = (plane.astype(np.float32) for plane in frame.planes)
    kind = next(kind for kind in filters.KINDS if kind.name == "temperature")
    tint = kind.make(Values({"value": 100 * harmony.WARM / 0.3}))
    tint.prepare((32, 32))
    tint.change(frame, Box(0, 0, 32, 32), None)  # type: ignore[call-arg, union-attr, arg-type]
    for mine, theirs in zip(harmony.apply(y, u, v, only("temperature")), frame.planes, strict=True):
        assert np.abs(mine - theirs).max() <= 1
