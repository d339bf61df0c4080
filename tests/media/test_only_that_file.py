"""A film is one file: what lists other files is not followed, whatever it is called."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from vcam.errors import InputError
from vcam.media.ffmpeg import find_ffmpeg, local_url
from vcam.media.probe import probe
from vcam.media.reader import VideoReader

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("private") / "private.ts"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1"]
    subprocess.run([find_ffmpeg(), "-v", "error", *source, "-c:v", "mpeg2video", str(path)], check=True)
    return path


LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{path}'\n",
    "dash": '<?xml version="1.0"?><MPD type="static" xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    '<Representation id="1" bandwidth="1"><BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>',
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_files_is_no_film_and_nothing_in_it_is_opened(kind: str, film: Path) -> None:
    path = film.with_name(f"{kind}.mp4")
    path.write_text(LISTS[kind].format(path=film.name))
    with pytest.raises(InputError) as caught:
        probe(path)
    assert caught.value.hint
    with VideoReader(local_url(path), (64, 48), Fraction(10)) as reader, pytest.raises(InputError):
        reader.read()


def test_without_the_rule_ffmpeg_does_follow_one(film: Path) -> None:
    path = film.with_name("followed.mp4")
    path.write_text(LISTS["concat"].format(path=film.name))
    command = [find_ffmpeg(), "-v", "error", "-i", local_url(path), "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_film_is_read(film: Path) -> None:
    assert probe(film).size == (64, 48)
    with VideoReader(local_url(film), (64, 48), Fraction(10)) as reader:
        assert reader.read() is not None
