"""The files beside the program."""

from __future__ import annotations

import configparser
import gzip
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vcam.packaging import systemfiles
from vcam.packaging.systemfiles import COMPLETIONS, files, packed, source_date

DAY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return files(DAY)


def test_everything_is_there_and_nothing_loads_a_module_unasked(made: dict[str, bytes]) -> None:
    assert {name for name in made if "/man/" not in name} == {
        *COMPLETIONS.values(),
        "usr/share/applications/vcam.desktop",
        "usr/share/icons/hicolor/scalable/apps/vcam.svg",
        "usr/lib/systemd/user/vcam.service",
        "usr/share/doc/vcam/examples/modprobe.conf",
        "usr/lib/udev/rules.d/60-vcam.rules",
    }
    assert "usr/share/man/man1/vcam-start.1.gz" in made
    assert gzip.decompress(made["usr/share/man/man5/vcam.5.gz"]).startswith(b".TH VCAM 5")


def test_the_unit_starts_the_program_of_the_package(made: dict[str, bytes]) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(made["usr/lib/systemd/user/vcam.service"].decode())
    assert unit["Service"]["ExecStart"] == ":/usr/bin/vcam start --wait"
    assert unit["Service"]["ExecStopPost"] == "-:/usr/bin/vcam loopback cover"
    assert unit["Service"]["Type"] == "notify"
    assert unit["Unit"]["Description"] == "vcam, the virtual camera"


def test_the_modules_settings_are_an_example_that_changes_nobodys_own(made: dict[str, bytes]) -> None:
    # modprobe joins the options of all its files
    assert not [name for name in made if "modprobe.d/" in name or "modules-load.d/" in name]
    text = made["usr/share/doc/vcam/examples/modprobe.conf"].decode()
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]
    assert line.startswith('options v4l2loopback devices=1 video_nr=20 card_label="vcam" exclusive_caps=1 ')
    assert "@" not in text
    # whoever purges the package, or runs vcam loopback setup --undo, knows these by their first line
    assert "# Written by vcam loopback setup" not in text + made["usr/lib/udev/rules.d/60-vcam.rules"].decode()


def test_a_shell_that_is_there_reads_its_completion(made: dict[str, bytes], tmp_path: Path) -> None:
    for shell, name in COMPLETIONS.items():
        assert b"_VCAM_COMPLETE" in made[name]
        if shutil.which(shell):
            path = tmp_path / shell
            path.write_bytes(made[name])
            subprocess.run([shell, "-n", path], check=True)


def test_the_same_bytes_come_out_twice_and_the_date_is_that_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    assert files(DAY) == files(DAY)
    assert packed("x")[4:8] == bytes(4)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert source_date() == datetime(1970, 1, 2, tzinfo=UTC)


def test_they_are_written_for_everybody_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemfiles, "files", lambda when, program: {"usr/lib/x": program.encode()})
    systemfiles.write(tmp_path, "/opt/vcam")
    path = tmp_path / "usr/lib/x"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"/opt/vcam", 0o644)
