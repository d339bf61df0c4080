"""Checks of Flatpak and snap: whether browsers and meeting programs in them may open cameras."""

from __future__ import annotations

from collections.abc import Iterator

from vcam import folders
from vcam.doctor.finding import Finding, ok, warning
from vcam.machine.host import Machine

_FLATPAKS = (
    "us.zoom.Zoom", "com.slack.Slack", "com.discordapp.Discord", "com.skype.Client", "org.signal.Signal",
    "com.google.Chrome", "org.chromium.Chromium", "com.microsoft.Edge", "com.brave.Browser", "org.mozilla.firefox",
    "com.obsproject.Studio", "com.github.IsmaelMartinez.teams_for_linux", "org.jitsi.jitsi-meet", "io.github.vencord",
    "org.telegram.desktop", "com.vivaldi.Vivaldi", "com.opera.Opera",
)  # fmt: skip

_SNAPS = (
    "zoom-client", "slack", "discord", "skype", "signal-desktop", "chromium", "brave", "firefox", "opera",
    "obs-studio", "teams-for-linux", "telegram-desktop", "vivaldi",
)  # fmt: skip


def check_flatpak(machine: Machine) -> Iterator[Finding]:
    """Each known program that Flatpak keeps from video devices."""
    if not machine.which("flatpak"):
        return
    # asked for a user's own installation, flatpak makes one where there is none
    kinds = ["--system", *(["--user"] if machine.exists(str(folders.base("data") / "flatpak")) else [])]
    listed = {
        application: kind
        for kind in kinds
        for application in machine.say("flatpak", "list", kind, "--app", "--columns=application").split()
    }
    known = [application for application in listed if application.startswith(_FLATPAKS)]
    shut = [application for application in known if not _flatpak_may(machine, application, listed[application])]
    for application in shut:
        yield warning(
            "Flatpak",
            f"{application} may not open video devices; it sees only cameras that PipeWire offers",
            f"flatpak override --user --device=all {application}",
        )
    if known and not shut:
        yield ok("Flatpak", f"{', '.join(known)} may open video devices")


def _flatpak_may(machine: Machine, application: str, kind: str) -> bool:
    said = machine.say("flatpak", "info", kind, "--show-permissions", application)
    devices = [line.partition("=")[2] for line in said.splitlines() if line.startswith("devices=")]
    return any("all" in words.strip(";").split(";") for words in devices)


def check_snap(machine: Machine) -> Iterator[Finding]:
    """Each known program that snap keeps from video devices."""
    if not machine.which("snap"):
        return
    listed = [line.split()[0] for line in machine.say("snap", "list").splitlines()[1:] if line.split()]
    known = [name for name in listed if name in _SNAPS]
    shut = [name for name in known if not _snap_may(machine, name)]
    for name in shut:
        yield warning("snap", f"{name} may not open cameras", f"sudo snap connect {name}:camera")
    if known and not shut:
        yield ok("snap", f"{', '.join(known)} may open cameras")


def _snap_may(machine: Machine, name: str) -> bool:
    """Whether its camera plug is connected; the columns are interface, plug, slot, notes."""
    rows = [line.split() for line in machine.say("snap", "connections", name).splitlines()]
    return any(row[0] == "camera" and row[2] != "-" for row in rows if len(row) > 2)
