"""`vcam doctor` on the kernel module: not there, not loaded, refused, old, not loaded at the next start."""

from __future__ import annotations

import pytest

from tests.doctor.helpers import PROBLEM, RELEASE
from vcam.doctor.finding import Status
from vcam.settings import Settings


def test_a_module_that_is_not_installed_is_installed_with_the_kernels_headers(world):
    world.no_module()
    world.remove(f"/lib/modules/{RELEASE}/modules.dep")
    seen, cure = world.only(PROBLEM)
    assert "not installed" in seen
    assert cure[0] == f"sudo apt install v4l2loopback-dkms linux-headers-{RELEASE}"
    assert world.status() == 69


def test_a_module_that_is_not_loaded_is_set_up(world):
    world.no_module()
    seen, cure = world.only(PROBLEM)
    assert (seen, cure) == ("v4l2loopback is installed but not loaded", ("vcam loopback setup",))


def test_without_a_virtual_output_the_module_is_not_needed(world):
    world.no_module()
    world.settings = Settings().replace(output__targets="talk.mp4")
    world.only(Status.WARNING)
    assert world.status() == 0


def test_a_module_built_for_another_kernel_only_lacks_the_headers(world):
    world.no_module()
    world.remove(f"/lib/modules/{RELEASE}")
    world.write("/lib/modules/6.1.0-20-amd64/modules.dep", "updates/dkms/v4l2loopback.ko:")
    seen, cure = world.only(PROBLEM)
    assert "6.1.0-20-amd64" in seen
    assert "headers are missing" in seen
    assert cure[:2] == (f"sudo apt install linux-headers-{RELEASE}", "sudo dkms autoinstall")


def secure_boot(world):
    world.no_module()
    world.programs["mokutil --sb-state"] = "SecureBoot enabled"
    world.programs["modinfo -F filename v4l2loopback"] = f"/lib/modules/{RELEASE}/updates/dkms/v4l2loopback.ko"
    world.write("/usr/src/v4l2loopback-0.13.2/dkms.conf", "")


def test_secure_boot_and_an_unsigned_module_give_the_steps_to_a_key(world):
    secure_boot(world)
    seen, cure = world.only(PROBLEM)
    assert "secure boot" in seen
    assert cure[0] == "sudo dkms generate_mok"
    assert "sudo dkms build --force v4l2loopback/0.13.2" in cure
    assert "sudo mokutil --import /var/lib/dkms/mok.pub" in cure
    assert any("Enroll MOK" in step for step in cure)


def test_secure_boot_is_known_without_mokutil_and_a_signed_module_only_needs_its_key_enrolled(world):
    secure_boot(world)
    del world.programs["mokutil --sb-state"]
    world.write("/sys/firmware/efi/efivars/SecureBoot-8be4df61", "\6\0\0\0\1")
    world.programs["modinfo -F signer v4l2loopback"] = "DKMS module signing key"
    world.write("/var/lib/dkms/mok.pub", "key")
    world.programs["mokutil --test-key /var/lib/dkms/mok.pub"] = "/var/lib/dkms/mok.pub is not enrolled"
    assert world.only(PROBLEM)[1][0] == "sudo mokutil --import /var/lib/dkms/mok.pub"
    world.programs["mokutil --test-key /var/lib/dkms/mok.pub"] = "/var/lib/dkms/mok.pub is already enrolled"
    assert "not loaded" in world.only(PROBLEM)[0]


def test_an_old_module_is_a_warning_with_the_newer_package(world):
    world.write("/sys/module/v4l2loopback/version", "")
    seen, cure = world.only()
    assert "older than 0.13" in seen
    # a stock system does not know that source
    assert "'deb http://deb.debian.org/debian bookworm-backports main'" in cure[0]
    assert cure[1:3] == ("sudo apt update", "sudo apt install -t bookworm-backports v4l2loopback-dkms")
    world.write("/etc/apt/sources.list.d/mine.list", "deb http://deb.debian.org/debian bookworm-backports main contrib")
    assert world.only()[1][0] == "sudo apt install -t bookworm-backports v4l2loopback-dkms"
    world.write("/etc/apt/sources.list.d/mine.list", "# deb http://deb.debian.org/debian bookworm-backports main")
    assert "sudo tee" in world.only()[1][0]


def test_a_module_that_was_renewed_but_not_loaded_anew_is_noticed(world):
    world.programs["modinfo -F version v4l2loopback"] = "0.15.0"
    assert "0.13.2 is loaded, but 0.15.0 is installed" in world.only()[0]


def test_a_module_that_nobody_loads_at_the_start_is_noticed(world):
    world.remove("/etc/modules-load.d/vcam.conf")
    assert world.only()[1] == ("vcam loopback setup",)


def test_where_the_firmware_tells_nothing_of_secure_boot_it_is_taken_to_be_off(world):
    secure_boot(world)
    del world.programs["mokutil --sb-state"]
    assert world.only(PROBLEM)[0] == "v4l2loopback is installed but not loaded"


@pytest.mark.parametrize("options", ["options v4l2loopback devices=1", "options other exclusive_caps=1", ""])
def test_a_module_that_is_loaded_at_the_start_without_exclusive_caps_is_noticed(world, options):
    world.write("/etc/modprobe.d/vcam.conf", options)
    seen, cure = world.only()
    assert "without exclusive_caps" in seen
    assert cure == ("vcam loopback setup",)
