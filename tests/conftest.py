from __future__ import annotations

import itertools
import logging
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.failed import failed_lines
from tests.native.helpers import COMPILER, SOURCE
from tests.output.encoded.helpers import Nginx
from tests.places import SHARED
from vcam import native
from vcam.native import build

# a shell that starts the suite in the background has it ignore Ctrl-C, and every program that a test starts would too
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The virtual machine's file comes first: it takes long, and waits for most of that time."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/vm/test_vm.py"))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """At the very end, and once more at that of .ci/run: what failed, and the last lines of its error."""
    for line in failed_lines(
        (report.nodeid, report.longreprtext)
        for kind in ("error", "failed")
        for report in terminalreporter.stats.get(kind, [])
    ):
        terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged or printed may hold any bytes; a report that goes from process to process must be UTF-8."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode("utf-8")) for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def _runtime_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for each test; pytest's own way looks through all that are there for every new one."""
    base = tmp_path_factory.mktemp("run")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, _runtime_folders: Iterator[Path]) -> None:
    """No test may depend on, or touch, the config file, the running vcam or the known rooms of whoever runs it."""
    folder = next(_runtime_folders)
    folder.mkdir(mode=0o700)
    config = folder / "no-config.toml"
    config.touch()
    monkeypatch.setenv("VCAM_CONFIG", str(config))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """`vcam start`, run by a test in its own process, sets up the log: pytest's handlers must not leave out, in a later
    test, what was said before."""
    logger, root = logging.getLogger("vcam"), logging.getLogger()
    before = [(handler, handler.formatter, handler.filters[:]) for handler in root.handlers]
    levels = logger.level, root.level
    yield
    for handler, formatter, filters in before:
        handler.setFormatter(formatter)
        handler.filters[:] = filters
    logger.setLevel(levels[0])
    root.setLevel(levels[1])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures, clips and networks; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"no test data at {SHARED}")
    return SHARED


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """An RTMP server that is not started yet."""
    server = Nginx(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own model folder, which is not there yet."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "vcam" / "models"


@pytest.fixture(scope="module", params=["compiled", "opencv"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """What asks for it runs twice: with the compiled loops, if they were built, and with OpenCV in their place."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "opencv":
            patch.setenv("VCAM_NATIVE", "0")
        elif native.kernels() is None:
            pytest.skip("the compiled loops were not built: sudo apt install gcc libc6-dev, then install vcam anew")
        yield


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> native.Kernels:
    """Of the sources as they are now; those of the installation, if these are."""
    loaded = native.load(SOURCE / build.LIBRARY)
    if loaded is None and COMPILER is None:
        pytest.skip("no C compiler: sudo apt install gcc libc6-dev")
    loaded = loaded or native.load(build.build(target=tmp_path_factory.mktemp("built") / build.LIBRARY))
    assert loaded is not None
    return loaded
