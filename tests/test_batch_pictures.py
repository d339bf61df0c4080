"""Folders and names of pictures, as `vcam apply` and `mask` plan them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from vcam.batch import Batch, Job, plan
from vcam.errors import InputError, UsageError
from vcam.settings import Settings


def pictures(folder: Path, **formats: str) -> Path:
    folder.mkdir()
    for name, format_ in formats.items():
        Image.new("RGB", (32, 32)).save(folder / name.replace("_", "."), format_)
    return folder


@pytest.mark.parametrize(
    ("name", "format_", "made"),
    [("photo.jfif", "JPEG", "photo.jfif"), ("photo", "JPEG", "photo.jpg"), ("photo.tga", "TGA", "photo.png"),
     ("photo.mp4", "PNG", "photo.png"), ("photo.jpg", "PNG", "photo.jpg"), ("still.gif", "GIF", "still.png")],
)  # fmt: skip
def test_a_picture_into_a_folder_stays_a_picture(name: str, format_: str, made: str, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / name, format_)
    (tmp_path / "out").mkdir()
    (job,) = plan(tmp_path / name, tmp_path / "out", mattes=False)
    assert (job.target.name, job.picture) == (made, True)
    (job,) = plan(tmp_path / name, tmp_path / "out", mattes=True)
    assert job.target.name == f"{Path(name).stem}.png"


def test_heic_is_a_picture_and_not_a_video(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    (job,) = plan(tmp_path / "photo.heic", tmp_path / "out.png", mattes=False)
    assert job.picture


@pytest.mark.engine
def test_one_that_moves_is_said_to_lose_all_but_its_first(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 48), (grey,) * 3) for grey in (20, 200)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100)
    frames[0].save(tmp_path / "b.png")
    with Batch(Settings().replace(background__spec="green"), mattes=False) as batch:
        jobs = [Job(tmp_path / name, tmp_path / f"out-{name}", True) for name in ("a.png", "b.png")]
        moving, still = (batch.run(job, lambda done, of: None).notes for job in jobs)
    assert "only its first picture" in moving[0]
    assert still == []


def test_no_picture_of_a_folder_is_written_over_another(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", a_png="PNG", a_tga="TGA", a_psd="PNG", b_tga="TGA", c="PNG", a_jpg="JPEG")
    made = {job.source.name: job.target.name for job in plan(source, tmp_path / "out", mattes=False)}
    assert made == {"a.png": "a.png", "a.tga": "a.tga.png", "a.psd": "a.psd.png", "b.tga": "b.png", "c": "c.png",
                    "a.jpg": "a.jpg"}  # fmt: skip


def test_what_lies_beside_pictures_is_left_out_and_empty_files_are_said(tmp_path: Path, caplog) -> None:
    source = pictures(tmp_path / "in", a_png="PNG")
    (source / "._a.png").write_bytes(b"\0\5\x16\7\0\2\0\0")
    (source / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (source / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (source / "empty.png").touch()
    assert [job.source.name for job in plan(source, tmp_path / "out", mattes=False)] == ["a.png"]
    assert "empty.png is empty" in caplog.text
    (source / "a.png").unlink()
    with pytest.raises(InputError, match="no pictures"):
        plan(source, tmp_path / "out", mattes=False)


@pytest.mark.parametrize("name", ["x.jpg", "x.PNG", "film.mp4", "film.y4m"])
def test_a_folder_does_not_become_one_that_is_called_as_a_file(name: str, tmp_path: Path) -> None:
    source = pictures(tmp_path / "portraits", one_jpg="JPEG")
    with pytest.raises(UsageError, match="is the name of a file") as caught:
        plan(source, tmp_path / name, mattes=False)
    assert str((tmp_path / name).with_suffix("")) in str(caught.value.hint)
    assert not (tmp_path / name).exists()
    # one that somebody has made so is meant so
    (tmp_path / name).mkdir()
    assert plan(source, tmp_path / name, mattes=False)[0].target == tmp_path / name / "one.jpg"
    assert plan(source, tmp_path / "v1.0", mattes=False)[0].target == tmp_path / "v1.0" / "one.jpg"
