"""The controls that settings ask for, on a camera that is a list of controls."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import replace

import pytest

from vcam.camera import controls
from vcam.camera.controls import ControlWishes, wishes
from vcam.errors import UsageError
from vcam.settings import CameraSettings, Settings
from vcam.v4l2 import raw
from vcam.v4l2.controls import Control, list_controls

MODES = {1: "Manual Mode", 3: "Aperture Priority Mode"}


def control(number, name, kind="integer", value=0, maximum=1000, choices=None):
    return Control(number, name, kind, 0, maximum, 1, 0, value, True, True, choices or {})


class Webcam:
    """Exposure with its automatic, white balance with its automatic, and brightness."""

    def __init__(self):
        listed = [
            control(0x009A0901, "auto_exposure", "menu", 3, 3, MODES),
            control(0x009A0902, "exposure_time_absolute"),
            control(0x0098090C, "white_balance_automatic", "boolean", 1, 1),
            control(0x0098091A, "white_balance_temperature", maximum=6500),
            control(0x00980900, "brightness"),
        ]
        self.controls = {entry.name: entry for entry in listed}
        self.written = []

    def write(self, fd, entry, value):
        self.written.append((entry.name, value))
        self.controls[entry.name] = replace(entry, value=value)


@pytest.fixture
def webcam(monkeypatch):
    webcam = Webcam()
    monkeypatch.setattr(controls, "list_controls", lambda fd: iter(webcam.controls.values()))
    monkeypatch.setattr(controls, "write_control", webcam.write)
    return webcam


def apply(**settings):
    wishes(CameraSettings(**settings)).apply(3, "Webcam")


def test_without_wishes_nothing_is_touched(webcam):
    apply()
    assert webcam.written == []


def test_a_number_switches_the_automatic_off_first(webcam):
    apply(exposure="200", white_balance="4600")
    assert webcam.written == [
        ("auto_exposure", 1),
        ("exposure_time_absolute", 200),
        ("white_balance_automatic", 0),
        ("white_balance_temperature", 4600),
    ]


def test_a_driver_that_does_not_tell_its_controls_is_no_reason_to_go_without_a_picture(monkeypatch, caplog):
    number = errno.EIO

    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(controls, "list_controls", fail)
    apply(exposure="200")
    assert "Webcam does not tell its controls: Input/output error" in caplog.text
    number = errno.ENODEV
    with pytest.raises(OSError, match="No such device"):
        apply(exposure="200")


def test_a_driver_that_gives_one_control_for_ever_has_that_one(monkeypatch):
    def ioctl(fd, request, argument):
        if request == raw.VIDIOC_QUERY_EXT_CTRL:
            argument.id, argument.type, argument.name = 0x00980900, raw.V4L2_CTRL_TYPE_INTEGER, b"Brightness"

    monkeypatch.setattr(raw, "ioctl", ioctl)
    assert [entry.name for entry in list_controls(3)] == ["brightness"]


def test_auto_switches_the_automatic_on_and_leaves_what_is_on(webcam):
    apply(exposure="200")
    webcam.written.clear()
    apply(exposure="auto", white_balance="auto")
    assert webcam.written == [("auto_exposure", 3)]
    apply(white_balance="4600")
    webcam.written.clear()
    apply(white_balance="auto")
    assert webcam.written == [("white_balance_automatic", 1)]


@pytest.mark.parametrize(
    ("wish", "number", "automatic"),
    [
        # of linux/v4l2-controls.h: EXPOSURE and AUTOGAIN are of the user class, the others of the camera's
        ("exposure", 0x00980911, 0x009A0901),
        ("focus", 0x009A090A, 0x009A090C),
        ("white_balance", 0x0098091A, 0x0098090C),
        ("gain", 0x00980913, 0x00980912),
        ("zoom", 0x009A090D, None),
    ],
)
def test_controls_with_names_of_vcam_are_found_by_the_kernels_numbers(webcam, wish, number, automatic):
    listed = [control(number, "the value", maximum=10_000), control(0x00980900, "brightness")]
    listed += [control(automatic, "its automatic", "menu", 3, 3, MODES)] if automatic else []
    webcam.controls = {entry.name: entry for entry in listed}
    apply(**{wish: "12"})
    assert webcam.written[-1] == ("the value", 12)
    assert {name for name, _ in webcam.written} <= {"the value", "its automatic"}


def test_other_controls_go_by_the_drivers_names(webcam):
    apply(controls="brightness=7, auto_exposure=Manual Mode")
    assert webcam.written == [("brightness", 7), ("auto_exposure", 1)]


def test_what_the_camera_lacks_is_one_warning_with_what_it_has(webcam, caplog):
    wanted = ControlWishes({"zoom": "3", "gain": "auto"}, {"nosuch": "1", "brightness": "2000"})
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            wanted.apply(3, "Webcam")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert said[0] == (
        "Webcam has no zoom; it has auto_exposure, exposure_time_absolute, white_balance_automatic, "
        "white_balance_temperature, brightness"
    )
    assert "no automatic gain" in said[1]
    assert "nosuch" in said[2]
    assert "a number from 0 to 1000" in said[3]


@pytest.mark.parametrize(
    ("key", "value"), [("exposure", "bright"), ("focus", "1.5"), ("controls", "gain"), ("controls", "a=1,,b=2")]
)
def test_a_wish_that_is_none_is_refused(key, value):
    with pytest.raises(UsageError, match=f"camera.{key}"):
        Settings().replace(**{f"camera__{key}": value})


def test_a_bare_number_in_the_config_file_is_a_wish():
    assert Settings().replace(camera__exposure=200).camera.exposure == "200"


def test_other_wishes_take_the_place_of_earlier_ones(webcam):
    first, second = (wishes(CameraSettings(exposure=value)) for value in ("200", "300"))
    first.apply(3, "Webcam")
    second.replace(first, 3, "Webcam")
    assert webcam.controls["exposure_time_absolute"].value == 300


def test_what_is_known_to_be_impossible_is_not_told_again(webcam, caplog):
    first, second = (wishes(CameraSettings(exposure=value, controls="nosuch=1")) for value in ("200", "300"))
    first.apply(3, "Webcam")
    assert "no control nosuch" in caplog.text
    second.replace(first, 3, "Webcam")
    caplog.clear()
    second.apply(3, "Webcam")
    assert caplog.text == ""


def test_wishes_that_cannot_be_met_are_refused_and_the_earlier_ones_hold(webcam):
    first = wishes(CameraSettings(exposure="200", controls="nosuch=1"))
    first.apply(3, "Webcam")
    with pytest.raises(UsageError, match="from 0 to 1000"):
        wishes(CameraSettings(exposure="2000", white_balance="4000", controls="nosuch=1")).replace(first, 3, "Webcam")
    assert webcam.controls["exposure_time_absolute"].value == 200
    # not wished for before, but not to be changed by what is refused either
    assert webcam.controls["white_balance_automatic"].value == 1
    assert webcam.controls["white_balance_temperature"].value == 0
    # what was known to be impossible before does not stand in the way of something else
    wishes(CameraSettings(exposure="300", controls="nosuch=1")).replace(first, 3, "Webcam")
    assert webcam.controls["exposure_time_absolute"].value == 300
