"""The list of a bundle's parts, and their licences."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from vcam.errors import VcamError
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
