"""OBS Studio, 30 and newer, with its source "Video Capture Device (PipeWire)", which asks the portal."""

from __future__ import annotations

import time

import pytest

from tests.pipewire.obs import KIND, OBS, SOURCE, OBSEnded, Studio
from tests.pipewire.session import Session
from vcam.output.virtual.pipewire import PipeWireCamera
from vcam.types import U8

pytestmark = [pytest.mark.process, pytest.mark.long]

TRIES = 5


def test_obs_lists_the_camera_and_shows_its_pictures(desktop: Session, output: PipeWireCamera) -> None:
    if not OBS:
        pytest.skip("needs OBS: apt install obs-studio obs-plugins, 30 or newer")
    for tries_left in reversed(range(TRIES)):
        try:
            with Studio(desktop) as studio:
                pictures = shown(studio)
            break
        except OBSEnded:
            # now and then it fails for itself, when PipeWire is faster than its own thread that has asked the portal
            if not tries_left:
                raise
    colours = [tuple(int(value) for value in picture[100, 100]) for picture in pictures]
    assert {picture.shape for picture in pictures} == {(480, 640, 3)}
    assert len(set(colours)) > 2, "the picture does not move"
    assert all(red > green + 40 and red > blue + 40 for red, green, blue in colours), colours


def shown(studio: Studio) -> list[U8]:
    """Some pictures of the source that a person has chosen from its list."""
    if KIND not in studio.call("GetInputKindList")["inputKinds"]:
        pytest.skip("needs OBS 30 or newer with its plugin for PipeWire: apt install obs-plugins")
    end = time.monotonic() + 60
    while True:
        listed = studio.call("GetInputPropertiesListPropertyItems", inputName=SOURCE, propertyName="device_id")
        found = [item["itemValue"] for item in listed["propertyItems"] if item["itemName"] == "vcam"]
        if found:
            break
        assert time.monotonic() < end, listed
        time.sleep(0.2)
    studio.call("SetInputSettings", inputName=SOURCE, inputSettings={"device_id": found[0]})
    pictures: list[U8] = []
    while len(pictures) < 6:
        picture = studio.picture(SOURCE)
        if picture is not None and picture.any():
            pictures.append(picture)
        assert time.monotonic() < end, f"nothing but black:\n{studio.log[-3000:]}"
        time.sleep(0.2)
    return pictures
