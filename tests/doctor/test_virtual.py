"""`vcam doctor` on the virtual cameras, and on PipeWire that offers them."""

from __future__ import annotations

import errno
import json

import pytest

from tests.doctor.helpers import FED, PROBLEM, WAITING, loopback, node
from vcam.machine.inventory import VirtualEntry
from vcam.settings import Settings
from vcam.v4l2.discover import Holder


def test_a_loaded_module_without_devices_is_a_problem(world):
    world.has(virtual=())
    assert "no device" in world.only(PROBLEM)[0]


def test_exclusive_caps_off_names_the_programs_that_miss_the_camera(world):
    world.has(virtual=(loopback(WAITING | FED, exclusive=False),))
    seen, cure = world.only()
    assert "Chrome" in seen
    assert "vcam loopback setup" in cure
    assert world.status() == 0


def test_a_device_that_another_program_feeds_is_a_problem_with_its_name(world):
    world.has(virtual=(loopback(FED, fed=True, producers=(Holder(7, "obs"),)),))
    seen, cure = world.only(PROBLEM)
    assert "obs (process 7)" in seen
    assert "vcam loopback add" in cure


def test_a_device_that_vcam_feeds_is_as_it_should_be(world):
    world.write("/proc/7/cmdline", "/usr/bin/python3\0/usr/bin/vcam\0start")
    world.has(virtual=(loopback(FED, fed=True, producers=(Holder(7, "python3"),)),))
    assert world.status() == 0


def test_of_several_devices_one_free_one_is_enough(world):
    busy = loopback(FED, fed=True, producers=(Holder(7, "obs"),))
    world.has(virtual=(busy, VirtualEntry(node("/dev/video21", "second", "v4l2 loopback", WAITING), exclusive=True)))
    assert world.status() == 0
    world.settings = Settings().replace(output__targets="vcam")
    assert world.status() == 69


def test_a_named_device_that_is_missing_is_answered_with_those_that_are_there(world):
    world.settings = Settings().replace(output__targets="/dev/video30")
    seen, cure = world.only(PROBLEM)
    assert "/dev/video20 (vcam)" in seen
    assert cure == ("vcam start --output /dev/video20",)


def test_a_format_that_is_held_is_a_warning_with_its_holder(world):
    world.has(virtual=(loopback(format="YUYV:640x480@30", others=(Holder(9, "zoom"),)),))
    seen, _ = world.only()
    assert "YUYV:640x480@30" in seen
    assert "zoom (process 9)" in seen


@pytest.mark.parametrize("member", [True, False])
def test_without_permission_the_group_is_joined_or_the_session_renewed(world, member):
    world.write("/etc/group", f"video:x:44:{'mona' if member else ''}")
    world.has(virtual=(loopback(error=errno.EACCES, exclusive=None, problem="you may not open it (join)"),))
    _, cure = world.only(PROBLEM)
    assert ("sudo usermod -aG video mona" in cure) is not member
    assert "log out and in again" in cure[-1]


def test_where_all_devices_are_fed_the_first_is_named_and_the_old_module_is_set_up_with_one_more(world):
    entries = [
        VirtualEntry(node(f"/dev/video{number}", name, "v4l2 loopback", FED), fed=True, producers=(Holder(7, "obs"),))
        for number, name in ((20, "first"), (21, "second"))
    ]
    world.has(virtual=tuple(entries))
    seen, cure = world.only(PROBLEM)
    assert "first (/dev/video20) is fed by obs" in seen
    assert cure == ("close that program", "vcam loopback add")
    world.has(module="")
    world.write("/sys/module/v4l2loopback/version", "")
    assert [finding.cure[-1] for finding in world.findings() if finding.status is PROBLEM] == [
        "vcam loopback setup --devices 3"
    ]


def test_a_damaged_group_file_counts_for_nothing(world):
    world.write("/etc/group", "video:x\nvideo:x:44:mona:more\nother:x:45:mona")
    world.has(virtual=(loopback(error=errno.EACCES, exclusive=None, problem="you may not open it"),))
    assert world.only(PROBLEM)[1][0] == "sudo usermod -aG video mona"


def pipewire(world, devices):
    world.write("/proc/5/comm", "wireplumber\n")
    world.write("/proc/7/cmdline", "vcam\0start")
    world.has(virtual=(loopback(FED, fed=True, producers=(Holder(7, "vcam"),)),))
    nodes = [{"info": {"props": {"media.class": "Video/Source", "api.v4l2.path": path}}} for path in devices]
    world.programs["pw-dump"] = json.dumps([{"info": None}, *nodes])


def test_a_session_manager_that_looked_too_early_is_restarted(world):
    pipewire(world, ["/dev/video0"])
    seen, cure = world.only()
    assert "looked when nobody fed it" in seen
    assert cure == ("systemctl --user restart wireplumber",)


def test_a_session_manager_that_offers_the_device_is_left_alone(world):
    pipewire(world, ["/dev/video0", "/dev/video20"])
    assert world.status() == 0
    assert world.is_well()


def test_pipewire_that_does_not_answer_or_has_nothing_to_offer_yet_gets_advice(world):
    pipewire(world, [])
    world.programs["pw-dump"] = "no JSON"
    assert world.said("PipeWire") == ["cannot be asked (no pw-dump); if a program misses vcam:"]
    world.has(virtual=(loopback(),))
    assert world.said("PipeWire") == [
        "it takes vcam for a camera only if it looks while vcam runs; if a program misses it:"
    ]
    assert world.is_well()


def test_without_a_session_manager_or_a_device_there_is_nothing_to_say_of_pipewire(world):
    assert world.said("PipeWire") == []
    pipewire(world, ["/dev/video20"])
    world.has(virtual=())
    assert world.said("PipeWire") == []
