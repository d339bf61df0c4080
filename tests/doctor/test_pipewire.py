"""What is said of PipeWire, on scripted machines."""

from __future__ import annotations

import msgspec
import pytest

from tests.doctor.helpers import PROBLEM, World
from vcam.doctor.finding import Status
from vcam.machine.inventory import PipeWireEntry
from vcam.pipewire.registry import VideoNode

OURS = VideoNode(40, "50", "vcam.vcam", "vcam", "Camera")
SENSOR = VideoNode(41, "51", "libcamera_input.x", "Built-in", "Camera", "libcamera")


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.write("/proc/9/comm", "wireplumber")
    return world


def with_pipewire(world, *nodes, **facts):
    world.has(pipewire=PipeWireEntry(**{"running": True, "version": "1.2.7", "nodes": nodes, **facts}))


def _with(settings, target):
    return msgspec.structs.replace(settings, output=msgspec.structs.replace(settings.output, targets=(target,)))


def test_a_session_without_pipewire_is_well_unless_it_is_asked_for(world):
    assert world.is_well()
    world.settings = _with(world.settings, "pipewire")
    seen, cure = world.only(PROBLEM)
    assert seen == "no PipeWire daemon runs in this session"
    assert cure == ("sudo apt install pipewire", "systemctl --user start pipewire wireplumber")
    assert world.status() == 69
    world.programs["pipewire"] = ""
    assert world.only(PROBLEM)[1] == ("systemctl --user start pipewire wireplumber",)


def test_where_pipewire_serves_a_missing_module_is_a_warning_that_says_who_misses_it(world):
    with_pipewire(world)
    world.no_module()
    bad = [finding for finding in world.findings() if finding.status is not Status.OK]
    assert {finding.status for finding in bad} == {Status.WARNING}
    assert world.status() == 0


def test_a_device_that_is_missing_beside_pipewire_names_zoom(world):
    with_pipewire(world)
    world.has(virtual=())
    seen, cure = world.only()
    assert "Zoom" in seen
    assert cure == ("vcam loopback setup",)


def test_vcams_own_camera_is_told_when_it_is_listed(world):
    with_pipewire(world, OURS, SENSOR)
    assert world.said("PipeWire camera") == ["PipeWire 1.2.7 lists vcam"]


def test_without_a_session_manager_nobody_is_linked(world):
    world.write("/proc/9/comm", "bash")
    with_pipewire(world)
    seen, cure = world.only()
    assert "without a session manager" in seen
    assert cure[-1] == "systemctl --user start wireplumber"


@pytest.mark.parametrize(("version", "old"), [("0.3.48", True), ("0.3.50", False), ("1.0.0", False)])
def test_an_old_pipewire_is_named(world, version, old):
    with_pipewire(world, version=version)
    if old:
        assert "too old" in world.only()[0]
    else:
        assert world.is_well()


def test_a_daemon_that_does_not_answer_is_restarted(world):
    with_pipewire(world, problem="its daemon does not answer")
    assert world.only()[1] == ("systemctl --user restart pipewire wireplumber",)


def test_a_machine_whose_only_camera_is_pipewires_is_well(world):
    with_pipewire(world, SENSOR)
    world.has(cameras=())
    assert world.said("camera") == ["Built-in, by way of PipeWire"]
    assert world.status() == 0


def test_a_stale_denial_is_found_and_reset(world):
    world.programs["busctl"] = ""
    lookup = (
        "busctl --user call org.freedesktop.impl.portal.PermissionStore /org/freedesktop/impl/portal/PermissionStore "
        "org.freedesktop.impl.portal.PermissionStore Lookup ss devices camera"
    )
    world.programs[lookup] = 'a{sas}v 3 "org.mozilla.firefox" 1 "no" "" 1 "yes" "com.obsproject.Studio" 1 "yes" y 0'
    seen, (cure,) = world.only()
    assert seen.startswith("org.mozilla.firefox was once denied")
    assert cure.endswith("DeletePermission sss devices camera org.mozilla.firefox")
