"""Turned, flipped and mirrored pictures, against NumPy's own turning."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.camera.test_shape import Still, Wishing, reframed
from vcam.camera.factory import make_camera
from vcam.camera.memory import MemoryCamera, encode_frames
from vcam.camera.shape import ShapedCamera
from vcam.camera.turn import Turn
from vcam.errors import UsageError
from vcam.frames import Box, Frame, PixelFormat
from vcam.settings import CameraSettings

ALL = list(itertools.product((0, 90, 180, 270), (False, True), (False, True)))
"""Degrees, flip, mirror."""


def turned(plane: np.ndarray, degrees: int, flip: bool, mirror: bool) -> np.ndarray:
    plane = np.rot90(plane, -degrees // 90)
    plane = plane[::-1] if flip else plane
    return plane[:, ::-1] if mirror else plane


def same(frame: Frame, planes: list[np.ndarray]) -> bool:
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(frame.planes, planes, strict=True))


@pytest.mark.parametrize("size", [(64, 48), (34, 18), (18, 34), (32, 32)])
@pytest.mark.parametrize(("degrees", "flip", "mirror"), ALL)
def test_every_combination_is_what_one_after_the_other_would_be(size, degrees, flip, mirror):
    source = Still(size)
    seen = (size[1], size[0]) if degrees in (90, 270) else size
    frame = reframed(source, seen, rotate=degrees, flip=flip, mirror=mirror).read()
    assert frame.size == seen
    assert same(frame, [turned(plane, degrees, flip, mirror) for plane in source.frame.planes])
    assert (frame.timestamp, frame.seq, frame.full_range) == (8.5, 21, True)


@pytest.mark.parametrize("words", [(0, False, False), (180, True, True)])
def test_what_comes_to_nothing_costs_nothing(words):
    source = Still((64, 48))
    degrees, flip, mirror = words
    assert reframed(source, (64, 48), rotate=degrees, flip=flip, mirror=mirror).read() is source.frame


@pytest.mark.parametrize(("degrees", "flip", "mirror"), ALL)
def test_a_crop_is_of_the_picture_that_is_turned_and_flipped_but_not_mirrored(degrees, flip, mirror):
    source = Still((64, 48))
    frame = reframed(source, (20, 16), rotate=degrees, flip=flip, mirror=mirror, crop="20x16+6+2").read()
    upright = [turned(plane, degrees, flip, False) for plane in source.frame.planes]
    y, u, v = (plane[:, ::-1] if mirror else plane for plane in (
        upright[0][2:18, 6:26], upright[1][1:9, 3:13], upright[2][1:9, 3:13]))  # fmt: skip
    assert same(frame, [y, u, v])


def test_a_crop_must_lie_within_the_turned_picture():
    with pytest.raises(UsageError, match="48x64"):
        reframed(Still((64, 48)), (32, 32), rotate=90, crop="64x48+0+0")
    assert reframed(Still((64, 48)), (32, 32), rotate=90, crop="48x64+0+0").read().size == (32, 32)


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_picture_that_lies_is_cut_in_the_middle_of_its_height_and_enlarged(degrees):
    source = Still((64, 32))
    source.frame.y[...] = np.linspace(20, 220, 64, dtype=np.uint8)
    source.frame.u[...], source.frame.v[...] = 90, 160
    frame = reframed(source, (64, 32), rotate=degrees).read()
    lines = frame.y.astype(int).mean(axis=1)
    # the middle quarter of the columns, as lines from above, or from below
    assert np.abs(np.sort(lines) - np.linspace(96, 144, 32)).max() < 3
    assert (np.diff(lines) > 0).all() if degrees == 90 else (np.diff(lines) < 0).all()
    assert (frame.u == 90).all()
    assert (frame.v == 160).all()


@pytest.mark.parametrize("pixel_format", [PixelFormat.I420, PixelFormat.NV12, PixelFormat.YUYV])
@pytest.mark.parametrize("words", [(90, False, False), (270, True, False), (180, False, False), (0, True, False)])
def test_planes_that_are_views_of_a_cameras_memory_are_turned(pixel_format, words):
    sent = Still((34, 18)).frame
    sent.full_range = False
    degrees, flip, mirror = words
    camera = MemoryCamera(encode_frames([sent], pixel_format), pixel_format, (34, 18), 30.0, paced=False)
    size = (18, 34) if degrees in (90, 270) else (34, 18)
    frame = reframed(camera, size, rotate=degrees, flip=flip, mirror=mirror).read()
    assert same(frame, [turned(plane, degrees, flip, mirror) for plane in sent.planes])


def test_a_part_of_another_size_is_scaled_then_turned():
    source = Still((128, 96))
    source.frame.y[:, :64], source.frame.y[:, 64:] = 50, 200
    frame = reframed(source, (48, 64), rotate=90).read()
    assert (frame.y[:31] == 50).all()
    assert (frame.y[33:] == 200).all()


def test_a_camera_with_modes_is_asked_for_a_picture_that_lies():
    source = Wishing((64, 48))
    camera = reframed(source, (64, 48))
    camera.use(camera.plan(False, "", None, 180))
    assert source.wishes == []
    camera.use(camera.plan(False, "", None, 90))
    camera.use(camera.plan(False, "", None, 270, True))
    assert source.wishes == [(48, 64)]
    camera.use(camera.plan(False, "", (32, 64), 270))
    camera.use(camera.plan(False, "", (32, 64)))
    assert source.wishes[1:] == [(64, 32), (32, 64)]


@pytest.mark.parametrize("degrees", ["90", "270"])
def test_sources_that_have_any_size_are_made_lying(degrees):
    camera = make_camera(CameraSettings(source="demo", rotate=degrees), (64, 96), 30, paced=False)
    assert isinstance(camera, ShapedCamera)
    camera.open()
    try:
        plain = make_camera(CameraSettings(source="demo"), (96, 64), 30, paced=False)
        plain.open()
        seen, frame = plain.read(), camera.read()
        assert seen is not None
        assert frame is not None
        assert same(frame, [turned(plane, int(degrees), False, False) for plane in seen.planes])
        # no part of it was cut off, and nothing scaled
        assert camera.shape.part is camera.shape.scaled is None
    finally:
        camera.close()
        plain.close()


@pytest.mark.parametrize(("degrees", "flip", "mirror"), ALL)
def test_sizes_and_parts_are_found_back(degrees, flip, mirror):
    turn, size = Turn(degrees, flip, mirror), (8, 6)
    rows, columns = np.indices(size[::-1])
    seen = turned(rows * 100 + columns, degrees, flip, mirror)
    assert turn.size(size) == seen.shape[::-1]
    for x, y in itertools.product(range(seen.shape[1]), range(seen.shape[0])):
        where = turn.source(Box(x, y, x + 1, y + 1), turn.size(size))
        assert (where.y0 * 100 + where.x0, where.size) == (seen[y, x], (1, 1))
