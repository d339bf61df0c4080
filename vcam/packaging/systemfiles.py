"""The files that a package of any distribution puts beside the program, made from vcam itself.

    python -m vcam.packaging.systemfiles ROOT [PROGRAM]

The manual, completion for three shells, the entry in the menu and its icon, the user unit, what udev reads.
`vcam loopback setup` writes what loads the module, and with which options: a package has not been asked to do that.
modprobe joins the options of all files, so one from here would change an administrator's own devices; it is an example.
"""

from __future__ import annotations

import gzip
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from click.shell_completion import get_completion_class

from vcam.assets import data_folder
from vcam.cli import shells
from vcam.cli.main import cli
from vcam.cli.manpages import pages
from vcam.daemon.unit import NAME, render
from vcam.machine.loopback import Device
from vcam.machine.loopback import render as render_loopback
from vcam.web.desktop import ICON, entry

PROGRAM = "/usr/bin/vcam"

COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/vcam",
    "zsh": "usr/share/zsh/vendor-completions/_vcam",
    "fish": "usr/share/fish/vendor_completions.d/vcam.fish",
}
"""Where the shells of Debian look for what packages bring; Arch's zsh reads `site-functions`."""

EXAMPLE = "usr/share/doc/vcam/examples/modprobe.conf"
"""v4l2loopback's options as `vcam loopback setup` writes them into /etc/modprobe.d; nothing reads them here."""

_NUMBER = 20
_FIRST_LINE = re.compile(r"\A# Written by vcam loopback setup;.*\n")
_SHIPPED = (
    "# From the package vcam. A file of another name in /etc may say otherwise, as that of vcam loopback setup does.\n"
)
_EXAMPLE = "# What vcam loopback setup writes into /etc/modprobe.d/vcam.conf. From here nothing reads it.\n"


def files(when: datetime, program: str = PROGRAM) -> dict[str, bytes]:
    """The contents of each file by its path below /. when: what the manual is dated."""
    made = {f"usr/share/man/man{name[-1]}/{name}.gz": packed(text) for name, text in pages(cli, when).items()}
    shells.register()
    for shell, path in COMPLETIONS.items():
        kind = get_completion_class(shell)
        assert kind is not None
        made[path] = f"{kind(cli, {}, 'vcam', '_VCAM_COMPLETE').source().rstrip()}\n".encode()
    made["usr/share/applications/vcam.desktop"] = entry(program).encode()
    made["usr/share/icons/hicolor/scalable/apps/vcam.svg"] = ICON.read_bytes()
    made[f"usr/lib/systemd/user/{NAME}"] = unit(program).encode()
    loopback = render_loopback([Device(_NUMBER, "vcam")])
    # modprobe joins the options of all its files: another's camera would get what theirs does not name
    made[EXAMPLE] = _FIRST_LINE.sub(_EXAMPLE, loopback["/etc/modprobe.d/vcam.conf"]).encode()
    made["usr/lib/udev/rules.d/60-vcam.rules"] = _shipped((data_folder("systemd") / "60-vcam.rules").read_text("utf-8"))
    return made


def unit(program: str) -> str:
    """The user unit of a package: without options of anybody's, for every version of systemd."""
    text = render([program, "start", "--wait"], {}, 0)
    about = "# The virtual camera as a service of your own session, which vcam service install switches on.\n"
    return about + text[text.index("\n[Unit]") :]


def _shipped(text: str) -> bytes:
    return _FIRST_LINE.sub(_SHIPPED, text).encode()


def packed(text: str) -> bytes:
    """As gzip has it, without a name or a time: the same text gives the same bytes."""
    return gzip.compress(text.encode(), 9, mtime=0)


def source_date() -> datetime:
    """The time that stands in whatever is made: SOURCE_DATE_EPOCH, or now.

    https://reproducible-builds.org/specs/source-date-epoch
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdecimal() else datetime.now(UTC)


def write(root: Path, program: str = PROGRAM) -> None:
    """Write all of them below a folder."""
    for name, data in files(source_date(), program).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o644)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *sys.argv[2:3])
