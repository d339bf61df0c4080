from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam.daemon.unit import NAME, program, quote, render

pytestmark = pytest.mark.process

HERE = Path(__file__).resolve().parent
VCAM = shlex.join(program())


class Session:
    """A home of its own, and a systemctl that writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.home, self.log, self.bin = folder / "home", folder / "asked", folder / "bin"
        self.unit = self.home / ".config/systemd/user" / NAME
        self.home.mkdir()
        self.bin.mkdir()
        self.log.touch()
        self.answer("exit 0", version="252.38-1~deb12u1")

    def answer(self, otherwise: str, *, version: str = "252") -> None:
        shown = "ActiveState=active\\nUnitFileState=enabled\\nStatusText=live: demo\\nMainPID=77\\nNRestarts=1\\n"
        script = self.bin / "systemctl"
        script.write_text(
            f'#!/bin/sh\necho "$*" >> {self.log}\ncase "$*" in\n  *property=Version*) echo \'{version}\' ;;\n'
            f"  *' show '*) printf '{shown}Result=success\\nExecMainStatus=0\\n' ;;\n  *) {otherwise} ;;\nesac\n"
        )
        script.chmod(0o755)

    def asked(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if " show " not in line]

    def vcam(self, *words: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("VCAM_", "XDG_"))}
        environ = {**keep, "HOME": str(self.home), "PATH": f"{self.bin}:{os.environ['PATH']}", **environ}
        command = [sys.executable, "-m", "vcam", "service", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environ, cwd=cwd or self.home, timeout=240)

    def command(self) -> list[str]:
        """The words of ExecStart, unquoted as far as this file's simple words go."""
        (line,) = re.findall(r"(?m)^ExecStart=:(.*)$", self.unit.read_text())
        return shlex.split(line)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def test_install_bakes_the_options_in_enables_and_starts(session: Session) -> None:
    done = session.vcam("install", "--edge", "3", "--no-mirror", "--set", "matte.softness=0.5", "--output", "null")
    assert done.returncode == 0, done.stderr
    words = ["start", "--wait", "--no-mirror", "--edge=3", "--output=null", "--set=matte.softness=0.5"]
    assert session.command() == [*program(), *words]
    assert Path(session.command()[0]).is_absolute()
    assert session.asked() == ["--user daemon-reload", f"--user enable {NAME}", f"--user restart {NAME}"]
    assert "live: demo" in done.stderr


def test_install_without_starting(session: Session) -> None:
    done = session.vcam("install", "--no-start", "--no-wait")
    assert done.returncode == 0
    menu = session.home / ".local/share/applications/vcam.desktop"
    assert (f"menu of your desktop: {menu}" in done.stderr) == menu.exists()
    # without its packages there is no panel to show
    assert menu.exists() or "is not in the menu" in done.stderr
    assert not [line for line in session.asked() if "restart" in line]
    assert session.command()[-2:] == ["start", "--no-wait"]


