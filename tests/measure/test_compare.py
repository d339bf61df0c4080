"""`vcam compare`: the variants that are asked for, where they differ, and pages that hold everything themselves."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.datasets.helpers import SIZE, write_video
from vcam.cli.compare import compare as command
from vcam.datasets.synthetic import synthetic_clip
from vcam.errors import InputError, UsageError
from vcam.frames import Box
from vcam.images import frame_to_bgr
from vcam.measure.compare import MOST, REPEATS, Comparison, Result, compare, plan_variants, spots
from vcam.measure.sheet import page, sheet, write_page
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


def test_a_page_and_a_sheet_go_by_the_name_of_their_file(tmp_path) -> None:
    comparison = a_comparison("as it is")
    for name in ("out.html", "OUT.HTM"):
        write_page(tmp_path / name, comparison)
        assert (tmp_path / name).read_text("utf-8") == page(comparison)
    write_page(tmp_path / "out.png", comparison)
    assert np.array_equal(cv2.imread(str(tmp_path / "out.png")), sheet(comparison))


def test_each_detail_is_marked_in_the_picture_with_a_colour_of_its_own_and_the_result_is_left_as_it_was() -> None:
    results = [result()]
    original = np.full((180, 320, 3), 90, np.uint8)
    places = [Box(20, 20, 52, 52), Box(100, 60, 132, 92), Box(200, 100, 232, 132)]
    seen = sheet(Comparison("me.png", original, results, places))
    assert (original == 90).all()
    assert (results[0].picture == 90).all()
    wide = (seen.shape[1] - 36) // 2
    shown = seen[88 : 88 + wide * 180 // 320, 12 : 12 + wide]
    assert wide == 640
    colours = {tuple(shown[2 * place.y0 + 1, 2 * (place.x0 + 4)].tolist()) for place in places}
    assert len(colours) == 3
    assert (90, 90, 90) not in colours
    marked = np.abs(shown.astype(int) - 90).max(axis=2) > 20
    for place in places:
        # the mark lies within its place
        assert marked[2 * place.y1 - 2, 2 * place.x1 - 2]
        marked[2 * place.y0 - 1 : 2 * place.y1 + 1, 2 * place.x0 - 1 : 2 * place.x1 + 1] = False
    assert not marked.any()


@pytest.mark.parametrize("level", [0, 200])
def test_what_is_darker_differs_as_what_is_brighter_does(level: int) -> None:
    # where nothing else would draw the eye: low on the right-hand edge
    other = result(blob=Box(214, 150, 224, 160))
    other.picture[other.picture == 200] = level
    found = spots([result(), other, result()])[0]
    assert found.x0 <= 214 < 224 <= found.x1
    assert found.y0 <= 150 < 160 <= found.y1


def test_a_picture_is_done_with_the_network_for_pictures_and_comes_out_in_its_own_size(tmp_path, opened) -> None:
    frame, _ = next(iter(synthetic_clip((320, 180), 1, 1, "still")))
    picture = frame_to_bgr(frame)[:179, :319]
    cv2.imwrite(str(tmp_path / "me.png"), picture)
    done: list[int] = []
    found = compare(tmp_path / "me.png", Settings(), plan_variants(["alpha:8"], []), progress=done.append)
    assert done == [1, 2]
    assert {settings.model for settings, _, _ in opened} == {"selfie-general"}
    # once to load and allocate, then as often as is measured
    assert {(network.calls, network.closed) for _, _, network in opened} == {(REPEATS + 1, 1)}
    assert found.source == "me.png"
    assert np.abs(found.original.astype(int) - picture).max() <= 12
    plain, soft = found.results
    for each in (plain, soft):
        assert (each.picture.shape, each.matte.shape) == (picture.shape, picture.shape[:2])
        assert set(each.stages_ms) == {"segment", "matte", "compose"}
    between = [np.count_nonzero((matte > 20) & (matte < 235)) for matte in (plain.matte, soft.matte)]
    # what a filter of the matte makes of it is in the matte that is shown
    assert between[1] > between[0] + 300


@pytest.mark.process
def test_a_video_is_run_from_its_start_to_the_frame_of_that_number(tmp_path, opened) -> None:
    write_video(tmp_path, "clip", frames=14)
    green = Settings().replace(background__spec="green")
    found = compare(tmp_path / "clip.mkv", green, plan_variants([], []), frame=12)
    ((settings, _, network),) = opened
    assert (settings.model, network.calls, network.closed) == (("selfie-landscape", 13, 1))
    frames = [frame_to_bgr(frame).astype(int) for frame, _ in synthetic_clip(SIZE, 14, 3, "slow")]
    assert int(np.argmin([np.abs(found.original - frame).mean() for frame in frames])) == 12
    with pytest.raises(InputError, match="has only 14 frames") as caught:
        compare(tmp_path / "clip.mkv", green, plan_variants([], []), frame=14)
    assert caught.value.hint == "--frame 13"


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
