"""The network in its place, and out of it again."""

from __future__ import annotations

import fcntl
import os
import shutil

import pytest

from vcam.assets import data_folder
from vcam.errors import OutputError, UsageError, VcamError
from vcam.learn import keeping
from vcam.learn.keeping import check_place, install, is_learnt, sheet_path, signed, undo, working
from vcam.models.cards import read_card
from vcam.models.find import find_model
from vcam.settings import config_path, load


@pytest.fixture
def card(tmp_path):
    """A network that might have been learnt."""
    folder = tmp_path / "made"
    folder.mkdir()
    for suffix in (".onnx", ".toml"):
        shutil.copyfile(data_folder("models") / f"selfie-general{suffix}", folder / f"selfie-general{suffix}")
    return signed(read_card(folder / "selfie-general.toml"), "mine", "a test")


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    for kind in ("DATA", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("VCAM_CONFIG", str(tmp_path / "config.toml"))
    with working():
        pass


def model() -> str:
    return load().settings.segment.model


def test_it_is_used_from_then_on_and_undone(card):
    config_path().write_text('# mine\n[segment]\nthreads = 2\nmodel = "selfie-landscape"\n')
    before = config_path().read_text()
    kept, where = install(card, "mine")
    assert where == str(config_path())
    assert model() == "mine"
    assert is_learnt(find_model("mine", (1280, 720)))
    sheet_path("mine").write_bytes(b"a picture")
    keeping.draw_folder().mkdir()
    (keeping.draw_folder() / "me-00001.png").write_bytes(b"you")
    done = undo("mine")
    assert done["model"] == "selfie-landscape"
    assert config_path().read_text() == before
    assert not kept.path.exists()
    assert not sheet_path("mine").exists()
    assert not keeping.draw_folder().exists()
    with pytest.raises(UsageError, match="nothing was learnt under the name mine"):
        undo("mine")


def test_who_had_no_setting_has_none_again(card):
    install(card, "mine")
    assert model() == "mine"
    assert undo("mine")["model"] == "auto"
    assert model() == "auto"


def test_learnt_twice_and_undone_is_what_it_was_at_first(card):
    config_path().write_text('[segment]\nmodel = "selfie-general"\n')
    install(card, "mine")
    install(card, "mine")
    undo("mine")
    assert model() == "selfie-general"


def test_what_was_set_since_stays(card):
    install(card, "mine")
    config_path().write_text('[segment]\nmodel = "selfie-landscape"\n')
    assert undo("mine")["model"] is None
    assert model() == "selfie-landscape"


def test_a_profile_that_has_its_own_is_the_one_that_is_changed(card, monkeypatch):
    config_path().write_text('[profiles.work.segment]\nmodel = "selfie-general"\n')
    monkeypatch.setenv("VCAM_PROFILE", "work")
    install(card, "mine", "work")
    assert model() == "mine"
    monkeypatch.delenv("VCAM_PROFILE")
    assert model() == "auto"
    undo("mine")
    monkeypatch.setenv("VCAM_PROFILE", "work")
    assert model() == "selfie-general"


def test_a_network_of_that_name_that_was_not_learnt_stays(card):
    from vcam.models.store import add

    check_place("mine")
    add(str(data_folder("models") / "selfie-general.toml"), "mine")
    with pytest.raises(UsageError, match="not learnt"):
        check_place("mine")
    with pytest.raises(UsageError, match="nothing was learnt"):
        undo("mine")
    with pytest.raises(UsageError, match="a model of vcam itself"):
        check_place("selfie-general")


def test_a_locked_setting_is_left_alone(card, tmp_path, monkeypatch):
    def refuse(keys):
        raise UsageError("segment.model is locked")

    monkeypatch.setattr(keeping, "refuse_locked", refuse)
    kept, where = install(card, "mine")
    assert where == ""
    assert kept.path.exists()
    assert model() == "auto"
    assert undo("mine")["model"] is None


def test_nothing_is_left_of_the_work_and_what_a_killed_run_left_is_removed():
    left = keeping.folder() / "work-killed"
    left.mkdir()
    (left / "me.mkv").write_bytes(b"you")
    with working() as work:
        assert not left.exists()
        assert work.stat().st_mode & 0o777 == 0o700
        (work / "me.mkv").write_bytes(b"you")
    assert not work.exists()
    with pytest.raises(KeyboardInterrupt), working() as work:
        raise KeyboardInterrupt
    assert not work.exists()
    assert keeping.folder().stat().st_mode & 0o777 == 0o700


def test_two_at_once_and_a_full_disk_are_told(monkeypatch):
    held = os.open(keeping.folder() / "lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(VcamError, match="another vcam learn is at work"), working():
            pass
    finally:
        os.close(held)
    monkeypatch.setattr(keeping, "SPACE", 1 << 60)
    with pytest.raises(OutputError, match="too little space"), working():
        pass


def test_what_somebody_has_drawn_on_stays_until_it_is_undone():
    keeping.draw_folder().mkdir(parents=True)
    plain, drawn = (keeping.draw_folder() / f"me-{number}.png" for number in (1, 2))
    for path in (plain, drawn):
        path.write_bytes(b"as it was written")
    keeping.note_drawings([plain, drawn])
    drawn.write_bytes(b"with a green stroke")
    assert keeping.clear_drawings(drawn=False) == [str(plain)]
    assert drawn.exists()
    # nothing was kept, yet pictures of the user are there
    assert undo("mine")["removed"] == [str(drawn)]
    assert not keeping.draw_folder().exists()


@pytest.mark.parametrize("failure", [VcamError("the file is read-only"), KeyboardInterrupt()])
def test_a_second_lesson_that_is_cut_short_leaves_the_first_as_it_was(card, monkeypatch, failure):
    kept, _ = install(card, "mine")
    before = {path: path.read_bytes() for path in (kept.path, kept.file_path)}
    other = signed(card, "another", "a second test")

    def fail(*_):
        raise failure

    monkeypatch.setattr(keeping, "save_where_they_count", fail)
    with pytest.raises(type(failure)):
        install(other, "mine")
    assert {path: path.read_bytes() for path in before} == before
    assert model() == "mine"
