"""`vcam compare`: the variants that are asked for, where they differ, and pages that hold everything themselves."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from vcam.cli.compare import compare as command
from vcam.datasets.synthetic import synthetic_clip
from vcam.errors import UsageError
from vcam.frames import Box
from vcam.images import frame_to_bgr
from vcam.measure.compare import MOST, Comparison, Result, compare, plan_variants, spots
from vcam.measure.sheet import page, sheet
from vcam.settings import Settings


def result(name: str = "x", *, blob: Box | None = None) -> Result:
    picture = np.full((180, 320, 3), 90, np.uint8)
    matte = np.zeros((180, 320), np.uint8)
    matte[60:, 100:220] = 255
    if blob:
        picture[blob.y0 : blob.y1, blob.x0 : blob.x1] = 200
    return Result(name, picture, matte, {"segment": 1.0, "compose": 0.5})


def test_variants_are_the_settings_as_they_are_then_filters_then_settings() -> None:
    planned = plan_variants(["smoothstep", "sepia;vignette:0.3"], ["matte.edge=3,filters.chain=alpha:radius=2,low=1"])
    assert [dict(variant.changes) for variant in planned] == [
        {}, {"filters.chain": "smoothstep"}, {"filters.chain": "sepia;vignette:0.3"},
        {"matte.edge": "3", "filters.chain": "alpha:radius=2,low=1"},
    ]  # fmt: skip


def test_too_many_variants_and_no_assignments_are_refused() -> None:
    with pytest.raises(UsageError, match="too many"):
        plan_variants(["sepia"] * MOST, [])
    with pytest.raises(UsageError, match="KEY=VALUE"):
        plan_variants([], ["sepia"])


def test_details_are_where_variants_differ_at_the_edge_and_not_over_each_other() -> None:
    edge, middle = Box(95, 100, 105, 110), Box(140, 120, 180, 170)
    found = spots([result(), result(blob=edge), result(blob=middle)])
    assert found[0].x0 <= edge.x0 < edge.x1 <= found[0].x1
    assert found[0].y0 <= edge.y0 < edge.y1 <= found[0].y1
    # that the middle differs tells nothing of the edge
    inner = (slice(middle.y0 + 10, middle.y1 - 10), slice(middle.x0 + 10, middle.x1 - 10))
    for spot in found:
        shown = np.zeros((180, 320), bool)
        shown[spot.y0 : spot.y1, spot.x0 : spot.x1] = True
        assert not shown[inner].any()


def test_details_of_variants_that_are_all_the_same_lie_on_the_edge_and_inside_the_picture() -> None:
    found = spots([result(), result()])
    assert len(found) == 3
    for spot in found:
        assert 0 <= spot.x0 < spot.x1 <= 320
        assert 0 <= spot.y0 < spot.y1 <= 180
    for a, b in ((0, 1), (0, 2), (1, 2)):
        apart = found[a].x1 <= found[b].x0 or found[b].x1 <= found[a].x0
        assert apart or found[a].y1 <= found[b].y0 or found[b].y1 <= found[a].y0


def a_comparison(*names: str) -> Comparison:
    results = [result(name) for name in names]
    return Comparison("me.png", results[0].picture, results, spots(results))


def test_the_page_needs_nothing_else_and_takes_no_name_for_markup() -> None:
    text = page(a_comparison("as it is", '<script>"'))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', text)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "data:image/jpeg;base64")) for source in sources)
    # the picture of each, their mattes, and details of both; JPEG would blur all but the pictures
    assert len(sources) == 3 + 2 + 3 * (3 + 2)
    assert len([source for source in sources if "jpeg" in source]) == 3


@pytest.mark.parametrize("count", [1, 4, 23])
def test_the_sheet_has_a_column_for_each_variant_and_stays_within_bounds(count) -> None:
    names = [f"a very long name of a variant, number {number}" for number in range(count)]
    picture = sheet(a_comparison(*names))
    assert picture.dtype == np.uint8
    assert picture.shape[1] <= 24 * 252 + 12
    wide = (picture.shape[1] - 12) // (count + 1)
    for number in range(count + 1):
        column = picture[100:160, 12 + number * wide : (number + 1) * wide]
        assert (column == 90).mean() > 0.5


def test_rows_of_the_sheet_are_in_line_and_the_original_has_no_matte() -> None:
    picture = sheet(a_comparison("one"))
    wide = (picture.shape[1] - 36) // 2
    tall = wide * 180 // 320
    # the heading, the picture, the matte; then details, each beside its matte
    matte = slice(12 + 64 + 12 + tall + 12, 12 + 64 + 12 + tall + 12 + tall)
    original, one = picture[:, 12 : 12 + wide], picture[:, 24 + wide : 24 + 2 * wide]
    assert (original[matte] == 24).all()
    assert set(np.unique(one[matte])) >= {0, 255}
    assert (one[matte][tall * 2 // 3, wide // 2] == 255).all()
    half = (wide - 12) // 2
    details = slice(matte.stop + 12, matte.stop + 12 + half)
    assert (original[details, half + 12 :] == 24).all()
    assert set(np.unique(one[details, half + 12 : 2 * half + 12])) == {0, 255}


def picture_of(tmp_path) -> str:
    frame, _ = next(iter(synthetic_clip((320, 180), 1, 1, "still")))
    cv2.imwrite(str(tmp_path / "me.png"), frame_to_bgr(frame))
    return str(tmp_path / "me.png")


@pytest.mark.engine
def test_variants_are_run_with_their_own_settings(tmp_path) -> None:
    picture_of(tmp_path)
    plain = Settings().replace(background__spec="color:#00ff00")
    variants = plan_variants(["grey"], ["background.spec=color:#0000ff", "matte.edge=20", "background.spec=none"])
    done = []
    comparison = compare(tmp_path / "me.png", plain, variants, progress=done.append)
    assert done == [1, 2, 3, 4, 5]
    as_it_is, grey, blue, wide, nothing = comparison.results
    corner = (slice(0, 20), slice(0, 20))
    assert np.abs(as_it_is.picture[corner].astype(int) - (0, 255, 0)).max() < 6
    assert np.abs(blue.picture[corner].astype(int) - (255, 0, 0)).max() < 6
    assert np.ptp(grey.picture.astype(int), axis=2).max() < 6
    assert np.count_nonzero(wide.matte) > 1.05 * np.count_nonzero(as_it_is.matte)
    assert np.array_equal(nothing.picture, comparison.original)
    assert not nothing.matte.any()
    assert set(as_it_is.stages_ms) == {"segment", "matte", "compose"}


@pytest.mark.engine
def test_the_matte_shown_is_the_one_that_filters_have_changed(tmp_path) -> None:
    picture_of(tmp_path)
    plain, soft = compare(tmp_path / "me.png", Settings(), plan_variants(["alpha:8"], [])).results
    between = [np.count_nonzero((matte > 20) & (matte < 235)) for matte in (plain.matte, soft.matte)]
    assert between[1] > 1.5 * between[0]


@pytest.mark.engine
@pytest.mark.parametrize("name", ["out.html", "out.png"])
def test_compare_writes_a_page(name, tmp_path) -> None:
    words = [picture_of(tmp_path), str(tmp_path / name), "--filter", "sepia", "--variant", "matte.edge=5"]
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert done.exception is None
    assert "sepia: " in done.stderr
    if name == "out.png":
        assert cv2.imread(str(tmp_path / name)).shape[1] > 900
    else:
        assert (tmp_path / name).read_text().count("<img") == 4 + 3 + 3 * (4 + 3)


@pytest.mark.parametrize(("name", "words"), [("out.txt", ()), ("nowhere/out.png", ())])
def test_a_page_that_cannot_be_written_is_refused_before_any_work(name, words, tmp_path) -> None:
    done = CliRunner().invoke(
        command, [str(tmp_path / "none.png"), str(tmp_path / name), *words], standalone_mode=False
    )
    assert isinstance(done.exception, UsageError)
    assert "none.png" not in str(done.exception)


def test_an_unknown_filter_names_those_that_are_like_it(tmp_path) -> None:
    words = [picture_of(tmp_path), str(tmp_path / "out.png"), "--filter", "sepai"]
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert "sepia" in str(done.exception)
    assert not (tmp_path / "out.png").exists()
