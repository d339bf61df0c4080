"""Overlays: only their box changes, they stand where they should, the clock goes on."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcam.compose import font
from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.compose.overlay import Clock, Overlay, draw_text, picture_overlay, text_overlay
from vcam.errors import InputError, UsageError
from vcam.frames import NOTHING, Alpha, Box, Frame
from vcam.settings import Settings
from vcam.testing import pattern_frame

SIZE = (320, 180)


def alpha(value: int, box: Box) -> Alpha:
    full = np.full(SIZE[::-1], value, np.uint8)
    return Alpha(full, full[::2, ::2].copy(), full[::4, ::4].copy(), box, 0)


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    """Red, opaque in the middle, transparent round it."""
    rgba = np.zeros((40, 60, 4), np.uint8)
    rgba[10:30, 15:45] = (255, 0, 0, 255)
    Image.fromarray(rgba, "RGBA").save(tmp_path / "logo.png")
    return tmp_path / "logo.png"


def laid(overlay: Overlay) -> tuple[Frame, Frame]:
    before, after = pattern_frame(SIZE), pattern_frame(SIZE)
    overlay.prepare(SIZE)
    overlay.change(after, Box(0, 0, *SIZE), None)
    return before, after


@pytest.mark.parametrize("place", ["top-left", "top", "center", "right", "bottom-right"])
def test_only_the_overlay_s_box_changes_and_it_lies_in_the_picture(place: str) -> None:
    overlay = text_overlay("Ada\\nLovelace", place, 40)
    before, after = laid(overlay)
    box = overlay.box
    assert 0 <= box.x0 < box.x1 <= SIZE[0]
    assert 0 <= box.y0 < box.y1 <= SIZE[1]
    changed = before.y != after.y
    assert changed[box.y0 : box.y1, box.x0 : box.x1].any()
    changed[box.y0 : box.y1, box.x0 : box.x1] = False
    assert not changed.any()


NO_FILTERS = Settings().replace(filters__decontaminate=0.0).filters


def test_an_overlay_stands_in_its_corner(logo: Path) -> None:
    for place, corner in (("top-left", (0, 0)), ("bottom-right", (SIZE[0], SIZE[1]))):
        overlay = picture_overlay(logo, place, 0.25)
        laid(overlay)
        assert corner in ((overlay.box.x0, overlay.box.y0), (overlay.box.x1, overlay.box.y1))
        assert overlay.box.x1 - overlay.box.x0 == 80


def test_what_is_transparent_stays_exact_and_what_is_opaque_covers(logo: Path) -> None:
    overlay = picture_overlay(logo, "top-left", 60 / 320)
    before, after = laid(overlay)
    np.testing.assert_array_equal(after.y[:8], before.y[:8])
    assert np.abs(after.y[12:28, 18:42].astype(int) - 81).max() <= 1
    assert np.abs(after.v[6:14, 9:21].astype(int) - 240).max() <= 1


def test_a_picture_behind_the_person_is_hidden_by_them_and_one_before_is_not(logo: Path) -> None:
    results = {}
    for key in ("front", "back"):
        settings = Settings().replace(
            **{f"overlay__{key}": str(logo), f"overlay__{key}_place": "center", f"overlay__{key}_scale": 0.5}
        )
        composer = PlateComposer(ColorBackground((128, 128, 128)), SIZE)
        composer.set_filters(make_effects(settings.filters, settings.overlay))
        frame = pattern_frame(SIZE)
        out = composer.compose(frame, alpha(255, Box(0, 0, *SIZE)), 0.0)
        results[key] = (out.y[90, 160] == frame.y[90, 160], out.v[45, 80] > 230)
        out = composer.compose(frame, alpha(255, NOTHING), 0.1)
        assert out.v[45, 80] > 230
    assert results == {"front": (False, True), "back": (True, False)}


def test_an_overlay_leaves_no_trace_when_it_goes() -> None:
    settings = Settings().replace(overlay__text="be right back", filters__decontaminate=0.0)
    composer = PlateComposer(ColorBackground((10, 200, 30)), SIZE)
    plain = composer.compose(pattern_frame(SIZE), alpha(255, Box(40, 40, 200, 180)), 0.0).packed().copy()
    composer.set_filters(make_effects(settings.filters, settings.overlay))
    for _ in range(2):
        out = composer.compose(pattern_frame(SIZE), alpha(255, Box(40, 40, 200, 180)), 0.0)
        assert (out.packed() != plain).any()
    composer.set_filters(make_effects(NO_FILTERS, Settings().overlay))
    out = composer.compose(pattern_frame(SIZE), alpha(255, Box(40, 40, 200, 180)), 0.0)
    np.testing.assert_array_equal(out.packed(), plain)


def test_the_clock_is_drawn_anew_when_the_minute_changes() -> None:
    now = [time.struct_time((2026, 1, 1, 9, 41, 0, 3, 1, 0))]
    clock = Clock(36, "top-right", lambda: now[0])
    _, first = laid(clock)
    again = pattern_frame(SIZE)
    clock.change(again, Box(0, 0, *SIZE), None)
    np.testing.assert_array_equal(first.packed(), again.packed())
    now[0] = time.struct_time((2026, 1, 1, 9, 42, 0, 3, 1, 0))
    later = pattern_frame(SIZE)
    clock.change(later, Box(0, 0, *SIZE), None)
    assert (later.y != first.y).any()


def test_long_words_and_tiny_pictures_fit() -> None:
    overlay = text_overlay("W" * 200, "center", 200)
    overlay.prepare((64, 48))
    assert overlay.box.x1 <= 64
    assert overlay.box.y1 <= 48


def test_settings_without_effects_make_an_empty_chain() -> None:
    assert make_effects(NO_FILTERS, Settings().overlay).empty


def test_an_overlay_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture"):
        picture_overlay(tmp_path / "nothing.png", "top", 0.5)
    (tmp_path / "words.png").write_text("not a picture")
    with pytest.raises(InputError, match="not a picture that vcam can read"):
        picture_overlay(tmp_path / "words.png", "top", 0.5)


def sign_of(text: str) -> bytes:
    """What is drawn for a text, its card and all."""
    return draw_text(text, 40, (640, 360)).tobytes()


@pytest.mark.parametrize("letters", ["ßüñé", "Ωλ", "Жщ"])
def test_letters_beyond_english_are_drawn_as_themselves(letters: str) -> None:
    """Not each as the same sign for a letter that the font has not."""
    signs = [sign_of(letter) for letter in letters]
    assert len({sign_of("\U0010fffe"), *signs}) == len(letters) + 1


@pytest.mark.parametrize(
    "said", [OSError("no such program"), subprocess.TimeoutExpired("fc-match", 5), "", "0 /nowhere"]
)
def test_without_fontconfig_they_are_drawn_too(said: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(said, Exception):
            raise said
        return subprocess.CompletedProcess([], 0, said, "")

    monkeypatch.setattr("vcam.compose.font.subprocess.run", run)
    font._choose.cache_clear()
    try:
        assert len({sign_of(letter) for letter in ("ü", "ß", "\U0010fffe")}) == 3
    finally:
        font._choose.cache_clear()


def test_english_needs_no_other_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.compose.font.subprocess.run", lambda *_, **__: pytest.fail("looked for a font"))
    font._choose.cache_clear()
    assert sign_of("Be right back! (10:30 - 11)") != sign_of("Be right back! (10:30 - 12)")
