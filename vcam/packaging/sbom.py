"""What a bundle is made of: the list of its parts as CycloneDX has it, and the licences of everything in it.

The parts are those that `pip inspect --path` sees in the tree, so the list says what is there and not what was asked
for. CycloneDX's own tool for Python asks the Python that runs it; these trees are for others.
https://cyclonedx.org/docs/1.6/json
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from vcam.errors import VcamError

_SPDX = {
    "apache 2.0": "Apache-2.0", "mit": "MIT", "mit license": "MIT", "3-clause bsd license": "BSD-3-Clause",
    "lgpl v2.1": "LGPL-2.1-only", "apache software license": "Apache-2.0", "bsd license": "BSD-3-Clause",
}  # fmt: skip
"""What packages write who do not know SPDX's names, in small letters."""

HOME = ""
"""Where vcam is published; empty as long as that is nowhere. PyPI's project of that name is another program."""

_TEXTS = re.compile(r"(?i)^(licen[cs]es?|copying|notice|thirdpartynotices|authors|.*third-party-programs)([-_.].*)?$")
_STRONG = re.compile(r"((?<![a-z])A?GPL|(?<!lesser )general public license)(?!.*exception)", re.IGNORECASE)
_NAMESPACE = uuid.UUID("5f0a1c1e-6f0d-5a43-9d0b-0f8f9c2f5f3b")


@dataclass(frozen=True, slots=True)
class Part:
    """A package of Python's in a bundle.

    tops: what of the tree is its own, besides its metadata. texts: its licences, the files' paths below the tree, and
    what they say.
    """

    name: str
    version: str
    licence: str
    home: str
    requires: tuple[str, ...]
    tops: tuple[str, ...]
    texts: Mapping[str, str]

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec"""
        return _purl(canonicalize_name(self.name), self.version)


def _purl(name: str, version: str) -> str:
    # whoever looks a part up by this must not find the other vcam
    return f"pkg:{'generic' if name == 'vcam' else 'pypi'}/{name}@{version}"


def parts(tree: Path) -> list[Part]:
    """All packages in a folder, by name.

    Raises `VcamError` for one that names no licence, that brings none of its words, or whose licence forbids a bundle.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "inspect", "--path", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VcamError(f"pip inspect: {done.stderr.strip()}", f"{sys.executable} -m pip --version")
    found = [_part(entry, tree) for entry in json.loads(done.stdout)["installed"]]
    for part in found:
        if not part.licence:
            raise VcamError(f"{part.name} {part.version} does not tell its licence", "leave it out: LEFT_OUT")
        if _STRONG.search(part.licence):
            raise VcamError(f"{part.name} is under {part.licence}: not in a bundle", "leave it out: LEFT_OUT")
        if not part.texts:
            raise VcamError(f"{part.name} {part.version} brings no text of its licence", "name one in SUPPLIED")
    return sorted(found, key=lambda part: canonicalize_name(part.name))


def _part(entry: dict[str, Any], tree: Path) -> Part:
    metadata = entry["metadata"]
    folder = Path(entry["metadata_location"])
    # pip's JSON leaves out what is newer than itself
    head = (folder / "METADATA").read_text("utf-8").partition("\n\n")[0]
    told = dict(re.findall(r"(?m)^(License-Expression|License): (.+)$", head))
    classified = re.findall(r"(?m)^Classifier: License :: OSI Approved :: (.+)$", head)
    licence = told.get("License-Expression") or told.get("License") or " AND ".join(classified)
    licence = _SPDX.get(licence.strip().lower(), licence.strip())
    home = re.findall(r"(?im)^(?:Home-page: |Project-URL: (?:home.?page|source|repository)[^,]*, ?)(http\S+)$", head)
    index = HOME if metadata["name"] == "vcam" else f"https://pypi.org/project/{metadata['name']}/"
    return Part(
        metadata["name"],
        metadata["version"],
        licence,
        home[0] if home else index,
        tuple(metadata.get("requires_dist", [])),
        tops := _tops(metadata["name"], tree),
        dict(_texts(folder, tree, tops)),
    )


