"""A slide show with pictures that cannot be shown: the person stays, and whoever asks is told."""

from __future__ import annotations

import shutil
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.daemon.helpers import PERSON, SETTINGS, Daemon
from vcam.compose.backgrounds import slides
from vcam.daemon.status import snapshot

pytestmark = pytest.mark.usefixtures("quick")

FAULTS = {
    "decoder": RuntimeError("Failed to decode frame 0"), "format": NotImplementedError("pixel format"),
    "index": IndexError("index out of range"), "struct": struct.error("unpack"), "memory": MemoryError(),
    "recursion": RecursionError("deep"),
}  # fmt: skip


def show(folder: Path) -> Daemon:
    folder.mkdir()
    for name, grey in (("a.png", 60), ("c.png", 90)):
        Image.new("L", (96, 64), grey).save(folder / name)
    return Daemon(SETTINGS.replace(background__spec=str(folder), background__interval=0.2))


def has_person(picture) -> bool:
    """The luma of the camera's person at the left."""
    return abs(int(picture.y[32, 16]) - PERSON["one"]) < 5


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_picture_that_no_decoder_takes_costs_nobody_the_person(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = slides.load_picture

    def loaded(path: Path, *words) -> object:
        if path.name == "b.png":
            raise fault
        return load(path, *words)

    monkeypatch.setattr(slides, "load_picture", loaded)
    with show(tmp_path / "s") as daemon:
        daemon.live()
        shutil.copy(tmp_path / "s" / "a.png", tmp_path / "s" / "b.png")
        daemon.until(lambda: daemon.life.monitor.last_error is not None)
        shown = daemon.more(30)
        assert all(has_person(picture) for picture in shown)
        assert daemon.life.pipeline.timings.without_person == 0
        assert "b.png" in snapshot(daemon.life)["last_error"]["message"]
        # and it goes on to others
        lumas = set()
        end = time.monotonic() + 30
        while len(lumas) < 2 and time.monotonic() < end:
            lumas |= {int(picture.y[32, 80]) for picture in daemon.more(20)}
        assert len(lumas) == 2
    assert daemon.error is None


def test_a_real_picture_that_is_damaged_is_passed_over(tmp_path: Path) -> None:
    with show(tmp_path / "s") as daemon:
        daemon.live()
        picture = np.random.default_rng(3).integers(0, 255, (64, 96, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / "b.png")
        data = bytearray((tmp_path / "b.png").read_bytes())
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        (tmp_path / "s" / "b.png").write_bytes(bytes(data))
        daemon.until(lambda: daemon.life.monitor.last_error is not None)
        assert all(has_person(picture) for picture in daemon.more(30))
    assert "b.png" in str(daemon.life.monitor.last_error[1])


def test_when_only_bad_pictures_are_left_the_last_good_one_stays(tmp_path: Path) -> None:
    with show(tmp_path / "s") as daemon:
        daemon.live()
        for name in ("a.png", "c.png"):
            (tmp_path / "s" / name).write_bytes(b"\x89PNG\r\n\x1a\n damaged")
        daemon.until(lambda: daemon.life.monitor.last_error is not None)
        shown = daemon.more(60)
        assert all(has_person(picture) for picture in shown)
        assert shown[-1].y[32, 80] in (luma_of(60), luma_of(90))


def luma_of(grey: int) -> int:
    return round(16 + grey * 219 / 255)