def test_a_service_starts_in_another_folder_and_without_this_shells_variables(session: Session, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    picture = here / "beach 100% $HOME.png"
    shutil.copy(ROOT / "docs/images/before-after.jpg", picture)
    (here / "blur").mkdir()
    shutil.copy(ROOT / "docs/images/before-after.jpg", here / "logo.png")
    environ = {"VCAM_CONFIG": "my.toml", "VCAM_MATTE_EDGE": "4", "VCAM_OTHER": "x"}
    (here / "my.toml").write_text("")
    words = ["--background", picture.name, "--output", "film.mkv", "--front", "logo.png"]
    done = session.vcam("install", *words, cwd=here, **environ)
    assert done.returncode == 0, done.stderr
    words = session.command()
    assert f"--output={here}/film.mkv" in words
    assert f"--front={here}/logo.png" in words
    assert f"--background={picture}".replace("%", "%%") in words
    lines = session.unit.read_text().splitlines()
    assert f"Environment=VCAM_CONFIG={here}/my.toml" in lines
    assert "Environment=VCAM_MATTE_EDGE=4" in lines
    assert not [line for line in lines if "VCAM_OTHER" in line]
    session.vcam("install", "--background", "blur", cwd=here)
    assert "--background=blur" in session.command()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--edge", "99"], 2, "from -30 to 30"),
        (["--background", "missing.jpg"], 2, "missing.jpg"),
        (["--size", "1281x720"], 2, "even"),
        (["--output", "-"], 2, "no standard output"),
        (["--profile", "work"], 2, "no profile"),
        (["--filter", "nonsense"], 2, "no filter 'nonsense'"),
        (["--filter", "vignette:strength=9"], 2, "vignette"),
        (["--front", "missing.png"], 2, "missing.png"),
        (["--model", "no-such"], 2, "no-such"),
        (["--rtmp", "http://host/live/x"], 2, "vcam can send to"),
        (["--output", "film.xyz"], 2, "film.xyz"),
    ],
)
def test_what_would_keep_it_from_starting_is_told_before_anything_is_written(
    words: list[str], status: int, said: str, session: Session
) -> None:
    done = session.vcam("install", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert not session.unit.exists()
    assert session.asked() == []


def test_a_newer_systemd_waits_for_a_reload_to_end(session: Session) -> None:
    old, new = render(["/x"], {}, 252), render(["/x"], {}, 253)
    assert "\nType=notify\n" in old
    assert "\nExecReload=" in old
    assert "\nType=notify-reload\n" in new
    assert "\nExecReload=" not in new
    session.answer("exit 0", version="255.4-1ubuntu8")
    session.vcam("install")
    assert "Type=notify-reload" in session.unit.read_text()


@pytest.mark.parametrize(
    ("otherwise", "path", "said"),
    [
        ("exit 0", "/nowhere", "not run by systemd"),
        ("echo 'Failed to connect to bus: No medium found' >&2; exit 1", "", "enable-linger"),
    ],
)
def test_no_service_manager_is_told_with_a_cure(otherwise: str, path: str, said: str, session: Session) -> None:
    (session.bin / "systemctl").write_text(f"#!/bin/sh\n{otherwise}\n")
    done = session.vcam("install", **({"PATH": path} if path else {}))
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not session.unit.exists()


def test_a_service_that_does_not_start_is_an_error_that_names_the_logs(session: Session) -> None:
    session.answer('case "$*" in *restart*) echo "Job for vcam.service failed." >&2; exit 1 ;; esac')
    done = session.vcam("install")
    assert done.returncode == 1
    assert "vcam service logs" in done.stderr


def states(session: Session, *shown: str) -> None:
    """What systemctl shows of the service from one look to the next; the last for ever."""
    script = session.bin / "systemctl"
    looks = session.home / "looks"
    looks.write_text("0")
    cases = "\n".join(f"    {number}) printf '{text}' ;;" for number, text in enumerate(shown[:-1]))
    script.write_text(
        f"""#!/bin/sh
echo "$*" >> {session.log}
case "$*" in
  *property=Version*) echo 252 ;;
  *' show '*)
    number=$(cat {looks}); echo $((number + 1)) > {looks}
    case $number in
{cases}
    *) printf '{shown[-1]}' ;;
    esac ;;
esac
"""
    )


STARTING = "ActiveState=active\\nSubState=running\\nStatusText=starting: loading the network\\n"
IDLE = "ActiveState=active\\nSubState=running\\nStatusText=idle: nobody watches\\n"


def test_install_waits_until_a_picture_was_shown(session: Session) -> None:
    states(session, STARTING, STARTING, IDLE)
    done = session.vcam("install")
    assert done.returncode == 0, done.stderr
    assert "has shown its picture: idle: nobody watches" in done.stderr


@pytest.mark.parametrize(
    "dead",
    [
        "ActiveState=activating\\nSubState=auto-restart\\nStatusText=\\nExecMainStatus=1\\n",
        "ActiveState=failed\\nSubState=failed\\nStatusText=\\nExecMainStatus=1\\n",
    ],
)
def test_install_says_what_a_service_died_of(dead: str, session: Session) -> None:
    states(session, STARTING, dead)
    journal = session.bin / "journalctl"
    journal.write_text("#!/bin/sh\necho 'vcam[7]: the disk is full'\n")
    journal.chmod(0o755)
    done = session.vcam("install")
    assert done.returncode == 1
    assert "exit status 1" in done.stderr
    assert "the disk is full" in done.stderr
    assert "vcam service logs" in done.stderr


def test_uninstall_removes_what_install_wrote(session: Session) -> None:
    session.vcam("install")
    done = session.vcam("uninstall")
    assert done.returncode == 0, done.stderr
    assert not session.unit.exists()
    assert session.asked()[-2:] == [f"--user disable --now {NAME}", "--user daemon-reload"]
    assert "not installed" in session.vcam("uninstall").stderr


def test_status_for_people_and_for_scripts(session: Session) -> None:
    absent = session.vcam("status")
    assert (absent.returncode, json.loads(session.vcam("status", "--json").stdout)["installed"]) == (1, False)
    assert "vcam service install" in absent.stdout
    session.vcam("install")
    told = json.loads(session.vcam("status", "--json").stdout)
    assert (told["state"], told["status"], told["pid"], told["at_login"]) == ("active", "live: demo", 77, True)
    people = session.vcam("status")
    assert people.returncode == 0
    assert "active: live: demo" in people.stdout


def test_logs_are_the_journal_of_the_service(session: Session, tmp_path: Path) -> None:
    journal = session.bin / "journalctl"
    journal.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/journal\n')
    journal.chmod(0o755)
    assert session.vcam("logs", "-f", "-n", "7").returncode == 0
    assert (tmp_path / "journal").read_text() == f"--user --unit {NAME} --lines 7 --no-hostname --follow\n"


def test_the_unit_that_ships_starts_vcam_and_leaves_openvino_its_compiler() -> None:
    text = (ROOT / "systemd" / NAME).read_text()
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["ExecStart"].endswith("/vcam start --wait")
    assert settings["RestartPreventExitStatus"].split() == ["2", "78"]
    # these hide devices or the video group from a user's service, or cannot be had without privileges
    assert not [name for name in settings if name.startswith(("Private", "Protect", "Capability", "Device", "Memory"))]


def test_after_a_crash_the_same_program_covers_what_the_virtual_camera_holds() -> None:
    text = render(["/my programs/vcam", "start", "--wait"], {}, 252)
    assert '\nExecStopPost=-:"/my programs/vcam" loopback cover\n' in text


def with_systemd(*names: str) -> None:
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("version", [252, 255])
def test_systemd_understands_every_line_of_the_unit(version: int, tmp_path: Path) -> None:
    with_systemd("systemd-analyze")
    installed = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True).stdout.split()[1]
    if version > int(installed):
        pytest.skip(f"this systemd is {installed}")
    unit = tmp_path / NAME
    unit.write_text(render([*program(), "start", "100% \"a\" 'b' \\ $HOME"], {"VCAM_CONFIG": "/a b/100%"}, version))
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)], capture_output=True, text=True, env=environ
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.fixture
def beside_systemd(tmp_path: Path) -> Callable[[str], str]:
    """Runs a shell script beside a real `systemd --user`, in a home of its own."""
    with_systemd("systemctl", "unshare", "setpriv")
    if os.geteuid() != 0:
        pytest.skip("namespaces for a service manager need root")

    def run(script: str) -> str:
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("VCAM_", "XDG_"))}
        command = [str(HERE / "systemd_user"), "bash", "-euo", "pipefail", "-c", script]
        environ = {**keep, "HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=240)
        if done.returncode == 125:
            pytest.skip(f"no systemd --user can run here: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_words_reach_the_program_as_they_were_typed(beside_systemd: Callable[[str], str], tmp_path: Path) -> None:
    words = [
        "a b",
        "100%",
        "%h",
        "$HOME",
        "${HOME}",
        "q\"uo'te",
        "back\\slash\\n",
        "new\nline",
        ";",
        "é",
        "",
        "#x",
        "-",
    ]
    script = tmp_path / "echo words"
    result = "[sys.argv[1:], os.environ['VCAM_CONFIG']]"
    script.write_text(
        f"#!{sys.executable}\nimport sys, os, json\njson.dump({result}, open({str(tmp_path / 'out')!r}, 'w'))\n"
    )
    script.chmod(0o755)
    unit = tmp_path / ".config/systemd/user/words.service"
    unit.parent.mkdir(parents=True)
    text = render([str(script), *words], {"VCAM_CONFIG": 'a "b" 100%\\'}, 252)
    unit.write_text(re.sub("(?m)^Type=.*", "Type=oneshot", re.sub("(?m)^(Restart|ExecStopPost).*", "", text)))
    beside_systemd("systemctl --user daemon-reload; systemctl --user start words")
    assert json.loads((tmp_path / "out").read_text()) == [words, 'a "b" 100%\\']


def test_quoting_leaves_plain_words_readable() -> None:
    assert quote("--background=color:#204080") == "--background=color:#204080"
    assert quote("/home/me/a b") == '"/home/me/a b"'


def test_no_system_call_that_a_camera_needs_is_taken_away() -> None:
    with_systemd("systemd-analyze")
    text = (ROOT / "systemd" / NAME).read_text()
    (denied,) = re.findall(r"(?m)^SystemCallFilter=~(.*)$", text)
    command = ["systemd-analyze", "syscall-filter", "--no-pager", *denied.split()]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "perf_event_open" in listed
    needed = {"openat", "ioctl", "mmap", "mprotect", "munmap", "poll", "ppoll", "select", "read", "write", "close"}
    needed |= {"inotify_add_watch", "epoll_wait", "socket", "recvmsg", "memfd_create", "clone3", "futex", "execve"}
    assert not needed & set(listed)


def test_nothing_is_asked_of_a_users_manager_that_it_cannot_do() -> None:
    text = (ROOT / "systemd" / NAME).read_text()
    keys = set(re.findall(r"(?m)^([A-Z]\w+)=", text))
    assert "LimitCORE=0\n" in text, "a crash would leave pictures of somebody on the disk"
    # measured beside a manager as every session has one: they end with status 217 or 218, or need a user namespace
    cannot = {"CapabilityBoundingSet", "AmbientCapabilities", "User", "Group", "SupplementaryGroups", "DynamicUser"}
    assert not {key for key in keys if key in cannot or key.startswith(("Private", "Protect"))}


def test_the_unit_stays_as_closed_as_it_is() -> None:
    with_systemd("systemd-analyze")
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=64"]
    done = subprocess.run([*command, str(ROOT / "systemd" / NAME)], capture_output=True, text=True, check=False)
    if "nrecognized option" in done.stderr:
        pytest.skip("this systemd cannot judge a unit that is not installed; from version 250 on it can")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


LIFE = f"""
vcam() {{ {VCAM} "$@"; }}
show() {{ systemctl --user show {NAME} --property="$1" --value; }}
until_it_is() {{ for _ in {{1..200}}; do if [[ "$(show "$1")" == $2 ]]; then return; fi; sleep 0.05; done
  echo "$1 is $(show "$1"), not $2" >&2; systemctl --user status {NAME} --no-pager >&2; exit 1; }}
say() {{ echo "$1=$2"; }}

mkdir -p ~/.config/systemd/user/{NAME}.d
printf '[Service]\\nRestartSec=0.2\\nWatchdogSec=2\\nTimeoutAbortSec=1\\n' > ~/.config/systemd/user/{NAME}.d/quick.conf

vcam service install --camera demo --output null --always-on --size 320x180 --backend openvino --background green
until_it_is StatusText 'live: *'
pid=$(show MainPID)
say core "$(awk '/^Max core file size/ {{print $5, $6}}' /proc/$pid/limits)"
say secured "$(grep -cE '^(NoNewPrivs:.1|Seccomp:.2|CapEff:.0000000000000000)$' /proc/$pid/status)"
say engine "$(vcam status --json | grep -ci openvino)"
sleep 3
say watched "$(show NRestarts) $(show MainPID | grep -c "^$pid$")"

mkdir -p ~/.config/vcam
printf '[matte]\\nedge = 99\\n' > ~/.config/vcam/config.toml
systemctl --user reload {NAME}
until_it_is StatusText '*line 2: matte.edge*'
say refused "$(vcam get matte.edge)"
printf '[matte]\\nedge = 9\\n' > ~/.config/vcam/config.toml
systemctl --user reload {NAME}
until_it_is StatusText 'live: the demo scene'
say reloaded "$(vcam get matte.edge)"

kill -STOP $pid
until_it_is NRestarts 1
until_it_is StatusText 'live: *'
say hung "$(show Result) $(show ActiveState)"
kill -KILL $(show MainPID)
until_it_is NRestarts 2
until_it_is ActiveState active

printf '[matte]\\nedge = 99\\n' > ~/.config/vcam/config.toml
systemctl --user restart {NAME} || true
sleep 1
say broken "$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)"
rm ~/.config/vcam/config.toml

vcam service install --camera demo --output null --output film.mkv --always-on --size 320x180
until_it_is StatusText 'live: *'
sleep 1
systemctl --user stop {NAME}
say stopped "$(show Result) $(show NRestarts)"
vcam service uninstall
say left "$(ls ~/.config/systemd/user | tr '\\n' ' ')"
"""


@pytest.mark.engine
def test_the_life_of_the_service_beside_a_real_systemd(beside_systemd: Callable[[str], str], tmp_path: Path) -> None:
    from vcam.media.probe import probe
    from vcam.settings import FIELDS

    said = dict(line.split("=", 1) for line in beside_systemd(LIFE).splitlines() if "=" in line)
    assert said["secured"] == "3"
    assert said["core"] == "0 0"
    assert int(said["engine"]) >= 1, "OpenVINO does not run under the unit's restrictions"
    assert said["watched"] == "0 1", "the watchdog was not fed"
    assert said["refused"] == str(FIELDS["matte.edge"].default), "a broken file changed something"
    assert said["reloaded"] == "9.0"
    assert said["hung"] == "success active"
    assert said["broken"] == "failed 78 0", "a broken configuration is no reason to try again"
    assert said["stopped"] == "success 0"
    assert said["left"] == f"{NAME}.d "
    assert (probe(tmp_path / "film.mkv").duration or 0) > 0.5, "the film was cut short"
