"""What dpkg is told, and what the maintainer scripts do."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from vcam.errors import UsageError
from vcam.packaging.deb_control import control, copyright_text, debian_version, next_python, scripts
from vcam.packaging.sbom import Part

needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg: this is not Debian")


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([A-Z][\w-]+): (.*)$", text))


@needs_dpkg
@pytest.mark.process
def test_versions_sort_as_they_followed_each_other_and_with_the_release_of_debian() -> None:
    versions = ("1.2.dev3", "1.2a1.dev1", "1.2a1", "1.2rc1", "1.2", "1.2.post1.dev1", "1.2.post1", "1.2.1", "1.10")
    made = [debian_version(version, python) for version in versions for python in ("3.11", "3.13")]
    for older, newer in pairwise(made):
        assert subprocess.run(["dpkg", "--compare-versions", older, "lt", newer]).returncode == 0, (older, newer)


@pytest.mark.parametrize("version", ["", "one", "1.2;rm", "1.2-3-4"])
def test_what_is_no_version_is_named(version: str) -> None:
    with pytest.raises(UsageError) as caught:
        debian_version(version, "3.11")
    assert repr(version) in caught.value.message


def test_the_package_is_for_one_python_and_for_a_glibc_that_is_new_enough() -> None:
    said = fields(control("vcam", "1.2-1py3.11", "amd64", "3.11", {"libc.so.6", "libstdc++.so.6"}, (2, 28), 4321))
    depends = said["Depends"].split(", ")
    assert depends[:2] == ["python3 (>= 3.11~)", "python3 (<< 3.12~)"]
    assert {"libc6 (>= 2.28)", "libstdc++6", "ffmpeg", "libturbojpeg0 | libturbojpeg"} < set(depends)
    assert {"v4l2loopback-dkms", "pipewire"} < set(said["Recommends"].split(", "))
    assert (said["Package"], said["Version"], said["Architecture"]) == ("vcam", "1.2-1py3.11", "amd64")
    assert said["Installed-Size"] == "4321"
    # vcam has no address; an index that has the name has another program
    assert "Homepage" not in said
    assert next_python("3.9") == "3.10"


@needs_dpkg
@pytest.mark.process
@pytest.mark.parametrize("own", ["1.2", "1.2rc1", "1.2.dev3", "1.2.post1"])
def test_the_other_engine_stays_when_vcam_alone_is_upgraded(own: str) -> None:
    version = debian_version(own, "3.11")
    said = fields(control("vcam-openvino", version, "amd64", "3.11", {"libOpenCL.so.1"}, (2, 17), 1))
    oldest = re.search(r"vcam \(>= ([^)]+)\)", said["Depends"])
    assert oldest is not None
    for with_it in (version, debian_version("1.2.1", "3.11"), debian_version("2.0", "3.11")):
        assert subprocess.run(["dpkg", "--compare-versions", with_it, "ge", oldest[1]]).returncode == 0, with_it
    older = debian_version("1.1", "3.11")
    assert subprocess.run(["dpkg", "--compare-versions", older, "ge", oldest[1]]).returncode != 0
    # what it holds is compiled for one Python, and vcam's package for another does not do
    vcam = {python: fields(control("vcam", "2.0-1py", "amd64", python, (), (2, 17), 1)) for python in ("3.11", "3.13")}
    needed = said["Depends"].split(", ")
    assert vcam["3.11"]["Provides"] in needed
    assert vcam["3.13"]["Provides"] not in needed
    assert "vcam-openvino" in vcam["3.11"]["Recommends"].split(", ")
    assert "OpenCL" not in said["Depends"]


def test_a_library_that_no_package_is_known_of_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match=r"libnew\.so\.7"):
        control("vcam", "1", "amd64", "3.11", {"libnew.so.7"}, (2, 17), 1)


def run(script: str, folder: Path, *words: str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    """A maintainer script, with the root of its paths in a folder."""
    text = re.sub(r"(?<![\w$])/(usr|etc|run)/", rf"{folder}/\1/", script)
    return subprocess.run(["/bin/sh", "-c", text, "script", *words], env={"PATH": path}, capture_output=True, text=True)


@pytest.mark.process
@pytest.mark.parametrize("kind", ["preinst", "postinst", "prerm", "postrm"])
@pytest.mark.parametrize("name", ["vcam", "vcam-openvino"])
def test_every_script_is_one_for_any_shell(name: str, kind: str) -> None:
    if kind not in scripts(name, 1):
        return
    subprocess.run(["/bin/sh", "-n", "-c", scripts(name, 1)[kind]], check=True)


@pytest.mark.process
@pytest.mark.parametrize(("free", "refused"), [(1023, True), (1024, False), ("-", False), ("", False)])
def test_a_full_disk_is_named_before_anything_is_unpacked(free: int | str, refused: bool, tmp_path: Path) -> None:
    (tmp_path / "usr/lib/vcam").mkdir(parents=True)
    df = tmp_path / "bin/df"
    df.parent.mkdir()
    df.write_text(f"#!/bin/sh\necho Filesystem\necho 'tmpfs  4096 1   {free}  1% {tmp_path}'\n")
    df.chmod(0o755)
    path = f"{df.parent}:/usr/bin:/bin"
    for words in (("install",), ("upgrade", "1.0")):
        done = run(scripts("vcam", 1024)["preinst"], tmp_path, *words, path=path)
        assert (done.returncode == 1) == refused, done.stderr
        assert ("has 0 MB free, 2 are needed; nothing was installed" in done.stderr) == refused
    # a removal needs no room
    assert run(scripts("vcam", 1024)["preinst"], tmp_path, "abort-upgrade", path=path).returncode == 0


@pytest.mark.process
def test_a_purge_removes_what_loopback_setup_wrote_and_nothing_of_others(tmp_path: Path) -> None:
    ours, others = tmp_path / "etc/modprobe.d/vcam.conf", tmp_path / "etc/modules-load.d/vcam.conf"
    for path, text in ((ours, "# Written by vcam loopback setup; x\n"), (others, "# by hand\nv4l2loopback\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    compiled = tmp_path / "usr/lib/vcam/lib/x/__pycache__/a.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.touch()
    script = scripts("vcam", 1)["postrm"]
    assert run(script, tmp_path, "upgrade", "2.0").returncode == 0
    assert compiled.exists()
    assert run(script, tmp_path, "remove").returncode == 0
    assert ours.exists()
    assert not (tmp_path / "usr/lib/vcam").exists()
    assert run(script, tmp_path, "purge").returncode == 0
    assert not ours.exists()
    assert others.exists()


@pytest.mark.process
def test_a_removal_of_the_other_engine_leaves_nothing_of_it_and_vcam_as_it_is(tmp_path: Path) -> None:
    site = tmp_path / "usr/lib/vcam/lib/python3.11/site-packages"
    for name in ("openvino/x", "vcam"):
        (site / name / "__pycache__").mkdir(parents=True)
        (site / name / "__pycache__/a.cpython-311.pyc").touch()
    script = scripts("vcam-openvino", 1)["postrm"]
    assert run(script, tmp_path, "upgrade", "2.0").returncode == 0
    assert (site / "openvino/x/__pycache__/a.cpython-311.pyc").exists()
    assert run(script, tmp_path, "remove").returncode == 0
    assert [path.name for path in site.iterdir()] == ["vcam"]
    assert (site / "vcam/__pycache__/a.cpython-311.pyc").exists()
    assert run(script, tmp_path, "purge").returncode == 0


@pytest.mark.process
def test_a_removal_stops_the_services_that_run_the_package_and_no_others(tmp_path: Path) -> None:
    for name in ("run/systemd/system", "run/user/1000", "run/user/1001", "run/user/1002", "run/user/other", "bin"):
        (tmp_path / name).mkdir(parents=True)
    tool = tmp_path / "bin/systemctl"
    # the package's unit, or one's own with options; one's own of pipx; a user whose manager does not answer
    tool.write_text(
        "#!/bin/sh\n"
        f'case "$*" in\n*1000@*show*) echo "{{ path={tmp_path}/usr/bin/vcam ; argv[]=vcam start }}" ;;\n'
        '*1001@*show*) echo "{ path=/home/x/.local/bin/vcam ; argv[]=/usr/bin/vcam }" ;;\n'
        f'*show*) exit 1 ;;\n*) echo "$*" >>{tmp_path}/asked ;; esac\n'
    )
    tool.chmod(0o755)
    path = f"{tool.parent}:/usr/bin:/bin"
    script = scripts("vcam", 1)["prerm"].replace("py3clean", "no-py3clean")
    assert run(script, tmp_path, "upgrade", "2.0", path=path).returncode == 0
    assert not (tmp_path / "asked").exists()
    assert run(script, tmp_path, "remove", path=path).returncode == 0
    assert (tmp_path / "asked").read_text() == "--user -M 1000@ stop vcam.service\n"


@pytest.mark.process
@pytest.mark.parametrize(
    "words",
    [("configure", "1.0"), ("abort-upgrade", "2.0"), ("abort-remove",), ("abort-deconfigure", "in-favour", "x", "1")],
)
@pytest.mark.parametrize("name", ["vcam", "vcam-openvino"])
def test_modules_are_compiled_again_where_the_version_before_stays(
    name: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    tool = tmp_path / "bin/py3compile"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/asked\n')
    tool.chmod(0o755)
    done = run(scripts(name, 1)["postinst"], tmp_path, *words, path=f"{tool.parent}:/usr/bin:/bin")
    assert done.returncode == 0
    assert (tmp_path / "asked").read_text() == f"-p {name} {tmp_path}/usr/lib/vcam\n"


@pytest.mark.process
def test_modules_that_cannot_be_compiled_are_told_of_and_no_failure(tmp_path: Path) -> None:
    tool = tmp_path / "bin/py3compile"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho No space left >&2\nexit 1\n")
    tool.chmod(0o755)
    done = run(scripts("vcam", 1)["postinst"], tmp_path, "configure", path=f"{tool.parent}:/usr/bin:/bin")
    assert (done.returncode, "starts more slowly" in done.stderr) == (0, True)


def test_the_copyright_file_names_every_package_and_its_licence() -> None:
    own = "MIT License\n\nCopyright (c) 2026 Somebody\n\nPermission is granted.\n\nTHE SOFTWARE"
    parts = [
        Part("numpy", "2.0", "BSD-3-Clause", "https://n", (), ("numpy",), {"numpy-2.0.dist-info/LICENSE": "x"}),
        Part("a.b", "1", "Apache-2.0", "https://a", (), ("a_b.py",), {"a_b-1.dist-info/LICENSE-3RD-PARTY": "x"}),
    ]
    text = copyright_text("vcam", parts, "usr/lib/vcam/site", own)
    assert "Files: usr/lib/vcam/site/numpy-* usr/lib/vcam/site/numpy\n" in text
    assert " The text:\n /usr/lib/vcam/site/numpy-2.0.dist-info/LICENSE\n" in text
    assert "Files: usr/lib/vcam/site/a_b-* usr/lib/vcam/site/a_b.py\n" in text
    assert "/usr/share/common-licenses/Apache-2.0" in text
    # a well-known licence does not hide the notices of what else is in there
    assert "as well:\n /usr/lib/vcam/site/a_b-1.dist-info/LICENSE-3RD-PARTY\n" in f"{text}\n"
    page = text.index("vcam/web/page/preact.js\n")
    assert "Jason Miller\nLicense: Apache-2.0 and Expat\n" in text[page:].partition("\n\n")[0]
    assert "Copyright: 2026 Somebody\nLicense: MIT\n Permission is granted.\n .\n THE SOFTWARE" in text
    # of the networks one is vcam's own; the last paragraph that a file goes with counts
    google, own_network = text.index("_data/models/*\n"), text.index("_data/models/harmonise.*\n")
    assert google < own_network
    assert text[own_network:].partition("\n\n")[0].endswith("Copyright: 2026 Somebody\nLicense: MIT")
    # a paragraph ends at the first empty line
    assert all(re.match(r"(Format|Files): ", block) for block in text.strip().split("\n\n"))