_TOPS = {
    "opencv-python-headless": ("cv2",), "pillow": ("PIL",), "pygame-ce": ("pygame",), "protobuf": ("google",),
    "markdown-it-py": ("markdown_it",),
}  # fmt: skip
"""Of packages that are called otherwise than their modules: older metadata does not tell, and RECORD is not kept."""


def _tops(name: str, tree: Path) -> tuple[str, ...]:
    name = canonicalize_name(name)
    stem = name.replace("-", "_")
    wanted = [*_TOPS.get(name, ()), stem, f"{stem}.py", f"{stem}.libs"]
    return tuple(top for top in wanted if (tree / top).exists())


_PAGE = "vcam/web/page/LICENSES.txt"


def _texts(folder: Path, tree: Path, tops: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (_TEXTS.match(path.name) or "licenses" in path.parts or "licensing" in path.parts):
            yield str(path.relative_to(tree)), path.read_text("utf-8", "replace")
    # of what the panel's page holds
    if (tree / _PAGE).is_file() and "vcam" in tops:
        yield _PAGE, (tree / _PAGE).read_text("utf-8")
    # older wheels have them among the modules
    for path in sorted(path for top in tops if top != "vcam" for path in (tree / top).glob("*")):
        if path.is_file() and _TEXTS.match(path.name) and path.suffix != ".py":
            yield str(path.relative_to(tree)), path.read_text("utf-8", "replace")


def cyclonedx(found: list[Part], version: str, when: datetime, checksums: Mapping[str, str]) -> str:
    """A CycloneDX 1.6 document, as JSON. checksums: SHA-256 of the wheels by the packages' canonical names."""
    components = [_component(part, checksums) for part in found if canonicalize_name(part.name) != "vcam"]
    purls: dict[str, str] = {canonicalize_name(part.name): part.purl for part in found}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": f"{when:%Y-%m-%dT%H:%M:%SZ}",
            "component": {
                "type": "application",
                "bom-ref": _purl("vcam", version),
                "name": "vcam",
                "version": version,
                "purl": _purl("vcam", version),
                "licenses": [{"expression": "MIT"}],
            },
        },
        "components": components,
        "dependencies": [
            {"ref": part.purl, "dependsOn": sorted(_needs(part, purls))}
            for part in sorted(found, key=lambda part: part.purl)
        ],
    }
    # the same parts have the same number
    said = json.dumps(document, sort_keys=True)
    document = {"serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, said)}", **document}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _component(part: Part, checksums: Mapping[str, str]) -> dict[str, Any]:
    simple = re.fullmatch(r"[\w.+-]+", part.licence)
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "licenses": [{"license": {"id": part.licence}}] if simple else [{"expression": part.licence}],
        "externalReferences": [{"type": "website", "url": part.home}],
    }
    if checksum := checksums.get(canonicalize_name(part.name)):
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return component


def _needs(part: Part, purls: Mapping[str, str]) -> Iterator[str]:
    names = {canonicalize_name(Requirement(text).name) for text in part.requires}
    yield from (purls[name] for name in names if name in purls and purls[name] != part.purl)


def licences(found: list[Part]) -> str:
    """Everybody's licence, one after the other; a text that several share is there once."""
    lines = ["What vcam is shipped together with, and under which licences.\n"]
    lines += ["; ".join(filter(None, (f"{part.name} {part.version}: {part.licence}", part.home))) for part in found]
    seen: dict[str, str] = {}
    for part in found:
        for name, text in part.texts.items():
            key = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
            lines.append(f"\n{'=' * 100}\n{part.name} {part.version}: {name}\n")
            lines.append(f"as that of {seen[key]}" if key in seen else text.strip())
            seen.setdefault(key, f"{part.name}: {name}")
    return "\n".join(lines) + "\n"
