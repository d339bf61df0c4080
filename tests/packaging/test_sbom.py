"""The list of a bundle's parts, and their licences."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from vcam.errors import VcamError
from vcam.packaging import deb_bundle
from vcam.packaging.sbom import cyclonedx, licences, parts

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(find_spec("pip") is None, reason="this environment has no pip"),
]
WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def put(tree: Path, name: str, head: str, version: str = "1.0") -> None:
    folder = tree / f"{name.replace('-', '_')}-{version}.dist-info"
    (folder / "licenses").mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{head}\n\nLicense: GPL\n"
    )
    (folder / "licenses/LICENSE").write_text("the same words")
    (tree / name.replace("-", "_")).mkdir()


def test_parts_their_licences_and_who_needs_whom(tmp_path: Path) -> None:
    put(tmp_path, "vcam", "License-Expression: MIT\nRequires-Dist: a-b\nRequires-Dist: absent")
    put(tmp_path, "a-b", "License: Apache 2.0\nHome-page: https://a\nRequires-Dist: c>=1; extra == 'x'")
    put(tmp_path, "c", "License-Expression: MIT AND Zlib\nProject-URL: Source, https://c")
    put(tmp_path, "d", "Classifier: License :: OSI Approved :: MIT License")
    found = parts(tmp_path)
    assert [(part.name, part.licence) for part in found] == [
        ("a-b", "Apache-2.0"),
        ("c", "MIT AND Zlib"),
        ("d", "MIT"),
        ("vcam", "MIT"),
    ]
    assert [part.home for part in found[:2]] == ["https://a", "https://c"]
    document = json.loads(cyclonedx(found, "1.0", WHEN, {"a-b": "0" * 64}))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["purl"] == "pkg:generic/vcam@1.0"
    assert document["metadata"]["component"]["bom-ref"] == "pkg:generic/vcam@1.0"
    first, second, _ = document["components"]
    assert (first["licenses"], first["hashes"][0]["content"]) == ([{"license": {"id": "Apache-2.0"}}], "0" * 64)
    assert second["licenses"] == [{"expression": "MIT AND Zlib"}]
    needs = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    assert needs["pkg:generic/vcam@1.0"] == ["pkg:pypi/a-b@1.0"]
    assert needs["pkg:pypi/a-b@1.0"] == ["pkg:pypi/c@1.0"]
    assert cyclonedx(found, "1.0", WHEN, {}) == cyclonedx(found, "1.0", WHEN, {})
    text = licences(found)
    assert text.count("the same words") == 1
    assert "as that of a-b" in text


@pytest.mark.parametrize(
    ("head", "word"),
    [
        ("License: GPL-2.0-only", "GPL-2.0-only"),
        ("License-Expression: GPL-3.0-or-later OR AGPL-3.0-only", "AGPL"),
        ("Classifier: License :: OSI Approved :: GNU General Public License v2 (GPLv2)", "General Public"),
        ("Summary: without", "does not tell its licence"),
    ],
)
def test_what_must_not_be_bundled_is_named(head: str, word: str, tmp_path: Path) -> None:
    put(tmp_path, "strong", head)
    with pytest.raises(VcamError, match=word) as caught:
        parts(tmp_path)
    assert "strong" in caught.value.message


def test_a_name_of_a_licence_without_its_words_is_not_enough(tmp_path: Path) -> None:
    put(tmp_path, "short", "License: MIT")
    (tmp_path / "short-1.0.dist-info/licenses/LICENSE").unlink()
    with pytest.raises(VcamError, match=r"short 1\.0 brings no text of its licence"):
        parts(tmp_path)


def test_what_the_panels_page_holds_is_told_as_well(tmp_path: Path) -> None:
    put(tmp_path, "vcam", "License-Expression: MIT")
    (tmp_path / "vcam/web/page").mkdir(parents=True)
    (tmp_path / "vcam/web/page/LICENSES.txt").write_text("of Preact")
    assert "of Preact" in licences(parts(tmp_path))


@pytest.mark.skipif(not Path("/usr/share/common-licenses/LGPL-2.1").exists(), reason="this is not Debian")
def test_wheels_without_a_text_of_their_licence_are_given_it(tmp_path: Path) -> None:
    for name, licence in (("pygame-ce", "LGPL v2.1"), ("flatbuffers", "Apache 2.0")):
        put(tmp_path, name, f"License: {licence}")
        shutil.rmtree(tmp_path / f"{name.replace('-', '_')}-1.0.dist-info/licenses")
    libraries = tmp_path / "pygame_ce.libs"
    libraries.mkdir()
    for name in ("libSDL2-2-50d19f93.0.so.0.3200.10", "libpng16-fefdc88d.so.16.58.0", "libxmp-35a4066c.so.4.7.2"):
        (libraries / name).touch()
    deb_bundle.supply(tmp_path)
    text = licences(parts(tmp_path))
    for words in ("GNU LESSER GENERAL PUBLIC LICENSE", "Apache License", "Sam Lantinga", "Independent JPEG Group"):
        assert words in text, words
    (libraries / "libnew-0123abcd.so.1").touch()
    with pytest.raises(VcamError, match=r"nothing tells the licence of pygame_ce\.libs/libnew-0123abcd\.so\.1"):
        deb_bundle.supply(tmp_path)


def test_every_library_in_the_pygame_that_is_here_is_named() -> None:
    place = find_spec("pygame")
    if place is None or place.origin is None or not Path(place.origin).parents[1].joinpath("pygame_ce.libs").is_dir():
        pytest.skip("no wheel of pygame-ce is installed")
    libraries = Path(place.origin).parents[1] / "pygame_ce.libs"
    deb_bundle._all_named(libraries, deb_bundle.SUPPLIED["pygame-ce"]["LIBRARIES.txt"])


@pytest.mark.parametrize(
    "licence",
    [
        "LGPL-2.1-only",
        "BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1",
        "GNU Lesser General Public License v2 (LGPLv2)",
    ],
)
def test_what_may_be_bundled_passes(licence: str, tmp_path: Path) -> None:
    put(tmp_path, "weak", f"License: {licence}")
    assert parts(tmp_path)[0].licence == licence
