"""Who made what vcam brings along: NOTICE, docs/models.md and the cards say the same as what collected the pictures."""

from __future__ import annotations

import re

import cv2

from docs.harmonise import collect
from tests.places import ROOT
from vcam.assets import BACKGROUNDS, data_folder
from vcam.models.cards import read_card
from vcam.settings import Settings

NOTICE = (ROOT / "NOTICE").read_text("utf-8")
PAGE = (ROOT / "docs/models.md").read_text("utf-8")
SECTION = PAGE.partition("## The one for the light\n")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line[:3].strip("| ").isdigit()
]
AUTHORS = (
    "Aitzol Berasategi", 'Trevor "Freespace"', "Abhishek Mudgal", "Jakub Mede", "Clemens Engelhardt", "Intel",
    "Poly Haven", "Greg Zaal", "NASA", "U.S. Navy",
)  # fmt: skip
PANORAMAS = 18, 8
"""Of @pmndrs/assets and of blender-data."""


def test_every_network_is_in_notice_and_on_the_page_with_its_licence() -> None:
    cards = [read_card(path) for path in sorted(data_folder("models").glob("*.toml"))]
    assert {card.name: card.licence for card in cards} == {
        "harmonise": "MIT", "selfie-general": "Apache-2.0", "selfie-landscape": "Apache-2.0",
    }  # fmt: skip
    for card in cards:
        assert f"models/{card.file}" in NOTICE
        assert f"`{card.name}`" in PAGE


def test_the_page_counts_the_pictures_that_the_network_for_the_light_was_made_from() -> None:
    cc0 = sum("seeding" in name for name in collect.PHOTOGRAPHS)
    made = [
        *(collect.VIEWS * count for count in PANORAMAS), collect.PARTS * (len(collect.PHOTOGRAPHS) - cc0),
        collect.PARTS * cc0, collect.PARTS * len(BACKGROUNDS), collect.PEOPLE, collect.FRAMES * len(collect.CLIPS),
        *[collect.AGAIN] * len(collect.PORTRAITS),
    ]  # fmt: skip
    assert [int(row[0]) for row in ROWS] == made
    whole, train, validate = map(
        int, re.findall(r"made from (\d+) pictures, (\d+) to train with and (\d+)", SECTION)[0]
    )
    assert whole == train + validate == sum(made)
    # and each has a licence and somebody who made it
    assert all(len(row) == 4 and all(row) for row in ROWS)


def test_notice_credits_every_picture_whose_licence_asks_for_it() -> None:
    flat = re.sub(r"\s+", " ", NOTICE)
    for name in collect.PHOTOGRAPHS:
        title, _, _ = name.partition("_by_")
        assert f'"{title.replace("_", " ")}"' in flat, name
    for clip in collect.CLIPS:
        assert f'"{clip}"' in flat
    for who in AUTHORS:
        assert who in flat, who
        assert who in SECTION, who
    assert "https://creativecommons.org/licenses/by/4.0/" in flat


def test_the_sheet_of_people_is_there_and_small() -> None:
    sheet = ROOT / "docs/images/harmonise.jpg"
    assert sheet.stat().st_size < 400_000
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape == (12 * 110, 8 * 2 * 88 + 7 * 6, 3)


def test_it_is_on_only_where_it_is_asked_for() -> None:
    assert Settings().filters.chain == ()
    # nor does anything that comes with vcam ask for it: units, catalogues, a configuration
    for folder in ("systemd", "vcam"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".toml", ".service", ".conf", ".desktop"):
                assert "harmonise" not in path.read_text("utf-8"), path
