"""`vcam doctor` on scripted machines as a whole, its settings and ffmpeg."""

from __future__ import annotations

from tests.doctor.helpers import PROBLEM
from vcam import extras
from vcam.doctor.examine import exit_status
from vcam.errors import ConfigError


def test_a_healthy_machine_has_nothing_to_mend(world):
    assert world.is_well()
    assert world.status() == 0


def test_ffmpeg_missing_or_too_old_is_a_warning(world):
    world.programs["ffmpeg -version"] = "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"
    assert "4.4 is too old" in world.only()[0]
    del world.programs["ffmpeg -version"]
    assert world.only()[1] == ("sudo apt install ffmpeg",)
    world.lacking = {"ffmpeg"}
    seen, cure = world.only()
    assert "no films" in seen
    assert cure == ("sudo apt install ffmpeg", f"or {extras.command('ffmpeg')}")
    world.programs["ffmpeg -version"] = "ffmpeg version 5.1.6-0+deb12u1"
    assert world.is_well()


def test_what_was_left_out_is_said_with_what_it_means_and_nothing_is_wrong_with_it(world):
    world.lacking = set(extras.PACKAGES) - {"ffmpeg"}
    assert world.is_well()
    said = {finding.cure[0]: finding.seen for finding in world.findings() if finding.name == "extras"}
    assert set(said) == {extras.command("openvino"), extras.command("window")}
    assert "vcam preview" in said[extras.command("window")]
    world.lacking = set()
    assert world.said("extras") == []


def test_two_installations_are_told_apart_by_what_the_shell_takes(world):
    world.write("/usr/bin/vcam", "")
    (world.root / "bin").symlink_to("usr/bin")
    assert world.is_well()
    world.write("/opt/vcam/bin/vcam", "")
    (world.root / "usr/local/bin").mkdir(parents=True)
    (world.root / "usr/local/bin/vcam").symlink_to("../../../opt/vcam/bin/vcam")
    assert world.only()[0] == "installed 2 times: /usr/local/bin/vcam is the one that runs, not /usr/bin/vcam"


def test_a_broken_configuration_ends_with_its_own_status_and_the_rest_is_still_examined(world):
    world.settings = ConfigError("config.toml is not valid TOML", "mend that line")
    world.has(cameras=())
    findings = world.findings()
    assert findings[0].cure == ("mend that line",)
    assert len(findings) > 5
    assert exit_status(findings) == 78


def test_in_a_container_the_host_is_named(world):
    world.no_module(cameras=())
    world.write("/.dockerenv", "")
    cures = [finding.cure for finding in world.findings() if finding.status is PROBLEM]
    assert cures[0] == ("on the host: vcam loopback setup",)
    assert "--device" in cures[1][0]
