from __future__ import annotations

import errno
import fcntl
from ctypes import c_int32

import pytest

from vcam.v4l2 import raw
from vcam.v4l2.controls import Control, control_name


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("QUERYCAP", 0x80685600),
        ("ENUM_FMT", 0xC0405602),
        ("S_FMT", 0xC0D05605),
        ("REQBUFS", 0xC0145608),
        ("DQBUF", 0xC0585611),
        ("STREAMON", 0x40045612),
        ("S_PARM", 0xC0CC5616),
        ("ENUM_FRAMESIZES", 0xC02C564A),
        ("ENUM_FRAMEINTERVALS", 0xC034564B),
        ("QUERY_EXT_CTRL", 0xC0E85667),
        ("QUERYMENU", 0xC02C5625),
        ("S_EXT_CTRLS", 0xC0205648),
        ("SUBSCRIBE_EVENT", 0x4020565A),
        ("DQEVENT", 0x80885659),
    ],
)
def test_requests_have_the_kernels_numbers(name, number):
    assert getattr(raw, f"VIDIOC_{name}") == number


def test_fields_lie_where_the_kernel_puts_them():
    assert raw.Format.fmt.offset == 8
    assert raw.Buffer.m.offset == 64
    assert raw.Buffer.timestamp.offset == 24
    assert raw.Event.u.offset == 8
    assert raw.ExtControl.u.offset == 12
    assert raw.ExtControls.controls.offset == 24


def test_an_interrupted_call_is_made_again(monkeypatch):
    calls = []

    def interrupted_once(*call):
        calls.append(call)
        if len(calls) == 1:
            raise OSError(errno.EINTR, "interrupted")

    monkeypatch.setattr(fcntl, "ioctl", interrupted_once)
    raw.ioctl(3, raw.VIDIOC_STREAMON, c_int32(1))
    assert len(calls) == 2


def test_format_codes_are_read_and_written_as_text():
    assert raw.fourcc("YUYV") == 0x56595559
    assert raw.fourcc_name(raw.fourcc("Y16")) == "Y16"
    assert raw.fourcc_name(raw.fourcc("Y16") | 1 << 31) == "Y16"


def test_controls_have_names_one_can_type():
    assert control_name("White Balance, Automatic") == "white_balance_automatic"


EXPOSURE = Control(1, "auto_exposure", "menu", 0, 3, 1, 3, 3, True, True, {1: "Manual Mode", 3: "Aperture Priority"})
GAIN = Control(2, "gain", "integer", 0, 255, 1, 0, 0, True, True)
MUTE = Control(3, "mute", "boolean", 0, 1, 1, 0, 0, True, True)


@pytest.mark.parametrize(
    ("control", "text", "value"),
    [(EXPOSURE, "manual mode", 1), (EXPOSURE, "3", 3), (GAIN, "0x10", 16), (GAIN, " 7 ", 7), (MUTE, "on", 1)],
)
def test_a_controls_value_is_read_as_people_write_it(control, text, value):
    assert control.parse(text) == value


@pytest.mark.parametrize(
    ("control", "text", "words"),
    [(EXPOSURE, "2", r"1 \(Manual Mode\), 3"), (GAIN, "256", "from 0 to 255"), (MUTE, "perhaps", "from 0 to 1")],
)
def test_an_impossible_value_is_answered_with_the_possible_ones(control, text, words):
    with pytest.raises(ValueError, match=words):
        control.parse(text)
