"""Checks of the kernel module v4l2loopback: is it there, is it loaded, is it the right one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.machine.host import Machine
from vcam.v4l2.loopback import is_installed

NAME = "kernel module"
SETUP = "vcam loopback setup"
EXTRA_MODULE = "/sys/module/v4l2loopback"

_BACKPORTS = "bookworm-backports"
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-*"
_KEYS = ("/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub")


def check_module(machine: Machine, *, needed: bool) -> Iterator[Finding]:
    """Installed, loaded, allowed; `needed` is whether an output of the settings is a virtual camera."""
    if machine.exists(EXTRA_MODULE):
        yield from _check_loaded(machine)
        yield from check_start(machine)
        return
    bad = problem if needed else warning
    if machine.in_container:
        yield bad(NAME, "v4l2loopback is not loaded, and a container cannot load it", f"on the host: {SETUP}")
    elif is_installed(machine.root, machine.release):
        if refused := _refused_by_secure_boot(machine):
            yield bad(NAME, "v4l2loopback is installed, but secure boot refuses it: it is not signed", *refused)
        else:
            yield bad(NAME, "v4l2loopback is installed but not loaded", SETUP)
    else:
        yield bad(NAME, *_why_missing(machine))


def _check_loaded(machine: Machine) -> Iterator[Finding]:
    version = machine.read(f"{EXTRA_MODULE}/version")
    installed = machine.say("modinfo", "-F", "version", "v4l2loopback")
    if version and installed and version != installed:
        yield warning(
            NAME, f"v4l2loopback {version} is loaded, but {installed} is installed", "sudo modprobe -r v4l2loopback",
            "sudo modprobe v4l2loopback",
        )  # fmt: skip
    elif not version:
        yield warning(
            NAME,
            "v4l2loopback is older than 0.13: it does not tell who reads, so that listing cameras may switch yours on",
            *_newer(machine),
        )
    else:
        yield ok(NAME, f"v4l2loopback {version} is loaded")


def _newer(machine: Machine) -> tuple[str, ...]:
    if "VERSION_CODENAME=bookworm" in machine.read("/etc/os-release"):
        files = [machine.path("/etc/apt/sources.list"), *machine.glob("/etc/apt/sources.list.d/*")]
        # a stock system does not have this source
        known = any(_BACKPORTS in line for path in files for line in lines(path))
        add = (
            f"echo 'deb http://deb.debian.org/debian {_BACKPORTS} main' | "
            "sudo tee /etc/apt/sources.list.d/backports.list",
            "sudo apt update",
        )
        return (
            *(() if known else add),
            f"sudo apt install -t {_BACKPORTS} v4l2loopback-dkms",
            "vcam stop, and sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback",
        )
    return ("a newer one is at https://github.com/v4l2loopback/v4l2loopback",)


def _why_missing(machine: Machine) -> tuple[str, ...]:
    """What is seen, then the commands, where there is no module for the running kernel."""
    kernels = machine.glob("/lib/modules/*/modules.dep")
    built = [path for path in kernels if any("/v4l2loopback.ko" in line for line in lines(path))]
    sources = machine.glob("/usr/src/v4l2loopback-*")
    if not built and not sources:
        return "v4l2loopback is not installed", machine.install("v4l2loopback", "headers"), SETUP
    others = ", ".join(path.parent.name for path in built)
    seen = f"v4l2loopback is not built for the running kernel {machine.release}"
    seen += f", only for {others}" if others else ""
    if not machine.exists(f"/lib/modules/{machine.release}/build"):
        return f"{seen}; the kernel's headers are missing", machine.install("headers"), "sudo dkms autoinstall", SETUP
    return seen, "sudo dkms autoinstall", SETUP


def _refused_by_secure_boot(machine: Machine) -> tuple[str, ...]:
    """The steps that let the module pass, empty if nothing refuses it."""
    if not secure_boot(machine) or not machine.which("modinfo"):
        return ()
    if "/dkms/" not in machine.say("modinfo", "-F", "filename", "v4l2loopback"):
        # the distribution's own modules are signed with a key that its kernels know
        return ()
    key = next((key for key in _KEYS if machine.exists(key)), "")
    if machine.say("modinfo", "-F", "signer", "v4l2loopback"):
        said = machine.run(["mokutil", "--test-key", key]) if key else None
        return (f"sudo mokutil --import {key}", *_ENROL) if said and "is not enrolled" in said.stdout else ()
    make = []
    if not key:
        ubuntu = machine.which("update-secureboot-policy")
        make = ["sudo update-secureboot-policy --new-key" if ubuntu else "sudo dkms generate_mok"]
        key = _KEYS[0] if ubuntu else _KEYS[1]
    return (*make, *_sign_again(machine), f"sudo mokutil --import {key}", *_ENROL)


def _sign_again(machine: Machine) -> tuple[str, ...]:
    sources = machine.glob("/usr/src/v4l2loopback-*")
    if not sources:
        return ("sudo dkms autoinstall",)
    name = sources[-1].name.replace("-", "/", 1)
    return f"sudo dkms build --force {name}", f"sudo dkms install --force {name}"


_ENROL = ("sudo reboot, and there choose Enroll MOK with the password you gave to mokutil", SETUP)


def secure_boot(machine: Machine) -> bool:
    """Whether the firmware lets the kernel load only signed modules."""
    said = machine.run(["mokutil", "--sb-state"])
    if said is not None and said.status == 0:
        return "SecureBoot enabled" in said.stdout
    for variable in machine.glob(_SECURE_BOOT):
        try:
            # four bytes of attributes, then the value
            return variable.read_bytes()[4:5] == b"\1"
        except OSError:
            continue
    return False


def check_start(machine: Machine) -> Iterator[Finding]:
    """Whether the module is loaded at the next start of the machine, and as browsers need it."""
    name = "at start-up"
    if machine.in_container:
        return
    files = [*machine.glob("/etc/modules-load.d/*.conf"), *machine.glob("/usr/lib/modules-load.d/*.conf")]
    files += [machine.path("/etc/modules")]
    if not any("v4l2loopback" in lines(path) for path in files):
        yield warning(name, "nothing loads v4l2loopback when the machine starts", SETUP)
        return
    set_in = (*machine.glob("/etc/modprobe.d/*.conf"), *machine.glob("/usr/lib/modprobe.d/*.conf"))
    options = " ".join(line for path in set_in for line in lines(path))
    if "options v4l2loopback" in options and "exclusive_caps=" in options:
        yield ok(name, "v4l2loopback is loaded when the machine starts")
    else:
        yield warning(name, "v4l2loopback is loaded at the start, but without exclusive_caps", SETUP)


def lines(path: Path) -> list[str]:
    """The lines of a file of settings, without comments; none if it cannot be read."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
